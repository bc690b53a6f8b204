"""Calls by name through REDUCE: the oldest trick, in the many spellings that block-lists miss."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.assembly import (
    Fragment,
    call,
    called,
    emit,
    finish,
    first,
    named,
    partial,
    touching,
    writing,
)
from tests.hostile.attack import SECRET, Attack, Family

_call = Family(technique="reduce")
_file = Family(technique="reduce: files by other names")
_chain = Family(technique="reduce: chains")
_process = Family(technique="reduce: the process", harm="world")


def _touch(canary: Path) -> list[str]:
    return ["touch", str(canary)]


def _imported(module: str, name: str) -> Fragment:
    """Return a function reached through __import__ and getattr alone."""
    return call("builtins", "getattr", call("builtins", "__import__", module), name)


def _lazy(canary: Path) -> Fragment:
    """Return a map that runs a command when somebody asks for its next item."""
    return call("builtins", "map", named("os", "system"), [touching(canary)])


COMMANDS: tuple[Attack, ...] = (
    _call("os_system", "runs a command", lambda c: call("os", "system", touching(c))),
    _call("posix_system", "its real module", lambda c: call("posix", "system", touching(c))),
    _call("os_popen", "an alias", lambda c: called(
        call("builtins", "getattr", call("os", "popen", touching(c)), "read"))),
    _call("os_spawn", "starts a program", lambda c: call(
        "os", "spawnlp", 0, "touch", "touch", str(c))),
    _call("posix_spawn", "starts a program", lambda c: call(
        "os", "waitpid", call("posix", "posix_spawn", "/bin/touch", _touch(c), {}), 0)),
    _call("subprocess_run", "runs a command", lambda c: call("subprocess", "run", _touch(c))),
    _call("subprocess_getoutput", "runs a shell", lambda c: call(
        "subprocess", "getoutput", touching(c))),
    _call("subprocess_popen", "a class as a function", lambda c: called(
        call("builtins", "getattr", call("subprocess", "Popen", _touch(c)), "wait"))),
    _call("pty_spawn", "a module nobody thinks of", lambda c: call("pty", "spawn", _touch(c))),
    _call("webbrowser_generic", "a browser is any program", lambda c: called(
        call("builtins", "getattr",
             call("webbrowser", "GenericBrowser", ["touch", "%s"]), "open"), str(c))),
    _call("ctypes_system", "libc by its own name", lambda c: called(
        call("builtins", "getattr", call("ctypes", "CDLL", None), "system"),
        touching(c).encode())),
    _call("eval_source", "Python as text", lambda c: call("builtins", "eval", writing(c))),
    _call("exec_source", "Python as text", lambda c: call("builtins", "exec", writing(c))),
    _call("exec_compiled", "compiled first", lambda c: call(
        "builtins", "exec", call("builtins", "compile", writing(c), "x", "exec"))),
    _call("import_and_getattr", "no dangerous name in any GLOBAL", lambda c: called(
        _imported("os", "system"), touching(c))),
    _call("importlib", "imports by text", lambda c: called(
        call("builtins", "getattr", call("importlib", "import_module", "os"), "system"),
        touching(c))),
    _call("runpy_code", "runs a module's source", lambda c: call(
        "runpy", "_run_code", call("builtins", "compile", writing(c), "x", "exec"), {})),
    _call("timeit", "a stopwatch for statements", lambda c: call(
        "timeit", "timeit", writing(c), "pass", named("time", "perf_counter"), 1)),
    _call("cprofile", "a profiler of statements", lambda c: call(
        "cProfile", "run", writing(c))),
    _call("code_interpreter", "an interpreter in the library", lambda c: called(
        call("builtins", "getattr", call("code", "InteractiveInterpreter"), "runsource"),
        writing(c))),
    _call("numpy_runstring", "NumPy's own exec", lambda c: call(
        "numpy.testing", "runstring", writing(c), {})),
    _call("pandas_read_pickle", "another unpickler, by path", lambda c: call(
        "pandas", "read_pickle", _prop(c, finish(call("os", "system", touching(c)))))),
    _call("nested_pickle", "a pickle in a pickle", lambda c: call(
        "pickle", "loads", finish(call("os", "system", touching(c))))),
    _call("nested_dill", "a pickle in a pickle, by dill", lambda c: call(
        "dill", "loads", finish(call("os", "system", touching(c))))),
    _call("nested_c_pickle", "the unpickler's private name", lambda c: call(
        "_pickle", "loads", finish(call("os", "system", touching(c))))),
    _call("nested_marshal", "code objects as bytes", lambda c: call(
        "builtins", "exec", call("marshal", "loads", _marshalled(writing(c))))),
)  # fmt: skip


def _prop(canary: Path, payload: bytes) -> str:
    """Lay a file beside the canary's folder, as an earlier upload could have, and return it."""
    path = canary.parent.parent / "prop"
    path.write_bytes(payload)
    return str(path)


