"""KNNRegressor over LazySearch with the Euclidean distance."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
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
    rounded_mean,
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
    finites,
    numbers,
    only,
    typed,
    window,
)
from thalweg_server.engines.compiled.steps.nearest import (
    RANKED_MAX,
    SPARE,
    knn_distances,
    knn_insert,
    knn_median,
    knn_place,
    knn_rank,
    knn_search,
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
    ranks: Floats,
    places: Ints,
) -> int:
    """Feature by feature over all points, so that distances are summed side by side."""
    size = targets.size
    slot = counts[0] % size
    for i in range(x.size):
        points[i * size + slot] = x[i]
    targets[slot] = y
    counts[0] += 1
    return 0


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
    ranks: Floats,
    places: Ints,
) -> float:
    """`KNNRegressor.predict_one`. A NaN distance has no order that River's would be equal to."""
    size = targets.size
    known = min(counts[0], size)
    if known == 0:
        return 0.0
    knn_distances(x, points, size, known, squares)
    undefined = 0
    for slot in range(known):
        undefined |= squares[slot] != squares[slot]
    if undefined:
        note[0] = 1
        return 0.0
    first = 0
    if known == size:
        first = counts[0] % size
    found = knn_search(squares, targets, first, known, settings[0], nearest, values, ranks, places)
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
    apart: ClassVar = (
        grow_expansion,
        expansion_sign,
        split_product,
        even_of,
        nearest_quotient,
        rounded_mean,
        compensated_sum,
        knn_insert,
        knn_median,
    )
    helpers: ClassVar = (exact_mean, knn_distances, knn_rank, knn_place, knn_search)

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
            Array("points", "float", self.size * len(self.inputs) + SPARE),
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
            Array("squares", "float", self.size + RANKED_MAX),
            Array("nearest", "float", self.size),
            Array("values", "float", self.size),
            Array("partials", "float", 2 * EXACT_TERMS_MAX),
            Array("ranks", "float", RANKED_MAX),
            Array("places", "int", RANKED_MAX),
        )

    def _points(self, views: Views) -> Any:
        return views["points"][:-SPARE].reshape(len(self.inputs), self.size)

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        entries = list(estimator._nn.window)
        if any(len(entry) != 1 for entry in entries):
            raise Unlowerable("LazySearch keeps something beside its points")
        pairs = [entry[0] for entry in entries]
        if any(tuple(x) != self.inputs for x, _ in pairs):
            raise Unlowerable("KNNRegressor has learned other features than it is given")
        points = numbers(chain.from_iterable(x.values() for x, _ in pairs))
        self._points(views)[:, : len(pairs)] = points.reshape(len(pairs), len(self.inputs)).T
        views["targets"][: len(pairs)] = finites(y for _, y in pairs)
        views["counts"][0] = len(pairs)

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        learned = int(views["counts"][0])
        points = self._points(views)
        estimator._nn.window.clear()
        for position in range(learned - min(learned, self.size), learned):
            slot = position % self.size
            x = typed(self.inputs, points[:, slot].tolist(), self._ints)
            estimator._nn.window.append(((x, float(views["targets"][slot])),))
