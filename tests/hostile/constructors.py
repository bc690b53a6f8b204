"""dill's own constructors: what it calls to rebuild things is enough to build anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dill
from river import compose

from tests.hostile.assembly import (
    Fragment,
    body,
    build,
    call,
    called,
    emit,
    finish,
    get,
    instance,
    named,
    partial,
    pipeline,
    put,
    regressor,
    set_items,
    touching,
    writing,
)
from tests.hostile.attack import Attack, Family

_dill = Family(technique="dill's constructors")
_types = Family(technique="type lookups by name")
_main = Family(technique="by-value functions in the server's __main__", harm="world")


def _d(name: str, *arguments: Any) -> Fragment:
    return call("dill._dill", name, *arguments)


def _code(source: str) -> Fragment:
    """Return a code object, as dill writes it."""
    return body(dill.dumps(compile(source, "x", "exec"), protocol=3))


def _attribute(fragment: Fragment, name: str) -> Fragment:
    return _d("_get_attr", fragment, name)


def _ordered() -> Fragment:
    return call("collections", "OrderedDict")


def _capsule(canary: Path) -> Fragment:
    """Hand NumPy a bit generator whose functions are at address 1."""
    capsule = _d("_create_capsule", 1, put(emit(b"BitGenerator"), 0), None, None)
    holder = build(call("types", "SimpleNamespace"), {
        "capsule": capsule, "lock": call("threading", "Lock")})  # fmt: skip
    return called(_attribute(call("numpy.random", "Generator", holder), "random"))


def _session(canary: Path) -> str:
    """Lay a file beside the canary's folder, as an earlier upload could have, and return it."""
    path = canary.parent.parent / "session"
    path.write_bytes(finish(call("os", "system", touching(canary))))
    return str(path)


DILL: tuple[Attack, ...] = (
    _dill("create_function", "a function of any code, called at once", lambda c: called(
        _d("_create_function", _code(writing(c)), {}))),
    _dill("create_code", "code of any bytes, run by exec", lambda c: call(
        "builtins", "exec", _code(writing(c)))),
    _dill("create_type", "any class with any arguments", lambda c: called(
        _d("_create_type", named("functools", "partial"), named("os", "system"), touching(c)))),
    _dill("create_type_of_a_file", "any class with any arguments", lambda c: _d(
        "_create_type", named("io", "FileIO"), str(c), "w")),
    _dill("import_and_get_attr", "getattr under dill's name", lambda c: called(
        _attribute(_d("_import_module", "os"), "system"), touching(c))),
    _dill("import_with_dots", "a module by the way of another", lambda c: called(
        _attribute(_attribute(_d("_import_module", "os.path"), "os"), "system"), touching(c))),
    _dill("get_attr_of_builtins", "what is no attribute is a builtin", lambda c: called(
        _attribute(Fragment(b"N"), "eval"), writing(c))),
    _dill("getattribute", "a name with dots under another name", lambda c: called(
        call("operator", "getitem", _d("_getattribute", named("dill", "_dill"), "os.system"), 0),
        touching(c))),
    _dill("eval_repr", "eval under dill's name", lambda c: _d(
        "_eval_repr", f"__import__('os').system({touching(c)!r})")),
    _dill("create_filehandle", "a file written on load", lambda c: _d(
        "_create_filehandle", str(c), "w", 0, True, named("builtins", "open"), False, 2, "x")),
    _dill("create_array", "calls its first argument", lambda c: _d(
        "_create_array", named("os", "system"), (touching(c),), None)),
    _dill("create_ftype", "calls its first argument", lambda c: called(_d(
        "_create_ftype", named("functools", "partial"), named("os", "system"),
        (touching(c),), {}))),
    _dill("create_namedtuple", "imports a module and looks up a name", lambda c: called(_d(
        "_create_namedtuple", "FileIO", "a", "io"), str(c), "w")),
    _dill("create_weakref", "a callback when the object dies", lambda c: emit((
        _d("_create_weakref", put(_ordered(), 0), partial(
            named("builtins", "setattr"), named("river.stats", "Mean"), "ref")),
        get(0))), fires="drop", harm="world"),
    _dill("create_cell", "a callable behind a cell", lambda c: called(
        _attribute(_d("_create_cell", named("os", "system")), "cell_contents"), touching(c))),
    _dill("create_lock", "a lock that is taken", lambda c: called(
        _attribute(_d("_create_lock", True), "acquire")), harm="hang"),
    _dill("create_capsule", "a pointer to anywhere", _capsule, harm="crash"),
    _dill("dump_module", "writes the server's own state to a file", lambda c: call(
        "dill", "dump_module", str(c), "thalweg.features")),
    _dill("load_a_file", "another unpickler, by path", lambda c: call(
        "dill._dill", "load", call("builtins", "open", _session(c), "rb"))),
    _dill("source_builtins", "a module that imports from text", lambda c: called(
        call("dill.source", "__builtins__.get", "eval"), writing(c))),
)  # fmt: skip


