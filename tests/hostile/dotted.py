"""Names with dots: an allowed module is a door to whatever it imports.

Each of these begins with a module that real pipelines need, or that belongs to River or Thalweg:
a rule by prefix lets them through.
"""

from __future__ import annotations

from pathlib import Path

from tests.hostile.assembly import Fragment, call, called, finish, named, touching, writing
from tests.hostile.attack import Attack, Family

_reexport = Family(technique="dotted attribute through a re-export")
_walk = Family(technique="dotted attribute through an object's own attributes")


def _system(module: str, name: str) -> Attack:
    """Return an attack that reaches os.system by a name of a trusted module."""
    return _reexport(
        f"{module}:{name}",
        f"{module} imports what leads to os.system",
        lambda canary: call(module, name, touching(canary)),
    )


REEXPORTS: tuple[Attack, ...] = (
    _system("river.datasets.base", "os.system"),
    _system("river.datasets.base", "shutil.os.system"),
    _system("river.datasets.base", "zipfile.os.system"),
    _system("river.stream.cache", "glob.os.system"),
    _system("river.stream.utils", "gzip.os.system"),
    _system("river.base.base", "inspect.os.system"),
    _system("river.base.base", "logging.os.system"),
    _system("river.compose.pipeline", "inspect.os.system"),
    _system("river", "datasets.base.os.system"),
    _system("random", "_os.system"),
    _system("dill._dill", "os.system"),
    _system("dill._dill", "inspect.os.system"),
    _system("thalweg_server", "os.system"),
    _system("numpy", "testing._private.utils.os.system"),
    _reexport("pickle_loads", "an unpickler without a policy", lambda c: call(
        "river.stream.cache", "pickle.loads", finish(call("os", "system", touching(c))))),
    _reexport("checks_pickle", "an unpickler without a policy", lambda c: call(
        "river.checks.common", "pickle.loads", finish(call("os", "system", touching(c))))),
    _reexport("stream_io_open", "opens files", lambda c: call(
        "river.stream.utils", "io.open", str(c), "w")),
    _reexport("sys_modules", "every module there is", lambda c: called(
        _attribute(call("river.base.base", "sys.modules.get", "os"), "system"), touching(c))),
    _reexport("collections_sys", "a module of the standard library", lambda c: called(
        _attribute(call("collections", "_sys.modules.get", "os"), "system"), touching(c))),
    _reexport("statistics_sys", "a module of the standard library", lambda c: called(
        _attribute(call("statistics", "sys.modules.get", "os"), "system"), touching(c))),
    _reexport("importlib_by_utils", "imports by text", lambda c: called(
        _attribute(call("river.utils.pandas", "importlib.import_module", "os"), "system"),
        touching(c))),
    _reexport("socket_by_twitch", "a socket, bound where anyone may look", lambda c: called(
        _attribute(call("river.stream.twitch_chat_stream", "socket.socket", 1), "bind"),
        str(c.parent / "s"))),
)  # fmt: skip


def _attribute(fragment: Fragment, name: str) -> Fragment:
    return call("builtins", "getattr", fragment, name)


def _by_subclasses(canary: Path) -> Fragment:
    """Walk from a River class to object, to all its subclasses, and to one's globals."""
    wrap = call(
        "builtins", "next",
        call("builtins", "filter",
             called(named("builtins", "getattr"), "_wrap_close", "__eq__"),
             call("builtins", "map", call("operator", "attrgetter", "__name__"), _subclasses())),
    )  # fmt: skip
    index = called(_attribute(_names(), "index"), wrap)
    wrapper = call("operator", "getitem", _subclasses(), index)
    scope = _attribute(_attribute(wrapper, "__init__"), "__globals__")
    return called(call("operator", "getitem", scope, "system"), touching(canary))


def _subclasses() -> Fragment:
    return call("river.base", "Base.__base__.__subclasses__")


def _names() -> Fragment:
    getter = call("operator", "attrgetter", "__name__")
    return call("builtins", "list", call("builtins", "map", getter, _subclasses()))


_INIT = "LinearRegression.__init__"

WALKS: tuple[Attack, ...] = (
    _walk("builtins_of_a_method", "each function holds all builtins", lambda c: called(
        call("river.linear_model.lin_reg", f"{_INIT}.__builtins__.get", "eval"), writing(c))),
    _walk("globals_of_a_method", "each function holds its module", lambda c: called(
        _attribute(call("river.datasets.base", "get_data_home.__globals__.get", "os"), "system"),
        touching(c))),
    _walk("loader_of_a_module", "each module holds what loaded it", lambda c: call(
        "builtins", "exec", call("river.stats", "__loader__.source_to_code", writing(c), "x"))),
    _walk("spec_of_a_module", "a loader that reads any file", lambda c: call(
        "river.stats", "__spec__.loader.set_data", str(c), b"x")),
    _walk("subclasses_of_object", "every class that lives, by its number", _by_subclasses),
    _walk("call_of_a_wrapper", "`__call__` of a builtin, which is no builtin", lambda c: call(
        "posix", "system.__call__", touching(c))),
    _walk("new_by_name", "`__new__` of a class that calls", lambda c: called(
        call("functools", "partial.__new__", named("functools", "partial"),
             named("builtins", "exec")), writing(c))),
    _walk("method_of_a_deque", "an allowed class's method, which iterates", lambda c: call(
        "collections", "deque.extend", Fragment(named("collections", "deque") + b")R"),
        call("builtins", "map", named("os", "system"), [touching(c)]))),
)  # fmt: skip

ATTACKS = (*REEXPORTS, *WALKS)
