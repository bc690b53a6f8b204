"""Estimators as plain data, for the way from a process that nobody trusts to one that has to.

A model's code may have taken over the worker that loaded it, so that what comes from there is no
pickle but numbers, texts and lists, read by an exact table of River's classes. What the table does
not know stays in the worker.
"""

from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.packing import pack, unpack

__all__ = ["Malformed", "Unpackable", "pack", "unpack"]
