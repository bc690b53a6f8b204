"""Why an estimator does not become plain data, or data no estimator."""

from __future__ import annotations


class Unpackable(Exception):
    """The estimator has a part that plain data cannot hold; the text says which."""


class Malformed(Exception):
    """The data is not what `pack` gives; the text says where."""
