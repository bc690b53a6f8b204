"""Plain River loops, and what a server that learned the same rows must say to the last bit."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from river import linear_model, metrics, neighbors, preprocessing, tree

import thalweg
from tests.estimators import Recorder
from thalweg import Row, m5
from thalweg.results import CandidatePrediction

DAY = date(2016, 1, 1)


def _line() -> Any:
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


def _tree() -> Any:
    return tree.HoeffdingTreeRegressor(grace_period=20)


def _neighbours() -> Any:
    return preprocessing.StandardScaler() | neighbors.KNNRegressor(
        n_neighbors=3, engine=neighbors.LazySearch(window_size=20)
    )


MODELS: dict[str, dict[str, Callable[[], Any]]] = {
    "streamed": {"line": _line, "tree": _tree},
    "neighbours": {"line": _line, "neighbours": _neighbours},
    "item": {"knn": m5.knn, "lm": m5.lm},
    "unary": {"line": _line, "tree": _tree},
    "labelled": {"tree": _tree, "line": _line},
    "both": {"line": _line, "memory": Recorder},
}
"""Models and their candidates: in fleets, in River, and one that remembers what it learned."""

CONTEXT = {"item": ("id", "date")}

QUESTIONS = [
    {"day": DAY + timedelta(days=3000 + number), "a": 0.37 * number - 1.0, "b": number % 3 - 0.5}
    for number in range(6)
]


def upload(client: thalweg.Client) -> None:
    """Makes all models."""
    for model, candidates in MODELS.items():
        for name, make in candidates.items():
            client.upload_model(model, make(), candidate=name, context=CONTEXT.get(model, ()))


class Reference:
    """One model as a loop of River's own calls.

    Args:
        model: its name.
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.estimators = {name: make() for name, make in MODELS[model].items()}
        self.mae = {name: metrics.MAE() for name in self.estimators}
        self.rmse = {name: metrics.RMSE() for name in self.estimators}
        self.count = dict.fromkeys(self.estimators, 0)
        self.nonfinite = dict.fromkeys(self.estimators, 0)
        self.learned = 0

    def predict(self, features: Mapping[str, Any], day: date | str | None) -> dict[str, float]:
        """What each candidate answers; predicting changes some estimators, so copies do."""
        x = self._x(features, day)
        return {name: copy.deepcopy(e).predict_one(x) for name, e in self.estimators.items()}

    def learn(self, row: Row, answers: Mapping[str, float] | None = None) -> dict[str, float]:
        """Scores and learns; returns what was scored, which may have been answered before."""
        x = self._x(row.features, row.date)
        scored: dict[str, float] = {}
        for name, estimator in self.estimators.items():
            answer = estimator.predict_one(x) if answers is None else answers[name]
            if math.isfinite(answer):
                self.mae[name].update(row.target, answer)
                self.rmse[name].update(row.target, answer)
                self.count[name] += 1
            else:
                self.nonfinite[name] += 1
            scored[name] = answer
            estimator.learn_one(x, row.target)
        self.learned += 1
        return scored

    @property
    def ranking(self) -> list[str]:
        """Candidates, the champion first."""
        bar = max(1, min(28, max(self.count.values()) / 2))
        eligible = [name for name in self.estimators if self.count[name] >= bar]
        eligible.sort(key=lambda name: self.mae[name].get())
        return eligible + [name for name in self.estimators if name not in eligible]

    def differences(self, client: thalweg.Client) -> list[str]:
        """What a server's model says otherwise."""
        info = client.get_model(self.model)
        found = [("learned", info.learned, self.learned)]
        if self.learned:
            found.append(("champion", info.champion, self.ranking[0]))
        for candidate in info.candidates:
            name, score = candidate.candidate, candidate.score
            found += [
                (f"{name} learned", candidate.learned, self.learned),
                (f"{name} count", score.count, self.count[name]),
                (f"{name} nonfinite", score.nonfinite, self.nonfinite[name]),
                (f"{name} mae", score.mae or 0.0, self.mae[name].get()),
                (f"{name} rmse", score.rmse or 0.0, self.rmse[name].get()),
            ]
        for number, question in enumerate(QUESTIONS):
            found += self._asked(client, number, **question)
        return [
            f"{self.model}: {what} is {got!r}, River's {expected!r}"
            for what, got, expected in found
            if got != expected
        ]

    def _asked(
        self, client: thalweg.Client, number: int, *, day: date, **features: float
    ) -> list[tuple[str, Any, Any]]:
        given = {} if self.model in CONTEXT else features
        reply = client.predict(self.model, given, date=day, all_candidates=True)
        expected = self.predict(given, day)
        return [
            (f"answer {number} of {name}", value, expected[name] if usable else None)
            for name, value in values(reply.candidates).items()
            for usable in [math.isfinite(expected[name])]
        ]

    def _x(self, features: Mapping[str, Any], day: date | str | None) -> dict[str, Any]:
        x = dict(sorted(features.items()))
        if self.model in CONTEXT:
            x |= {"id": self.model, "date": str(day)}
        return x


def values(candidates: Iterable[CandidatePrediction]) -> dict[str, float | None]:
    """Candidate to its answer, None for none."""
    return {c.candidate: c.prediction.value if c.prediction else None for c in candidates}


def best(answers: Mapping[str, float], ranking: Iterable[str]) -> float:
    """What a caller gets of these: that of the first one with a finite answer, else NaN."""
    finite = (answers[name] for name in ranking if math.isfinite(answers[name]))
    return next(finite, math.nan)


def same(left: float, right: float) -> bool:
    """Whether two numbers are equal; NaN is, to itself."""
    return left == right or (math.isnan(left) and math.isnan(right))
