"""All that a server's settings say about callers: who may connect, and who may call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Protocol

import grpc

from thalweg_server.callers.certificates import Certificates
from thalweg_server.callers.checking import SecretFile, Tokens
from thalweg_server.callers.exposure import check_exposure
from thalweg_server.callers.interceptor import Callers
from thalweg_server.callers.watching import CHECK_SECONDS
from thalweg_server.config import Config
from thalweg_server.logs import log


class _Refreshed(Protocol):
    def refresh(self) -> None: ...


class Access:
    """What is locked, and the keys.

    Args:
        config: the server's settings.

    Attributes:
        certificates: of both ports; None = they speak in clear.
        metrics_token: what `/metrics` asks for; None = nothing.

    Raises:
        Unusable: a file cannot be used, or other machines reach what is not locked.
    """

    def __init__(self, config: Config) -> None:
        for open_door in check_exposure(config):
            log().warning(f"--allow-insecure-bind: {open_door}")
        self.tokens = Tokens(config.tokens) if config.tokens else None
        self.certificates = (
            Certificates(config.tls_cert, config.tls_key, config.tls_client_ca)
            if config.tls_cert and config.tls_key
            else None
        )
        self._web_tls = config.metrics_tls
        self.metrics_token = (
            SecretFile(config.metrics_token_file) if config.metrics_token_file else None
        )

    @property
    def web_context(self) -> ssl.SSLContext | None:
        """What the HTTP side speaks HTTPS with; None = HTTP."""
        return self.certificates.context if self.certificates and self._web_tls else None

    def interceptors(self) -> Sequence[Any]:
        """What stands between Statuses and the handlers."""
        return () if self.tokens is None else (Callers(self.tokens),)

    def open_port(self, server: grpc.aio.Server, address: str) -> int:
        """Adds the gRPC port; returns its number.

        Raises:
            RuntimeError: the address cannot be listened on.
        """
        if self.certificates is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, self.certificates.credentials())

    async def watch(self) -> None:
        """Looks after the files until it is cancelled."""
        held: list[_Refreshed | None] = [self.tokens, self.certificates, self.metrics_token]
        watched = [each for each in held if each is not None]
        while watched:
            await asyncio.sleep(CHECK_SECONDS)
            for each in watched:
                await asyncio.to_thread(each.refresh)  # a folder may be on a slow network
