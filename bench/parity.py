"""Compare the shipped M5 pipelines with 29 genuine `TargetAgg`s, bit for bit, on real sales.

    python -m bench.parity --data DIR [--items 'FOODS_3_*_TX_1'] [--first 50] [--engine compiled]

With `--engine compiled` they run in the compiled engine, else in plain River, where features and
neighbours are compared too. Prints one JSON object. Exits with 1 if a bit differs.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import Any

from bench import memory, reference
from thalweg import m5

History = list[tuple[str, float]]
PIPELINES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "knn": (m5.knn, reference.knn),
    "lm": (m5.lm, reference.lm),
}


def main() -> None:
    """Run the comparison and print it."""
    options = _options()
    try:
        sales = m5.read_sales(options.data, options.calendar)
    except m5.BadSales as error:
        sys.exit(str(error))
    sales = sales.select(options.items, first=options.first)
    if not sales.ids:
        sys.exit(f"no items match {options.items!r}")
    started = time.perf_counter()
    measure = measure_compiled if options.engine == "compiled" else measure_river
    report = {
        "benchmark": "parity",
        "engine": options.engine,
        "river": version("river"),
        "items": len(sales.ids),
        "days": len(sales.dates),
        "rows": sales.observations,
        "candidates": len(sales.ids) * len(PIPELINES),
        **measure(sales),
        "seconds": round(time.perf_counter() - started, 1),
    }
    print(json.dumps(report, indent=2))
    sys.exit(1 if report["prediction_mismatches_bitwise"] else 0)


def measure_river(sales: m5.Sales) -> dict[str, Any]:
    """Compare the pipelines in plain River, features and neighbours included."""
    tally, relative = _in_processes(compare, sales.histories(), chunksize=4)
    _, history = next(sales.histories())
    return {
        "predictions": tally["predictions"],
        "prediction_mismatches_bitwise": tally["mismatches"],
        "relative_difference_max": relative,
        "feature_vectors": tally["vectors"],
        "feature_mismatches_bitwise": tally["vector_mismatches"],
        "knn_searches_with_ties": tally["ties"],
        "knn_neighbour_differences": tally["neighbour_differences"],
        **memory.report(history),
    }


def measure_compiled(sales: m5.Sales) -> dict[str, Any]:
    """Compare the pipelines in the compiled engine, and who is champion in the end."""
    from bench import parity_compiled

    if sales.observations < sales.units.size:
        sys.exit("with --engine compiled every item needs a sale on every day")
    parts = parity_compiled.parts(sales)
    tally, relative = _in_processes(parity_compiled.compare, parts, chunksize=1)
    placed = {name: count for name, count in tally.items() if name.startswith("candidates in")}
    return {
        **placed,
        "predictions": tally["predictions"],
        "prediction_mismatches_bitwise": tally["mismatches"],
        "relative_difference_max": relative,
        "champions": len(sales.ids),
        "champion_differences": tally["champion_differences"],
    }


def _in_processes(
    function: Callable[[Any], tuple[Counter[str], float]], parts: Iterable[Any], chunksize: int
) -> tuple[Counter[str], float]:
    """Return all counts, and the largest of the differences."""
    tally: Counter[str] = Counter()
    relative = 0.0
    with ProcessPoolExecutor() as pool:
        for counts, largest in pool.map(function, parts, chunksize=chunksize):
            tally.update(counts)
            relative = max(relative, largest)
    return tally, relative


def compare(item: tuple[str, History]) -> tuple[Counter[str], float]:
    """Learn one item's history with all four pipelines; return counts and the largest error."""
    name, history = item
    tally: Counter[str] = Counter()
    relative = 0.0
    for ours, theirs in _pairs():
        for day, units in history:
            x = {"id": name, "date": day}
            tally.update(_compare_inside(ours, theirs, x))
            mine, true = ours.predict_one(x), theirs.predict_one(x)
            tally["predictions"] += 1
            if bits(mine) != bits(true):
                tally["mismatches"] += 1
                relative = max(relative, abs(mine - true) / max(abs(true), 1e-300))
            ours.learn_one(x, units)
            theirs.learn_one(x, units)
    return tally, relative


def bits(value: float) -> bytes:
    """Return a float's bits; every NaN counts as the same."""
    return struct.pack("<d", value if value == value else float("nan"))  # noqa: PLR0124


def _pairs() -> Iterator[tuple[Any, Any]]:
    for make, make_reference in PIPELINES.values():
        yield make(), make_reference()


def _compare_inside(ours: Any, theirs: Any, x: dict[str, str]) -> Iterator[str]:
    """Yield what differs before the last step: features, and the neighbours they find."""
    mine, true = _before_last(ours, x), _before_last(theirs, x)
    yield "vectors"
    if [(k, bits(v)) for k, v in mine.items()] != [(k, bits(v)) for k, v in true.items()]:
        yield "vector_mismatches"
    last = ours[-1]
    if hasattr(last, "_nn"):
        found, distances = last._nn.search((mine, None), n_neighbors=last.n_neighbors)
        expected, true_distances = theirs[-1]._nn.search((true, None), n_neighbors=last.n_neighbors)
        if len(set(distances)) < len(distances):
            yield "ties"
        if found != expected or distances != true_distances:
            yield "neighbour_differences"


def _before_last(pipeline: Any, x: dict[str, Any]) -> dict[str, float]:
    """Return what the pipeline hands to its last step."""
    for step in list(pipeline.steps.values())[:-1]:
        x = step.transform_one(x)
    return x


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.parity", description=__doc__)
    parser.add_argument("--data", required=True, help="sales file, or directory of the M5 files")
    parser.add_argument("--calendar", help="calendar table, if it is not beside the sales")
    parser.add_argument(
        "--items", default="HOBBIES_1_*_CA_1", help="glob; default: one department of one store"
    )
    parser.add_argument("--engine", choices=("river", "compiled"), default="river")
    parser.add_argument("--first", type=int, help="at most so many items")
    return parser.parse_args()


if __name__ == "__main__":
    main()