def _code_arguments(source: str) -> list[Any]:
    """Return what CodeType takes, in CPython 3.11's order."""
    code = compile(source, "x", "exec")
    names = (
        "argcount posonlyargcount kwonlyargcount nlocals stacksize flags code consts names varnames"
        " filename name qualname firstlineno linetable exceptiontable freevars cellvars"
    )
    return [getattr(code, f"co_{name}") for name in names.split()]


def _typed(name: str, *arguments: Any) -> Fragment:
    return called(_d("_load_type", name), *arguments)


TYPES: tuple[Attack, ...] = (
    _types("function_type", "the constructor of functions", lambda c: called(
        _typed("FunctionType", _code(writing(c)), {}))),
    _types("lambda_type", "the same under another name", lambda c: called(
        _typed("LambdaType", _code(writing(c)), {}))),
    _types("code_type", "code of any bytes", lambda c: called(_typed(
        "FunctionType", _typed("CodeType", *_code_arguments(writing(c))), {}))),
    _types("file_type", "files by their type", lambda c: _typed(
        "FileType", call("io", "FileIO", str(c), "w"))),
    _types("method_type", "a method of any function", lambda c: called(
        _typed("MethodType", named("os", "system"), touching(c)))),
    _types("partial_type", "a partial by its type", lambda c: called(
        _typed("PartialType", named("os", "system"), touching(c)))),
    _types("item_getter", "a getitem by its type", lambda c: called(called(
        _typed("ItemGetterType", "system"), named("os", "__dict__")), touching(c))),
    _types("attr_getter", "a getattr by its type", lambda c: called(called(
        _typed("AttrGetterType", "path.os.system"), _d("_import_module", "os")), touching(c))),
    _types("map_type", "a map by its type, iterated by a list", lambda c: called(
        _d("_load_type", "list"), _typed("map", named("os", "system"), [touching(c)]))),
    _types("type_type", "a class made on load", lambda c: _typed(
        "type", "Trap", (_typed(
            "type", "Base", (named("builtins", "object"),),
            {"__init_subclass__": partial(named("builtins", "exec"), writing(c))}),), {})),
    _types("module_type", "a module of that name from now on", lambda c: set_items(
        named("sys", "modules"), {"river.stats": _typed("ModuleType", "river.stats")}),
        harm="world"),
    _types("exit_type", "an object that ends the process", lambda c: called(
        _typed("ExitType", "exit", "x"), 1), harm="escape"),
    _types("system_exit", "an exception that nobody catches", lambda c: pipeline(
        instance(compose.FuncTransformer(dict), func=_typed(
            "ExitType", "exit", "x")), regressor()), harm="escape", fires="predict"),
)  # fmt: skip


def _main_function(source: str) -> Fragment:
    """Return a transformer whose function has the process's own __main__ for its globals."""
    code = next(c for c in compile(source, "x", "exec").co_consts if hasattr(c, "co_code"))
    made = _d("_create_function", body(dill.dumps(code, protocol=3)), _MAIN, "trap")
    return pipeline(instance(compose.FuncTransformer(dict), func=made), regressor())


_MAIN = named("__builtin__", "__main__")

MAIN: tuple[Attack, ...] = (
    _main("globals_of_main", "SETITEMS writes into the program's own dict", lambda c: set_items(
        _MAIN, {"poison": 1}), permitted="code"),  # it gets a dict of its own
    _main("replace_in_main", "a name that the program uses is another one", lambda c: set_items(
        _MAIN, {"import_everything": named("builtins", "print")})),
    _main("function_with_main", "a function that writes there when it is asked",
          lambda c: _main_function("def trap(x):\n    global poison\n    poison = 1\n    return x"),
          fires="predict"),
    _main("builtins_by_main", "every builtin is one step away", lambda c: set_items(
        call("builtins", "vars", call("operator", "getitem", _MAIN, "__builtins__")),
        {"poison": 1})),
)  # fmt: skip

ATTACKS = (*DILL, *TYPES, *MAIN)
