"""The pickle machine itself: calls without REDUCE, names that are not where a scanner looks."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.hostile.assembly import (
    POP,
    STOP,
    Fragment,
    added,
    appended,
    build,
    call,
    called,
    emit,
    first,
    get,
    inst,
    instance,
    named,
    new,
    new_ex,
    obj,
    partial,
    put,
    regressor,
    set_items,
    touching,
    writing,
)
from tests.hostile.attack import Attack, Family

_inst = Family(technique="inst")
_obj = Family(technique="obj")
_new = Family(technique="newobj")
_name = Family(technique="names")
_memo = Family(technique="memo")
_frame = Family(technique="framing")
_registry = Family(technique="extension registry and persistent ids")
_append = Family(technique="append, add and set on what is no container")


def _lazy(canary: Path) -> Fragment:
    """Return a map made by NEWOBJ, which runs a command for its first item."""
    return new(named("builtins", "map"), named("os", "system"), [touching(canary)])


CALLS: tuple[Attack, ...] = (
    _inst("inst_system", "a call of protocol 0", lambda c: inst("os", "system", touching(c))),
    _inst("inst_class", "a class with an __init__ that acts", lambda c: inst(
        "io", "FileIO", str(c), "w")),
    _inst("inst_dotted", "INST looks names up with dots too", lambda c: inst(
        "river.datasets.base", "os.system", touching(c))),
    _obj("obj_system", "a call of protocol 1", lambda c: obj(named("os", "system"), touching(c))),
    _obj("obj_partial", "what is called comes off the stack", lambda c: obj(
        partial(named("os", "system"), touching(c)), )),
    _new("newobj_iterates", "tuple.__new__ iterates what it is given", lambda c: new(
        named("builtins", "tuple"), _lazy(c))),
    _new("newobj_frozenset", "so does frozenset's", lambda c: new(
        named("builtins", "frozenset"), _lazy(c))),
    _new("newobj_memmap", "numpy.memmap opens its file in __new__", lambda c: new(
        named("numpy", "memmap"), str(c), "uint8", "w+", 0, 1)),
    _new("newobj_ex_memmap", "with keywords", lambda c: new_ex(
        named("numpy", "memmap"), (str(c),), {"mode": "w+", "shape": 1})),
    _new("newobj_type_of_trap", "a class made on the spot, whose base has a hook", lambda c: first(
        new(named("builtins", "type"), "Trap", (named("builtins", "dict"),),
            {"__getitem__": named("os", "system"), "__missing__": named("os", "system")}),
        called(partial(named("operator", "getitem"), called(new(
            named("builtins", "type"), "Trap", (named("builtins", "dict"),),
            {"__missing__": called(named("builtins", "staticmethod"),
                                   named("os", "system"))})), touching(c))))),
    _new("copyreg_newobj", "the same by copyreg's name, through REDUCE", lambda c: call(
        "copyreg", "__newobj__", named("builtins", "tuple"), _lazy(c))),
    _new("copyreg_reconstructor", "protocol 0's way, with a base that acts", lambda c: call(
        "copyreg", "_reconstructor", named("builtins", "tuple"), named("builtins", "tuple"),
        _lazy(c))),
    _new("object_new_unbound", "__new__ by its dotted name", lambda c: call(
        "builtins", "tuple.__new__", named("builtins", "tuple"), _lazy(c))),
)  # fmt: skip


def _global(module: str, name: str) -> Fragment:
    """Look up with GLOBAL, of protocol 0."""
    return Fragment(f"c{module}\n{name}\n".encode())


def _stack_global(module: Fragment, name: Fragment) -> Fragment:
    return Fragment(module + name + b"\x93")


NAMES: tuple[Attack, ...] = (
    _name("global_text", "a name as lines of text", lambda c: called(
        _global("os", "system"), touching(c))),
    _name("global_dotted", "GLOBAL with dots in a payload of protocol 4", lambda c: called(
        _global("river.stream.cache", "os.system"), touching(c))),
    _name("global_alias", "the same function under its C module's name", lambda c: called(
        _global("nt" if c.drive else "posix", "system"), touching(c))),
    _name("name_from_memo", "both words fetched, far from where they were written", lambda c: first(
        put(emit("os"), 0), put(emit("system"), 1), emit("river"), emit("base"),
        called(_stack_global(get(0), get(1)), touching(c)))),
    _name("name_from_unicode_line", "words in protocol 0's escapes", lambda c: called(
        _stack_global(Fragment(b"V\\u006fs\n"), Fragment(b"Vs\\u0079stem\n")), touching(c))),
    _name("name_with_long_lengths", "words behind eight-byte lengths", lambda c: called(
        _stack_global(Fragment(b"\x8d" + struct.pack("<Q", 2) + b"os"),
                      Fragment(b"\x8d" + struct.pack("<Q", 6) + b"system")), touching(c))),
    _name("name_duplicated", "DUP and POP between the words", lambda c: called(Fragment(
        emit("os") + b"2" + POP + emit("system") + b"2" + POP + b"\x93"), touching(c))),
    _name("name_below_a_mark", "what a mark hides comes back", lambda c: called(Fragment(
        emit("os") + emit("system") + b"(NNN1" + b"\x93"), touching(c))),
)  # fmt: skip


def _overwritten(canary: Path) -> Fragment:
    """Put a harmless class into a slot, overwrite it, and call what the slot holds now."""
    harmless = put(named("river.stats", "Mean"), 0)
    return first(harmless, put(named("os", "system"), 0), called(get(0), touching(canary)))


def _text_slots(canary: Path) -> Fragment:
    """PUT with a decimal, BINPUT with a byte, LONG_BINPUT with four: one and the same slot."""
    fragments = [
        Fragment(named("river.stats", "Mean") + b"p200\n"),
        Fragment(named("os", "system") + b"q\xc8"),
        called(Fragment(b"j" + struct.pack("<I", 200)), touching(canary)),
    ]
    return first(*fragments)


def _memoized(canary: Path) -> Fragment:
    """MEMOIZE takes the slot after as many as there are: an earlier PUT is overwritten."""
    fragments = [
        Fragment(named("river.stats", "Mean") + b"q\x01"),
        Fragment(named("os", "system") + b"\x94"),
        called(Fragment(b"h\x01"), touching(canary)),
    ]
    return first(*fragments)


def _changed_after_use(canary: Path) -> Fragment:
    """A list that was already an argument grows a callable afterwards."""
    items = put(Fragment(b"]"), 0)
    return first(
        items,
        appended(get(0), named("os", "system")),
        called(call("operator", "getitem", get(0), 0), touching(canary)),
    )


def _cycle() -> Fragment:
    """Return a model whose way to be copied is to be copied."""
    holder = put(regressor(), 0)
    return build(holder, {"__deepcopy__": partial(named("copy", "deepcopy"), get(0))})


MEMO: tuple[Attack, ...] = (
    _memo("slot_overwritten", "the slot is another object than when it was checked", _overwritten),
    _memo("slot_by_three_spellings", "three opcodes write one slot", _text_slots),
    _memo("slot_of_memoize", "MEMOIZE overwrites a numbered slot", _memoized),
    _memo("list_changed_after_use", "the object is the same, its content is not",
          _changed_after_use),
    _memo("object_that_copies_itself", "a cycle through a hook, whose copy never ends",
          lambda c: call("copy", "deepcopy", _cycle()), harm="depth"),
)  # fmt: skip


def _framed(fragment: Fragment, sizes: int) -> Fragment:
    """Put a FRAME of a given size in front."""
    return Fragment(b"\x95" + struct.pack("<Q", sizes) + fragment)


FRAMING: tuple[Attack, ...] = (
    _frame("empty_frames", "frames of no bytes between all opcodes", lambda c: called(
        _framed(Fragment(emit("os") + _framed(emit("system"), 0) + b"\x93"), 0), touching(c))),
    _frame("frame_too_short", "the call stands outside of the frame that announces it",
           lambda c: first(_framed(Fragment(b"N"), 1), call("os", "system", touching(c)))),
    _frame("protocol_again", "a second PROTO in the middle lowers it", lambda c: first(
        emit("x"), Fragment(b"\x80\x00" + call("os", "system", touching(c))))),
    _frame("protocol_0_without_proto", "no PROTO at all, behind an empty line of text",
           lambda c: first(Fragment(b"V\n"), inst("os", "system", touching(c)))),
    _frame("garbage_after_stop", "what a scanner reads after the end is not what runs",
           lambda c: Fragment(call("os", "system", touching(c)) + STOP + b"\xff" * 64)),
    _frame("more_on_the_stack", "the object at the end is a good model; the call stood below",
           lambda c: Fragment(call("os", "system", touching(c)) + regressor())),
)  # fmt: skip


def _registered(canary: Path, opcode: bytes) -> Fragment:
    """Register a name under a code, then fetch it by an extension opcode."""
    code = {b"\x82": 200, b"\x83": 0x1234, b"\x84": 0x123456}[opcode]
    packed = struct.pack("<I", code)[: {b"\x82": 1, b"\x83": 2, b"\x84": 4}[opcode]]
    add = call("copyreg", "add_extension", "posix", "system", code)
    return first(add, called(Fragment(opcode + packed), touching(canary)))


def _persistent(canary: Path) -> Fragment:
    """Give the unpickler a persistent_load that calls, then load a pickle with an id."""
    unpickler = Fragment(
        named("dill._dill", "Unpickler")
        + emit((None, {"persistent_load": call("builtins", "staticmethod", named("os", "system"))}))
        + b"b"
    )
    inner = b"\x80\x04" + emit(touching(canary)) + b"Q."
    return first(unpickler, call("dill", "loads", inner))


def _replaced_registry(canary: Path) -> Fragment:
    """Fill the registry itself, without add_extension."""
    table = set_items(named("copyreg", "_inverted_registry"), {77: ("posix", "system")})
    return first(table, called(Fragment(b"\x82\x4d"), touching(canary)))


REGISTRY: tuple[Attack, ...] = (
    _registry("ext1", "a one-byte code is a call", lambda c: _registered(c, b"\x82")),
    _registry("ext2", "a two-byte code is a call", lambda c: _registered(c, b"\x83")),
    _registry("ext4", "a four-byte code is a call", lambda c: _registered(c, b"\x84")),
    _registry("ext_by_table", "the table is a dict that items can be set on", _replaced_registry),
    _registry("persistent_load", "an id is an argument", _persistent),
    _registry("dispatch_table", "every later copy of any model calls", lambda c: first(
        set_items(named("copyreg", "dispatch_table"), {
            named("river.linear_model", "LinearRegression"): partial(
                named("builtins", "exec"), writing(c))}),
        regressor()), harm="world"),
)  # fmt: skip


def _holder(**attributes: Fragment) -> Fragment:
    """Return a harmless River object with attributes of its own."""
    from river import stats

    return instance(stats.Var(), **attributes)


APPENDS: tuple[Attack, ...] = (
    _append("append_is_a_call", "APPEND calls an attribute named append", lambda c: Fragment(
        _holder(append=named("os", "system")) + emit(touching(c)) + b"a")),
    _append("extend_is_a_call", "APPENDS calls an attribute named extend", lambda c: appended(
        _holder(extend=partial(named("builtins", "sorted"), key=named("os", "system"))),
        touching(c))),
    _append("add_is_a_call", "ADDITEMS calls an attribute named add", lambda c: added(
        _holder(add=named("os", "system")), touching(c))),
    _append("items_of_environ", "SETITEMS on what is no dict", lambda c: set_items(
        named("os", "environ"), {"THALWEG": "x"}), harm="world"),
    _append("items_of_sys_modules", "another module under a known name", lambda c: set_items(
        named("sys", "modules"), {"river.stats": named("river", "optim")}), harm="world"),
    _append("items_of_a_module", "a module's dict is an attribute of it", lambda c: set_items(
        named("river.optim.losses", "__dict__"), {"Squared": named("builtins", "dict")}),
        harm="world"),
    _append("items_of_function_globals", "so is a function's", lambda c: set_items(
        named("river.linear_model.lin_reg", "LinearRegression.predict_one.__globals__"),
        {"optim": None}), harm="world"),
    _append("append_to_a_module_list", "a list that all share", lambda c: appended(
        named("river.linear_model", "__all__"), "os"), harm="world"),
    _append("add_to_a_module_set", "a set that all share", lambda c: set_items(
        named("dill._dill", "_reverse_typemap"), {"LongType": named("os", "system")}),
        harm="world"),
    _append("setstate_is_a_call", "BUILD calls an attribute named __setstate__", lambda c: build(
        _holder(__setstate__=named("os", "system")), touching(c))),
)  # fmt: skip

ATTACKS = (*CALLS, *NAMES, *MEMO, *FRAMING, *REGISTRY, *APPENDS)
