"""Code in the payload itself: functions and classes by value, as dill writes what exists nowhere.

`--uploads code` takes such payloads and leaves it to the jail what their code may do. What strikes
while it is still being loaded runs in the jail as well.
"""

from __future__ import annotations

from pathlib import Path

from river import compose

from tests.hostile.assembly import Fragment, by_value, call, instance, pipeline, regressor, writing
from tests.hostile.attack import SECRET, Attack, Family

_predict = Family(technique="by-value code", fires="predict", permitted="code")
_learn = Family(technique="by-value code", fires="learn", permitted="code")
_loading = Family(technique="by-value classes", fires="load", permitted="code")
_step = Family(technique="by-value functions as steps", fires="predict", permitted="code")
_native = Family(technique="hand-made bytecode", fires="predict", harm="crash", permitted="code")


def _model(predict: str = "return 0.0", learn: str = "pass") -> Fragment:
    """Return a regressor with these bodies, on one line each."""
    return by_value(
        f"""
        from river import base

        class Trap(base.Regressor):
            def predict_one(self, x):
                {predict}

            def learn_one(self, x, y):
                {learn}
        """,
        "Trap()",
    )


def _transformer(function: str) -> Fragment:
    """Return a pipeline whose first step calls a function."""
    return by_value(
        f"""
        from river import compose, linear_model

        {function}
        model = compose.FuncTransformer(trap) | linear_model.LinearRegression()
        """,
        "model",
    )


def _run(command: str) -> str:
    return f"__import__('os').system({command!r})"


PREDICT: tuple[Attack, ...] = (
    _predict("predict_writes", "a file", lambda c: _model(writing(c))),
    _predict("predict_runs", "a command", lambda c: _model(_run(f"touch {c}"))),
    _predict("predict_reads", "a secret, to answer with it", lambda c: _model(
        f"return float(len(open({str(c.parent.parent / SECRET)!r}).read()))"), harm="read"),
    _predict("predict_lists", "a folder, to answer with it; then writes what it saw",
             lambda c: _model(f"import os; open({str(c)!r}, 'w').write(str(os.listdir('/')))")),
    _predict("predict_poisons", "every model in the same process", lambda c: _model(
        "import river.linear_model as m; m.LinearRegression.predict_one = lambda s, x: 0"),
        harm="world"),
    _predict("predict_never_ends", "an endless loop", lambda c: _model("while True: pass"),
             harm="hang"),
    _predict("predict_sleeps", "holds the worker without computing", lambda c: _model(
        "import time; time.sleep(1e6)"), harm="hang"),
    _predict("predict_allocates", "a memory bomb", lambda c: _model(
        "a = [bytes(1 << 28) for i in range(100)]"),
        harm="memory"),
    _predict("predict_recurses", "up to the interpreter's limit", lambda c: _model(
        "return self.predict_one(x)"), harm="depth"),
    _predict("predict_overflows", "past the limit, until the stack is used up", lambda c: _model(
        "import sys; sys.setrecursionlimit(10**9); f = lambda n: sorted([n], key=f); f(1)"),
        harm="crash"),
    _predict("predict_floods", "standard output", lambda c: _model(
        "[print('x' * 100_000) for i in range(40)]"), harm="output"),
    _predict("predict_exits", "an exception that nobody catches", lambda c: _model(
        "raise SystemExit(3)"), harm="escape"),
    _predict("predict_interrupts", "an exception that stops servers", lambda c: _model(
        "raise KeyboardInterrupt"), harm="escape"),
    _predict("predict_ends_the_process", "at once", lambda c: _model(
        "import os; os._exit(3)"), harm="exit"),
    _predict("predict_kills_itself", "with a signal that none can catch", lambda c: _model(
        "import os; os.kill(os.getpid(), 15)"), harm="exit"),
    _predict("predict_reads_nowhere", "a segmentation fault", lambda c: _model(
        "import ctypes; ctypes.string_at(1)"), harm="crash"),
    _predict("predict_forks", "a process that outlives the call", lambda c: _model(
        f"import os; os.waitpid(os.posix_spawn('/bin/touch', ['touch', {str(c)!r}], {{}}), 0)")),
    _predict("predict_starts_a_thread", "that goes on after the answer", lambda c: _model(
        f"import _thread, time; _thread.start_new_thread(open, ({str(c)!r}, 'w')); "
        "time.sleep(0.2)")),
    _predict("predict_signals_the_parent", "the server", lambda c: _model(
        "import os; os.kill(os.getppid(), 28)"), harm="signal"),
    _predict("predict_connects", "a socket of its own", lambda c: _model(
        f"import socket; socket.socket(socket.AF_UNIX).bind({str(c.parent / 's')!r})")),
    _predict("predict_walks_frames", "up to whoever called, and changes what it holds",
             lambda c: _model("import sys; f = sys._getframe(); "
                              "[open(" + repr(str(c)) + ", 'w') for i in [0] if f.f_back]")),
    _predict("predict_deadlocks", "waits for itself", lambda c: _model(
        "import _thread; a = _thread.allocate_lock(); a.acquire(); a.acquire()"), harm="hang"),
    _predict("predict_ignores_signals", "and never ends", lambda c: _model(
        "import signal; [signal.signal(i, signal.SIG_IGN) for i in (2, 15, 24)]; "
        "exec('while True: pass')"), harm="hang"),
    _learn("learn_writes", "a file", lambda c: _model(learn=writing(c))),
    _learn("learn_never_ends", "an endless loop", lambda c: _model(learn="while True: pass"),
           harm="hang"),
    _learn("learn_grows", "state without a bound", lambda c: _model(
        learn="self.kept = [bytes(1 << 28) for i in range(100)]"), harm="memory"),
    _learn("learn_ends_the_process", "at once", lambda c: _model(learn="import os; os._exit(3)"),
           harm="exit"),
    _learn("learn_replaces_predict", "of its class and of River's", lambda c: _model(
        learn="import river.base as b; b.Regressor.learn_many = None"), harm="world"),
)  # fmt: skip


