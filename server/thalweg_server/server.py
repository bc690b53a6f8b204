"""A whole server: gRPC port, HTTP port, models. Starts, drains, stops."""

from __future__ import annotations

import asyncio
import time

from thalweg_server.callers.access import Access
from thalweg_server.config import Config
from thalweg_server.core.errors import StorageFailed
from thalweg_server.core.groups import GroupRule
from thalweg_server.core.ports import Engine
from thalweg_server.core.service import Service
from thalweg_server.core.storing import Store
from thalweg_server.core.totals import Totals
from thalweg_server.engine_room import EngineRoom
from thalweg_server.grpc_side import GrpcSide
from thalweg_server.keeping import Keeper
from thalweg_server.logs import log, recent
from thalweg_server.models_thread import ModelsThread
from thalweg_server.outlets import Outlets
from thalweg_server.page import Load, State, Subject
from thalweg_server.recovery import Recovered, recover
from thalweg_server.rpc.bounds import Bounds
from thalweg_server.rpc.quotas import Quotas
from thalweg_server.rpc.servicer import Forecaster
from thalweg_server.status import Statuses
from thalweg_server.storage.database import cure, open_database
from thalweg_server.storage.logged import LoggedStore
from thalweg_server.storage.memory import MemoryStore
from thalweg_server.storage.snapshots import Snapshots
from thalweg_server.storage.sqlite import SqliteStore
from thalweg_server.telemetry import Durability, Serving, Telemetry
from thalweg_server.transport import channel_options
from thalweg_server.versions import VERSIONS
from thalweg_server.web import WebServer
from thalweg_server.workers import Zygote


class PortTaken(OSError):
    """An address that cannot be listened on."""


class WrongFlavor(Exception):
    """The data directory's models are of another flavor than the one asked for."""


