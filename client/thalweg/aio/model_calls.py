"""The asyncio client's calls about models as things."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, overload

from thalweg import calls, results, serialise
from thalweg.aio.transport import Transport
from thalweg.connection import Connection


class ModelCalls(Connection):
    """The part of `Client` that keeps models."""

    _transport: Transport

    async def upload_model(
        self,
        model: str,
        estimator_or_bytes: object,
        *,
        candidate: str = "default",
        template: bool = False,
        replace: bool = False,
        apply_to_existing: bool = False,
        context: Sequence[str] = (),
        timeout: float | None = None,
    ) -> results.ModelInfo:
        """Add a candidate to a model or template; as `thalweg.Client.upload_model`."""
        call = calls.upload_model(
            model,
            estimator_or_bytes,
            candidate=candidate,
            template=template,
            replace=replace,
            apply_to_existing=apply_to_existing,
            context=context,
        )
        return await self._transport.unary(call, timeout)

    async def list_models(
        self,
        *,
        order_by: str = "name",
        glob: str = "",
        template: bool = False,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncGenerator[results.ModelInfo, None]:
        """Yield models or templates, page after page; as `thalweg.Client.list_models`."""
        token, more = "", True
        while more:
            call = calls.list_models(
                order_by=order_by,
                glob=glob,
                template=template,
                page_size=page_size,
                page_token=token,
            )
            models, token = await self._transport.unary(call, timeout)
            for model in models:
                yield model
            more = bool(token)

    async def get_model(
        self, model: str, *, template: bool = False, timeout: float | None = None
    ) -> results.ModelInfo:
        """Describe one model or template; as `thalweg.Client.get_model`."""
        return await self._transport.unary(calls.get_model(model, template=template), timeout)

    @overload
    async def download_model(
        self,
        model: str,
        *,
        candidate: str = ...,
        template: bool = ...,
        load: Literal[True],
        timeout: float | None = ...,
    ) -> Any: ...

    @overload
    async def download_model(
        self,
        model: str,
        *,
        candidate: str = ...,
        template: bool = ...,
        load: Literal[False] = ...,
        timeout: float | None = ...,
    ) -> bytes: ...

    async def download_model(
        self,
        model: str,
        *,
        candidate: str = "",
        template: bool = False,
        load: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Return a candidate as dill bytes or estimator; as `thalweg.Client.download_model`."""
        call = calls.download_model(model, candidate=candidate, template=template)
        chunks = [chunk async for chunk in self._transport.stream(call, timeout)]
        download = serialise.assemble(chunks)
        return download.load() if load else download.payload

    async def delete_model(
        self,
        model: str,
        *,
        candidate: str = "",
        template: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Remove a model or a candidate; as `thalweg.Client.delete_model`."""
        call = calls.delete_model(model, candidate=candidate, template=template)
        await self._transport.unary(call, timeout)
