"""KNNRegressor over LazySearch with the Euclidean distance."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import neighbors
from river.neighbors.base import _euclidean_tuple_distance

from thalweg_server.engines.compiled.arithmetic import (
    COMPENSATED,
    EXACT_TERMS_MAX,
    compensated_sum,
    even_of,
    exact_mean,
    expansion_sign,
    grow_expansion,
    nearest_quotient,
    split_product,
)
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    Constants,
    Floats,
    Inputs,
    Ints,
    Step,
    exactly,
    finite,
    number,
    only,
    typed,
    window,
)

AGGREGATIONS = ("mean", "median", "weighted_mean")


def knn_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    points: Floats,
    targets: Floats,
    settings: Ints,
    squares: Floats,
    nearest: Floats,
    values: Floats,
    partials: Floats,
) -> int:
    """Feature by feature over all points, so that distances are summed side by side."""
    size = targets.size
    slot = counts[0] % size
    for i in range(x.size):
        points[i * size + slot] = x[i]
    targets[slot] = y
    counts[0] += 1
    return 0


def knn_distances(x: Floats, points: Floats, size: int, known: int, squares: Floats) -> None:
    """Every point's distance, its squares summed in the order of the features.

    Six features per pass over the points: a compiler makes vectors of the points, each with its
    own sum, and stores that sum a sixth as often. Three times as fast as one at a time.
    """
    for slot in range(known):
        squares[slot] = 0.0
    i = 0
    while i + 6 <= x.size:
        at = i * size
        a, b, c, d, e, f = x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4], x[i + 5]
        of_a = points[at : at + known]
        of_b = points[at + size : at + size + known]
        of_c = points[at + 2 * size : at + 2 * size + known]
        of_d = points[at + 3 * size : at + 3 * size + known]
        of_e = points[at + 4 * size : at + 4 * size + known]
        of_f = points[at + 5 * size : at + 5 * size + known]
        for slot in range(known):
            total = squares[slot]
            total += (a - of_a[slot]) * (a - of_a[slot])
            total += (b - of_b[slot]) * (b - of_b[slot])
            total += (c - of_c[slot]) * (c - of_c[slot])
            total += (d - of_d[slot]) * (d - of_d[slot])
            total += (e - of_e[slot]) * (e - of_e[slot])
            squares[slot] = total + (f - of_f[slot]) * (f - of_f[slot])
        i += 6
    while i < x.size:
        of_points = points[i * size : i * size + known]
        for slot in range(known):
            squares[slot] += (x[i] - of_points[slot]) * (x[i] - of_points[slot])
        i += 1
    for slot in range(known):
        squares[slot] = math.sqrt(squares[slot])


def knn_search(
    distances: Floats,
    targets: Floats,
    first: int,
    known: int,
    wanted: int,
    nearest: Floats,
    values: Floats,
) -> int:
    """The nearest by (distance, position), the oldest position first; returns how many."""
    found = 0
    for position in range(known):
        slot = first + position
        if slot >= known:
            slot -= known
        distance = distances[slot]
        if found == wanted and not distance < nearest[found - 1]:
            continue
        if found < wanted:
            found += 1
        at = found - 1
        while at > 0 and nearest[at - 1] > distance:
            nearest[at] = nearest[at - 1]
            values[at] = values[at - 1]
            at -= 1
        nearest[at] = distance
        values[at] = targets[slot]
    return found


def knn_median(values: Floats, found: int) -> float:
    """`statistics.median`; puts the values in order."""
    for i in range(1, found):
        value = values[i]
        at = i
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value
    middle = found // 2
    if found % 2:
        return float(values[middle])
    return float((values[middle - 1] + values[middle]) / 2.0)


def knn_predict(
    x: Floats,
    day: int,
    note: Ints,
    counts: Ints,
    points: Floats,
    targets: Floats,
    settings: Ints,
    squares: Floats,
    nearest: Floats,
    values: Floats,
    partials: Floats,
) -> float:
    """`KNNRegressor.predict_one`. A NaN distance has no order that River's would be equal to."""
    size = targets.size
    known = min(counts[0], size)
    if known == 0:
        return 0.0
    knn_distances(x, points, size, known, squares)
    for slot in range(known):
        if math.isnan(squares[slot]):
            note[0] = 1
            return 0.0
    first = 0
    if known == size:
        first = counts[0] % size
    found = knn_search(squares, targets, first, known, settings[0], nearest, values)
    if nearest[0] == 0.0:
        return float(values[0])
    if settings[1] == 1:
        return knn_median(values, found)
    if settings[1] == 2:
        compensated = settings[2] != 0
        for i in range(found):
            squares[i] = 1.0 / nearest[i]
        weights = compensated_sum(squares[:found], compensated)
        if weights != 0.0:
            for i in range(found):
                squares[i] = values[i] / nearest[i]
            return compensated_sum(squares[:found], compensated) / weights
    return exact_mean(values, found, partials, note)


