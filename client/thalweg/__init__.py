"""Thalweg: online learning over gRPC, one River model per item.

    import thalweg

    with thalweg.Client("localhost:50051") as client:
        client.init("regression")
        client.upload_model("HOBBIES_1_001_CA_1", estimator, context=("id", "date"))
        client.learn("HOBBIES_1_001_CA_1", 3, date="2016-05-22")
        print(client.predict("HOBBIES_1_001_CA_1", date="2016-05-23").value)

`thalweg.aio.Client` is the same for asyncio. Names are loaded when they are first used: importing
the package costs next to nothing and never imports River.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg import aio, errors
    from thalweg.client import Client
    from thalweg.errors import ThalwegError
    from thalweg.observations import Columns, Row
    from thalweg.retry import Retry

__version__: str
__all__ = ["Client", "Columns", "Retry", "Row", "ThalwegError", "__version__", "aio", "errors"]

_HOMES = {
    "Client": "thalweg.client",
    "Columns": "thalweg.observations",
    "Retry": "thalweg.retry",
    "Row": "thalweg.observations",
    "ThalwegError": "thalweg.errors",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("thalweg")
    if name in ("aio", "errors"):
        return import_module(f"thalweg.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'thalweg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
