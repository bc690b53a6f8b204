"""What a server runs its candidates with: kernels, workers, and the engine above both."""

from __future__ import annotations

import asyncio
import os

from thalweg_server.config import Config
from thalweg_server.core.policy import Policy
from thalweg_server.core.ports import Engine
from thalweg_server.core.service import Service
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.compiled.scoring import compiled_tally
from thalweg_server.logs import log
from thalweg_server.workers import WorkerEngine, WorkerFailed, Zygote

LOOK_SECONDS = 1.0
"""How often it is asked what became of workers: a line then says how many."""


class EngineRoom:
    """Makes what is not given, and closes what it has made.

    Args:
        config: the server's settings.
        engine: what runs candidates; None = one that lowers what it can, and has workers do the
            rest.
        zygote: what workers are forked from; None = one of its own.
    """

    def __init__(self, config: Config, engine: Engine | None, zygote: Zygote | None) -> None:
        kernels = KernelCache()
        self.tally = compiled_tally(kernels)
        self._uploads = config.uploads
        self._own: Zygote | None = None
        if engine is None:
            if zygote is None:
                imports, unjailed = config.worker_imports, config.allow_unjailed_code
                zygote = self._own = Zygote(imports, allow_unjailed_code=unjailed)
            zygote.start()  # it has imported what workers need by the time that one is wanted
            workers = WorkerEngine(zygote, config.workers, config.limits.state_bytes_max)
            # One core is left for messages.
            engine = CompiledEngine(workers, Fleets(kernels, max(1, (os.cpu_count() or 1) - 1)))
        self.engine = engine

    def settle(self, service: Service) -> None:
        """Has the service put candidates in quarantine, and says which. The models' thread."""
        for each in service.quarantine.settle():
            log().warning(
                "candidate quarantined",
                model=each.model,
                candidate=each.candidate,
                template=each.template,
                why=each.reason,
            )

    async def tell(self) -> None:
        """Says how safe its workers are, then what becomes of them, until it is cancelled."""
        told = self.engine.vitals
        await self._tell_doors()
        while True:
            now = self.engine.vitals
            if now.strikes > told.strikes:
                log().warning("candidates stopped", times=now.strikes - told.strikes)
            if now.replaced > told.replaced:
                log().warning("model workers replaced", workers=now.replaced - told.replaced)
            told = now
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_doors(self) -> None:
        """Says what of its doors does not close, and what the settings leave open."""
        zygote = self._own
        if zygote is None:  # who brings one knows
            return
        if self._uploads is Policy.TRUSTED:
            log().warning(
                "uploads are trusted: whoever may upload code runs what they like in a worker"
            )
        try:
            missing = await asyncio.to_thread(lambda: zygote.missing)
        except WorkerFailed as error:
            log().error("no model workers", reason=str(error))
            return
        if missing:
            log().warning(
                "model workers are not confined as they should be",
                kernel_lacks=", ".join(missing),
                code="runs all the same" if zygote.allow_unjailed_code else "is refused",
            )

    def close(self) -> None:
        """Ends kernels and workers."""
        self.engine.close()
        if self._own is not None:
            self._own.close()
