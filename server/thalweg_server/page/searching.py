"""Finding models by a part of their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from heapq import nsmallest

from thalweg_server.core.globs import compile_glob

NAMES_MAX = 20
"""Names that one look takes in; whoever wants another one types on."""

SEARCH_CHARACTERS_MAX = 256
"""As long as a name may be."""


def search(names: Iterable[str], text: str) -> Sequence[str]:
    """At most NAMES_MAX names that match, in order; those that begin so before the others.

    Looks at each, a millisecond for some thousands, and lets other threads run in between: an
    index that is sorted would not.

    Args:
        names: of all models.
        text: a part of the name in any case, or a glob with `*` and `?` of all of it.
    """
    rank = _rank(text[:SEARCH_CHARACTERS_MAX])
    ranked = ((place, name) for name in names if (place := rank(name)) >= 0)
    return [name for _, name in nsmallest(NAMES_MAX, ranked)]


def _rank(text: str) -> Callable[[str], int]:
    """Tells how far back a name is among those found; below 0 where it does not match."""
    if "*" in text or "?" in text:
        pattern = re.compile(compile_glob(text).pattern, re.DOTALL | re.IGNORECASE)
        return lambda name: 0 if pattern.fullmatch(name) else -1
    part = text.casefold()
    return lambda name: min(name.casefold().find(part), 1)
