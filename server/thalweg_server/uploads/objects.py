"""Opcodes that name globals, make instances and give them their state; and those refused."""

from __future__ import annotations

from typing import Any, NoReturn

from thalweg_server.uploads.machine import Machine
from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden, Malformed
from thalweg_server.uploads.scalars import Handler

_NAME_BYTES_MAX = 300


def global_(m: Machine, at: int) -> int:
    module_end = m.data.find(b"\n", at, at + _NAME_BYTES_MAX)
    name_end = m.data.find(b"\n", module_end + 1, module_end + _NAME_BYTES_MAX)
    if module_end < 0 or name_end < 0:
        raise Malformed("a global without its two names")
    module = str(m.data[at:module_end], "utf-8")
    m.stack.append(m.lookup(module, str(m.data[module_end + 1 : name_end], "utf-8")))
    return name_end + 1


def stack_global(m: Machine, at: int) -> int:
    name, module = m.stack.pop(), m.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise Forbidden(f"a global named by {name_of(module)} and {name_of(name)}")
    m.stack.append(m.lookup(module, name))
    return at


def new_object(m: Machine, at: int) -> int:
    arguments, recipe = m.stack.pop(), m.stack.pop()
    if type(recipe) is not Recipe or recipe.new is None:
        raise Forbidden(f"an instance of {name_of(recipe)}")
    m.charge(recipe.cost)
    m.stack.append(recipe.new(_arguments(arguments)))
    return at


def reduce(m: Machine, at: int) -> int:
    arguments, recipe = m.stack.pop(), m.stack.pop()
    if type(recipe) is not Recipe or recipe.call is None:
        raise Forbidden(f"a call of {name_of(recipe)}")
    m.charge(recipe.cost)
    m.stack.append(recipe.call(_arguments(arguments)))
    return at


def build(m: Machine, at: int) -> int:
    state = m.stack.pop()
    target = m.stack[-1]
    rule = m.rules.get(type(target))
    if rule is None:
        raise Forbidden(f"state for {name_of(target)}")
    rule(target, state)
    return at


def _arguments(arguments: Any) -> tuple[Any, ...]:
    if type(arguments) is not tuple:
        raise Forbidden(f"{name_of(arguments)} for a tuple of arguments")
    return arguments


OBJECTS: dict[int, Handler] = {
    ord("c"): global_,
    0x93: stack_global,
    0x81: new_object,
    ord("R"): reduce,
    ord("b"): build,
}
"""Opcode to what it does."""

_REFUSED = {
    ord("P"): "PERSID",
    ord("Q"): "BINPERSID",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    ord("i"): "INST",
    ord("o"): "OBJ",
    0x92: "NEWOBJ_EX",
    0x97: "NEXT_BUFFER",
    0x98: "READONLY_BUFFER",
    ord("2"): "DUP",
}
"""Opcodes that pickle has and no pickler of today writes for an estimator."""

_OLD = {
    ord("d"): "DICT",
    ord("l"): "LIST",
    ord("p"): "PUT",
    ord("g"): "GET",
    ord("I"): "INT",
    ord("L"): "LONG",
    ord("F"): "FLOAT",
    ord("S"): "STRING",
    ord("T"): "BINSTRING",
    ord("U"): "SHORT_BINSTRING",
    ord("V"): "UNICODE",
}
"""Opcodes that only protocols before 2 write."""


def _refuse(name: str) -> Handler:
    def handler(m: Machine, at: int) -> NoReturn:
        raise Forbidden(f"the opcode {name}")

    return handler


def _miss(name: str) -> Handler:
    def handler(m: Machine, at: int) -> NoReturn:
        raise Malformed(f"the opcode {name}, of a protocol before 2")

    return handler


def unknown(m: Machine, at: int) -> int:
    raise Malformed(f"{m.data[at - 1 : at]!r} is no opcode of pickle")


REFUSED: dict[int, Handler] = {
    **{code: _refuse(name) for code, name in _REFUSED.items()},
    **{code: _miss(name) for code, name in _OLD.items()},
}
"""Opcode to the handler that refuses it by name."""
