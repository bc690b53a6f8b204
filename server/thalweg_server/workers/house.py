"""Which worker holds which candidates: one worker for all that hold no code, one per uploader."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from thalweg_server.config import WorkerLimits
from thalweg_server.core.policy import Origin
from thalweg_server.core.ports import Busy
from thalweg_server.workers.host import Host
from thalweg_server.workers.zygote import Zygote

LOOK_ASKS = 64
"""Calls between two looks at a worker's memory."""


class House:
    """Workers by domain, made when they are wanted.

    Args:
        zygote: makes them.
        bounds: what they may take.

    Attributes:
        meanwhile: called every few milliseconds while one is waited for.
        replaced: how many ended and were followed by another.
    """

    def __init__(self, zygote: Zygote, bounds: WorkerLimits) -> None:
        self._zygote = zygote
        self._bounds = bounds
        self.meanwhile: Callable[[], None] = lambda: None
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._spares: dict[str, Host] = {}
        self._making: set[str] = set()
        self.replaced = 0

    @property
    def workers(self) -> int:
        """How many there are."""
        return sum(host.alive for host in [*self._hosts.values(), *self._spares.values()])

    @property
    def resident_bytes(self) -> int:
        """Memory that they take now."""
        hosts = [*self._hosts.values(), *self._spares.values()]
        return sum(host.memory_bytes for host in hosts if host.alive)

    def resting(self, domain: str) -> Host | None:
        """The worker for a domain, where there is one that can be asked now."""
        host = self._hosts.get(domain)
        if host is None or host.busy or not self._is_fit(host):
            return None
        self._hosts.move_to_end(domain)
        return host

    def host(self, domain: str) -> Host:
        """The worker for a domain; raises WorkerFailed, Busy.

        While it is being asked by a call that waits for it, another one stands in.
        """
        if (resting := self.resting(domain)) is not None:
            return resting
        host = self._hosts.get(domain)
        if host is not None and host.busy and host.alive:
            return self._spare(domain)
        if host is not None:
            host.end()  # what is not asked for any more goes; the rest is made again
        made = self._make(domain)
        self.replaced += host is not None
        self._hosts[domain] = made
        self._hosts.move_to_end(domain)
        self._make_room()
        return made

    def forget(self, slot: int, origin: Origin) -> None:
        """A candidate is not wanted any more."""
        for hosts in (self._hosts, self._spares):
            host = hosts.get(origin.domain)
            if host is not None and slot in host.held:
                host.forget(slot)

    def close(self) -> None:
        """Ends all; idempotent."""
        for host in [*self._hosts.values(), *self._spares.values()]:
            host.end()
        self._hosts.clear()
        self._spares.clear()

    def _spare(self, domain: str) -> Host:
        spare = self._spares.get(domain)
        if spare is not None and self._is_fit(spare):
            return spare
        if spare is not None:
            spare.end()
        self._spares[domain] = self._make(domain)
        return self._spares[domain]

    def _make(self, domain: str) -> Host:
        if domain in self._making:  # by a call that waits for it
            raise Busy
        self._making.add(domain)
        try:
            memory_bytes = self._bounds.memory_bytes
            return Host(self._zygote, memory_bytes, self.meanwhile, coded=bool(domain))
        finally:
            self._making.discard(domain)

    def _is_fit(self, host: Host) -> bool:
        return host.alive and host.is_quiet and not self._is_full(host)

    def _is_full(self, host: Host) -> bool:
        """Looked at now and then: it takes as long as a short call."""
        if host.busy or host.asked % LOOK_ASKS:
            return False
        return host.memory_bytes - host.first_bytes > self._bounds.memory_bytes // 2

    def _make_room(self) -> None:
        """Ends the worker that was asked longest ago, where there are too many."""
        coded = [domain for domain in self._hosts if domain and not self._hosts[domain].busy]
        if len(coded) > self._bounds.domains_max:
            self._hosts.pop(coded[0]).end()
            spare = self._spares.pop(coded[0], None)
            if spare is not None:
                spare.end()
