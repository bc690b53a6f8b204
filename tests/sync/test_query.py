"""How a database is read: without changing it, in order, and no more of it at once than needed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sync.conftest import DAYS, QUERY, Shop, sales_of
from thalweg.sync import BadQuery, Query


def test_rows_come_in_order_of_day_and_model(shop: Shop) -> None:
    """Whatever the query's own order; a model's days must not be learned backwards."""
    shop.sell(reversed(sales_of()))
    sql = f"{QUERY} ORDER BY day DESC -- the newest first"
    with Query(dsn=shop.dsn, sql=sql).result() as (columns, rows):
        assert list(columns) == ["model", "date", "target", "price"]
        found = [(row[0], str(row[1]), float(row[2])) for row in rows]
    assert found == [(item, str(day), units) for item, day, units, _ in sales_of()]


def test_the_day_is_a_parameter(shop: Shop) -> None:
    """Wherever the query has it, compared to what the database calls a date."""
    shop.sell(sales_of())
    query = Query(dsn=shop.dsn, sql=f"{QUERY} WHERE day = :day OR day = :day", day=DAYS[3])
    with query.result() as (_, rows):
        assert {str(row[1]) for row in rows} == {str(DAYS[3])}


def test_nothing_is_changed(shop: Shop) -> None:
    """Neither by a statement nor by what a function in the query would do."""
    shop.sell(sales_of())
    statements = ["DELETE FROM sales RETURNING *"]
    if shop.dsn.startswith("postgresql"):
        shop.run("CREATE SEQUENCE numbers")
        statements.append(f"{QUERY} WHERE nextval('numbers') > 0")
    for sql in statements:
        with (
            pytest.raises(BadQuery, match=r"syntax error|read-only"),
            Query(dsn=shop.dsn, sql=sql).result() as (_, rows),
        ):
            list(rows)
    with Query(dsn=shop.dsn, sql=QUERY).result() as (_, rows):
        assert len(list(rows)) == len(sales_of())


@pytest.mark.system
def test_postgresql_is_asked_for_a_batch_at_a_time(database: str) -> None:
    """A result of millions stays in the database, and the transaction reads only."""
    sql = (
        "SELECT 'item ' || n AS model, DATE '2016-05-01' AS date, n AS y,"
        " current_setting('transaction_read_only') AS read_only FROM generate_series(1, 50000) n"
    )
    with Query(dsn=database, sql=sql).result() as (_, rows):
        assert next(rows)[3] == "on"
        assert "FETCH FORWARD" in last_statement_of_the_other(database)
        assert sum(1 for _ in rows) == 49_999


def last_statement_of_the_other(database: str) -> str:
    """What the database's other client asked for last."""
    psycopg: Any = pytest.importorskip("psycopg")
    with psycopg.connect(database) as connection:
        (found,) = connection.execute(
            "SELECT string_agg(query, ';') FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    return str(found)


def test_a_dsn_is_not_shown_by_accident() -> None:
    """Neither by a query's repr nor by what a wrong one raises."""
    assert "secret" not in repr(Query(dsn="postgresql://me:secret@host/x", sql="SELECT 1"))
    with (
        pytest.raises(BadQuery) as raised,
        Query(dsn="postgresql://me:se@cret@host:x/y", sql="SELECT 1").result(),
    ):
        pass
    assert "cret" not in str(raised.value)
