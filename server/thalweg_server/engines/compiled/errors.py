"""Why a candidate cannot be lowered."""

from __future__ import annotations


class Unlowerable(Exception):
    """The candidate stays in the river engine; the text says why."""


class SchemaNeeded(Exception):
    """What a step does depends on the names of the features, which the first row will tell."""


class TooNarrow(Unlowerable):
    """Learned numbers do not fit in four bytes: a row with eight for each will do."""
