"""Observations to learn, and learning them with downloads and uploads in between."""

from __future__ import annotations

import numpy as np

from tests.engines.twins import DAY, Row, Twins


def rows(count: int, seed: int = 1, names: str = "abcd", model: int = 0) -> list[Row]:
    """Observations with features of different sizes, some of them zero."""
    source = np.random.default_rng(seed)
    sizes = np.array([1.0, 10.0, 0.01, 3.0] * len(names))[: len(names)]
    result = []
    for _ in range(count):
        x = source.normal(size=len(names)) * sizes * source.integers(0, 3, len(names))
        features = dict(zip(names, x.tolist(), strict=True))
        result.append(Row(model, DAY, float(source.normal(3.0, 2.0)), features))
    return result


def learned_with_reloads(twins: Twins, data: list[Row]) -> None:
    """In three batches, downloaded and uploaded again in between; the state has to be River's."""
    third = len(data) // 3
    for begin in (0, third, 2 * third):
        twins.learn(data[begin : begin + third], columns=begin == 0)
        twins.assert_compiled()
        twins.assert_same_state()
        for model in range(len(twins.slots)):
            twins.reload(model)
        twins.ask(data[:3])
    twins.learn(data[:5], predict=False)
    twins.learn(data[:5])
    twins.assert_same_state()
