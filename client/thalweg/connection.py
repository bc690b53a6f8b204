"""How to reach a server: address, TLS, token, deadlines, sizes, keepalive. Opens no channel."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable, Sequence
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc

from thalweg.retry import Retry

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message either way: the contract's bound on requests."""
UPLOAD_SECONDS_MIN = 60.0
"""An upload of 64 MiB over a slow line takes longer than other calls may."""
RECONNECT_FIRST_MS, RECONNECT_MAX_MS = 100, 5_000
"""gRPC's own pace at reconnecting; its defaults, 1 s and 120 s, outlast any restart."""
KEEPALIVE_TIMEOUT_MS = 10_000
"""A ping without an answer for so long means that the connection is dead."""
REQUEST_ID = "x-request-id"
"""The header of the id that the server logs a call under; it answers with it, too."""

Token = str | Callable[[], str]
"""A bearer token, or a function that returns the current one for each call."""


class Connection:
    """What both clients know of their server.

    Args:
        target: "host:port", or any gRPC target such as "unix:///run/thalweg.sock".
        timeout: seconds a unary call may take, its retries included; `math.inf` = for ever. An
            upload has at least 60 s. Streams have no deadline unless the call sets one.
        tls: True, or the path of the PEM file of root certificates to trust. False = no TLS.
        certificate, key: paths of this client's PEM certificate chain and private key, for
            servers that ask for one (mTLS).
        server_name: the name to expect in the server's certificate, where it is not the host's.
        token: a bearer token, or a function that returns one; goes with every call.
        allow_insecure_token: send the token without TLS to another machine, too: for networks
            that encrypt by themselves.
        retry: how often and how patiently calls are repeated where that is safe.
        keepalive: seconds of silence on an open call after which the connection is probed.
        options: further gRPC channel arguments; they win over ours.

    Raises:
        ValueError: a token without TLS to another machine, not allowed; a certificate without
            its key; a certificate without TLS.
    """

    def __init__(  # noqa: PLR0913 - settings, all but one by name
        self,
        target: str,
        *,
        timeout: float = 10.0,
        tls: bool | str | os.PathLike[str] = False,
        certificate: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        server_name: str = "",
        token: Token | None = None,
        allow_insecure_token: bool = False,
        retry: Retry | None = None,
        keepalive: float = 30.0,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        if (certificate is None) != (key is None):
            raise ValueError("a client certificate needs its key, and a key its certificate")
        if certificate is not None and tls is False:
            raise ValueError("a client certificate needs tls")
        in_clear = tls is False and not is_local(target)
        if token is not None and in_clear and not allow_insecure_token:
            raise ValueError(
                f"without tls the token would cross the network to {target} in clear: give tls "
                "(--tls, --ca), or allow_insecure_token (--allow-insecure-token)"
            )
        self.target = target
        self.timeout = timeout
        self.retry = retry or Retry()
        self._token = token
        self._tls = tls
        self._certificate = certificate
        self._key = key
        self.channel_options = _channel_options(target, server_name, keepalive, options)
        self._prepare()

    def _prepare(self) -> None:
        """Do what a kind of client does once its connection is described."""

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return the TLS credentials, None for a connection without TLS.

        Raises:
            OSError: a certificate or key that cannot be read.
        """
        if self._tls is False:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=None if self._tls is True else Path(self._tls).read_bytes(),
            private_key=Path(self._key).read_bytes() if self._key else None,
            certificate_chain=Path(self._certificate).read_bytes() if self._certificate else None,
        )

    def metadata(self, request_id: str = "") -> tuple[tuple[str, str], ...]:
        """Return what goes with a call: its id, if it has one, and the token of this moment."""
        known = ((REQUEST_ID, request_id),) if request_id else ()
        if self._token is None:
            return known
        token = self._token() if callable(self._token) else self._token
        return (*known, ("authorization", f"Bearer {token}"))

    def seconds_for(self, timeout: float | None, least: float = 0.0) -> float:
        """Return the seconds a unary call has: the call's own, or else this client's."""
        return max(self.timeout, least) if timeout is None else timeout


def new_request_id() -> str:
    """Return an id for one call, the same for all of its attempts."""
    return uuid.uuid4().hex


def grpc_timeout(seconds: float | None) -> float | None:
    """Return a timeout as gRPC takes it: None for no deadline."""
    return None if seconds is None or math.isinf(seconds) else max(seconds, 0.0)


def is_local(target: str) -> bool:
    """Say whether a target is on this machine: loopback or a Unix socket."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    scheme, _, rest = target.partition(":")
    address = rest.rpartition("/")[2] if scheme in ("dns", "ipv4", "ipv6") else target
    host = urlsplit(f"//{address}").hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _channel_options(
    target: str, server_name: str, keepalive: float, options: Sequence[tuple[str, Any]]
) -> list[tuple[str, Any]]:
    ours: dict[str, Any] = {
        "grpc.primary_user_agent": f"thalweg-python/{version('thalweg')}",
        "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
        "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
        # A proxy set for the outside world cannot reach this machine's loopback.
        "grpc.enable_http_proxy": 0 if is_local(target) else 1,
        "grpc.keepalive_time_ms": int(keepalive * 1000),
        "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
        "grpc.http2.max_pings_without_data": 0,
        "grpc.initial_reconnect_backoff_ms": RECONNECT_FIRST_MS,
        "grpc.max_reconnect_backoff_ms": RECONNECT_MAX_MS,
    }
    if server_name:
        ours["grpc.ssl_target_name_override"] = server_name
    return list((ours | dict(options)).items())
