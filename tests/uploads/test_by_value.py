"""Functions by value: the policy `code` makes them anew, apart from the server's own."""

from __future__ import annotations

import builtins
import math
import sys
from datetime import date
from typing import Any

import dill
import pytest
from river import compose, linear_model, stats

from tests.uploads import pickles as p
from thalweg_server.core.errors import BadPayload, PayloadRefused
from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load

FACTOR = 3


def _by_value(source: str, **namespace: Any) -> Any:
    """A function of a caller's `__main__`, as dill sees one."""
    scope = {"__name__": "__main__", **namespace}
    exec(source, scope)
    return scope["feature"]


FUNCTIONS: dict[str, Any] = {
    "lambda": _by_value("feature = lambda x: {'b': x['a'] + 1}"),
    "global": _by_value("def feature(x): return {'b': x['a'] * FACTOR}", FACTOR=FACTOR),
    "module": _by_value("def feature(x): return {'b': math.sqrt(x['a'])}", math=math),
    "class": _by_value("def feature(x): return {'b': D(2016, 5, 23).month}", D=date),
    "built-in": _by_value("def feature(x): return {'b': float(max(len(x), 2))}"),
    "closure": _by_value(
        "def outer(n):\n    def inner(x, *, k=2): return {'b': x['a'] + n + k}\n    return inner\n"
        "feature = outer(5)"
    ),
    "helper": _by_value(
        "def helper(v): return v + 1\ndef feature(x): return {'b': helper(x['a'])}"
    ),
    "recursive": _by_value(
        "def feature(x): return x if 'b' in x else feature({'b': x['a'], 'c': 1})"
    ),
    "default": _by_value("def feature(x, kind=float): return {'b': kind(x['a'])}"),
}


@pytest.mark.parametrize("what", FUNCTIONS)
def test_a_function_by_value_does_what_it_did(what: str) -> None:
    """With its globals, its closure, its defaults and its helpers."""
    transformer = compose.FuncTransformer(FUNCTIONS[what])
    payload = dill.dumps(transformer | linear_model.LinearRegression(), recurse=True)
    loaded: Any = load(payload, Policy.CODE)
    again = next(iter(loaded.steps.values()))
    assert again.transform_one({"a": 4.0}) == transformer.transform_one({"a": 4.0})


@pytest.mark.parametrize("what", FUNCTIONS)
def test_the_policy_safe_refuses_functions_by_value(what: str) -> None:
    """And says what they are, and what to do."""
    payload = dill.dumps(compose.FuncTransformer(FUNCTIONS[what]), recurse=True)
    with pytest.raises(PayloadRefused, match="a function by value"):
        load(payload, Policy.SAFE)


def test_the_main_of_a_function_is_never_the_servers() -> None:
    """Without `recurse`, dill refers to the live `__main__`; what is written there stays apart."""
    before = dict(vars(sys.modules["__main__"]))
    main: Any = load(
        p.pickle_of(b"c__builtin__\n__main__\n" + p.text("planted") + b"K\x07" + p.SETITEM),
        Policy.CODE,
    )
    assert main == {"__name__": "__main__", "planted": 7}
    assert dict(vars(sys.modules["__main__"])) == before
    with pytest.raises(PayloadRefused):
        p.safe(b"c__builtin__\n__main__\n")


def test_a_function_has_globals_and_builtins_of_its_own() -> None:
    """What it does to them is done to a copy."""
    loaded: Any = load(dill.dumps(FUNCTIONS["global"], recurse=True), Policy.CODE)
    own = loaded.__globals__
    assert set(own) == {"__name__", "__builtins__", "FACTOR"}
    assert own["__builtins__"] == vars(builtins)
    assert own["__builtins__"] is not vars(builtins)


def test_only_functions_of_the_payload_take_a_state() -> None:
    """BUILD on one of River's would change it for every tenant."""
    function = p.name("river.utils.math", "minkowski_distance")
    state = p.EMPTY_DICT + p.attributes(__doc__=p.text("x")) + p.TUPLE2
    with pytest.raises(PayloadRefused, match="which is not of the payload"):
        load(p.pickle_of(function, state, p.BUILD), Policy.CODE)


def test_setattr_fills_cells_and_nothing_else() -> None:
    """dill sets the contents of cells through it."""
    arguments = p.several(
        p.instance("river.linear_model.lin_reg", "LinearRegression"), p.text("l2"), p.NONE
    )
    with pytest.raises(PayloadRefused, match="other than a cell"):
        load(p.pickle_of(p.name("builtins", "setattr"), arguments, p.REDUCE), Policy.CODE)


@pytest.mark.parametrize("module", ["os", "sys", "subprocess", "thalweg_server.server"])
def test_modules_that_features_do_not_need_are_refused(module: str) -> None:
    """A function may refer to a few modules as a whole."""
    written = p.name("dill._dill", "_import_module") + p.text(module) + p.TUPLE1 + p.REDUCE
    with pytest.raises(PayloadRefused, match=f"the module {module}"):
        load(p.pickle_of(written), Policy.CODE)


def test_classes_by_value_are_refused() -> None:
    """In both policies, with what to do."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("class Own: pass", scope)
    payload = dill.dumps(scope["Own"](), recurse=True)
    for policy in (Policy.SAFE, Policy.CODE):
        with pytest.raises(PayloadRefused, match="a class by value"):
            load(payload, policy)
    assert type(load(payload, Policy.TRUSTED)).__name__ == "Own"


def test_code_of_another_version_of_python_is_a_bad_payload() -> None:
    """It has other fields; read as ours it would end the process."""
    written = p.name("dill._dill", "_create_code") + p.several(p.data(b""), p.integer(1))
    with pytest.raises(BadPayload, match="another version of Python"):
        load(p.pickle_of(written, p.REDUCE), Policy.CODE)


def test_everything_else_is_as_strict_as_in_safe() -> None:
    """Code is for functions by value; not for commands by name."""
    for refused in (p.name("posix", "system"), b"Px\n", p.name("builtins", "eval")):
        with pytest.raises(PayloadRefused, match="not classes of your own"):
            load(p.pickle_of(refused), Policy.CODE)
    pipeline = compose.FuncTransformer(FUNCTIONS["lambda"]) | linear_model.LinearRegression()
    pipeline["LinearRegression"].predict_one = stats.Mean()
    with pytest.raises(PayloadRefused, match="the attribute 'predict_one'"):
        load(dill.dumps(pipeline, recurse=True), Policy.CODE)


def test_trusted_is_plain_dill() -> None:
    """What dill loads, and its errors as those of a bad payload."""
    assert load(dill.dumps(print), Policy.TRUSTED) is print
    with pytest.raises(BadPayload, match="does not load as dill"):
        load(b"nonsense", Policy.TRUSTED)
