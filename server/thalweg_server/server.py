"""A whole server: gRPC port, HTTP port, models. Starts, drains, stops."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from thalweg.v1 import forecaster_pb2, forecaster_pb2_grpc
from thalweg_server.config import MIB, Config
from thalweg_server.core.ports import Engine, Store
from thalweg_server.core.service import Service
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.compiled.scoring import compiled_tally
from thalweg_server.engines.river import RiverEngine
from thalweg_server.rpc.servicer import Forecaster
from thalweg_server.status import Statuses
from thalweg_server.storage.memory import MemoryStore
from thalweg_server.telemetry import Telemetry
from thalweg_server.web import WebServer
from thalweg_server.worker import Worker

SERVICE = forecaster_pb2.DESCRIPTOR.services_by_name["Forecaster"].full_name

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class PortTaken(OSError):
    """An address that cannot be listened on."""


class Server:
    """One server on an event loop.

    Args:
        config: its settings.
        engine: what runs candidates; by default one that lowers what it can.
        store: where events go; memory by default.
    """

    def __init__(
        self, config: Config, *, engine: Engine | None = None, store: Store | None = None
    ) -> None:
        self.config = config
        self.port = 0
        self.metrics_port = 0
        self.draining = False
        self._ready = False
        self._store = store or MemoryStore()
        kernels = KernelCache()
        self._engine = _compiled(kernels) if engine is None else engine
        self.service = Service(
            engine=self._engine,
            store=self._store,
            limits=config.limits,
            clock=time.perf_counter,
            champion_metric=config.champion_metric,
            tally=compiled_tally(kernels),
        )
        self._telemetry = Telemetry(self.service, model_limit=config.metrics_model_limit)
        self._web = WebServer(
            config.metrics_host, config.metrics_port, self._telemetry, lambda: self._ready
        )

    async def start(self) -> None:
        """Listens on both ports, then reports ready; raises PortTaken and holds no port."""
        self._worker = Worker(self.config.waiting_calls_max)
        self._health = health.aio.HealthServicer()
        await self._report(_NOT_SERVING)
        self._forecaster = Forecaster(self.service, self._worker, self.config.message_bytes_max)
        self._grpc = self._make_grpc()
        try:
            self._bind()
        except BaseException:
            self._worker.close()
            raise
        await self._grpc.start()
        if self.config.flavor is not None:
            flavor = self.config.flavor
            await self._worker.call(lambda: self.service.init(flavor, reset=False))
        self._ready = True
        await self._report(_SERVING)

    async def stop(self) -> None:
        """Drains: no new calls, a last ack for every stream, then lets go of everything."""
        self.draining, self._ready = True, False
        await self._report(_NOT_SERVING)
        self._forecaster.watchers.stop()
        try:
            async with asyncio.timeout(self.config.drain_seconds_max):
                await self._forecaster.sessions.drain()
        except TimeoutError:
            pass  # an estimator that takes this long is cut off
        await self._grpc.stop(grace=1.0)
        self._worker.close()
        self._engine.close()
        self._store.close()
        await asyncio.to_thread(self._web.stop)  # joins a thread: not on the loop

    def _bind(self) -> None:
        host, port = self.config.host, self.config.port
        try:
            self.port = self._grpc.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise PortTaken(
                f"cannot listen on {host}:{port} (--host, --port): is another server running?"
            ) from error
        try:
            self.metrics_port = self._web.start()
        except OSError as error:
            raise PortTaken(
                f"cannot listen on {self.config.metrics_host}:{self.config.metrics_port} "
                f"(--metrics-host, --metrics-port): {error.strerror or error}"
            ) from error

    def _make_grpc(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            interceptors=[Statuses(self._telemetry.observe, lambda: self.draining)],
            options=self._options(),
        )
        forecaster_pb2_grpc.add_ForecasterServicer_to_server(self._forecaster, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        return server

    def _options(self) -> list[tuple[str, int]]:
        config = self.config
        return [
            ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server on it
            # A little more than allowed, so that an oversized batch gets our error with a reason.
            ("grpc.max_receive_message_length", config.message_bytes_max + MIB),
            ("grpc.keepalive_time_ms", int(config.keepalive_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", int(config.keepalive_timeout_seconds * 1000)),
            # Clients may probe as often as the Python client does, without being sent away.
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ("grpc.keepalive_permit_without_calls", 1),
        ]

    async def _report(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", SERVICE):
            await self._health.set(service, status)


def _compiled(kernels: KernelCache) -> Engine:
    # One core is left for messages.
    return CompiledEngine(RiverEngine(), Fleets(kernels, max(1, (os.cpu_count() or 1) - 1)))


class BackgroundServer:
    """A server on an event loop of its own, in a thread: for tests, benchmarks and notebooks.

    Use it as a context manager; `address` and `metrics_address` say where it listens.
    """

    def __init__(self, config: Config, *, engine: Engine | None = None) -> None:
        self._config = config
        self._engine = engine
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
            self._loop.call_soon_threadsafe(self._stop.set)
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
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            self.server = Server(self._config, engine=self._engine)
            await self.server.start()
        except BaseException as error:
            self._error = error
            return
        finally:
            self._started.set()
        await self._stop.wait()
        await self.server.stop()
