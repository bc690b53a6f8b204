"""What functions by value may refer to, beyond the table of the policy `safe`.

No boundary: such a function runs and may import what its process can. It is what dill writes for
ordinary feature functions, and the rest is refused so that mistakes are found on upload.
"""

from __future__ import annotations

import builtins
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

MODULES = (
    *("collections", "datetime", "functools", "itertools", "math", "numpy", "operator", "random"),
    *("re", "statistics", "string", "river", "river.base", "river.compose", "river.linear_model"),
    *("river.optim", "river.preprocessing", "river.proba", "river.stats", "river.utils"),
    "thalweg.features",
)
"""Modules that a function may refer to as a whole."""

BUILTINS = (
    *("abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "format", "getattr"),
    *("hasattr", "hash", "hex", "id", "isinstance", "issubclass", "iter", "len", "max", "min"),
    *("next", "oct", "ord", "pow", "repr", "round", "sorted", "sum"),
)
"""Built-in functions that a function may refer to; with or without this list it has them all."""

CLASSES: Mapping[str, Any] = MappingProxyType(
    {
        **{
            f"builtins.{name}": getattr(builtins, name)
            for name in (
                *("bool", "bytearray", "bytes", "complex", "dict", "enumerate", "filter", "float"),
                *("frozenset", "int", "list", "map", "object", "range", "reversed", "set"),
                *("slice", "str", "super", "tuple", "type", "zip", "ArithmeticError"),
                *("Exception", "IndexError", "KeyError", "TypeError", "ValueError"),
                "ZeroDivisionError",
            )
        },
        "collections.Counter": Counter,
        "collections.OrderedDict": OrderedDict,
        "collections.defaultdict": defaultdict,
        "collections.deque": deque,
        "datetime.date": date,
        "datetime.datetime": datetime,
        "datetime.timedelta": timedelta,
    }
)
"""Classes that a function may refer to."""
