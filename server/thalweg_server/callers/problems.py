"""What a server does not start with, or goes on without."""

from __future__ import annotations


class Unusable(Exception):
    """A file of tokens or certificates, or an address, that a server does not start with; one line
    that says which, why, and what to do.
    """
