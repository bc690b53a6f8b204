"""Lists of names that come again and again."""

from __future__ import annotations

from dataclasses import dataclass, field

from thalweg_server.core.observation import Names

NAMES_MAX = 200_000
"""Names in the lists that are kept: a day of a large fleet, in however small batches."""


@dataclass(slots=True)
class KnownNames:
    """The last lists of names that a stream brought; most bring the same models day by day.

    What was found out about a list, such as its models' numbers, is then known already.
    """

    _lists: dict[tuple[int, str], Names] = field(default_factory=dict)
    _names: int = 0

    def same(self, names: Names) -> Names:
        """The list of these names that came before, else this one."""
        key = (len(names), names[0] if names else "")
        known = self._lists.pop(key, None)
        self._names += len(names) if known is None else 0
        if known is None or known != names:
            known = names
        self._lists[key] = known  # the newest last
        while self._names > NAMES_MAX and len(self._lists) > 1:
            self._names -= len(self._lists.pop(next(iter(self._lists))))
        return known
