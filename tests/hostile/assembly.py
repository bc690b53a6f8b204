"""A small assembler of pickles: says what a pickle machine shall do, opcode by opcode.

No object that does harm ever lives in the process that assembles: only its name is written. What
is written leaves one object on the machine's stack, unless a function says otherwise.
"""

from __future__ import annotations

import io
import pickle
import shlex
import struct
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dill

NULL, MARK, STOP, POP = b"N", b"(", b".", b"0"


class Fragment(bytes):
    """Opcodes that leave one object on the stack."""


def emit(value: Any) -> Fragment:
    """Return the opcodes that make a value; fragments inside lists, tuples and dicts stay.

    Anything else is pickled without a memo, so that the slots of `put` and `get` are the only ones,
    and a loader that wants them in order has nothing to refuse but the attack.
    """
    if isinstance(value, Fragment):
        return value
    if type(value) is str:
        text = value.encode("utf-8", "surrogatepass")
        return Fragment(b"X" + struct.pack("<I", len(text)) + text)
    if type(value) is bytes:
        return Fragment(b"B" + struct.pack("<I", len(value)) + value)
    if type(value) in (tuple, list, dict):
        return _container(value)
    written = io.BytesIO()
    pickler = pickle.Pickler(written, protocol=3)
    pickler.fast = True
    try:
        pickler.dump(value)
    except ValueError:  # it holds itself: no way around a memo
        return whole(value)
    return body(written.getvalue())


def whole(value: Any) -> Fragment:
    """Return the opcodes that make a value, with a memo: not beside `put`."""
    return body(pickle.dumps(value, protocol=3))


def _container(value: Any) -> Fragment:
    if isinstance(value, dict):
        return set_items(Fragment(b"}"), value)
    start, end = (MARK, b"t") if isinstance(value, tuple) else (b"](", b"e")
    return Fragment(start + b"".join(map(emit, value)) + end)


def body(payload: bytes) -> Fragment:
    """Return a whole pickle of protocol 3 without its first and last opcode."""
    assert payload[:2] == b"\x80\x03" and payload[-1:] == STOP
    return Fragment(payload[2:-1])


def finish(fragment: Fragment, protocol: int = 4) -> bytes:
    """Return a whole pickle that answers what the fragment leaves."""
    return b"\x80" + bytes([protocol]) + fragment + STOP


def first(*fragments: Fragment) -> Fragment:
    """Run all and keep the last one's object."""
    return Fragment(POP.join(fragments))


def named(module: str, name: str) -> Fragment:
    """Look a name up, with dots, as protocol 4 does."""
    return Fragment(emit(module) + emit(name) + b"\x93")


def called(function: Fragment, *arguments: Any) -> Fragment:
    """Call through REDUCE."""
    return Fragment(function + emit(arguments) + b"R")


def call(module: str, name: str, *arguments: Any) -> Fragment:
    """Call something by its name through REDUCE."""
    return called(named(module, name), *arguments)


def new(cls: Fragment, *arguments: Any) -> Fragment:
    """Make an object through NEWOBJ: `cls.__new__` and no `__init__`."""
    return Fragment(cls + emit(arguments) + b"\x81")


def new_ex(cls: Fragment, arguments: Any, keywords: Any) -> Fragment:
    """Make an object through NEWOBJ_EX, which takes keywords too."""
    return Fragment(cls + emit(arguments) + emit(keywords) + b"\x92")


def inst(module: str, name: str, *arguments: Any) -> Fragment:
    """Call through INST, of protocol 0."""
    names = f"i{module}\n{name}\n".encode()
    return Fragment(MARK + b"".join(map(emit, arguments)) + names)


def obj(function: Fragment, *arguments: Any) -> Fragment:
    """Call through OBJ, of protocol 1."""
    return Fragment(MARK + function + b"".join(map(emit, arguments)) + b"o")


def build(target: Fragment, state: Any) -> Fragment:
    """Give an object its state through BUILD."""
    return Fragment(target + emit(state) + b"b")


def slots(target: Fragment, **values: Any) -> Fragment:
    """Run setattr on an object: BUILD with the state of slots."""
    return build(target, (None, values))


def set_items(target: Fragment, items: Mapping[Any, Any]) -> Fragment:
    """Run `target[key] = value` for each item."""
    pairs = b"".join(emit(key) + emit(value) for key, value in items.items())
    return Fragment(target + MARK + pairs + b"u")


def appended(target: Fragment, *values: Any) -> Fragment:
    """Append through APPENDS."""
    return Fragment(target + MARK + b"".join(map(emit, values)) + b"e")


def added(target: Fragment, *values: Any) -> Fragment:
    """Add to a set through ADDITEMS."""
    return Fragment(target + MARK + b"".join(map(emit, values)) + b"\x90")


def put(fragment: Fragment, slot: int) -> Fragment:
    """Remember an object in the memo."""
    return Fragment(fragment + b"r" + struct.pack("<I", slot))


def get(slot: int) -> Fragment:
    """Fetch an object from the memo."""
    return Fragment(b"j" + struct.pack("<I", slot))


def instance(like: Any, /, **changes: Any) -> Fragment:
    """Return an object of the class and state of a real one, with some attributes changed."""
    cls = named(type(like).__module__, type(like).__qualname__)
    return build(new(cls), dict(vars(like)) | changes)


def pipeline(*steps: Any) -> Fragment:
    """Return River's Pipeline of these steps, real ones or fragments."""
    from river import compose

    named_steps = {f"step{i}": step for i, step in enumerate(steps)}
    ordered = set_items(call("collections", "OrderedDict"), named_steps)
    return instance(compose.Pipeline(), steps=ordered)


def regressor(**changes: Any) -> Fragment:
    """Return a small linear model with some attributes changed."""
    from river import linear_model

    return instance(linear_model.LinearRegression(), **changes)


def partial(function: Fragment, *arguments: Any, **keywords: Any) -> Fragment:
    """Return a functools.partial, as dill and pickle write it."""
    made = called(named("functools", "partial"), function)
    return build(made, (function, tuple(arguments), keywords, None))


def by_value(source: str, expression: str) -> Fragment:
    """Return what dill writes for an object whose functions and classes exist nowhere else.

    Args:
        source: Python that defines them, indented as it likes.
        expression: the object, evaluated after the source.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(source), namespace)
    found = eval(expression, namespace)
    return body(dill.dumps(found, protocol=3, recurse=True, byref=False))


def touching(canary: Path) -> str:
    """Return the shell command that leaves the canary."""
    return f"touch {shlex.quote(str(canary))}"


def writing(canary: Path) -> str:
    """Return Python that leaves the canary, with nothing but builtins."""
    return f"open({str(canary)!r}, 'w').close()"
