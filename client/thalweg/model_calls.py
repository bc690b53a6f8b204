"""The blocking client's calls about models as things: upload, list, describe, download, delete."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal, overload

from thalweg import calls, results, serialise
from thalweg.connection import Connection
from thalweg.transport import Transport


class ModelCalls(Connection):
    """The part of `Client` that keeps models."""

    _transport: Transport

    def upload_model(
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
        """Add a candidate to a model, which is created where needed, or to a template.

        Args:
            model: name of the model; for a template a glob ("*", "?").
            estimator_or_bytes: a River estimator, sent as it is, learned state included; or its
                dill bytes.
            candidate: name of the candidate.
            template: keep it as what new models are cloned from.
            replace: take the place of a candidate of that name.
            apply_to_existing: with `template`, add it to models that match already.
            context: "id" and "date", what to add to the estimator's `x`.

        Raises:
            BadName, BadPayload, NotAnEstimator, CandidateExists, ChecksumMismatch,
            PayloadRefused, LimitReached: nothing changed.
        """
        call = calls.upload_model(
            model,
            estimator_or_bytes,
            candidate=candidate,
            template=template,
            replace=replace,
            apply_to_existing=apply_to_existing,
            context=context,
        )
        return self._transport.unary(call, timeout)

    def list_models(
        self,
        *,
        order_by: str = "name",
        glob: str = "",
        template: bool = False,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Generator[results.ModelInfo, None, None]:
        """Yield models, or templates, fetching page after page.

        Args:
            order_by: "name", "mae" or "learned", each with " desc" for the reverse.
            glob: only names that match.
            template: templates instead of models.
            page_size: models per page, at most 1000; 0 = 100.
            timeout: seconds for each page.

        Raises:
            BadRequest: no such order.
        """
        token, more = "", True
        while more:
            call = calls.list_models(
                order_by=order_by,
                glob=glob,
                template=template,
                page_size=page_size,
                page_token=token,
            )
            models, token = self._transport.unary(call, timeout)
            yield from models
            more = bool(token)

    def get_model(
        self, model: str, *, template: bool = False, timeout: float | None = None
    ) -> results.ModelInfo:
        """Describe one model, or the template of that glob.

        Raises:
            UnknownModel.
        """
        return self._transport.unary(calls.get_model(model, template=template), timeout)

    @overload
    def download_model(
        self,
        model: str,
        *,
        candidate: str = ...,
        template: bool = ...,
        load: Literal[True],
        timeout: float | None = ...,
    ) -> Any: ...

    @overload
    def download_model(
        self,
        model: str,
        *,
        candidate: str = ...,
        template: bool = ...,
        load: Literal[False] = ...,
        timeout: float | None = ...,
    ) -> bytes: ...

    def download_model(
        self,
        model: str,
        *,
        candidate: str = "",
        template: bool = False,
        load: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Return one candidate as it is now: its dill bytes or, with `load`, the estimator.

        Loading runs code from the bytes: load only what a server you trust sent.

        Args:
            model: name of the model, or glob of the template.
            candidate: its name; "" = the champion.
            template: whether a template is meant.
            load: return the estimator itself, learned state included.

        Raises:
            UnknownModel, UnknownCandidate, EstimatorFailed.
            ChecksumMismatch, DataLoss: the bytes arrived damaged.
            VersionMismatch: with `load`, it was made by another minor version of Python.

        Warns:
            UserWarning: with `load`, it was made with another version of River.
        """
        call = calls.download_model(model, candidate=candidate, template=template)
        download = serialise.assemble(self._transport.stream(call, timeout))
        return download.load() if load else download.payload

    def delete_model(
        self,
        model: str,
        *,
        candidate: str = "",
        template: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Remove a model, or one candidate of it, with scores and pending predictions.

        Args:
            model: name of the model, or glob of the template.
            candidate: only this one; "" = all.
            template: whether a template is meant; models cloned from it stay.

        Raises:
            UnknownModel, UnknownCandidate.
        """
        call = calls.delete_model(model, candidate=candidate, template=template)
        self._transport.unary(call, timeout)
