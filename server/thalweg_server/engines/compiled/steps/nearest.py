"""The arithmetic of a search for the nearest points."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math

from thalweg_server.engines.compiled.steps.base import Floats, Ints

RANKED_MAX = 64
"""Points that are searched by comparing each with each. A multiple of 16, as these loops are."""

SPARE = 3
"""Floats behind the points: the loops over the last feature's points may go on into them."""


def knn_distances(x: Floats, points: Floats, size: int, count: int, squares: Floats) -> None:
    """Every point's distance, its squares summed in the order of the features.

    Six features per pass over the points: a compiler makes vectors of the points, each with its
    own sum, and stores that sum a sixth as often. Three times as fast as one at a time. Up to
    three more points than there are, so that nothing is left over beside the vectors of four.
    """
    known = (count + 3) & ~3
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


def knn_insert(
    distances: Floats,
    targets: Floats,
    first: int,
    known: int,
    wanted: int,
    nearest: Floats,
    values: Floats,
) -> None:
    """The nearest of many: those found so far are kept in order while the points go by."""
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


def knn_rank(distances: Floats, known: int, ranks: Floats, places: Ints) -> None:
    """How many points are nearer than each: few enough to compare each with each.

    No branch depends on a distance, so that a compiler makes vectors of it and a processor has
    nothing to guess: twice as fast as keeping the nearest in order.
    """
    padded = (known + 15) & ~15
    for slot in range(known, padded):
        distances[slot] = math.inf
    for slot in range(padded):
        ranks[slot] = 0.0
        places[slot] = slot
    for other in range(0, padded, 4):
        a, b = distances[other], distances[other + 1]
        c, d = distances[other + 2], distances[other + 3]
        for slot in range(padded):
            distance = distances[slot]
            nearer = (1.0 if a < distance else 0.0) + (1.0 if b < distance else 0.0)
            more = (1.0 if c < distance else 0.0) + (1.0 if d < distance else 0.0)
            ranks[slot] += nearer + more


def knn_place(
    distances: Floats,
    targets: Floats,
    ranks: Floats,
    places: Ints,
    nearest: Floats,
    values: Floats,
) -> None:
    """Puts points in their places; those of equal distance come one behind the other."""
    for slot in range(ranks.size):
        rank = int(ranks[slot])
        place = places[rank]
        places[rank] = place + 1
        nearest[place] = distances[slot]
        values[place] = targets[slot]


def knn_search(
    distances: Floats,
    targets: Floats,
    first: int,
    known: int,
    wanted: int,
    nearest: Floats,
    values: Floats,
    ranks: Floats,
    places: Ints,
) -> int:
    """The nearest by (distance, position), the oldest position first; returns how many."""
    if known <= ranks.size:
        knn_rank(distances, known, ranks, places)
        before, behind = slice(0, first), slice(first, known)
        knn_place(distances[behind], targets[behind], ranks[behind], places, nearest, values)
        knn_place(distances[before], targets[before], ranks[before], places, nearest, values)
    else:
        knn_insert(distances, targets, first, known, wanted, nearest, values)
    return min(wanted, known)


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
