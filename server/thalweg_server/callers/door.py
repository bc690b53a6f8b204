"""The HTTP side's door: all but health asks for a token."""

from __future__ import annotations

import base64
import binascii

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from thalweg_server.callers.checking import SecretFile

OPEN_PATHS = ("/healthz", "/readyz")
"""What load balancers and container health checks ask, without tokens, to learn one bit."""

CHALLENGE = 'Bearer realm="thalweg", Basic realm="thalweg"'


def guarded(app: ASGIApp, token: SecretFile | None) -> ASGIApp:
    """The application behind a token: a bearer token or, for browsers, a password of any user.

    Args:
        app: what is served.
        token: what it asks for; None = nothing.
    """
    if token is None:
        return app

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        shut = scope["type"] == "http" and scope["path"] not in OPEN_PATHS
        if shut and not token.is_it(_shown(Headers(scope=scope).get("authorization", ""))):
            refusal = PlainTextResponse(
                "this page asks for the token of --metrics-token-file, as `authorization: Bearer "
                "<token>` (Prometheus: authorization.credentials_file) or as a password\n",
                401,
                headers={"www-authenticate": CHALLENGE, "cache-control": "no-store"},
            )
            await refusal(scope, receive, send)
            return
        await app(scope, receive, send)

    return door


def _shown(authorization: str) -> bytes:
    """The token that a header shows; nothing is as wrong as any other wrong one."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode(errors="replace")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials).partition(b":")[2]
        except (binascii.Error, ValueError):
            return b""
    return b""
