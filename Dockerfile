# The server as an image. Two stages: the first installs by hashes, the second holds the result.
#
#   docker build -t thalweg .
#
# It listens on every address of its container, and so starts only with TLS and callers' tokens,
# from a folder mounted at /etc/thalweg. Its four files are made once; the image runs as uid 10001:
#
#   install -d -m 700 keys
#   cp fullchain.pem keys/tls.crt && cp privkey.pem keys/tls.key
#   openssl rand -hex 32 > keys/metrics-token
#   sudo chown -R 10001:10001 keys
#   docker run --rm --network none -v "$PWD/keys:/etc/thalweg" thalweg token new --role admin
#
# Then, with nothing to write to but the volume and /tmp:
#
#   docker run -d --init --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v thalweg-data:/data -v "$PWD/keys:/etc/thalweg:ro" \
#     -e THALWEG_SERVER_NAME=forecast.example.org -p 50051:50051 -p 9464:9464 thalweg
#
# Mount the folder, not its files: renewed certificates and changed tokens are then seen. The
# metrics port speaks HTTPS with the same certificate. THALWEG_SERVER_NAME is the certificate's
# name, for the health check; with --tls-client-ca that needs THALWEG_CERT and THALWEG_KEY, too.
#
# The jail of model workers needs no capability, no privileged container and no profile of its own:
# just prctl, seccomp and Landlock as any process may use them. Docker's default seccomp profile
# lets them through. Where a stricter one does not, the server says at start what is missing and
# refuses uploads with code.

# A tag follows Python's security releases. For the same base on every build, give its digest:
# --build-arg PYTHON=python@sha256:…
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY locks locks
RUN python -m venv --without-pip /opt/thalweg \
    && pip --python /opt/thalweg install --require-hashes -r locks/server.txt \
    && pip install --require-hashes -r locks/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY server server
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /dist . \
    && pip --python /opt/thalweg install --no-deps --no-index /dist/thalweg-*.whl \
    && pip --python /opt/thalweg check

FROM ${PYTHON}
RUN groupadd --gid 10001 thalweg \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin thalweg \
    && install --directory --mode 700 --owner thalweg --group thalweg /data /etc/thalweg
COPY --from=build /opt/thalweg /opt/thalweg
COPY deploy/entrypoint deploy/healthcheck /usr/local/lib/thalweg/
USER 10001:10001
WORKDIR /data
# The models' state, and the kernels compiled for them.
VOLUME /data
ENV PATH=/opt/thalweg/bin:$PATH \
    THALWEG_HOST=0.0.0.0 \
    THALWEG_TOKENS=/etc/thalweg/tokens.json \
    THALWEG_TLS_CERT=/etc/thalweg/tls.crt \
    THALWEG_TLS_KEY=/etc/thalweg/tls.key \
    THALWEG_METRICS_HOST=0.0.0.0 \
    THALWEG_METRICS_TOKEN_FILE=/etc/thalweg/metrics-token \
    THALWEG_METRICS_TLS=true \
    THALWEG_DATA_DIR=/data/state \
    THALWEG_KERNEL_CACHE=/data/kernels \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/usr/local/lib/thalweg/healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/lib/thalweg/entrypoint"]
CMD ["serve"]
