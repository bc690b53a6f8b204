"""From a token to its caller."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from thalweg_server.callers.identity import Caller, granted
from thalweg_server.callers.problems import Unusable
from thalweg_server.callers.tokens import Entry, read_entries
from thalweg_server.callers.watching import Watched

SECRET_BYTES_MIN = 16
"""Of the token in a file for `/metrics`: a shorter one can be tried out."""

SECRET_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    ends: float


class Tokens:
    """The callers of a token file.

    Comparing takes the same time whatever the secrets are: both sides are hashed, and the hashes
    hashed again with a key that lives as long as the process. What the lookup then compares are
    values that a caller can neither predict nor steer, so how long it takes tells nothing of what
    the file holds; and it takes no longer with many tokens than with one.

    Args:
        path: the file.

    Raises:
        Unusable: it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, _Known] = {}
        self._file = Watched((path,), lambda: read_entries(path), self._use)

    def refresh(self) -> None:
        """Reads the file again if it changed."""
        self._file.refresh()

    def caller(self, token: str) -> Caller | None:
        """Whose token it is; None where it is unknown, revoked or expired."""
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        known = self._known.get(self._keyed(digest))
        if known is None or time.time() >= known.ends:
            return None
        return known.caller

    def _keyed(self, digest: bytes) -> bytes:
        return hmac.digest(self._key, digest, "sha256")

    def _use(self, entries: tuple[Entry, ...]) -> None:
        self._known = {
            self._keyed(bytes.fromhex(each.sha256)): _Known(
                Caller(each.name, granted(each.roles)),
                each.expires.timestamp() if each.expires else float("inf"),
            )
            for each in entries
        }


class SecretFile:
    """One token, in a file of its own: the one that a scraper's configuration names, too.

    Args:
        path: the file; white space around the token does not count.

    Raises:
        Unusable: it cannot be read, or holds no token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = b""
        self._file = Watched((path,), self._read, self._use)

    def refresh(self) -> None:
        """Reads the file again if it changed."""
        self._file.refresh()

    def is_it(self, token: bytes) -> bool:
        """Whether that is the token; takes the same time whatever it is."""
        return hmac.compare_digest(hashlib.sha256(token).digest(), self._digest)

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                text = file.read(SECRET_BYTES_MAX).strip()
        except OSError as error:
            raise Unusable(
                f"cannot read {self._path} (--metrics-token-file): {error.strerror}"
            ) from error
        if len(text) < SECRET_BYTES_MIN:
            raise Unusable(
                f"{self._path} (--metrics-token-file) holds {len(text)} bytes, and a token has at "
                f"least {SECRET_BYTES_MIN}: openssl rand -hex 32 > {self._path}"
            )
        return text

    def _use(self, text: bytes) -> None:
        self._digest = hashlib.sha256(text).digest()
