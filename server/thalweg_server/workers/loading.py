"""Uploads on their way through workers that keep nothing: whatever one does, no candidate is lost.

Loading takes as long as it takes, and nobody waits for it but the caller: `Uploads.load` says
first that it is under way, and then has it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

from thalweg_server.config import Patience
from thalweg_server.core.errors import (
    BadPayload,
    EstimatorFailed,
    Overloaded,
    PayloadRefused,
    Refusal,
)
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Policy
from thalweg_server.core.ports import NotReady
from thalweg_server.engines.texts import REPR_MAX
from thalweg_server.workers.host import Host, Stopped
from thalweg_server.workers.serving import KINDS, REFUSALS
from thalweg_server.workers.wire import Ended
from thalweg_server.workers.zygote import NoJail, WorkerFailed, Zygote

WAITING_MAX = 256
"""Loads that are under way or done and not taken: their payloads are in memory."""

MESSAGE_MAX = 2_000
"""Characters of what a worker says against an upload."""

GROWTH_BYTES_MAX = 256 << 20
"""What a loader may have grown by before another one takes its place."""


_Key: TypeAlias = tuple[int, Policy, Flavor]
"""Of a payload by where it is, which nothing else can be as long as it is kept."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker says of an upload.

    Args:
        estimator: River's repr.
        classes: kinds of the class labels that it knows.
        structure: itself as plain data, where it is made of nothing but what can be lowered.
        size_bytes: that it takes.
    """

    estimator: str
    classes: frozenset[type]
    structure: bytes | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Load:
    """One upload that is being loaded, or is and was not taken.

    Args:
        payload: itself, held so that nothing else is where it is.
        outcome: what became of it; raises nothing but what nobody has thought of.
    """

    payload: bytes
    outcome: Future[Facts | Refusal]


class Uploads:
    """Loads uploads in workers.

    Args:
        zygote: makes workers.
        memory_bytes: what one may take.
        patience: how long one load may take.
        loaders: that may work at a time.
    """

    def __init__(
        self, zygote: Zygote, memory_bytes: int, patience: Patience, loaders: int = 1
    ) -> None:
        self._zygote = zygote
        self._memory_bytes = memory_bytes
        self._patience = patience
        self._loads: OrderedDict[_Key, Load] = OrderedDict()
        self._threads = ThreadPoolExecutor(loaders, "thalweg-loading")
        self._lock = threading.Lock()
        self._idle: list[Host] = []
        self._closed = False

    def load(self, payload: bytes, policy: Policy, flavor: Flavor) -> Facts:
        """What an upload is. One thread at a time.

        Raises:
            NotReady: it is being loaded; come again with the same payload.
            PayloadRefused, BadPayload, NotAnEstimator: it is not taken.
            Overloaded: too many are under way.
        """
        key = (id(payload), policy, flavor)
        load = self._loads.get(key)
        if load is not None and load.outcome.cancelled():  # by a caller who gave up
            load = None
        if load is None:
            self._make_room()
            outcome = self._threads.submit(self._outcome, payload, policy, flavor)
            load = self._loads[key] = Load(payload, outcome)
        if not load.outcome.done():
            raise NotReady(load.outcome)
        del self._loads[key]
        outcome_or_refusal = load.outcome.result()
        if isinstance(outcome_or_refusal, Refusal):
            raise outcome_or_refusal
        return outcome_or_refusal

    def close(self) -> None:
        """Ends the workers that rest, and has the others end when they are done; idempotent."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for host in idle:
            host.end()

    def _make_room(self) -> None:
        """Forgets the one that was done first, where there are too many: its caller is gone."""
        if len(self._loads) < WAITING_MAX:
            return
        for key, load in self._loads.items():
            if load.outcome.done():
                del self._loads[key]
                return
        raise Overloaded(f"{len(self._loads)} uploads are being loaded: try again in a second")

    def _outcome(self, payload: bytes, policy: Policy, flavor: Flavor) -> Facts | Refusal:
        try:
            return self._ask(payload, policy, flavor)
        except NoJail as error:
            return PayloadRefused(str(error), field="payload")
        except WorkerFailed as error:
            return EstimatorFailed(f"the upload cannot be loaded: {error}")

    def _ask(self, payload: bytes, policy: Policy, flavor: Flavor) -> Facts | Refusal:
        with self._lock:  # one that rests, if there is one: there are as many as threads
            host = self._idle.pop() if self._idle else None
        try:
            coded = policy is not Policy.SAFE
            if coded and host is not None:
                host.end()  # what others have loaded is nothing to this one
            if host is not None and not host.is_quiet:
                host.end()
            if host is None or not host.alive:
                host = Host(self._zygote, self._memory_bytes, coded=coded)
            message = ["load", payload, policy.value, flavor.value]
            said = host.ask(message, self._patience)
            if coded or host.memory_bytes > host.first_bytes + GROWTH_BYTES_MAX:
                host.end()  # large, or no longer what it was
            return _outcome(said)
        except (Stopped, Ended, ValueError) as error:
            if host is not None:
                host.end()
            return BadPayload(
                f"the payload ({len(payload)} bytes) could not be loaded: {error}",
                field="payload",
            )
        finally:
            self._put_back(host)

    def _put_back(self, host: Host | None) -> None:
        with self._lock:
            if host is not None and host.alive and not self._closed:
                self._idle.append(host)
                host = None
        if host is not None:
            host.end()


def _outcome(said: list[Any]) -> Facts | Refusal:
    """What a worker said; raises ValueError where it makes no sense."""
    match said:
        case ["loaded", str(estimator), list(kinds), bytes() | None as structure, int(size)]:
            classes = frozenset(kind for name, kind in KINDS.items() if name in kinds)
            return Facts(estimator[: REPR_MAX + 1], classes, structure, size)
        case ["refused", str(reason), str(message)] if reason in REFUSALS:
            return REFUSALS[reason](message[:MESSAGE_MAX], field="payload")
    raise ValueError("its worker answered what is no answer")
