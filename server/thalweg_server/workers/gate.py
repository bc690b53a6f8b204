"""A lock whose waiters pass the time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from thalweg_server.core.ports import Busy

WAIT_SECONDS = 0.002
"""Between two calls of what passes the time."""


class Gate:
    """Lets one thread through at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder = 0

    @contextmanager
    def passed(self, meanwhile: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Holds the gate; raises Busy where this very thread does so already.

        Args:
            meanwhile: called again and again while another thread holds it.
        """
        me = threading.get_ident()
        if self._holder == me:
            raise Busy
        while not self._lock.acquire(timeout=WAIT_SECONDS):
            meanwhile()
        self._holder = me
        try:
            yield
        finally:
            self._holder = 0
            self._lock.release()
