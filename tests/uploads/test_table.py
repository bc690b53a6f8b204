"""The committed table is what River has, and what trained estimators need."""

from __future__ import annotations

import enum
import importlib
import inspect
import io
import pickle
import pkgutil
from typing import Any

import dill
import pytest
import river

from tests.uploads.catalogue import entries, trained
from thalweg_server.uploads.functions import FACTORIES, FUNCTIONS, NAMED_TUPLES, VALUES
from thalweg_server.uploads.names import Table, table
from thalweg_server.uploads.recipes import Recipe
from thalweg_server.uploads.river_classes import RIVER_A_TO_N
from thalweg_server.uploads.river_classes_more import RIVER_N_TO_U

_LISTED = {**RIVER_A_TO_N, **RIVER_N_TO_U}
_LEFT_OUT = tuple(
    f"river.{name}"
    for name in (
        "api",
        "bandit.datasets",
        "bandit.envs",
        "bandit.evaluate",
        "checks",
        "cluster",
        "compat",
        "datasets",
        "evaluate",
        "reco",
        "stream",
        "time_series",
    )
)
"""What reads files or the network, or makes nothing that a regressor or classifier keeps."""


def _walked() -> dict[str, set[str]]:
    """River's concrete classes by module."""
    found: dict[str, set[str]] = {}
    for info in pkgutil.walk_packages(river.__path__, "river."):
        if info.name.startswith(_LEFT_OUT):
            continue
        for cls in vars(importlib.import_module(info.name)).values():
            if inspect.isclass(cls) and cls.__module__ == info.name:
                inner = [each for each in vars(cls).values() if inspect.isclass(each)]
                for each in (cls, *(each for each in inner if each.__module__ == info.name)):
                    if _is_kept(each):
                        found.setdefault(info.name, set()).add(each.__qualname__)
    return found


def _is_kept(cls: Any) -> bool:
    """Whether estimators may keep instances of a class, made without a constructor."""
    if inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        return False
    return not issubclass(cls, enum.Enum | BaseException | type | tuple)


def test_the_table_lists_rivers_classes_exactly() -> None:
    """A class that River has got or lost changes the table, by hand: it is a review, too."""
    listed = {module: set(names.split()) for module, names in _LISTED.items()}
    assert listed == _walked()


@pytest.mark.parametrize("how", ["dill", "2", "4", "5"])
def test_trained_estimators_need_nothing_that_the_table_lacks(how: str) -> None:
    """Each global that Python's own unpickler looks up for them is in the table."""
    needed: set[tuple[str, str]] = set()

    class Reader(pickle._Unpickler):  # type: ignore[name-defined,misc]
        """Notes the names that it is asked for."""

        def find_class(self, module: str, name: str) -> Any:
            """Look up and note."""
            needed.add((module, name))
            return super().find_class(module, name)

    for entry in entries():
        estimator = trained(entry, count=30)
        payload = (
            dill.dumps(estimator, recurse=True)
            if how == "dill"
            else pickle.dumps(estimator, int(how))
        )
        Reader(io.BytesIO(payload)).load()
    assert len(needed) > 100
    assert not {f"{module}.{name}" for module, name in needed if not _has(table(), module, name)}


def _has(known: Table, module: str, name: str) -> bool:
    try:
        return known.lookup(module, name) is not None
    except Exception:
        return False


def test_a_class_has_no_way_of_its_own_to_be_made_or_to_end() -> None:
    """Instances are made without running anything of the class, and end without."""
    hooks = ("__new__", "__init_subclass__", "__del__", "__setattr__", "__getattribute__")
    for module, names in _LISTED.items():
        for name in names.split():
            cls = _resolve(module, name)
            for hook in hooks:
                assert getattr(cls, hook, None) in {None, getattr(object, hook, None)} or (
                    hook == "__init_subclass__"
                ), (module, name, hook)


def _resolve(module: str, name: str) -> Any:
    value: Any = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part)
    return value


def test_every_name_of_the_table_is_listed_where_it_is_defined() -> None:
    """No re-export: a name says where its object comes from."""
    for listed in (FACTORIES, NAMED_TUPLES, VALUES, _LISTED):
        for module, names in listed.items():
            for name in names.split():
                cls = _resolve(module, name)
                assert (cls.__module__, cls.__qualname__) == (module, name)


def test_factories_and_values_are_classes_of_the_table() -> None:
    """What may be called later, or kept, may be made, too."""
    for listed in (FACTORIES, VALUES):
        for module, names in listed.items():
            assert set(names.split()) <= set(_LISTED[module].split())


def test_stand_ins_cannot_be_called_and_functions_are_those_listed() -> None:
    """What the table hands out as it is, is a function of the list; all else is inert."""
    functions = {(m, name) for m, names in FUNCTIONS.items() for name in names.split()}
    for key, value in table().names.items():
        assert (type(value) is Recipe) != (key in functions), key
    assert not callable(Recipe(name="x"))