def _marshalled(source: str) -> bytes:
    import marshal

    return marshal.dumps(compile(source, "x", "exec"))


FILES: tuple[Attack, ...] = (
    _file("builtins_open", "creates a file", lambda c: call("builtins", "open", str(c), "w")),
    _file("io_fileio", "a class as a function", lambda c: call("io", "FileIO", str(c), "w")),
    _file("codecs_open", "opens files", lambda c: call("codecs", "open", str(c), "w")),
    _file("os_open", "opens files", lambda c: call("os", "open", str(c), 0o101)),
    _file("os_mkdir", "makes folders", lambda c: call("os", "mkdir", str(c))),
    _file("os_symlink", "makes links", lambda c: call("os", "symlink", "/etc", str(c))),
    _file("path_write_text", "a method by its dotted name", lambda c: call(
        "pathlib", "Path.write_text", call("pathlib", "PosixPath", str(c)), "x")),
    _file("path_touch", "a method of an object", lambda c: called(
        call("builtins", "getattr", call("pathlib", "PosixPath", str(c)), "touch"))),
    _file("shutil_copyfile", "copies files", lambda c: call(
        "shutil", "copyfile", "/etc/hostname", str(c))),
    _file("gzip_open", "opens files", lambda c: call("gzip", "GzipFile", str(c), "w")),
    _file("sqlite_connect", "makes a database", lambda c: called(
        call("builtins", "getattr", call("sqlite3", "connect", str(c)), "executescript"),
        "create table t(a)")),
    _file("logging_handler", "a log file anywhere", lambda c: call(
        "logging", "FileHandler", str(c))),
    _file("numpy_savetxt", "NumPy writes files", lambda c: call(
        "numpy", "savetxt", str(c), [1.0])),
    _file("numpy_memmap", "a mapped file", lambda c: call(
        "numpy", "memmap", str(c), "uint8", "w+", 0, 1)),
    _file("numpy_load_pickle", "another unpickler, by path", lambda c: call(
        "numpy", "load", _prop(c, finish(call("os", "system", touching(c)))), None, True)),
    _file("scipy_savemat", "SciPy writes files", lambda c: call(
        "scipy.io", "savemat", str(c), {"a": 1})),
    _file("faulthandler_file", "a debugger's file, held open", lambda c: call(
        "faulthandler", "enable", call("builtins", "open", str(c), "w"))),
    _file("read_a_secret", "reads what no caller may see", lambda c: call(
        "linecache", "getlines", str(c.parent.parent / SECRET)), harm="read"),
    _file("fetch_a_secret", "a URL of a local file", lambda c: call(
        "urllib.request", "urlopen", f"file://{c.parent.parent / SECRET}"), harm="read"),
)  # fmt: skip

CHAINS: tuple[Attack, ...] = (
    _chain("partial_called", "a partial stands for what it calls", lambda c: called(
        partial(named("os", "system"), touching(c)))),
    _chain("partial_of_partial", "one behind the other", lambda c: called(
        partial(partial(partial(named("os", "system")), touching(c))))),
    _chain("methodcaller", "calls a method by text", lambda c: called(
        call("operator", "methodcaller", "system", touching(c)),
        call("builtins", "__import__", "os"))),
    _chain("attrgetter", "a getattr with dots", lambda c: called(called(
        call("operator", "attrgetter", "path.os.system"),
        call("builtins", "__import__", "os")), touching(c))),
    _chain("operator_call", "a function that calls", lambda c: call(
        "operator", "call", named("os", "system"), touching(c))),
    _chain("reduce_getattr", "a walk along attributes", lambda c: called(
        call("functools", "reduce", named("builtins", "getattr"), ["path", "os", "system"],
             call("builtins", "__import__", "os")), touching(c))),
    _chain("map_in_tuple", "iterating calls", lambda c: call("builtins", "tuple", _lazy(c))),
    _chain("map_in_deque", "an allowed container iterates it", lambda c: call(
        "collections", "deque", _lazy(c))),
    _chain("map_in_counter", "an allowed container iterates it", lambda c: call(
        "collections", "Counter", _lazy(c))),
    _chain("map_in_ordered_dict", "an allowed container iterates it", lambda c: call(
        "collections", "OrderedDict", _lazy(c))),
    _chain("map_in_array", "NumPy iterates it", lambda c: call("numpy", "fromiter",
        call("builtins", "map", named("os", "system"), [touching(c)]), "int64")),
    _chain("sorted_by_key", "a key is a call", lambda c: called(
        partial(named("builtins", "sorted"), [touching(c)], key=named("os", "system")))),
    _chain("filter_in_list", "iterating calls", lambda c: call(
        "builtins", "list", call("builtins", "filter", named("os", "system"), [touching(c)]))),
    _chain("iter_with_sentinel", "a callable that is iterated", lambda c: call(
        "builtins", "next", call("builtins", "iter",
                                 partial(named("os", "system"), touching(c)), 7))),
    _chain("defaultdict_factory", "a missing key calls", lambda c: call(
        "operator", "getitem", call("collections", "defaultdict",
                                    partial(named("os", "system"), touching(c))), "x")),
    _chain("starmap", "itertools calls", lambda c: call(
        "builtins", "list", call("itertools", "starmap", named("os", "system"),
                                 [(touching(c),)]))),
    _chain("deepcopy_of_a_trap", "copying runs an object's own hook", lambda c: call(
        "copy", "deepcopy", _simple_namespace(__deepcopy__=partial(
            named("builtins", "exec"), writing(c))))),
    _chain("thread", "strikes in another thread", lambda c: first(
        put_thread(c), call("time", "sleep", 0.2))),
)  # fmt: skip