class Server:
    """One server on an event loop.

    Args:
        config: its settings.
        engine: what runs candidates; by default one that lowers what it can.
        store: where events go; by default what the settings say.
        zygote: what workers are forked from; by default one of the server's own. Whoever gives one
            closes it.

    Attributes:
        models_thread: the thread that the models live in.
        failed: set where the server cannot go on,
        failure: and why.
        recent: what it told its log of late.
    """

    def __init__(
        self,
        config: Config,
        *,
        engine: Engine | None = None,
        store: Store | None = None,
        zygote: Zygote | None = None,
    ) -> None:
        self.config = config
        self.recent = recent()
        self._access = Access(config)  # before anything is opened or made
        self._outlets = Outlets(config, lambda: self.service)
        self.port = 0
        self.metrics_port = 0
        self.draining = False
        self.failed = asyncio.Event()
        self.failure = ""
        self.keeper: Keeper | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._ready = False
        self._home = config.data_dir
        self._store = store or self._open_store()
        self._room = EngineRoom(config, engine, zygote)
        self.service = Service(
            engine=self._room.engine,
            store=self._store,
            limits=config.limits,
            clock=time.perf_counter,
            champion_metric=config.champion_metric,
            tally=self._room.tally,
            totals=Totals(GroupRule(config.metrics_group)),
        )
        self._telemetry = Telemetry(self.service, model_limit=config.metrics_model_limit)
        self._web = WebServer(
            config.metrics_host,
            config.metrics_port,
            self._telemetry,
            Subject(
                service=self.service,
                state=lambda: State.of(self._ready, self.draining),
                read=lambda function: self.models_thread.read(function),  # noqa: PLW0108 - not there yet
                versions=self._telemetry.versions,
                load=self._load,
                recent=self.recent.last,
            ),
            token=self._access.metrics_token,
            tls=self._access.web_context,
            limits=config.web,
        )

    async def start(self) -> None:
        """Listens on both ports, recovers what was logged, then reports ready.

        Raises:
            PortTaken: an address cannot be listened on; none is held then.
            CorruptStorage: the data directory is damaged, or of another version.
            WrongFlavor: it holds models of another flavor than the settings say.
        """
        self._loop = asyncio.get_running_loop()
        self.models_thread = ModelsThread(
            self.config.waiting_calls_max, self._fault, lambda: self._room.settle(self.service)
        )
        self._room.engine.meanwhile(self.models_thread.meanwhile)
        self._quotas = Quotas(self.config)
        self._forecaster = Forecaster(
            self.service,
            self.models_thread,
            self.config.message_bytes_max,
            self._quotas,
            self.config.uploads,
        )
        interceptors = [
            Statuses(self._telemetry.observe, lambda: self.draining, self._outlets.told),
            *self._access.interceptors(),
            Bounds(self._quotas, self.config),
        ]
        self._grpc = GrpcSide(self._forecaster, interceptors, channel_options(self.config))
        self._telemetry.add(Serving(lambda: self._ready, lambda: self.models_thread.waiting))
        self._telemetry.add(self._forecaster.sessions.counts)
        try:
            await self._bind()
            await self._recover()
        except BaseException:
            await self._let_go()
            raise
        await self._grpc.start()
        if self.keeper is not None:
            self._keeping = asyncio.create_task(self.keeper.run(self.models_thread))
        self._watching = asyncio.create_task(self._access.watch())
        self._telling = asyncio.create_task(self._room.tell())
        self._ready = True
        await self._grpc.report(ready=True)
        self._outlets.started(self.port, self.metrics_port)

    def _load(self) -> Load:
        return Load(
            predictions=self._telemetry.started("Predict", "PredictMany"),
            streams=self._forecaster.sessions.counts.open,
            waiting=self.models_thread.waiting,
        )

    async def stop(self) -> None:
        """Drains: no new calls, a last ack for every stream, then lets go of everything."""
        self.draining, self._ready = True, False
        await self._grpc.report(ready=False)
        self._forecaster.watchers.stop()
        patience = 1.0 if self.failure else self.config.drain_seconds_max
        try:
            async with asyncio.timeout(patience):
                await self._forecaster.sessions.drain()
        except TimeoutError:
            pass  # an estimator that takes this long is cut off
        await self._grpc.stop()
        await self._let_go()

    async def _let_go(self) -> None:
        for task in (self._keeping, self._watching, self._telling):
            if task is not None:
                task.cancel()
        if self.keeper is not None:
            await asyncio.to_thread(self.keeper.close)
        self.models_thread.close()
        await asyncio.to_thread(self._room.close)
        self._store.close()
        await asyncio.to_thread(self._web.stop)  # joins a thread: not on the loop
        await asyncio.to_thread(self._outlets.close)

    def _open_store(self) -> Store:
        if self.config.data_dir is None:
            return MemoryStore()
        if self.config.store is None:
            return SqliteStore(self.config.data_dir, on_failure=self._storage_failed)
        database = open_database(
            self.config.store, self.config.data_dir, on_failure=self._storage_failed
        )
        self._home = database.home  # no other log's snapshots
        return database

    async def _recover(self) -> None:
        """In a thread of its own: nobody else has the models yet."""
        recovered: Recovered | None = None
        folder = self._home
        if folder is not None:
            snapshots = Snapshots(folder, VERSIONS)
            recovered = await asyncio.to_thread(
                lambda: recover(self.service, self._store, snapshots)
            )
            self.keeper = Keeper(
                self.service,
                self._store,
                snapshots,
                previous=recovered.snapshot,
                learning_seconds=self.config.snapshot_learning_seconds,
                pause_seconds=self.config.snapshot_pause_seconds,
            )
            if isinstance(self._store, LoggedStore):
                self._telemetry.add(Durability(self._store, self.keeper))
        flavor, held = self.config.flavor, self.service.flavor
        if flavor is not None and held not in (None, flavor):
            raise WrongFlavor(
                f"{self.config.data_dir} holds models of flavor {held.value if held else ''}, and "
                f"--flavor says {flavor.value}: leave it out, or choose another --data-dir"
            )
        await self.models_thread.call(lambda: self.service.start(VERSIONS))
        if flavor is not None:
            await self.models_thread.call(lambda: self.service.init(flavor, reset=False))
        if recovered is not None:
            log().info(
                "recovered",
                snapshot=recovered.snapshot.name if recovered.snapshot else None,
                entries=recovered.entries,
                seconds=round(recovered.seconds, 3),
            )

    def _storage_failed(self, error: Exception) -> None:
        cures = f"see to the disk of {self.config.data_dir}, then start again"
        if self.config.store is not None:
            cures = cure(error)
        self._fail(
            f"the event log failed, and nothing is acknowledged since: {type(error).__name__}: "
            f"{error}; {cures}"
        )

    def _fault(self, error: BaseException) -> None:
        if self._store.durable:
            self._fail(
                f"what was logged could not be applied ({type(error).__name__}: {error}): this is "
                "a mistake in Thalweg; a restart applies the log anew"
            )

    def _fail(self, failure: str) -> None:
        """Ends a server that cannot keep its promises. Any thread."""
        self._loop.call_soon_threadsafe(self._end, failure)

    def _end(self, failure: str) -> None:
        if self.failure:
            return
        self.failure, self.draining, self._ready = failure, True, False
        self._forecaster.sessions.stop_all(
            lambda: StorageFailed("the server's storage failed, it is going down: resume later")
        )
        self._ending = asyncio.create_task(self._grpc.report(ready=False))
        self.failed.set()

    async def _bind(self) -> None:
        host, port = self.config.host, self.config.port
        try:
            self.port = await self._grpc.bind(
                lambda server: self._access.open_port(server, f"{host}:{port}")
            )
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
