"""Warm-up over an asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING

from thalweg import fitting
from thalweg.batches import Item
from thalweg.observations import Columns
from thalweg.progress import reporting
from thalweg.pump import items_of
from thalweg.results import WarmUp
from thalweg.warmup import Plan, Tally, rows_in_all

if TYPE_CHECKING:
    from thalweg.aio.client import Client

Source = AsyncIterable[Item] | Iterable[Item] | Columns


async def run(client: Client, plan: Plan, history: Source) -> WarmUp:
    """Warm up; see `thalweg.Client.warm_up`."""
    if plan.mode == "local":
        return await _local(client, plan, history)
    return await _remote(client, plan, history)


async def _remote(client: Client, plan: Plan, history: Source) -> WarmUp:
    tally = Tally()
    total = None if isinstance(history, AsyncIterable) else rows_in_all(history)
    with reporting(plan.progress, "learning") as report:
        for name, candidate in plan.candidates.items():
            await client.upload_model(plan.glob, fitting.fresh(candidate), **plan.template(name))
        async for ack in client.stream_learn(_noted(tally, history), **plan.stream()):
            tally.add_ack(ack)
            report(tally.rows, total)
    return tally.result()


async def _noted(tally: Tally, history: Source) -> AsyncIterator[Item]:
    if isinstance(history, AsyncIterable):
        async for item in history:
            tally.note(item)
            yield item
    else:
        for item in items_of(history):
            tally.note(item)
            yield item


async def _local(client: Client, plan: Plan, history: Source) -> WarmUp:
    tally, grouped = Tally(), fitting.History()
    if isinstance(history, AsyncIterable):
        async for item in history:
            grouped.add(item)
    else:
        for item in items_of(history):
            grouped.add(item)
    flavor = (await client.init()).flavor
    with reporting(plan.progress, "fitting") as report:
        for model in grouped.models:
            fit = await asyncio.to_thread(
                fitting.fit, grouped, model, plan.candidates, plan.context, flavor
            )
            for name, how in plan.uploads(fit):
                await client.upload_model(model, fit.estimators[name], **how)
            tally.add_fit(fit)
            report(tally.rows, grouped.rows)
    return tally.result()
