"""What a whole fleet takes of memory, and how fast it is ready and answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any

from bench import predict
from bench.fleet_data import Diary, learn, upload
from bench.fleet_stream import engines, say
from bench.pairs import in_turn, spread
from bench.serving import Running, serving, serving_cold
from thalweg import Client, m5

DAYS_AT_A_TIME = 28
LIST_PAGE = 1_000


def ram(data: m5.Sales, days: int, batch_rows: int | None) -> dict[str, Any]:
    """Resident memory of a server that has learned so many days, over that of an empty one."""
    diary = Diary(data)
    with serving() as server, Client(server.address) as client:
        client.init("regression")
        empty = server.megabytes()
        upload(client)
        for done in range(0, days, DAYS_AT_A_TIME):
            learn(client, diary.next(min(DAYS_AT_A_TIME, days - done)), batch_rows)
            say(f"  {diary.written} days, {server.megabytes():,.0f} MB")
        full, peak = server.megabytes(), server.megabytes("VmHWM")
        info = client.get_model(data.ids[0])
        placed = engines(client, data.ids[0])
    return {
        "items": len(data.ids),
        "days": days,
        "engines": placed,
        "empty_server_mb": round(empty, 1),
        "server_mb": round(full, 1),
        "server_peak_mb": round(peak, 1),
        "over_empty_mb": round(full - empty, 1),
        "over_empty_mb_at_most": 500,
        "peak_over_empty_mb": round(peak - empty, 1),
        "bytes_per_model": round((full - empty) * 1e6 / len(data.ids)),
        "state_bytes": {each.candidate: each.state_bytes for each in info.candidates},
    }


def ready(data: m5.Sales, days: int, batch_rows: int | None, runs: int) -> dict[str, Any]:
    """Seconds from an empty server to a fleet whose champions are known."""
    with serving() as server, Client(server.address) as client:
        upload(client)  # now its kernels are cached
    warm = [_ready(serving(), data, days, batch_rows) for _ in range(runs)]
    cold = _ready(serving_cold(), data, days, batch_rows)
    return {
        "items": len(data.ids),
        "days": days,
        "runs": runs,
        "champions_known": "by list or by watch, the faster of the two",
        "seconds": spread([_first_known(run) for run in warm], 2),
        "seconds_at_most": 20,
        "of_these": {name: spread([run[name] for run in warm], 2) for name in warm[0]},
        "seconds_without_cached_kernels": round(_first_known(cold), 2),
        "of_these_without": {name: round(value, 2) for name, value in cold.items()},
    }


def _first_known(run: dict[str, float]) -> float:
    """Seconds until the champions are known, in the faster of the two ways."""
    made = run["upload_templates"] + run["stream"]
    return made + min(run["champions_by_list"], run["champions_by_watch"])


def _ready(
    started: AbstractContextManager[Running], data: m5.Sales, days: int, batch_rows: int | None
) -> dict[str, float]:
    diary = Diary(data).next(days)
    taken: dict[str, float] = {}

    def timed(what: str, function: Callable[[], object]) -> None:
        start = time.perf_counter()
        function()
        taken[what] = time.perf_counter() - start
        say(f"  {what} {taken[what]:.2f} s")

    with started as server, Client(server.address) as client:
        timed("upload_templates", lambda: upload(client))
        timed("stream", lambda: learn(client, diary, batch_rows))
        timed("champions_by_list", lambda: _listed(client, len(data.ids)))
        timed("champions_by_watch", lambda: _watched(client, len(data.ids)))
        say(f"  {engines(client, data.ids[0])}")
    return taken


def _listed(client: Client, items: int) -> None:
    known = sum(bool(info.champion) for info in client.list_models(page_size=LIST_PAGE))
    assert known == items, known


def _watched(client: Client, items: int) -> None:
    updates = client.watch_scores(glob="*")
    with closing(updates):
        known = sum(any(s.champion for s in update.scores) for update in islice(updates, items))
    assert known == items, known


def many(data: m5.Sales, runs: int, batch_rows: int | None) -> dict[str, Any]:
    """Seconds of a PredictMany of the whole fleet, by glob and by name."""
    with _learned(data, batch_rows) as (_, client):
        day = data.days[-1] + timedelta(days=1)

        def by_glob() -> float:
            return _asked(client, len(data.ids), glob="*", date=day)

        def by_name() -> float:
            return _asked(client, len(data.ids), models=data.ids, date=day)

        by_glob()
        globs, names = in_turn(runs, by_glob, by_name)
    return {
        "items": len(data.ids),
        "runs": runs,
        "seconds_by_glob": spread(globs),
        "seconds_by_name": spread(names),
        "seconds_at_most": 0.3,
    }


def _asked(client: Client, items: int, **question: Any) -> float:
    start = time.perf_counter()
    means = sum(len(part.means) for part in client.predict_many(**question))
    seconds = time.perf_counter() - start
    assert means == items, means
    return seconds


def unary(
    data: m5.Sales, batch_rows: int | None, runs: int, items: int | None, source: str | None
) -> dict[str, Any]:
    """Predict beside an echo, and beside a client that streams the whole fleet."""
    with _learned(data, batch_rows) as (server, client):
        placed = engines(client, predict.QUESTION.model)
        calls = 2_000
        return {
            "items": len(data.ids),
            "engines": placed,
            "calls": calls,
            "runs": runs,
            **predict.while_idle(server.address, calls, runs),
            "while_streaming": predict.while_streaming(server.address, calls, runs, items, source),
        }


@contextmanager
def _learned(data: m5.Sales, batch_rows: int | None) -> Iterator[tuple[Running, Client]]:
    """A server that has learned the real days once."""
    with serving() as server, Client(server.address) as client:
        upload(client)
        learn(client, data, batch_rows)
        yield server, client
