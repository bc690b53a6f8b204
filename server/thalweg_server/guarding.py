"""Getting over a candidate that ends the process: a restart would meet the same row again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from thalweg_server.logs import log
from thalweg_server.storage.placing import QUARANTINE

REPLAYING = "replaying.json"

STRIKES = 3
"""Ends at the same candidate and row before it is taken for the cause: a kill may be chance."""


@dataclass(frozen=True, slots=True)
class Place:
    """A candidate about to learn a row of an entry of the log."""

    position: int
    row: int
    model: str
    candidate: str


class FileGuard:
    """Remembers in a file what replay is at, so that the next process knows where this one ended.

    See `core.replay.Guard`. Where the last process ended in the middle of an entry, each learning
    of that entry is noted; a candidate at which three processes in a row have ended is put in
    quarantine before it learns that row, now and in every replay to come. Nothing is synced: it is
    the process that ends, not the machine.

    Args:
        folder: the data directory.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / REPLAYING
        self._list = folder / QUARANTINE
        self._last = _read(self._file, {})
        self._quarantined = {Place(**each) for each in _read(self._list, [])}
        self._position = 0
        if self._last.get("strikes", 0) >= STRIKES:
            self._quarantine(_place(self._last))

    def applying(self, position: int) -> bool:
        """See `Guard.applying`."""
        known = self._last.get("position") == position
        if position != self._position:
            self._position = position
            if not known:  # else what is known of the last time still counts
                self._write({"position": position})
        return known or any(each.position == position for each in self._quarantined)

    def learning(self, row: int, model: str, candidate: str) -> str:
        """See `Guard.learning`."""
        place = Place(self._position, row, model, candidate)
        if place in self._quarantined:
            return (
                f"quarantined: {STRIKES} processes ended when it learned row {row} of entry "
                f"{self._position}; replace or delete it"
            )
        again = "strikes" in self._last and _place(self._last) == place
        self._write({**asdict(place), "strikes": self._last["strikes"] + 1 if again else 1})
        return ""

    def done(self) -> None:
        """The log is applied: nothing is to be remembered."""
        self._file.unlink(missing_ok=True)

    def _quarantine(self, place: Place) -> None:
        log().error("candidate quarantined", **asdict(place))
        self._quarantined.add(place)
        unfinished = self._list.with_suffix(".unfinished")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump([asdict(each) for each in self._quarantined], file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._list)

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write_text(json.dumps(record), encoding="utf-8")


def _place(record: dict[str, Any]) -> Place:
    return Place(**{name: record[name] for name in Place.__slots__})


def _read(file: Path, default: Any) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError:  # the process ended while it wrote: it is as good as none
        return default
