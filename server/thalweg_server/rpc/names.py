"""Lists of names that come again and again."""

from __future__ import annotations

from dataclasses import dataclass, field

from thalweg_server.core.observation import Names

LISTS_MAX = 16
"""Lists that are kept: a day of a large fleet takes a few batches."""


@dataclass(slots=True)
class KnownNames:
    """The last lists of names that a stream brought; most bring the same models day by day.

    What was found out about a list, such as its models' numbers, is then known already.
    """

    _lists: dict[tuple[int, str], Names] = field(default_factory=dict)

    def same(self, names: Names) -> Names:
        """The list of these names that came before, else this one."""
        key = (len(names), names[0] if names else "")
        known = self._lists.pop(key, None)
        if known is None or known != names:
            known = names
        self._lists[key] = known  # the newest last
        while len(self._lists) > LISTS_MAX:
            del self._lists[next(iter(self._lists))]
        return known
