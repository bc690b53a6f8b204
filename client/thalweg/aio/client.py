"""The asyncio client: arguments, results and errors are those of `thalweg.Client`."""
# ruff: noqa: PLR0913 - a call takes what the contract's request holds, by name

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from datetime import date as Date
from types import TracebackType
from typing import Self

from thalweg import calls, results, warmup
from thalweg.aio import warmup as aio_warmup
from thalweg.aio.model_calls import ModelCalls
from thalweg.aio.transport import Transport
from thalweg.batches import Item
from thalweg.encode import FeatureColumn
from thalweg.observations import Columns, Feature, Row, Target
from thalweg.progress import Progress
from thalweg.session import StreamSettings


class Client(ModelCalls):
    """A client of one Thalweg server for asyncio; an async context manager, for one event loop.

    `Client("host:port")` takes the arguments of `Connection`. The connection is made at the first
    call. Methods that yield are async generators; the others are coroutines.
    """

    def _prepare(self) -> None:
        self._transport = Transport(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel every call in progress and close the connection."""
        await self._transport.close()

    async def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until the server can be reached.

        Raises:
            DeadlineExceeded: it could not within `timeout` seconds.
        """
        await self._transport.wait_ready(timeout)

    async def init(
        self, flavor: str | None = None, *, reset: bool = False, timeout: float | None = None
    ) -> results.ServerInfo:
        """Say what the models of the server predict, or ask; as `thalweg.Client.init`."""
        return await self._transport.unary(calls.init(flavor, reset=reset), timeout)

    async def predict(
        self,
        model: str,
        features: Mapping[str, Feature] | None = None,
        *,
        date: Date | str | None = None,
        text: str | None = None,
        prediction_id: str = "",
        candidate: str = "",
        all_candidates: bool = False,
        horizon: int = 0,
        timeout: float | None = None,
    ) -> results.Predicted:
        """Predict with the champion; changes no model; as `thalweg.Client.predict`."""
        call = calls.predict(
            model,
            features,
            date=date,
            text=text,
            prediction_id=prediction_id,
            candidate=candidate,
            all_candidates=all_candidates,
            horizon=horizon,
        )
        return await self._transport.unary(call, timeout)

    async def learn(
        self,
        model: str,
        target: Target,
        features: Mapping[str, Feature] | None = None,
        *,
        date: Date | str | None = None,
        text: str | None = None,
        prediction_id: str = "",
        request_id: str = "",
        timeout: float | None = None,
    ) -> results.Learned:
        """Let every candidate predict, be scored and learn; as `thalweg.Client.learn`."""
        row = Row(
            model=model,
            target=target,
            features=features or {},
            date=date,
            text=text,
            prediction_id=prediction_id,
            request_id=request_id,
        )
        return await self._transport.unary(calls.learn(row), timeout)

    def stream_learn(
        self,
        source: AsyncIterable[Item] | Iterable[Item] | Columns,
        *,
        stream_id: str | None = None,
        return_predictions: bool = False,
        skip_learned_dates: bool = False,
        batch_rows: int | None = None,
        linger: float | None = None,
        reconnect_timeout: float = 60.0,
    ) -> AsyncGenerator[results.Ack, None]:
        """Learn many observations, each once; yield acks; as `thalweg.Client.stream_learn`.

        The source may be an async iterable. One that is not is iterated on the event loop: it must
        not wait for its data.
        """
        settings = StreamSettings(
            stream_id=stream_id,
            return_predictions=return_predictions,
            skip_learned_dates=skip_learned_dates,
            batch_rows=batch_rows,
            linger=linger,
            reconnect_timeout=reconnect_timeout,
            retry=self.retry,
        )
        return self._transport.learn(settings, source)

    def predict_many(
        self,
        models: Sequence[str] = (),
        *,
        glob: str = "",
        date: Date | str | None = None,
        candidate: str = "",
        horizon: int = 0,
        features: Mapping[str, FeatureColumn] | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[results.Forecasts, None]:
        """Predict for many models, in parts; as `thalweg.Client.predict_many`."""
        call = calls.predict_many(
            models, glob=glob, date=date, candidate=candidate, horizon=horizon, features=features
        )
        return self._transport.stream(call, timeout)

    def watch_scores(
        self, models: Sequence[str] = (), *, glob: str = "", timeout: float | None = None
    ) -> AsyncGenerator[results.ScoreUpdate, None]:
        """Yield current scores, then every change; as `thalweg.Client.watch_scores`."""
        return self._transport.stream(calls.watch_scores(models, glob=glob), timeout)

    async def warm_up(
        self,
        history: AsyncIterable[Item] | Iterable[Item] | Columns,
        candidates: Mapping[str, warmup.Candidate],
        *,
        mode: warmup.Mode = "remote",
        glob: str = "*",
        context: Sequence[str] = ("id", "date"),
        keep: warmup.Keep = "best",
        replace: bool = False,
        skip_learned_dates: bool = False,
        stream_id: str | None = None,
        batch_rows: int | None = None,
        progress: Progress = True,
    ) -> results.WarmUp:
        """Make models from history; as `thalweg.Client.warm_up`.

        Local mode fits in a worker thread, one item at a time.
        """
        plan = warmup.Plan(
            candidates=candidates,
            mode=mode,
            glob=glob,
            context=context,
            keep=keep,
            replace=replace,
            skip_learned_dates=skip_learned_dates,
            stream_id=stream_id,
            batch_rows=batch_rows,
            progress=progress,
        )
        return await aio_warmup.run(self, plan, history)