def _simple_namespace(**attributes: Fragment) -> Fragment:
    return Fragment(call("types", "SimpleNamespace") + emit(attributes) + b"b")


def put_thread(canary: Path) -> Fragment:
    """Start a thread that runs a command."""
    return call("_thread", "start_new_thread", named("os", "system"), (touching(canary),))


PROCESS: tuple[Attack, ...] = (
    _process("setattr_of_a_class", "replaces a method for every model", lambda c: call(
        "builtins", "setattr", named("river.linear_model", "LinearRegression"),
        "predict_one", named("builtins", "len"))),
    _process("environment", "changes the environment", lambda c: call(
        "os", "environ.update", {"THALWEG": "x"})),
    _process("change_folder", "relative paths lead elsewhere", lambda c: call(
        "os", "chdir", "/")),
    _process("umask", "files are open to all from now on", lambda c: call("os", "umask", 0)),
    _process("recursion_limit", "the next deep call crashes", lambda c: call(
        "sys", "setrecursionlimit", 1_000_000)),
    _process("no_garbage_collection", "memory leaks from now on", lambda c: call("gc", "disable")),
    _process("seed_of_all", "everyone's random numbers are known", lambda c: call(
        "random", "seed", 1)),
    _process("ignore_a_signal", "the server cannot be stopped", lambda c: call(
        "signal", "signal", 15, 1)),
    _process("switch_interval", "other threads wait for ever", lambda c: call(
        "sys", "setswitchinterval", 1e6)),
    _process("atexit", "strikes when the process ends", lambda c: call(
        "atexit", "register", named("os", "system"), touching(c)), fires="drop", harm="file"),
    _process("finalizer", "strikes when an object dies", lambda c: first(
        call("weakref", "finalize", named("math", "floor"), named("os", "system"), touching(c))
    ), fires="drop", harm="file"),
    _process("exit_now", "ends the process", lambda c: call("os", "_exit", 3), harm="exit"),
    _process("exit_soon", "an exception nobody catches", lambda c: call("sys", "exit", 3),
             harm="escape"),
    _process("abort", "ends the process", lambda c: call("os", "abort"), harm="crash"),
    _process("read_nowhere", "reads a bad address", lambda c: call("ctypes", "string_at", 1),
             harm="crash"),
    _process("alarm", "a signal that kills", lambda c: first(
        call("signal", "setitimer", 0, 0.05), call("time", "sleep", 1)), harm="exit"),
    _process("signal_to_parent", "the server itself", lambda c: call(
        "os", "kill", call("os", "getppid"), 28), harm="signal"),
    _process("fork", "a second process that outlives the call", lambda c: call(
        "os", "waitpid", call("multiprocessing.util", "spawnv_passfds", b"/bin/touch",
                              _touch_bytes(c), [1]), 0), harm="file"),
    _process("sleep", "holds the worker", lambda c: call("time", "sleep", 1e6), harm="hang"),
    _process("deadlock", "waits for itself", lambda c: called(
        call("builtins", "getattr", _locked(), "acquire")), harm="hang"),
)  # fmt: skip


def _touch_bytes(canary: Path) -> list[bytes]:
    return [b"touch", str(canary).encode()]


def _locked() -> Fragment:
    return call("dill._dill", "_create_lock", True)


ATTACKS = (*COMMANDS, *FILES, *CHAINS, *PROCESS)
