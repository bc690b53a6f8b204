"""What a worker's replies mean. A worker may have been taken over: nothing is believed unread."""

from __future__ import annotations

import math
from typing import Any

from thalweg_server.core.ports import Answer
from thalweg_server.engines.texts import ERROR_MAX
from thalweg_server.workers.wire import Ended

SUSPECTS = frozenset(
    {"MemoryError", "RecursionError", "PanicException", "SystemExit", "KeyboardInterrupt"}
)
"""What estimators raise that are out of bounds, rather than out of sorts."""

NO_MEMORY = "MemoryError"

MADE: dict[str, tuple[type, ...]] = {
    "hold": (),
    "dump": (bytes,),
    "checkpoint": (bytes, bool),
    "structure": (bytes,),
    "size": (int,),
}
"""What a worker makes of a candidate, by operation."""

CLASSES_MAX = 100_000
"""Of one answer."""


def answer_of(reply: list[Any]) -> tuple[Answer, bool]:
    """A candidate's answer, and whether it learned nothing; raises Ended where it is none."""
    match reply:
        case ["done", value, label, probabilities, str(error), bool(unlearned)]:
            if value is not None and not (isinstance(value, float) and math.isfinite(value)):
                raise Ended("answered what is no number")
            if label is not None and not isinstance(label, str | int | float):
                raise Ended("answered what is no class")
            answer = Answer(value, label, _probabilities(probabilities), error[: 2 * ERROR_MAX])
            return answer, unlearned
    raise Ended("answered what is no answer")


def made_of(reply: list[Any], operation: str) -> list[Any]:
    """What it has made, behind "made", or why it has not, behind "failed"; raises Ended where
    it is neither.
    """
    match reply:
        case ["failed", str(text)]:
            return ["failed", text[: 2 * ERROR_MAX]]
        case ["made", *made] if tuple(map(type, made)) == MADE[operation]:
            return reply
    raise Ended("answered what is no answer")


def raised(error: str) -> str:
    """The class of what an estimator raised; empty where it raised nothing."""
    return error.partition(":")[0]


def _probabilities(given: Any) -> dict[Any, float] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or len(given) > CLASSES_MAX:
        raise Ended("answered what are no probabilities")
    for label, probability in given.items():
        if not isinstance(label, str | int | float) or not isinstance(probability, float):
            raise Ended("answered what are no probabilities")
    return given