class LoweredKNNRegressor(Step):
    """`neighbors.KNNRegressor(engine=LazySearch(…))`."""

    kind = "knn"
    learn = knn_learn
    predict = knn_predict
    helpers: ClassVar = (
        grow_expansion,
        expansion_sign,
        split_product,
        even_of,
        nearest_quotient,
        exact_mean,
        compensated_sum,
        knn_distances,
        knn_search,
        knn_median,
    )

    def __init__(self, estimator: neighbors.KNNRegressor, inputs: Inputs) -> None:
        only(estimator, {"n_neighbors", "engine", "_nn", "aggregation_method"})
        search: Any = estimator._nn
        exactly(search, neighbors.LazySearch, "the search engine of KNNRegressor")
        only(search, {"window_size", "min_distance_keep", "dist_func", "window"})
        if search.dist_func is not _euclidean_tuple_distance:
            raise Unlowerable("LazySearch has a distance function of its own")
        self.size = window(search.window_size, "the window of LazySearch")
        if search.window.maxlen != self.size:
            raise Unlowerable("LazySearch has a window of another size than it says")
        self.wanted = min(window(estimator.n_neighbors, "n_neighbors"), self.size)
        if estimator.aggregation_method not in AGGREGATIONS:
            raise Unlowerable(f"aggregation_method is {estimator.aggregation_method!r}")
        self.aggregation = AGGREGATIONS.index(estimator.aggregation_method)
        self.inputs = inputs.numbers()
        self._ints = inputs.whole

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        return (
            Array("counts", "int", 1),
            Array("points", "float", self.size * len(self.inputs)),
            Array("targets", "float", self.size),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"settings": np.array([self.wanted, self.aggregation, COMPENSATED], np.int64)}

    @property
    def scratch(self) -> Sequence[Array]:
        """See `Step.scratch`."""
        return (
            Array("squares", "float", self.size),
            Array("nearest", "float", self.wanted),
            Array("values", "float", self.wanted),
            Array("partials", "float", 2 * EXACT_TERMS_MAX),
        )

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        points = views["points"].reshape(len(self.inputs), self.size)
        entries = estimator._nn.window
        for slot, entry in enumerate(entries):
            if len(entry) != 1:
                raise Unlowerable("LazySearch keeps something beside its points")
            x, y = entry[0]
            if tuple(x) != self.inputs:
                raise Unlowerable("KNNRegressor has learned other features than it is given")
            points[:, slot] = [number(value) for value in x.values()]
            views["targets"][slot] = finite(y)
        views["counts"][0] = len(entries)

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        learned = int(views["counts"][0])
        points = views["points"].reshape(len(self.inputs), self.size)
        estimator._nn.window.clear()
        for position in range(learned - min(learned, self.size), learned):
            slot = position % self.size
            x = typed(self.inputs, points[:, slot].tolist(), self._ints)
            estimator._nn.window.append(((x, float(views["targets"][slot])),))
