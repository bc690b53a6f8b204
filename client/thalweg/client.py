"""The blocking client."""
# ruff: noqa: PLR0913 - a call takes what the contract's request holds, by name

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import date as Date
from types import TracebackType
from typing import Self

from thalweg import calls, results, warmup
from thalweg.batches import Item
from thalweg.encode import FeatureColumn
from thalweg.model_calls import ModelCalls
from thalweg.observations import Columns, Feature, Row, Target
from thalweg.progress import Progress
from thalweg.session import StreamSettings
from thalweg.transport import Transport


class Client(ModelCalls):
    """A client of one Thalweg server; a context manager, safe to use from several threads.

    `Client("host:port")` takes the arguments of `Connection`. Every method
    takes `timeout` in seconds (None = the client's; for streams no deadline; `math.inf` = for
    ever) and raises `ThalwegError`: `Unavailable` where there is no server, `DeadlineExceeded`
    after the timeout, otherwise what the contract says. Calls are repeated, with growing waits,
    where the server did nothing, and after a failed connection where twice has the effect of once.
    """

    def _prepare(self) -> None:
        self._transport = Transport(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel every call in progress and close the connection."""
        self._transport.close()

    def wait_ready(self, timeout: float = 10.0) -> None:
        """Wait until the server can be reached.

        Raises:
            DeadlineExceeded: not within `timeout` seconds.
        """
        self._transport.wait_ready(timeout)

    def init(
        self, flavor: str | None = None, *, reset: bool = False, timeout: float | None = None
    ) -> results.ServerInfo:
        """Say what the models of the server predict, or ask.

        Args:
            flavor: "regression", "binary" or "multiclass"; None only asks.
            reset: remove everything the server holds.

        Raises:
            FlavorConflict: another flavor, without `reset`, on a server that holds models.
            ValueError: no such flavor.
        """
        return self._transport.unary(calls.init(flavor, reset=reset), timeout)

    def predict(
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
        """Predict with the champion; changes no model.

        Args:
            model: name of the model.
            features, text: what to predict from: feature name to value, or else a text.
            date: the day to predict.
            prediction_id: store the answers, to be scored by a later `learn` of that id.
            candidate: ask this one instead of the champion.
            all_candidates: return every candidate's answer too.
            horizon: forecast this many days from `date`, at most 366.

        Raises:
            UnknownModel, UnknownCandidate, BadDate, BadFeature, BadRequest, PredictionUsed,
            EstimatorFailed.
        """
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
        return self._transport.unary(call, timeout)

    def learn(
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
        """Let every candidate predict, be scored against `target`, and learn.

        It is repeated where the connection fails, and counts once: the server knows it by its id.
        Where the first try took effect, the answer to the second is a `duplicate`.

        Args:
            model: name of the model; "" is enough with a `prediction_id`.
            target: what happened.
            features, text: what it goes with: feature name to value, or else a text.
            date: the day observed.
            prediction_id: score what was predicted under this id.
            request_id: any text of your own that names this observation, for a later run that
                sends it again. "" = a new one for this call.

        Raises:
            UnknownModel, UnknownPrediction, BadDate, BadTarget, BadFeature, BadRequest: nothing
                changed.
            EstimatorFailed: every candidate raised.
        """
        row = Row(
            model=model,
            target=target,
            features=features or {},
            date=date,
            text=text,
            prediction_id=prediction_id,
            request_id=request_id,
        )
        return self._transport.unary(calls.learn(row), timeout)

    def stream_learn(
        self,
        source: Iterable[Item] | Columns,
        *,
        stream_id: str | None = None,
        return_predictions: bool = False,
        skip_learned_dates: bool = False,
        batch_rows: int | None = None,
        linger: float | None = None,
        reconnect_timeout: float = 60.0,
    ) -> Generator[results.Ack, None, None]:
        """Learn many observations, in order, each once; yield one ack per batch.

        Nothing is sent before the first ack is asked for, and no more than the server's window
        of batches is held here. After a broken connection the stream goes on over a new one:
        every batch without an ack is sent again. One that was applied before comes back with
        its rows in `duplicates`, and with `resumed` where this call had sent it: so the sum of
        `Ack.rows` is the number of rows sent, none counted twice. Close the generator to stop
        early; batches in flight may still be learned.

        Args:
            source: an iterable, maybe endless, of `Row` (grouped into batches) and `Columns`
                (split where they exceed the server's limits), or one `Columns`. A thread of its
                own iterates it; what it raises is raised here once all full batches are acked.
            stream_id: name of this one sequence of batches, to go on with it in a later run: give
                the same id, source and `batch_rows` again. None = a new one for this call. "" =
                no resume: a broken connection is raised.
            return_predictions: return what the champion predicted for each row in the acks.
            skip_learned_dates: count rows dated on or before what their model has learned as
                duplicates.
            batch_rows: rows per batch; None = 2,000, and `Columns` as large as the server takes.
            linger: seconds after which a batch that is not full is sent. None = 0.1, but never
                with a `stream_id` of your own, because it makes the batches depend on timing.
            reconnect_timeout: seconds without an ack after which a broken connection is raised.

        Raises:
            Unavailable: no connection for `reconnect_timeout` seconds.
            StreamForgotten: the server lost batches it had acked; nothing more was sent.
            StreamFenced: another stream took the id over, or the server was reset.
            SequenceGap, BatchTooLarge, BadRequest: as the contract says.
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
    ) -> Generator[results.Forecasts, None, None]:
        """Predict for many models; yield the answer in parts, which list unknown names too.

        Args:
            models, glob: names, answered in this order; or a glob, answered in order of name.
            date: the first day to predict.
            candidate: ask this one of each model instead of its champion.
            horizon: days to predict from `date`, at most 366.
            features: feature name to one value for all models or, with `models`, one per name.

        Raises:
            BadDate, BadFeature, BadRequest.
        """
        call = calls.predict_many(
            models, glob=glob, date=date, candidate=candidate, horizon=horizon, features=features
        )
        return self._transport.stream(call, timeout)

    def watch_scores(
        self, models: Sequence[str] = (), *, glob: str = "", timeout: float | None = None
    ) -> Generator[results.ScoreUpdate, None, None]:
        """Yield the current scores of the models asked for, then every change, without end.

        A connection that breaks is raised; a new call starts with the current scores again.

        Args:
            models, glob: names, or a glob over names and names to come. Neither: every model.

        Raises:
            UnknownModel: a name in `models` that does not exist.
        """
        return self._transport.stream(calls.watch_scores(models, glob=glob), timeout)

    def warm_up(
        self,
        history: Iterable[Item] | Columns,
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
        """Make models from history, one per item, in either of two ways.

        *remote*: upload every candidate once, as a template, stream the history, and let the
        server pick. *local*: in this process, item by item, let copies of every candidate
        predict, be scored and learn, then upload them; on the server scores start anew.

        Args:
            history: as the source of `stream_learn`. Local mode reads all of it before it starts.
            candidates: name to an estimator, of which each item gets a deep copy, or to a
                function that makes one.
            mode: "remote" or "local".
            glob: remote mode: names that the templates apply to.
            context: "id" and "date", what to add to the estimators' `x`.
            keep: local mode: upload "all", or the "best": the candidate with the lowest mean
                absolute error (classification: with the fewest wrong labels).
            replace: take the place of templates or candidates of the same names.
            skip_learned_dates, stream_id, batch_rows: remote mode: as in `stream_learn`.
            progress: True = a bar on stderr; or a function of (rows done, rows in all or None).

        Raises:
            CandidateExists: without `replace`, before anything was learned (remote).
            ThalwegError: as `upload_model` and `stream_learn`.
            ValueError: no candidates, or no such mode.
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
        return warmup.run(self, plan, history)
