"""Learns sales from a SQL database, each once, however often it runs: `thalweg sync` as a library.

from thalweg import Client, sync

sql = "SELECT item AS model, day AS date, units AS target FROM sales WHERE day = :day"
query = sync.Query(dsn="sqlite:///shop.db", sql=sql, day=date.today())
with Client("127.0.0.1:50051") as client:
    print(sync.run(client, query).learned)
"""

from __future__ import annotations

try:
    import sqlalchemy as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError("thalweg.sync needs SQLAlchemy: pip install 'thalweg[sync]'") from error

from thalweg.sync.job import run
from thalweg.sync.layout import BadQuery
from thalweg.sync.query import Query

__all__ = ["BadQuery", "Query", "run"]
