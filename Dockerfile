# Two stages: the first builds the wheel, the second runs it and holds no build tools.
FROM python:3.11-slim AS build
WORKDIR /src
RUN pip install --no-cache-dir build
COPY pyproject.toml README.md LICENSE ./
COPY client client
COPY server server
RUN python -m build --wheel --outdir /dist

FROM python:3.11-slim
COPY --from=build /dist/*.whl /tmp/
RUN wheel=$(ls /tmp/thalweg-*.whl) \
    && pip install --no-cache-dir "${wheel}[server]" \
    && rm /tmp/*.whl \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin thalweg \
    && install --directory --owner thalweg --group thalweg /data
USER thalweg
WORKDIR /data
# For state that outlives the container.
VOLUME /data
# Inside a container the port is reached through Docker's own network, so loopback would be a
# closed door. Publish it to trusted networks only: an upload can run code.
ENV THALWEG_HOST=0.0.0.0 \
    THALWEG_DATA_DIR=/data \
    THALWEG_METRICS_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["thalweg", "health", "--server", "127.0.0.1:50051"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["thalweg"]
CMD ["serve"]
