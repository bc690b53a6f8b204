"""The rpcs: decode, one call, encode."""

from __future__ import annotations

import asyncio
import hashlib
import platform
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc
from thalweg_server.callers.identity import CALLER, Caller, Role
from thalweg_server.callers.roles import check_init
from thalweg_server.core.errors import Draining, Refusal, StreamFenced
from thalweg_server.core.events import Uploaded
from thalweg_server.core.listing import ModelView
from thalweg_server.core.observation import Batch, Flavor
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.core.ports import NotReady
from thalweg_server.core.service import Service
from thalweg_server.core.validation import check_name, check_payload
from thalweg_server.logs import Seldom, log
from thalweg_server.models_thread import ModelsThread
from thalweg_server.rpc import decode, encode
from thalweg_server.rpc.many import predict_many
from thalweg_server.rpc.quotas import Quotas, caller_key
from thalweg_server.rpc.stream import Sessions
from thalweg_server.rpc.watch import Watchers

CHUNK_BYTES = 1024 * 1024 - 1024
"""Bytes of a download's chunk: with its frame it stays within a message of 1 MiB."""

MESSAGE_BYTES_MAX = 1024 * 1024
"""The largest response."""


UPLOADS_TOGETHER_MAX = 8
"""Uploads that share a commit: each holds the models for some milliseconds."""


