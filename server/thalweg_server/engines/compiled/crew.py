"""Threads that run parts of one call side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field


@dataclass(slots=True)
class Crew:
    """The calling thread and its helpers, which are started when they are first needed.

    Args:
        size: how many threads there are with the caller's own.
    """

    size: int = 1
    _helpers: ThreadPoolExecutor | None = field(default=None)

    def run(self, parts: Sequence[Callable[[], None]]) -> None:
        """Runs all parts, the first one in this thread; raises what one of them raised."""
        if self._helpers is None:
            self._helpers = ThreadPoolExecutor(max(1, self.size - 1), "thalweg-kernels")
        others = [self._helpers.submit(part) for part in parts[1:]]
        try:
            parts[0]()
        finally:
            wait(others)
        for other in others:
            other.result()

    def close(self) -> None:
        """Ends the helpers; idempotent."""
        helpers, self._helpers = self._helpers, None
        if helpers is not None:
            helpers.shutdown()
