"""What the server keeps of candidates that run in workers: enough to make each one again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.policy import Origin


@dataclass(slots=True)
class Base:
    """An estimator as bytes, which several candidates may begin with.

    Args:
        number: never another's.
        payload: an upload, or what a worker has written.
        policy: by which it is loaded; `serving.CHECKPOINT` for what a worker has written.
        strikes: how often any of them had to be stopped.
    """

    number: int
    payload: bytes = field(repr=False)
    policy: str
    strikes: int = 0


@dataclass(slots=True)
class Record:
    """A candidate: a base, and what has been learned since, as it was sent to the worker.

    Args:
        base: what it begins with.
        flavor: what it predicts.
        context: what of an observation's frame it sees in `x`.
        origin: who uploaded it, under which policy: whose process it may share.
        lessons: in order.
        structure: itself as plain data, where it is just loaded and can be lowered.
        strikes: how often it had to be stopped.
        quarantined: why it is asked and taught no more; empty where it is.
        lesson_bytes: of all lessons.
        due: lessons at which the base is to be made anew from what it is then.
    """

    base: Base
    flavor: Flavor
    context: tuple[Context, ...]
    origin: Origin
    lessons: list[bytes] = field(default_factory=list)
    structure: bytes | None = None
    strikes: int = 0
    quarantined: str = ""
    lesson_bytes: int = 0
    due: int = 0

    def copy(self) -> Record:
        """Another candidate that is as this one is."""
        lessons = list(self.lessons)
        return Record(
            *(self.base, self.flavor, self.context, self.origin, lessons),
            quarantined=self.quarantined,
            lesson_bytes=self.lesson_bytes,
            due=self.due,
        )

    @property
    def version(self) -> tuple[int, int]:
        """Changes with every lesson: a worker that made another version has to make it again."""
        return self.base.number, len(self.lessons)

    def learned(self, lesson: bytes) -> None:
        """Notes what the worker has had it learn."""
        self.lessons.append(lesson)
        self.lesson_bytes += len(lesson)
        self.structure = None  # that was before

    def rebase(self, base: Base) -> None:
        """Begins with what it is now."""
        self.base, self.lessons, self.lesson_bytes, self.due = base, [], 0, 0

    def hold(self, slot: int, payload: bytes | None) -> Sequence[object]:
        """What has a worker make it."""
        base = (self.base.number, payload, self.base.policy)
        sort = (self.flavor.value, [each.value for each in self.context])
        return ["hold", slot, base, sort, self.lessons]
