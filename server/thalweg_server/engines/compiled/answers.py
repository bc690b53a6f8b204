"""Kernels answer numbers; the port wants a value, or a class and its probabilities."""

from __future__ import annotations

from thalweg_server.core.observation import Flavor, Target
from thalweg_server.core.ports import Answer


def answer_of(number: float, flavor: Flavor) -> Answer:
    """What a kernel's number stands for: of a binary model, it is the probability of true."""
    if number != number:  # noqa: PLR0124 -- a NaN: no usable answer
        return Answer()
    if flavor is Flavor.REGRESSION:
        return Answer(number)
    # As `LogisticRegression.predict_proba_one` has it, in its order: of equal ones, the first.
    probabilities: dict[Target, float] = {False: 1.0 - number, True: number}
    return Answer(label=number > probabilities[False], probabilities=probabilities)
