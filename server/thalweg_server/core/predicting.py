"""Answering questions without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from thalweg_server.core.admission import missing_date
from thalweg_server.core.errors import BadRequest, EstimatorFailed
from thalweg_server.core.limits import Limits
from thalweg_server.core.model import Candidate, Model, best_answer
from thalweg_server.core.observation import NO_DAY, Context, Flavor, Question
from thalweg_server.core.ports import Answer, Engine
from thalweg_server.core.registry import Registry
from thalweg_server.core.validation import check_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What Predict answers.

    Args:
        model: who was asked; the templates' candidates where the name has no model of its own.
        asked: the candidates that were asked, in order of their uploads.
        answers: what each answered for the first day.
        chosen: position in `asked` of the one that answers for the model.
        champion: name of the champion.
        forecast: the chosen candidate's answers for all days; one for a single day.
    """

    model: Model
    asked: Sequence[Candidate]
    answers: Sequence[Answer]
    chosen: int
    champion: str
    forecast: Sequence[Answer]


class Oracle:
    """Asks the candidates of models."""

    def __init__(self, registry: Registry, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._registry = registry
        self._limits = limits

    def ask(
        self, question: Question, *, candidate: str = "", everyone: bool = False, days: int = 1
    ) -> Reply:
        """Answers for one model; raises UnknownModel, UnknownCandidate, BadRequest.

        Args:
            question: what is asked; with several days, the first of them.
            candidate: ask only this one; empty = the champion, and where its answer is not
                finite the next best.
            everyone: ask all candidates.
            days: consecutive days to answer for.

        Raises:
            EstimatorFailed: everyone who was asked raised.
        """
        model = self._registry.resolve(question.model)
        return self._ask(model, question, candidate, everyone, days)

    def check_horizon(self, question: Question, days: int, flavor: Flavor) -> None:
        """Raises BadRequest for a horizon that this question cannot have, BadDate beyond 9999."""
        if days > self._limits.horizon_days_max:
            raise BadRequest(
                f"horizon {days} is too long: at most {self._limits.horizon_days_max} days",
                field="horizon",
            )
        if days > 1 and flavor is not Flavor.REGRESSION:
            raise BadRequest("a horizon above 1 goes with regression only", field="horizon")
        if days > 1 and question.day == NO_DAY:
            raise BadRequest(f"horizon {days} needs a date to begin at", field="date")
        if days > 1:
            check_day(question.day + days - 1)

    def _ask(
        self, model: Model, question: Question, candidate: str, everyone: bool, days: int
    ) -> Reply:
        if candidate:
            order = [model.candidates.index(self._registry.candidate(model, candidate))]
        else:
            order = model.order
        asked = range(len(model.candidates)) if everyone else order
        for position in asked:
            _check_context(model.candidates[position], question)
        answers: dict[int, Answer] = {}
        for position in asked:
            answers[position] = self._answers(model.candidates[position], [question])[0]
            if not everyone and answers[position].usable:
                break
        if all(answer.error for answer in answers.values()):
            raise _nobody(model, answers)
        positions = sorted(answers)
        later = [replace(question, day=question.day + i) for i in range(1, days)]
        ranked = [positions.index(i) for i in order if i in answers]
        listed = [answers[i] for i in positions]
        chosen = best_answer(ranked, listed)
        return Reply(
            model=model,
            asked=[model.candidates[i] for i in positions],
            answers=listed,
            chosen=chosen,
            champion=model.champion.name,
            forecast=[listed[chosen], *self._answers(model.candidates[positions[chosen]], later)],
        )

    def _answers(self, candidate: Candidate, questions: Sequence[Question]) -> list[Answer]:
        return self._engine.predict([candidate.slot] * len(questions), questions)


def _check_context(candidate: Candidate, question: Question) -> None:
    if question.day != NO_DAY or isinstance(question.features, str):
        return
    if Context.DATE in candidate.context and Context.DATE.value not in question.features:
        raise missing_date(question.model)


def _nobody(model: Model, answers: dict[int, Answer]) -> EstimatorFailed:
    errors = "; ".join(f"{model.candidates[i].name}: {a.error}" for i, a in answers.items())
    return EstimatorFailed(f"no candidate of {model.name!r} could answer: {errors}")
