"""The table of globals: what each name that a payload may use stands for.

Nothing is imported for a payload's sake and no prefix is allowed: a name is in the table or it
is refused. The table itself is made once, of what the data modules list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from operator import attrgetter
from random import Random
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.random import MT19937, RandomState

from thalweg_server.uploads.functions import CLASSES, FACTORIES, FUNCTIONS, NAMED_TUPLES, VALUES
from thalweg_server.uploads.machine import StateRules
from thalweg_server.uploads.recipes import Recipe
from thalweg_server.uploads.refusals import Forbidden
from thalweg_server.uploads.river_classes import RIVER_A_TO_N
from thalweg_server.uploads.river_classes_more import RIVER_N_TO_U
from thalweg_server.uploads.shims import arrays, callables, dill, python, rust
from thalweg_server.uploads.state import attributes_of

_OLD_NAMES = MappingProxyType({"long": "int", "unicode": "str", "xrange": "range"})
"""What pickles of protocol 2 call built-in types, as Python 2 did."""

_BY_VALUE = MappingProxyType(
    {
        "dill._dill._create_function": "a function by value",
        "dill._dill._create_code": "a function by value",
        "dill._dill._create_cell": "a function by value",
        "dill._dill._create_type": "a class by value",
        "dill._dill._create_namedtuple": "a class by value",
    }
)
"""What dill's constructors mean, for whoever reads that they are refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Names and what they stand for, and the types whose instances take a state."""

    names: Mapping[tuple[str, str], Any]
    rules: StateRules

    def lookup(self, module: str, name: str) -> Any:
        """What a global stands for: a recipe or a function; raises Forbidden."""
        known = self.names.get((module, name))
        if known is None:
            if module == "__builtin__":
                return self.lookup("builtins", _OLD_NAMES.get(name, name))
            full = f"{module[:100]}.{name[:100]}"
            raise Forbidden(f"{_BY_VALUE.get(full, 'the global')} {full}")
        return known


@cache
def table() -> Table:
    """The table of the policy `safe`. Imports what River has of estimators."""
    classes = dict(_resolved({**RIVER_A_TO_N, **RIVER_N_TO_U, **CLASSES}))
    functions = dict(_resolved(FUNCTIONS))
    factories, values = dict(_resolved(FACTORIES)), dict(_resolved(VALUES))
    names: dict[tuple[str, str], Any] = {}
    for key, cls in classes.items():
        names[key] = Recipe(
            name=".".join(key),
            new=_instance_of(cls),
            factory=factories.get(key),
            value=values.get(key),
        )
    names |= functions
    for key, cls in _resolved(NAMED_TUPLES):
        names[key] = Recipe(name=".".join(key), new=_named_tuple_of(cls))
    for key in functions:
        owner = (key[0], key[1].rpartition(".")[0])
        if owner[1]:  # a method: picklers may name its class, which may be abstract
            names.setdefault(owner, Recipe(name=".".join(owner)))
    for recipe in _shims({".".join(key): value for key, value in functions.items()}):
        module, _, name = recipe.name.rpartition(".")
        names[module, name] = recipe
    complete = Table(MappingProxyType(names), _rules(classes))
    loader = dill.type_loader(complete.lookup)
    names["dill._dill", "_load_type"] = loader
    return complete


def _shims(functions: Mapping[str, Any]) -> Iterator[Recipe]:
    yield from python.PYTHON
    yield dill.RANGE
    yield from arrays.ARRAYS
    yield from rust.RUST
    yield from callables.CALLABLES
    yield from callables.attribute_getters(functions)


def _rules(classes: Mapping[tuple[str, str], type]) -> StateRules:
    rules: dict[type, Callable[[Any, Any], None]] = {
        cls: attributes_of(cls) for cls in classes.values()
    }
    rules |= dict.fromkeys(rust.RUST_CLASSES, rust.set_bytes)
    rules |= dict.fromkeys(arrays.DTYPE_KINDS, arrays.check_dtype_state)
    rules |= {
        np.ndarray: arrays.set_array,
        MT19937: arrays.set_generator,
        RandomState: arrays.set_random_state,
        Random: python.set_random,
        NormalDist: python.set_normal,
        partial: callables.set_partial,
        type(iter([])): python.set_iterator,
    }
    return MappingProxyType(rules)


def _resolved(listed: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], Any]]:
    for module, names in listed.items():
        home = import_module(module)
        for name in names.split():
            yield (module, name), attrgetter(name)(home)


def _instance_of(cls: type) -> Callable[[tuple[Any, ...]], Any]:
    new = object.__new__

    def make(arguments: tuple[Any, ...]) -> Any:
        if arguments:
            raise Forbidden(f"arguments for {cls.__name__}")
        return new(cls)

    return make


def _named_tuple_of(cls: Any) -> Callable[[tuple[Any, ...]], Any]:
    def make(arguments: tuple[Any, ...]) -> Any:
        if len(arguments) != len(cls._fields):
            raise Forbidden(f"{len(arguments)} values for {cls.__name__}")
        return tuple.__new__(cls, arguments)

    return make
