"""Candidates that are not yet where they belong: their features or their kernel are to come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from thalweg_server.core.observation import Context, Flavor
from thalweg_server.engines.compiled.cache import Compiling
from thalweg_server.engines.compiled.lowering import Lowering, reason_of
from thalweg_server.engines.compiled.places import RIVER, Places
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.fallback import Fallback

BEING_COMPILED = "its kernel is being compiled"

PROMOTED_MAX = 16
"""Candidates that one call moves: a few milliseconds, however many wait for the same kernel."""


@dataclass(slots=True)
class Waiting:
    """A candidate that River runs until its kernel is compiled.

    Args:
        inputs: the features that it was given first.
        context: what it sees of an observation's frame.
        making: the compilation; None where it is to be asked for, after a restart.
    """

    inputs: Inputs
    context: tuple[Context, ...]
    making: Compiling | None


@dataclass(slots=True)
class Newcomers:
    """Finds places for candidates that could be given none when they were loaded."""

    lowering: Lowering
    places: Places
    river: Fallback
    _waiting: dict[int, Waiting] = field(default_factory=dict)

    def bind(self, slot: int, inputs: Inputs, flavor: Flavor) -> None:
        """Lowers a candidate that has waited for its first row, which has these features."""
        number = int(self.places.rows[slot])
        context, reason = self.lowering.waiting[number].context, ""
        try:
            self.places.put(slot, *self.lowering.bind(number, inputs))
        except Compiling as making:
            self._waiting[slot], reason = Waiting(inputs, context, making), BEING_COMPILED
        except Exception as error:
            reason = reason_of(error)
        if reason:
            estimator = self.lowering.estimator(number)
            self.places.put(slot, RIVER, self.river.adopt(estimator, flavor, context), reason)
        self.lowering.release(number)

    def promote(self, slots: Iterable[int]) -> None:
        """Lowers some of these whose kernel has come, with what they have learned meanwhile."""
        ready = [
            slot
            for slot in self._waiting.keys() & set(slots)
            if _finished(self._waiting[slot].making)
        ]
        for slot in sorted(ready)[:PROMOTED_MAX]:
            self._promote(slot, self._waiting.pop(slot))

    def copy(self, slot: int, clone: int) -> None:
        """A clone of one that waits does so, too."""
        if slot in self._waiting:
            self._waiting[clone] = self._waiting[slot]

    def forget(self, slot: int) -> None:
        """It is dropped."""
        self._waiting.pop(slot, None)

    @property
    def waiting(self) -> Mapping[int, Waiting]:
        """Those that wait, by slot."""
        return self._waiting

    def restore(self, slot: int, inputs: Inputs, context: tuple[Context, ...]) -> None:
        """One that River runs has waited, and does so again."""
        self._waiting[slot] = Waiting(inputs, context, None)

    def __len__(self) -> int:
        return len(self._waiting)

    def _promote(self, slot: int, waiting: Waiting) -> None:
        number = int(self.places.rows[slot])
        try:
            if waiting.making is not None and waiting.making.compilation.reason:
                self.places.put(slot, RIVER, number, waiting.making.compilation.reason)
                return
            estimator = self.river.estimator(number)
            place = self.lowering.lower(estimator, waiting.inputs, waiting.context)
        except Compiling as making:
            self._waiting[slot] = Waiting(waiting.inputs, waiting.context, making)
        except Exception as error:
            self.places.put(slot, RIVER, number, reason_of(error))
        else:
            self.places.put(slot, *place)
            self.river.drop([number])


def _finished(making: Compiling | None) -> bool:
    return making is None or making.compilation.finished
