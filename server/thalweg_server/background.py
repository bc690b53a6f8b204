"""A server beside whatever else a process does."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from thalweg_server.config import Config
from thalweg_server.core.ports import Engine
from thalweg_server.server import Server
from thalweg_server.workers import Zygote


class BackgroundServer:
    """A server on an event loop of its own, in a thread: for tests, benchmarks and notebooks.

    Use it as a context manager; `address` and `metrics_address` say where it listens.
    """

    def __init__(
        self, config: Config, *, engine: Engine | None = None, zygote: Zygote | None = None
    ) -> None:
        self._config = config
        self._engine = engine
        self._zygote = zygote
        self._started: threading.Event = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def address(self) -> str:
        """Where gRPC listens."""
        return f"{self._config.host}:{self.server.port}"

    @property
    def metrics_address(self) -> str:
        """Where HTTP listens."""
        return f"{self._config.metrics_host}:{self.server.metrics_port}"

    def start(self) -> Self:
        """Starts, and returns when the server is ready; raises what went wrong."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def stop(self) -> None:
        """Drains and stops; idempotent."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def _run(self) -> None:
        self.loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            self.server = Server(self._config, engine=self._engine, zygote=self._zygote)
            await self.server.start()
        except BaseException as error:
            self._error = error
            return
        finally:
            self._started.set()
        await self._stop.wait()
        await self.server.stop()
