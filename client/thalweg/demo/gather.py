"""What the demo asks the server at the end: standings, forecasts, extremes, metrics."""

from __future__ import annotations

import heapq
import math
import urllib.request
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from thalweg.demo.figures import Forecast, ItemQuality

if TYPE_CHECKING:
    from thalweg import Client
    from thalweg.demo.scene import Scene
    from thalweg.results import ModelInfo

ITEMS_SHOWN = 3
UNITS_PER_DAY_MIN = 1.0
"""The best items must sell this much: nothing is easier to predict than what nobody buys."""
_PAGE = 1000
_METRICS_SECONDS_MAX = 10.0
_METRICS_SHOWN = ("thalweg_model_mae{", "thalweg_model_learned_total{", "thalweg_model_champion{")


def all_models(client: Client) -> Iterator[ModelInfo]:
    """Yield what there is, as it is now."""
    return client.list_models(page_size=_PAGE)


def forecast(client: Client, scene: Scene) -> Forecast:
    """Ask for the day after the last: the item's own, and the sum over all items."""
    answer = client.predict(scene.item, date=scene.next_day)
    total = math.fsum(
        mean
        for part in client.predict_many(glob="*", date=scene.next_day)
        for mean in part.means
        if math.isfinite(mean)
    )
    return Forecast(
        item=scene.item,
        day=str(scene.next_day),
        mean=answer.value,
        candidate=answer.candidate,
        total=total,
    )


def worst(client: Client, scene: Scene) -> list[ItemQuality]:
    """Return the items whose champions have the largest errors; the server puts them in order."""
    models = client.list_models(order_by="mae desc", page_size=ITEMS_SHOWN)
    return list(islice(_items(models, scene), ITEMS_SHOWN))


def best(models: Iterable[ModelInfo], scene: Scene) -> list[ItemQuality]:
    """Return the items with the smallest errors among those that sell UNITS_PER_DAY_MIN."""
    sold = (item for item in _items(models, scene) if item.units_per_day >= UNITS_PER_DAY_MIN)
    return heapq.nsmallest(ITEMS_SHOWN, sold, key=lambda item: item.mae)


def _items(models: Iterable[ModelInfo], scene: Scene) -> Iterator[ItemQuality]:
    units = scene.mean_units()
    for info in models:
        mae = next(one.score.mae for one in info.candidates if one.candidate == info.champion)
        if mae is not None:
            yield ItemQuality(
                item=info.model,
                champion=info.champion,
                mae=mae,
                units_per_day=units[info.model],
            )


def metrics_lines(url: str, item: str) -> list[str]:
    """Return what the metrics page says of an item."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=_METRICS_SECONDS_MAX) as page:
        lines = page.read().decode().splitlines()
    escaped = item.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    of_item = f'model="{escaped}"'
    return [line for line in lines if of_item in line and line.startswith(_METRICS_SHOWN)]
