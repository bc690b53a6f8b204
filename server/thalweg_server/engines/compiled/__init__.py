"""Fleets: candidates lowered to arrays, run by compiled kernels, with River's own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg_server.engines.compiled.engine import CompiledEngine

__all__ = ["CompiledEngine"]


def __getattr__(name: str) -> Any:
    """Loads the engine on first use: the process that compiles a kernel needs no River."""
    if name != "CompiledEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from thalweg_server.engines.compiled.engine import CompiledEngine  # noqa: PLC0415

    return CompiledEngine
