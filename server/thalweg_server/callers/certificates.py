"""TLS: a certificate that is renewed while the server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc

from thalweg_server.callers.problems import Unusable
from thalweg_server.callers.watching import Watched


class Certificates:
    """A certificate chain, its key and, for mTLS, the authorities of clients' certificates.

    mTLS says which machines may connect, and no more: what a caller may do is its token's matter.

    Args:
        chain: PEM file: the server's certificate, then those up to its authority.
        key: PEM file: its private key, without a password.
        client_ca: PEM file: a client has to show a certificate of one of these; None = need not.

    Raises:
        Unusable: a file cannot be read, or key and certificate are no pair.
    """

    def __init__(self, chain: Path, key: Path, client_ca: Path | None = None) -> None:
        self._chain, self._key, self._client_ca = chain, key, client_ca
        self._fresh = False
        # Of the HTTP side, where scrapers show tokens and no certificates.
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._paths = [path for path in (chain, key, client_ca) if path is not None]
        self._files = Watched(self._paths, self._read, self._use)

    def refresh(self) -> None:
        """Reads the files again if they changed. New connections see it, old ones go on."""
        self._files.refresh()

    def credentials(self) -> grpc.ServerCredentials:
        """What a gRPC port is opened with."""
        self._fresh = False
        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            self._renewed,  # type: ignore[arg-type, unused-ignore] # grpc's text allows None
            self._client_ca is not None,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Asked by gRPC, in a thread of its own, before each handshake; None = as before."""
        if not self._fresh:
            return None
        self._fresh = False
        return self._configuration

    def _read(self) -> grpc.ServerCertificateConfiguration:
        try:
            pair = (self._key.read_bytes(), self._chain.read_bytes())
            roots = None if self._client_ca is None else self._client_ca.read_bytes()
            # gRPC would take a key of another certificate, and fail at each handshake.
            trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trial.load_cert_chain(self._chain, self._key, password=b"")  # never asks a terminal
            if roots is not None:
                trial.load_verify_locations(cafile=self._client_ca)
            self.context.load_cert_chain(self._chain, self._key, password=b"")
        except ssl.SSLError as error:
            raise Unusable(
                f"{', '.join(map(str, self._paths))} (--tls-cert, --tls-key, --tls-client-ca): not "
                f"a PEM certificate, its key without a password, and authorities: {error.reason}"
            ) from error
        except OSError as error:
            raise Unusable(
                f"cannot read {error.filename or self._chain} (--tls-cert, --tls-key, "
                f"--tls-client-ca): {error.strerror}"
            ) from error
        return grpc.ssl_server_certificate_configuration([pair], roots)

    def _use(self, configuration: grpc.ServerCertificateConfiguration) -> None:
        self._configuration = configuration
        self._fresh = True
