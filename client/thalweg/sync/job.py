"""The job: from a query's rows to what each model learned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.account import Account
from thalweg.sync.layout import Layout
from thalweg.sync.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thalweg.account import Entry
    from thalweg.client import Client
    from thalweg.progress import Report


def run(
    client: Client,
    query: Query,
    account: Account | None = None,
    *,
    batch_rows: int | None = None,
    report: Report = lambda done, total: None,
) -> Account:
    """Learn the rows of a query, each once; run it as often as you like.

    What makes that safe is the server's memory of the latest date that each model has learned,
    as durable as the models: `skip_learned_dates`. Whatever ended an earlier run, a row it learned
    is a duplicate now, and one that came late, of another model, is new. Numbered batches under a
    `stream_id` could not do that: batch 1 of a second run may hold other rows than that of the
    first, which the server would take for known and drop. So there is one row per model and day,
    the database sorts them by date, and a row that is older than what its model has learned is
    taken for known, too.

    A connection to the server that breaks meanwhile is made again, as in `stream_learn`. A batch
    that was applied just before comes back as duplicates, its refused rows too; the next run
    tells of these.

    Args:
        client: of the server to learn.
        query: what to learn.
        account: counts the rows, also where the run ends early; None = a new one.
        batch_rows: rows per batch, as in `stream_learn`.
        report: gets the rows done so far, with every batch.

    Returns:
        The account.

    Raises:
        BadQuery: a database, query or column that cannot be read. Rows before it are learned.
        ThalwegError: as `stream_learn`.
    """
    account = Account() if account is None else account
    acks = client.stream_learn(
        account.sending(_entries(query)), skip_learned_dates=True, batch_rows=batch_rows
    )
    for _ in account.follow(acks, report, None):
        pass
    return account


def _entries(query: Query) -> Iterator[Entry]:
    with query.result() as (columns, rows):
        yield from Layout(columns).entries(rows)
