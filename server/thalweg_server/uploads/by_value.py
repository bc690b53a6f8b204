"""Functions by value, as dill writes them: the policy `code`.

They are made anew and never become part of the server: their globals are dictionaries of the
payload, their builtins a copy, and what stands for the server's `__main__` is a fresh dictionary.
Classes by value are not loaded. Byte code is not checked, it can end the process: only for a jail.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from importlib import import_module
from types import CellType, CodeType, FunctionType, MappingProxyType
from typing import Any

from thalweg_server.uploads.code_names import BUILTINS, CLASSES, MODULES
from thalweg_server.uploads.names import Table
from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden, Malformed
from thalweg_server.uploads.shims.checks import expect
from thalweg_server.uploads.shims.dill import type_loader

_CODE_FIELDS: tuple[type, ...] = (
    *(int,) * 6,  # numbers of arguments, locals and stack slots, flags
    bytes,  # the byte code
    *(tuple,) * 3,  # constants, names, variables
    *(str,) * 3,  # file, name, qualified name
    int,  # first line
    *(bytes,) * 2,  # tables of lines and of exceptions
    *(tuple,) * 2,  # free variables and cells
)
_LINES_OF_OLD = 1
"""dill puts another table of lines in front, for versions of Python before 3.10."""

_FUNCTION_STATE = {
    "__doc__": (str, type(None)),
    "__kwdefaults__": (dict, type(None)),
    "__annotations__": (dict,),
    "__qualname__": (str,),
    "__module__": (str, type(None)),
}


class ByValue:
    """The names and rules of one load.

    Args:
        table: those of the policy `safe`, which hold here, too.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._functions: dict[int, FunctionType] = {}
        self._main: dict[str, Any] = {"__name__": "__main__"}
        self._names: dict[tuple[str, str], Any] = {
            ("dill._dill", "_create_function"): _recipe("_create_function", self._function),
            ("dill._dill", "_create_code"): _recipe("_create_code", _code),
            ("dill._dill", "_create_cell"): _recipe("_create_cell", _cell),
            ("dill._dill", "_import_module"): _recipe("_import_module", _module),
            ("dill._dill", "_load_type"): type_loader(self.lookup, _TYPES),
            ("dill", "_dill"): _DILL,
            ("builtins", "setattr"): _SET_CELL,
        }
        getter = table.lookup("builtins", "getattr")
        self._names["builtins", "getattr"] = Recipe(
            name=getter.name, call=lambda arguments: _attribute(getter, arguments)
        )
        self.rules = MappingProxyType({**table.rules, FunctionType: self._set_function})

    def lookup(self, module: str, name: str) -> Any:
        """What a global stands for; raises Forbidden."""
        if module == "__builtin__":
            if name == "__main__":
                return self._main
            module = "builtins"
        known = self._names.get((module, name))
        if known is not None:
            return known
        if module == "builtins" and name in BUILTINS:
            return getattr(builtins, name)
        full = f"{module}.{name}"
        if full in CLASSES and (module, name) not in self._table.names:
            return Recipe(name=full)
        return self._table.lookup(module, name)

    def finish(self) -> None:
        """Puts classes where functions refer to them; to be called when all is loaded."""
        for function in self._functions.values():
            for name, value in function.__globals__.items():
                if type(value) is Recipe:
                    function.__globals__[name] = _referred(value)

    def _function(self, arguments: tuple[Any, ...]) -> Any:
        none = type(None)
        expect(arguments, CodeType, dict, (str, none), (tuple, none), (tuple, none))
        code, namespace, name, defaults, closure = arguments
        if not all(type(cell) is CellType for cell in closure or ()):
            raise Forbidden("a closure of other than cells")
        namespace.setdefault("__builtins__", dict(vars(builtins)))
        if defaults is not None:
            defaults = tuple(map(_referred, defaults))
        made = FunctionType(code, namespace, name, defaults, closure)
        self._functions[id(made)] = made
        return made

    def _set_function(self, target: Any, state: Any) -> None:
        if id(target) not in self._functions:
            raise Forbidden(f"state for {name_of(target)}, which is not of the payload")
        expect((state,), tuple)
        expect(state, (dict, type(None)), dict)
        attributes, fields = state
        for name, value in fields.items():
            if type(value) not in _FUNCTION_STATE.get(name, ()):
                raise Forbidden(f"{str(name)[:80]!r} as the state of a function")
            setattr(target, name, value)
        if attributes:
            raise Forbidden("attributes of a function")


def _code(arguments: tuple[Any, ...]) -> Any:
    fields = arguments[_LINES_OF_OLD:]
    if len(fields) != len(_CODE_FIELDS):
        raise Malformed("byte code of another version of Python than this server's")
    expect(fields, *_CODE_FIELDS)
    make: Any = CodeType
    return make(*fields)


def _cell(arguments: tuple[Any, ...]) -> Any:
    return CellType(*map(_referred, arguments))


def _set_cell(arguments: tuple[Any, ...]) -> None:
    cell, name, value = arguments if len(arguments) == 3 else (None, None, None)
    if type(cell) is not CellType or name != "cell_contents":
        raise Forbidden("setattr on other than a cell of a closure")
    cell.cell_contents = _referred(value)


def _module(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, str)
    if arguments[0] not in MODULES:
        raise Forbidden(f"the module {arguments[0][:100]}")
    return import_module(arguments[0])


def _attribute(getter: Recipe, arguments: tuple[Any, ...]) -> Any:
    # getattr(dill._dill, "_setattr", setattr): how dill finds its own setattr
    if arguments == (_DILL, "_setattr", _SET_CELL):
        return _SET_CELL
    assert getter.call is not None
    return getter.call(arguments)


def _referred(value: Any) -> Any:
    """A class where a recipe stands for it; raises Forbidden for one that is not to be had."""
    if type(value) is not Recipe:
        return value
    if value.name not in CLASSES:
        raise Forbidden(f"{value.name} in a function by value")
    return CLASSES[value.name]


def _recipe(name: str, call: Callable[[tuple[Any, ...]], Any]) -> Recipe:
    return Recipe(name=f"dill._dill.{name}", call=call)


_TYPES = {
    "SuperType": ("builtins", "super"),
    **{
        name.removeprefix("builtins."): ("builtins", name.removeprefix("builtins."))
        for name in CLASSES
        if name.startswith("builtins.")
    },
}
_DILL = Recipe(name="dill._dill")
_SET_CELL = Recipe(name="builtins.setattr", call=_set_cell)