def _class_with(member: str, made: str = "Trap()") -> Fragment:
    return by_value(
        f"""
        from river import base

        class Trap(base.Regressor):
            def predict_one(self, x):
                return 0.0

            def learn_one(self, x, y):
                pass

            {member}
        """,
        made,
    )


def _reduced(canary: Path) -> Fragment:
    source = f"__reduce_ex__ = lambda s, p: ({writing(canary)}, (dict, ()))[1]"
    cls = _class_with(source, "Trap")
    return Fragment(cls + b")\x81")


CLASSES: tuple[Attack, ...] = (
    _loading("setstate", "a class's own way to be loaded", lambda c: _class_with(
        f"__getstate__ = lambda s: {{'a': 1}}; __setstate__ = lambda s, t: {writing(c)}")),
    _loading("new", "runs before there is an object", lambda c: _class_with(
        f"__new__ = lambda cls, *a: (a and {writing(c)}, object.__new__(cls))[1]; "
        "__getnewargs__ = lambda s: (1,)")),
    _loading("hash", "runs when it becomes a key", lambda c: _class_with(
        f"__hash__ = lambda s: (hasattr(s, 'x') and {writing(c)}, 1)[1]",
        "(t := Trap(), d := {t: 1}, setattr(t, 'x', 1), d)[3]")),
    _loading("repr", "runs when it is described", lambda c: _class_with(
        f"__repr__ = lambda s: str({writing(c)})"), fires="describe"),
    _loading("deepcopy", "runs when it is cloned", lambda c: _class_with(
        f"__deepcopy__ = lambda s, m: {writing(c)}"), fires="copy"),
    _loading("reduce_ex", "runs when it is downloaded: what comes is another object",
             _reduced, fires="copy"),
    _loading("del", "runs when it, or a copy of it, is replaced", lambda c: Fragment(
        _class_with(f"__del__ = lambda s: {writing(c)}", "Trap") + b")\x81"), fires="copy"),
    _loading("class_of_lies", "isinstance says regressor, and it is none", lambda c: Fragment(
        _class_with(f"__class__ = base.Regressor; __str__ = lambda s: str({writing(c)})", "Trap")
        + b")\x81"), fires="describe"),
    _loading("property_that_acts", "looking at an attribute is a call", lambda c: _class_with(
        f"learn_one = property(lambda s: {writing(c)})"), fires="learn"),
)  # fmt: skip


STEPS: tuple[Attack, ...] = (
    _step("func_transformer", "a function as a step", lambda c: _transformer(
        f"trap = lambda x: ({writing(c)}, x)[1]")),
    _step("default_arguments", "a callable hidden in a default", lambda c: _transformer(
        f"trap = lambda x, f=eval: (f({writing(c)!r}), x)[1]")),
    _step("closure", "a callable hidden in a cell", lambda c: _transformer(
        f"trap = (lambda f: lambda x: (f({writing(c)!r}), x)[1])(eval)")),
    _step("generator", "a generator that a step iterates", lambda c: _transformer(
        f"trap = lambda x: dict((k, ({writing(c)}, 1.0)[1]) for k in x)")),
    _step("globals_of_its_own", "a function that imports when it is called", lambda c: _transformer(
        f"trap = lambda x: (__import__('pathlib').Path({str(c)!r}).touch(), x)[1]")),
)  # fmt: skip


def _raw(code: bytes, *, consts: tuple[object, ...] = (None,), stack: int = 1) -> Fragment:
    """Return a transformer whose function is these bytes."""
    code_object = call("dill._dill", "_create_code", 1, 0, 0, 1, stack, 3, code, consts, (),
                       ("x",), "x", "trap", "trap", 1, b"", b"", (), ())  # fmt: skip
    made = call("dill._dill", "_create_function", code_object, {}, "trap")
    return pipeline(instance(compose.FuncTransformer(dict), func=made), regressor())


NATIVE: tuple[Attack, ...] = (
    _native("constant_out_of_bounds", "LOAD_CONST far behind its tuple", lambda c: _raw(
        bytes([151, 0, 144, 127, 144, 255, 144, 255, 100, 255, 83, 0]))),
    _native("local_out_of_bounds", "LOAD_FAST far behind its frame", lambda c: _raw(
        bytes([151, 0, 144, 127, 144, 255, 144, 255, 124, 255, 83, 0]))),
    _native("stack_underflow", "POP_TOP below the frame", lambda c: _raw(
        bytes([151, 0] + [1, 0] * 200 + [100, 0, 83, 0]))),
    _native("not_an_instruction", "an opcode of another Python", lambda c: _raw(
        bytes([151, 0, 255, 255, 255, 255, 83, 0])), harm="crash"),
)  # fmt: skip

ATTACKS = (*PREDICT, *CLASSES, *STEPS, *NATIVE)
