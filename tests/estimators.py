"""Estimators that misbehave, each in one way, and small healthy ones."""

from __future__ import annotations

import math
import time
from typing import Any

from river import base, dummy, linear_model, preprocessing, stats


def linear() -> Any:
    """Return a small regression pipeline whose scaler allocates for unseen keys."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


def mean() -> Any:
    """Return the cheapest regressor there is."""
    return dummy.StatisticRegressor(stats.Mean())


class Constant(base.Regressor):
    """Answers whatever it was made with, and counts what it learned."""

    def __init__(self, answer: Any = 0.0) -> None:
        self.answer = answer
        self.learned = 0

    def learn_one(self, x: Any, y: Any) -> None:
        """Count."""
        self.learned += 1

    def predict_one(self, x: Any) -> Any:
        """Answer."""
        return self.answer


class Nan(Constant):
    """Answers NaN."""

    def __init__(self) -> None:
        super().__init__(math.nan)


class RaisesInPredict(Constant):
    """Cannot answer."""

    def predict_one(self, x: Any) -> Any:
        """Raise."""
        raise ValueError("no answer from me")


class RaisesInLearn(Constant):
    """Cannot learn."""

    def learn_one(self, x: Any, y: Any) -> None:
        """Raise."""
        raise KeyError("nothing learned")


class Panics(Constant):
    """Raises what is no Exception, as parts written in Rust do."""

    def predict_one(self, x: Any) -> Any:
        """Raise."""
        raise SystemExit("panic")

    def learn_one(self, x: Any, y: Any) -> None:
        """Raise."""
        raise KeyboardInterrupt


class RaisesOn(base.Regressor):
    """Cannot answer where `x` says so; adds up what it learned otherwise."""

    def __init__(self, key: str = "bad") -> None:
        self.key = key
        self.total = 0.0

    def learn_one(self, x: Any, y: Any) -> None:
        """Add up, or raise."""
        if x.get(self.key):
            raise RuntimeError(f"x has {self.key}")
        self.total += y

    def predict_one(self, x: Any) -> Any:
        """Answer the sum, or raise."""
        if x.get(self.key):
            raise RuntimeError(f"x has {self.key}")
        return self.total


class Slow(Constant):
    """Takes its time to learn, and remembers what it learned."""

    def __init__(self, seconds: float = 0.02) -> None:
        super().__init__()
        self.seconds = seconds
        self.begun = 0
        self.targets: list[Any] = []

    def learn_one(self, x: Any, y: Any) -> None:
        """Sleep, then remember."""
        self.begun += 1
        time.sleep(self.seconds)
        self.learned += 1
        self.targets.append(y)


class Recorder(Constant):
    """Remembers every `x` and target it saw; answers the number of features."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def learn_one(self, x: Any, y: Any) -> None:
        """Remember, in the order of the keys."""
        self.learned += 1
        self.seen.append((list(x.items()) if isinstance(x, dict) else x, y))

    def predict_one(self, x: Any) -> Any:
        """Answer what only this `x` has."""
        if "answer" in x and isinstance(x, dict):
            return float(x["answer"])
        return float(len(x))


class Labeller(base.Classifier):
    """A classifier without probabilities: answers the last label it learned."""

    def __init__(self) -> None:
        self.last: Any = None

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Any, y: Any) -> None:
        """Remember."""
        self.last = y

    def predict_one(self, x: Any) -> Any:
        """Answer it."""
        return self.last


class Proba(base.Classifier):
    """A classifier that answers the probabilities that `x` brings, as numbers by class."""

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Any, y: Any) -> None:
        """Learn nothing."""

    def predict_proba_one(self, x: Any) -> Any:
        """Answer `x`; keys "true" and "false" are flags."""
        flags = {"true": True, "false": False}
        return {flags.get(name, name): p for name, p in x.items()}


class Duck:
    """A regressor that is none of River's classes."""

    def __init__(self) -> None:
        self.last = 0.0

    def learn_one(self, x: Any, y: Any) -> None:
        """Remember."""
        self.last = y

    def predict_one(self, x: Any) -> Any:
        """Answer it."""
        return self.last
