"""Having workers do what is asked of candidates, whatever becomes of the workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from thalweg_server.config import Patience, WorkerLimits
from thalweg_server.core.errors import EstimatorFailed
from thalweg_server.core.ports import Answer, Busy
from thalweg_server.workers.host import Host, Stopped
from thalweg_server.workers.house import House
from thalweg_server.workers.moulds import CHECKPOINT
from thalweg_server.workers.records import Base, Record
from thalweg_server.workers.replies import NO_MEMORY, SUSPECTS, answer_of, made_of, raised
from thalweg_server.workers.wire import Ended
from thalweg_server.workers.zygote import WorkerFailed

TOGETHER_MAX = 256
"""Items of one message: where a worker ends, all of them are done again."""

T = TypeVar("T")

Items: TypeAlias = dict[int, tuple[int, bytes]]
"""What is asked, by number: a slot, and what it is sent."""

Replies: TypeAlias = dict[int, tuple[Answer, bool]]
"""By number: the candidate's answer, and whether it learned nothing."""


@dataclass(slots=True)
class Asking:
    """Asks candidates by slot.

    Args:
        records: the candidates.
        house: the workers.
        bounds: how long they may take.
        state_bytes_max: what one candidate's state may take.
        base: makes a base of a payload and a policy.

    Attributes:
        condemned: slots that were stopped too often and are not in quarantine yet, and why.
        strikes: how often any was stopped.
    """

    records: Mapping[int, Record]
    house: House
    bounds: WorkerLimits
    state_bytes_max: int
    base: Callable[[bytes, str], Base]
    condemned: dict[int, str] = field(default_factory=dict)
    strikes: int = 0
    _under_way: set[int] = field(default_factory=set)

    def predict(self, slots: Sequence[int], questions: Sequence[bytes]) -> list[Answer]:
        """What each slot answers."""
        if len(slots) == 1 and (answer := self._at_once(slots[0], questions[0])):
            return [answer]
        replies = self._ask("predict", slots, questions)
        return [replies[number][0] for number in range(len(slots))]

    def learn(self, slots: Sequence[int], lessons: Sequence[bytes]) -> list[tuple[Answer, bool]]:
        """What each slot answers before it learns, and whether it learned nothing."""
        replies = self._ask("learn", slots, lessons)
        return [replies[number] for number in range(len(slots))]

    def made(self, slot: int, operation: str) -> Any:
        """What a worker makes of one candidate; raises EstimatorFailed."""
        refused = self._refusal(slot)
        if refused:
            raise EstimatorFailed(refused)
        try:
            host = self.house.host(self.records[slot].origin.domain)
            failed = self._hold(host, slot)
            said = ["failed", failed] if failed else self._made(host, slot, [operation, slot])
        except WorkerFailed as error:
            raise EstimatorFailed(f"there is no worker to ask: {error}") from error
        if said[0] == "failed":
            raise EstimatorFailed(said[1])
        return said[1]

    def _at_once(self, slot: int, question: bytes) -> Answer | None:
        """What a candidate answers that its worker has and can be asked for now: nearly every
        Predict. None = there is more to it.
        """
        record = self.records[slot]
        host = self.house.resting(record.origin.domain)
        if host is None or host.held.get(slot) != record.version:
            return None
        if slot in self._under_way or self._refusal(slot):
            return None
        message = ["predict", [(slot, question)]]
        said = self._said(host, slot, message, self.bounds.call, read=answer_of)
        if isinstance(said, str):
            return Answer(error=said)
        answer, _ = said
        if answer.error and (what := raised(answer.error)) in SUSPECTS:
            if what == NO_MEMORY:
                host.end()  # others may have found none
            answer.error = self._strike(slot, answer.error)
        return answer

    # --- Many items ---------------------------------------------------------------------------

    def _ask(self, operation: str, slots: Sequence[int], bodies: Sequence[bytes]) -> Replies:
        replies: Replies = {}
        for domain, items in self._by_domain(slots, bodies).items():
            numbers = iter(items)
            while left := {number: items[number] for number in islice(numbers, TOGETHER_MAX)}:
                while left := self._unrefused(left, replies):
                    self._ask_worker(operation, domain, left, replies)
        return replies

    def _unrefused(self, items: Items, replies: Replies) -> Items:
        """Those without a reply that are asked; others have one."""
        asked: Items = {}
        for number, (slot, body) in items.items():
            if number in replies:
                continue
            if refusal := self._refusal(slot):
                replies[number] = _failed(refusal)
            else:
                asked[number] = slot, body
        return asked

    def _by_domain(self, slots: Sequence[int], bodies: Sequence[bytes]) -> dict[str, Items]:
        domains: dict[str, Items] = {}
        for number, item in enumerate(zip(slots, bodies, strict=True)):
            domains.setdefault(self.records[item[0]].origin.domain, {})[number] = item
        return domains

    def _ask_worker(self, operation: str, domain: str, items: Items, replies: Replies) -> None:
        """Replies to all items, or to one at least, over which the worker ended."""
        try:
            host = self.house.host(domain)
            ready = self._ready(host, items, replies)
        except WorkerFailed as error:
            replies |= {number: _failed(f"there is no worker: {error}") for number in items}
            return
        if not ready or not host.alive:
            return
        message, numbers = [operation, list(ready.values())], list(ready)
        answers: Replies = {}
        try:
            with self._asked(slot for slot, _ in ready.values()):
                said = host.all(message, len(ready), self.bounds.call, len(ready))
            for number, reply in zip(numbers, said, strict=True):
                answers[number] = answer_of(reply)
        except Stopped as error:
            guilty = numbers[min(error.item, len(numbers) - 1)]
            replies[guilty] = _failed(self._strike(ready[guilty][0], str(error)))
            return
        except Ended as error:  # it is beside itself
            host.end()
            guilty = numbers[len(answers)]
            replies[guilty] = _failed(self._strike(ready[guilty][0], f"its worker {error}"))
            return
        for number, (answer, _) in answers.items():
            if raised(answer.error) == NO_MEMORY:
                host.end()  # it may be half done, and others may have found none
                replies[number] = _failed(self._strike(ready[number][0], answer.error))
                return
        self._take(host, operation, ready, answers)
        replies |= answers

    def _ready(self, host: Host, items: Items, replies: Replies) -> Items:
        """Those that the worker can be asked, which has the candidates; others have replies."""
        ready: Items = {}
        for number, (slot, body) in items.items():
            failed = self._hold(host, slot)
            if failed:
                replies[number] = _failed(failed)
                if not host.alive:
                    break  # the others are asked of the next one
            else:
                ready[number] = slot, body
        return ready

    def _take(self, host: Host, operation: str, items: Items, answers: Replies) -> None:
        """Takes over what a worker has done."""
        for number, (slot, body) in items.items():
            answer, _ = answers[number]
            if refusal := self._refusal(slot):  # by an item before this one
                answers[number] = _failed(refusal)
                continue
            if raised(answer.error) in SUSPECTS:
                answer.error = self._strike(slot, answer.error)
            if operation == "learn":
                self.records[slot].learned(body)
                host.held[slot] = self.records[slot].version
        if operation == "learn":
            for slot in dict.fromkeys(slot for slot, _ in items.values()):
                self._renew(host, slot)

    # --- One candidate ------------------------------------------------------------------------

    def _refusal(self, slot: int) -> str:
        """Why a candidate is not asked; empty where it is."""
        record = self.records[slot]
        if record.quarantined:
            return f"Quarantined: {record.quarantined}"
        if slot not in self.condemned and record.base.strikes >= self.bounds.strikes_max:
            self.condemned[slot] = (
                f"candidates that begin as it did were stopped {record.base.strikes} times; "
                "replace or delete it"
            )
        reason = self.condemned.get(slot)
        return f"Quarantined: {reason}" if reason else ""

    def _hold(self, host: Host, slot: int) -> str:
        """Sees to it that a worker has a candidate; returns why it has not, else nothing."""
        record = self.records[slot]
        if slot in self._under_way:  # by a call that waits for its answer
            raise Busy
        if host.held.get(slot) == record.version:
            return ""
        message = record.hold(slot, host.payload(record.base))
        said = self._made(host, slot, message, steps=1 + len(record.lessons))
        if said[0] == "made":
            host.made(slot, record.base, record.version)
            return ""
        host.failed(record.base)
        text: str = said[1]
        if host.alive and raised(text) in SUSPECTS:
            host.end()
            return self._strike(slot, text)
        return text

    def _made(self, host: Host, slot: int, message: Sequence[Any], steps: int = 1) -> list[Any]:
        """What a worker says that it has made, or why it has not."""
        made = partial(made_of, operation=message[0])
        said = self._said(host, slot, message, self.bounds.loading, read=made, steps=steps)
        return ["failed", said] if isinstance(said, str) else said

    def _said(
        self,
        host: Host,
        slot: int,
        message: Sequence[object],
        patience: Patience,
        *,
        read: Callable[[list[Any]], T],
        steps: int = 1,
    ) -> T | str:
        """A worker's reply about one candidate, or what is held against it where there is none."""
        self._under_way.add(slot)
        try:
            return read(host.ask(message, patience, steps))
        except Stopped as error:
            how = str(error)
        except Ended as error:  # it is beside itself
            host.end()
            how = f"its worker {error}"
        finally:
            self._under_way.discard(slot)
        return self._strike(slot, how)

    @contextmanager
    def _asked(self, slots: Iterable[int]) -> Iterator[None]:
        """Has calls that are made meanwhile keep away from these."""
        mine = set(slots) - self._under_way
        self._under_way |= mine
        try:
            yield
        finally:
            self._under_way -= mine

    def _renew(self, host: Host, slot: int) -> None:
        """Makes the base anew where making the candidate again would take long."""
        record = self.records[slot]
        if len(record.lessons) < max(record.due, self.bounds.lessons_max) or slot not in host.held:
            return
        policy = record.origin.policy.value
        said = self._made(host, slot, ["checkpoint", slot, policy])
        if said[0] == "made":
            _, payload, plain = said
            record.rebase(self.base(payload, CHECKPOINT if plain else policy))
            host.held[slot] = record.version
            size = len(payload)
        else:
            record.due = 2 * len(record.lessons)  # it may go another time
            size = record.lesson_bytes
        if size > self.state_bytes_max:
            self.condemned[slot] = (
                f"its state takes {size:,} bytes, and may take {self.state_bytes_max:,}; replace "
                "or delete it"
            )

    def _strike(self, slot: int, how: str) -> str:
        """Counts against a candidate; returns the error to tell."""
        record = self.records[slot]
        record.strikes += 1
        record.base.strikes += 1
        self.strikes += 1
        if record.strikes >= self.bounds.strikes_max:
            self.condemned[slot] = (
                f"stopped {record.strikes} times, the last time because {how}; replace or delete it"
            )
        return f"{how} (strike {record.strikes} of {self.bounds.strikes_max})"


def _failed(text: str) -> tuple[Answer, bool]:
    return Answer(error=text), True