class Forecaster(forecaster_pb2_grpc.ForecasterServicer):
    """The contract's rpcs. See proto/thalweg/v1/forecaster.proto.

    Args:
        service: models that learn.
        models_thread: the thread that they live in.
        max_message_bytes: the largest request.
        quotas: counts what callers have under way.
        uploads: what uploads may hold whose callers may send code.
    """

    def __init__(
        self,
        service: Service,
        models_thread: ModelsThread,
        max_message_bytes: int,
        quotas: Quotas,
        uploads: Policy,
    ) -> None:
        self.sessions = Sessions(service, models_thread, max_message_bytes)
        self._quotas = quotas
        self.watchers = Watchers(service, models_thread)
        self._service = service
        self._models_thread = models_thread
        self._max_message_bytes = max_message_bytes
        self._uploads = uploads
        self._seldom = Seldom()

    async def Init(self, request: pb.InitRequest, context: Any) -> pb.InitResponse:
        """See the contract."""
        service = self._service
        flavor = decode.flavor(request.flavor)
        before, caller = service.flavor, CALLER.get()

        def init() -> Flavor | None:
            check_init(caller, changes=request.reset or flavor not in (None, service.flavor))
            return service.init(flavor, reset=request.reset)

        now = await self._models_thread.call(init)
        if flavor is not None and (request.reset or before is not now):
            log().info("reset" if request.reset else "initialised", flavor=flavor.value)
            self.sessions.stop_all(
                lambda: StreamFenced("the server was reset: what this stream taught is gone")
            )
        return pb.InitResponse(
            flavor=encode.FLAVORS[now],
            server_version=version("thalweg"),
            river_version=version("river"),
            python_version=platform.python_version(),
            storage=service.store.name,
            model_count=len(service.registry.models),
            max_message_bytes=self._max_message_bytes,
        )

    async def UploadModel(
        self, request: pb.UploadModelRequest, context: Any
    ) -> pb.UploadModelResponse:
        """See the contract."""
        self._service.ready()
        check_payload(len(request.payload), self._service.limits)
        event = Uploaded(
            model=request.model,
            candidate=request.candidate or "default",
            payload=request.payload,
            template=request.template,
            replace=request.replace,
            apply_to_existing=request.apply_to_existing,
            context=decode.context(request.context),
            origin=self._origin(CALLER.get()),
        )
        sha256 = request.sha256 if request.HasField("sha256") else None
        while True:
            try:
                upload = event, sha256
                view = await self._models_thread.together(
                    self._service.upload_together, upload, UPLOADS_TOGETHER_MAX
                )
            except NotReady as making:
                await asyncio.wrap_future(making.ready)
            else:
                self._tell_upload(event, view)
                return pb.UploadModelResponse(info=encode.model_info(view))

    def _tell_upload(self, event: Uploaded, view: ModelView) -> None:
        """One a second: a fleet is tens of thousands."""
        left_out = self._seldom.left_out("uploaded")
        if left_out is None:
            return
        candidate = next(each for each in view.candidates if each.name == event.candidate)
        log().info(
            "uploaded",
            model=event.model,
            candidate=event.candidate,
            template=event.template,
            engine=candidate.engine,
            left_out=left_out,
        )

    def _origin(self, caller: Caller) -> Origin:
        """By which policy a caller's upload is loaded: code takes a role."""
        if self._uploads is Policy.SAFE or not caller.may(Role.UPLOAD_CODE):
            return Origin(Policy.SAFE)
        return Origin(self._uploads, caller.name)

    async def Predict(self, request: pb.PredictRequest, context: Any) -> pb.PredictResponse:
        """See the contract."""
        self._service.ready()
        limits = self._service.limits
        check_name(request.model, limits)
        question = decode.question(request, limits)
        # One that is stored under an id changes the server.
        run = self._models_thread.call if request.prediction_id else self._models_thread.read
        reply = await run(
            lambda: self._service.predict(
                question,
                candidate=request.candidate,
                everyone=request.all_candidates,
                days=max(1, request.horizon),
                prediction_id=request.prediction_id,
                at=time.time(),
            )
        )
        return encode.predict_response(
            reply,
            name=request.model,
            everyone=request.all_candidates,
            day=question.day,
            days=request.horizon,
        )

    async def Learn(self, request: pb.LearnRequest, context: Any) -> pb.LearnResponse:
        """See the contract."""
        self._service.ready()
        batch = decode.single(request, self._service.limits)
        return await self._models_thread.together(self._learn, batch)

    def _learn(self, batches: list[Batch]) -> Iterator[tuple[int, pb.LearnResponse | Refusal]]:
        for number, outcome in self._service.schooling.learn_together(batches, time.time()):
            yield number, encode.told(outcome, self._service)

    def StreamLearn(
        self, request_iterator: AsyncIterator[pb.StreamLearnRequest], context: Any
    ) -> AsyncIterator[pb.StreamLearnResponse]:
        """See the contract."""
        self._service.ready()
        batches = self._quotas.batches(caller_key(context))
        return self.sessions.learn(request_iterator, batches)

    def PredictMany(
        self, request: pb.PredictManyRequest, context: Any
    ) -> AsyncIterator[pb.PredictManyResponse]:
        """See the contract."""
        self._service.ready()
        return predict_many(self._service, self._models_thread, request)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Any
    ) -> pb.ListModelsResponse:
        """See the contract."""
        self._service.ready()
        size = request.page_size
        while True:
            response = await self._models_thread.read(partial(self._page, request, size))
            if response.ByteSize() <= MESSAGE_BYTES_MAX or len(response.models) == 1:
                return response
            size = len(response.models) // 2

    def _page(self, request: pb.ListModelsRequest, size: int) -> pb.ListModelsResponse:
        page = self._service.catalogue.page(
            size=size,
            token=request.page_token,
            order_by=request.order_by,
            glob=request.glob,
            template=request.template,
        )
        return pb.ListModelsResponse(
            models=[encode.model_info(view) for view in page.models],
            next_page_token=page.next_token,
            total_size=page.total,
        )

    async def GetModel(self, request: pb.GetModelRequest, context: Any) -> pb.GetModelResponse:
        """See the contract."""
        view = await self._models_thread.read(
            lambda: self._service.view(request.model, template=request.template)
        )
        return pb.GetModelResponse(info=encode.model_info(view))

    async def DownloadModel(
        self, request: pb.DownloadModelRequest, context: Any
    ) -> AsyncIterator[pb.DownloadModelResponse]:
        """See the contract."""
        payload = await self._models_thread.slice(
            lambda: self._service.download(
                request.model, request.candidate, template=request.template
            )
        )
        first = pb.DownloadModelResponse(
            chunk=payload[:CHUNK_BYTES],
            total_bytes=len(payload),
            sha256=hashlib.sha256(payload).digest(),
            river_version=version("river"),
            python_version=platform.python_version(),
        )
        yield first
        for start in range(CHUNK_BYTES, len(payload), CHUNK_BYTES):
            yield pb.DownloadModelResponse(chunk=payload[start : start + CHUNK_BYTES])

    async def DeleteModel(
        self, request: pb.DeleteModelRequest, context: Any
    ) -> pb.DeleteModelResponse:
        """See the contract."""
        await self._models_thread.call(
            lambda: self._service.delete(
                request.model, request.candidate, template=request.template
            )
        )
        log().info(
            "deleted",
            model=request.model,
            candidate=request.candidate or None,
            template=request.template,
        )
        return pb.DeleteModelResponse()

    async def WatchScores(
        self, request: pb.WatchScoresRequest, context: Any
    ) -> AsyncIterator[pb.WatchScoresResponse]:
        """See the contract."""
        async for response in self.watchers.watch(request):
            yield response
        raise Draining("the server is shutting down: watch again, or another server")
