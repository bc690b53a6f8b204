"""The table of opcodes: 256 handlers, one for each byte."""

from __future__ import annotations

from thalweg_server.uploads.containers import CONTAINERS
from thalweg_server.uploads.objects import OBJECTS, REFUSED, unknown
from thalweg_server.uploads.scalars import SCALARS, Handler

_KNOWN = SCALARS | CONTAINERS | OBJECTS | REFUSED

HANDLERS: tuple[Handler, ...] = tuple(_KNOWN.get(code, unknown) for code in range(256))
"""What each opcode does."""
