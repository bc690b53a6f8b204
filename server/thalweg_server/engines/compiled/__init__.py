"""Fleets: candidates lowered to arrays, run by compiled kernels, with River's own numbers."""

from __future__ import annotations

from thalweg_server.engines.compiled.engine import CompiledEngine

__all__ = ["CompiledEngine"]
