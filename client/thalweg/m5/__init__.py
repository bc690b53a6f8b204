"""The M5 example: its two pipelines, ready to upload, and readers for its sales files.

Importing this package loads neither River nor pyarrow; the first use of a name loads what that
name needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.m5.evaluation import evaluation_days
    from thalweg.m5.features import RollingMeans, knn, lm
    from thalweg.m5.readers import read_sales
    from thalweg.m5.sales import BadSales, Sales, model_name

__all__ = [
    "CONTEXT",
    "BadSales",
    "RollingMeans",
    "Sales",
    "evaluation_days",
    "knn",
    "lm",
    "model_name",
    "read_sales",
]

CONTEXT = ("date",)
"""What the pipelines read besides features: pass it as `context` when you upload one of them."""

_HOMES = {
    "RollingMeans": ("features", "server"),
    "knn": ("features", "server"),
    "lm": ("features", "server"),
    "BadSales": ("sales", "m5"),
    "Sales": ("sales", "m5"),
    "model_name": ("sales", "m5"),
    "read_sales": ("readers", "m5"),
    "evaluation_days": ("evaluation", "m5"),
}
"""Public name to the module that defines it and the extra that installs what it needs."""


def __getattr__(name: str) -> Any:
    """Load a public name on first use.

    Raises:
        AttributeError: there is no such name.
        ImportError: its extra is not installed; the message says what to install.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _HOMES[name]
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"thalweg.m5.{name} needs {error.name}: pip install 'thalweg[{extra}]'"
        ) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
