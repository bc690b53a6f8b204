"""Where each candidate is: the engine's slot numbers, and what they stand for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.storing import Sink, Source

RIVER, PENDING, GONE = -1, -2, -3
"""Stand for a fleet's number: in the river engine; until its features are known; dropped."""

SLOTS_FIRST = 64


@dataclass(slots=True)
class Places:
    """A fleet and a row for every slot, as arrays.

    In the river engine the row is that engine's slot; until its features are known, it is the
    number of the prototype that a candidate waits with.
    """

    fleets: NDArray[np.int64] = field(default_factory=lambda: np.full(SLOTS_FIRST, GONE, np.int64))
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(SLOTS_FIRST, np.int64))
    reasons: dict[int, str] = field(default_factory=dict)
    _next: int = 0
    _free: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return self._next - len(self._free)

    def of(self, slot: int) -> tuple[int, int]:
        """Fleet and row."""
        return int(self.fleets[slot]), int(self.rows[slot])

    def find(self, fleet: int, row: int) -> int:
        """The slot that is there. Looks at all of them."""
        return int(np.flatnonzero((self.fleets == fleet) & (self.rows == row))[0])

    def hold(self, fleet: int, row: int, reason: str = "") -> int:
        """A new slot."""
        if self._free:
            slot = self._free.pop()
        else:
            slot, self._next = self._next, self._next + 1
        if slot == len(self.fleets):
            self.fleets = np.concatenate((self.fleets, np.full(slot, GONE, np.int64)))
            self.rows = np.concatenate((self.rows, np.zeros(slot, np.int64)))
        self.put(slot, fleet, row, reason)
        return slot

    def put(self, slot: int, fleet: int, row: int, reason: str = "") -> None:
        """Moves a slot; `reason` says why it runs in the river engine."""
        self.fleets[slot] = fleet
        self.rows[slot] = row
        if fleet == RIVER:
            self.reasons[slot] = reason

    def freeze(self, sink: Sink) -> None:
        """Writes the places of all slots, and which are free, in order."""
        reasons: dict[str, int] = {}
        pairs = [(s, reasons.setdefault(r, len(reasons))) for s, r in self.reasons.items()]
        sink.array("fleets", self.fleets[: self._next])
        sink.array("rows", self.rows[: self._next])
        sink.array("free", np.array(self._free, np.int64))
        sink.array("reasons", np.array(pairs, np.int64).reshape(-1, 2))
        sink.data("texts", json.dumps(list(reasons)).encode())

    def thaw(self, source: Source) -> None:
        """Takes over what `freeze` wrote; there are none before."""
        fleets, rows, texts = source.array("fleets"), source.array("rows"), source.data("texts")
        self._next, self._free = len(fleets), source.array("free").tolist()
        room = len(self.fleets)
        while room < self._next:
            room *= 2
        self.fleets, self.rows = np.full(room, GONE, np.int64), np.zeros(room, np.int64)
        self.fleets[: self._next], self.rows[: self._next] = fleets, rows
        reasons = json.loads(texts)
        self.reasons = {slot: reasons[at] for slot, at in source.array("reasons").tolist()}

    def forget(self, slot: int) -> None:
        """Drops a slot."""
        self.fleets[slot] = GONE
        self.reasons.pop(slot, None)
        self._free.append(slot)
