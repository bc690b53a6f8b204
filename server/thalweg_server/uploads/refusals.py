"""Why a payload does not load, inside the package: the façade turns these into domain errors."""

from __future__ import annotations


class Forbidden(Exception):
    """The policy forbids what the payload holds."""


class Malformed(Exception):
    """The bytes are no pickle that could be loaded."""
