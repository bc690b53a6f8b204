"""Estimators as plain data: the same to the bit where it is known, refused where it is not."""

from __future__ import annotations

import collections
import copy
import functools
import math
import struct
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import dill
import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    optim,
    preprocessing,
    stats,
    tree,
    utils,
)

from tests.engines.test_binary import MODELS as LOGISTIC
from tests.engines.test_pipelines import REFUSED, pipelines, rows_of, steps
from tests.engines.test_target_scaler import SCALED
from tests.engines.test_text_features import BEHIND
from tests.engines.twins import CONTEXT, Row
from tests.structure import difference
from thalweg import features, m5
from thalweg_server.core.observation import Context, Question
from thalweg_server.engines.compiled.blueprint import identity
from thalweg_server.engines.compiled.layout import Layout
from thalweg_server.engines.compiled.plan import components, make_plan
from thalweg_server.engines.compiled.steps import STEPS
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.structures import Malformed, Unpackable, pack, unpack
from thalweg_server.engines.structures.classes import KINDS, NAMES
from thalweg_server.engines.structures.limits import (
    BYTES_MAX,
    DEPTH_MAX,
    LENGTH_MAX,
    TEXT_MAX,
)

Linear = linear_model.LinearRegression


def days(count: int = 12) -> list[dict[str, Any]]:
    """Features of all kinds."""
    source = np.random.default_rng(4)
    return [
        {
            "a": source.normal(),
            "b": float(day % 3),
            "c": 1.0,
            "d": -0.0,
            "shop": f"shop {day % 2}",
            "promotion": bool(day % 2),
            "price": 2.5 * (day % 4),
            "date": f"2016-03-{day + 1:02}",
            "id": "m0",
        }
        for day in range(count)
    ]


def taught(estimator: Any) -> Any:
    """An estimator that has learned a few rows, with texts in them if it takes such."""
    for names in (["a", "b", "c", "d"], ["a", "b", "date"], [*days(1)[0]]):
        learned = copy.deepcopy(estimator)
        try:
            for number, x in enumerate(days()):
                learn(learned, {name: x[name] for name in names}, number % 2)
        except (KeyError, ValueError, TypeError):
            continue
        return learned
    raise AssertionError(f"{estimator} learns nothing")


def learn(estimator: Any, x: dict[str, Any], y: float) -> None:
    """Asks and teaches once."""
    binary = isinstance(estimator, linear_model.LogisticRegression)
    estimator.predict_one(dict(x))
    estimator.learn_one(dict(x), bool(y) if binary else float(y))


def outcome(estimator: Any, row: Row, context: Sequence[Context]) -> Any:
    """What a row gives, to the bit, or what it raises."""
    question = Question(f"m{row.model}", row.day, dict(row.features))
    try:
        answer = estimator.predict_one(question.x(context))
        estimator.learn_one(question.x(context), row.target)
        return struct.pack("<d", answer)
    except Exception as error:
        return repr(error)


def lowered(estimator: Any, inputs: Inputs) -> tuple[bytes, list[bytes]]:
    """The plan of an estimator and its row's bytes."""
    plan = make_plan(estimator, inputs)
    layout = Layout([leaf.step.arrays for leaf in plan.leaves])
    row = np.zeros(layout.words)
    views = layout.views(row)
    for leaf, (_, part), arrays in zip(plan.leaves, components(estimator), views, strict=True):
        leaf.step.lower(part, arrays)
    return identity(plan), [row.tobytes()]


def assert_same(estimator: Any) -> Any:
    """Packs, unpacks and compares; gives the copy."""
    before = copy.deepcopy(estimator)
    data = pack(estimator)
    made = unpack(memoryview(data))
    assert difference(estimator, made) == ""
    assert difference(before, estimator) == ""
    assert pack(made) == data
    return made


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pipelines, steps, st.booleans())
def test_what_can_be_lowered_is_the_same_row_and_goes_on_alike(
    pipeline: Any, given_steps: Any, dated: bool
) -> None:
    """Of any pipeline that the compiled engine's own tests draw."""
    rows = rows_of(given_steps)
    context = CONTEXT if dated else ()
    for row in rows:
        outcome(pipeline, row, context)
    made = assert_same(pipeline)
    text = tuple(each.value for each in context)
    inputs = Inputs((*"abc", *text), raw=True, text=frozenset(text))
    try:
        expected = lowered(pipeline, inputs)
    except Exception as error:
        with pytest.raises(type(error)):
            lowered(made, inputs)
    else:
        assert lowered(made, inputs) == expected
    for row in rows:
        assert outcome(pipeline, row, context) == outcome(made, row, context)
    assert difference(pipeline, made) == ""


WAYS: dict[str, Callable[[], Any]] = {
    **{f"scaled {name}": make for name, make in SCALED.items()},
    **{f"behind {name}": make for name, make in BEHIND.items()},
    **{f"logistic {name}": make for name, make in LOGISTIC.items()},
    "m5.knn": m5.knn,
    "m5.lm": m5.lm,
    **{
        f"regressor {mode}": functools.partial(linear_model.PARegressor, mode=mode)
        for mode in range(3)
    },
}


@pytest.mark.parametrize("make", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("learned", [False, True])
def test_every_kind_that_is_lowered_is_packed(make: Callable[[], Any], learned: bool) -> None:
    """Fresh and learned, and as a payload brings it."""
    estimator = taught(make()) if learned else make()
    try:
        assert_same(estimator)
    except Unpackable as error:
        assert "order of a set" in str(error)  # one of Select, as sets are in this process
        pytest.skip(str(error))
    assert_same(dill.loads(dill.dumps(estimator, recurse=True)))


def test_every_class_that_is_lowered_is_in_the_table() -> None:
    """And no two have the same name."""
    assert STEPS.keys() <= KINDS.keys()
    assert len(NAMES) == len(KINDS)


def test_the_table_knows_the_attributes_as_river_sets_them() -> None:
    """In River's order: a difference here is another version of River."""
    seen: dict[type, tuple[str, ...]] = {}

    def look(value: Any) -> None:
        if type(value) in KINDS and type(value) not in seen:
            seen[type(value)] = tuple(name for name in vars(value))
        for each in vars(value).values() if type(value) in KINDS else ():
            look(each)
        if isinstance(value, dict):
            for each in value.values():
                look(each)

    methods = (optim.AdaGrad, optim.RMSProp, optim.Momentum, optim.NesterovMomentum)
    others = [Linear(method()) for method in methods]
    others += [taught(preprocessing.AdaptiveStandardScaler() | Linear())]
    others += [compose.Renamer({}), compose.FuncTransformer(features.weekday), compose.Discard()]
    others += [preprocessing.TargetStandardScaler(Linear()), linear_model.LogisticRegression()]
    kinds = (stats.Count(), stats.Sum(), utils.Rolling(stats.Mean, window_size=2))
    others += [dummy.StatisticRegressor(kind) for kind in kinds]
    others += [feature_extraction.TargetAgg(by=None, how=stats.Mean()) + compose.Select("a")]
    others += [linear_model.PARegressor(), taught(m5.lm()), m5.knn()]
    for each in others:
        look(each)
    assert seen.keys() == KINDS.keys()
    for kind, names in seen.items():
        assert [name for name in names if name not in KINDS[kind].caches] == list(
            KINDS[kind].fields
        ), kind


def test_unpacked_objects_have_compact_attributes() -> None:
    """As their `__init__` gives them: see `copying`."""
    made = unpack(pack(taught(m5.lm())))
    for part in (made["RollingMeans"], made["MinMaxScaler"], made["LinearRegression"].optimizer):
        attributes = vars(part)
        assert attributes.__sizeof__() <= vars(type(part).clone(part)).__sizeof__()


SCALARS = [0.0, -0.0, math.inf, 5e-324, 1, -1, True, False, None, "", "\ud800 \0 \U0001f600"]
SCALARS += [2**63 - 1, 2**63, -(2**63) - 1, 2**200, -(2**900), "x" * TEXT_MAX]


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: repr(value)[:20])
def test_numbers_and_texts_keep_their_type_and_their_bits(value: Any) -> None:
    """As an attribute and as the key of a group."""
    agg = feature_extraction.TargetAgg(by="shop", how=stats.Mean())
    agg._groups[value,].update(1.0)
    agg.on = value
    assert_same(agg)


@pytest.mark.parametrize("bits", [0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001])
def test_every_nan_keeps_its_bits(bits: int) -> None:
    """Learned means may be any."""
    model = dummy.StatisticRegressor(stats.Mean())
    model.statistic._mean = struct.unpack("<d", struct.pack("<Q", bits))[0]
    got = unpack(pack(model)).statistic._mean
    assert struct.unpack("<Q", struct.pack("<d", got))[0] == bits


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.int32])
def test_numbers_of_numpy_stay_such(kind: Any) -> None:
    """Some of River's sums are."""
    model = dummy.StatisticRegressor(stats.Mean())
    model.statistic.n = kind(3)
    made = assert_same(model)
    assert type(made.statistic.n) is kind


def test_what_is_shared_stays_shared() -> None:
    """A rate, a list of names, a point that was learned twice, what groups are copies of."""
    rate = optim.schedulers.Constant(0.1)
    model = unpack(pack(Linear(optim.SGD(rate), intercept_lr=rate)))
    assert model.optimizer.lr is model.intercept_lr
    agg = feature_extraction.TargetAgg(by=["a"], how=stats.Mean())
    union = compose.TransformerUnion()  # which copies what it is given
    more = feature_extraction.TargetAgg(by=agg.by, how=agg.how)
    union.transformers = {"one": agg, "two": more}
    one, two = unpack(pack(union)).transformers.values()
    assert one.by is two.by
    assert one.how is two.how is two._groups.default_factory.args[0]
    knn = neighbors.KNNRegressor(2, neighbors.LazySearch(window_size=4))
    x = {"a": 1.0}
    knn._nn.window += [((x, y),) for y in (1.0, 2.0)]
    first, second = unpack(pack(knn))._nn.window
    assert first[0][0] is second[0][0]


def test_a_set_whose_order_would_change_is_refused_where_it_matters() -> None:
    """It is that of Select's features; of Discard's, nobody asks."""
    keys = set(range(40))
    keys -= keys - {2, 9}  # as large as it was, inside
    assert list(keys) != list(set(keys))
    select, discard = compose.Select(), compose.Discard()
    select.keys = discard.keys = keys
    assert_same(discard)
    with pytest.raises(Unpackable, match="order of a set"):
        pack(select)


def sub_class() -> Any:
    """What may do anything."""

    class Mine(preprocessing.StandardScaler):
        pass

    return Mine()


def changed(estimator: Any, **attributes: Any) -> Any:
    """With attributes that River does not give it."""
    for name, value in attributes.items():
        setattr(estimator, name, value)
    return estimator


def within_itself() -> Any:
    """A pipeline that is its own step."""
    pipeline = compose.Pipeline(preprocessing.StandardScaler())
    pipeline.steps["again"] = pipeline
    return pipeline


def deep(levels: int = DEPTH_MAX) -> Any:
    """Wrappers in wrappers."""
    model: Any = Linear()
    for _ in range(levels):
        model = preprocessing.TargetStandardScaler(model)
    return model


def searching(window: Any) -> Any:
    """A search with such a window."""
    return changed(neighbors.KNNRegressor(2, neighbors.LazySearch(window_size=4)), _nn=window)


def masked() -> Any:
    """Weights of which a part is hidden."""
    vector = utils.VectorDict({"a": 1.0}, None, {"b"})
    return changed(Linear(), _weights=vector)


def borrowed() -> Any:
    """A method of somebody else."""
    one, two = (preprocessing.TargetStandardScaler(Linear()) for _ in range(2))
    return changed(one, func=two.func)


UNPACKABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "no estimator": (lambda: {"a": 1}, "dict is not known"),
    "None": (lambda: None, "NoneType is not known"),
    "class": (lambda: Linear, "EstimatorMeta is not known"),
    "part": (stats.Mean, "Mean is not known, or not where it is"),
    "subclass": (sub_class, "Mine is not known"),
    "tree": (tree.HoeffdingTreeRegressor, "HoeffdingTreeRegressor is not known"),
    "hook": (lambda: changed(Linear(), learn_one=print), "'learn_one' more or less"),
    "dunder": (lambda: changed(Linear(), __reduce_ex__=print), "'__reduce_ex__' more or less"),
    "missing": (lambda: changed(Linear(), l3=1), "'l3' more or less"),
    "function": (lambda: compose.FuncTransformer(print), "print is no function of ours"),
    "lambda": (lambda: compose.FuncTransformer(lambda x: x), "no function of ours"),
    "container": (lambda: changed(Linear(), l2=[0.0]), "a list is where a number"),
    "huge integer": (lambda: changed(Linear(), l2=1 << 2_000), "more than 256"),
    "long text": (lambda: changed(Linear(), l2="x" * (TEXT_MAX + 1)), "characters"),
    "number's subclass": (lambda: changed(Linear(), l2=type("F", (float,), {})()), "a F is"),
    "itself": (within_itself, "within itself"),
    "deep": (deep, "deep"),
    "another method": (
        lambda: changed(preprocessing.TargetStandardScaler(Linear()), func=print),
        "what it calls",
    ),
    "borrowed method": (borrowed, "not of the object"),
    "masked": (masked, "masked"),
    "window of points": (lambda: searching(collections.deque()), "not where it is"),
    "factory": (
        lambda: changed(preprocessing.StandardScaler(), means=collections.defaultdict(int)),
        "does not begin at 0.0",
    ),
    "windowed scaler": (lambda: preprocessing.MinMaxScaler(window_size=3), "is no Min"),
    "groups of another": (
        lambda: changed(
            feature_extraction.TargetAgg(by="a", how=stats.Mean()),
            _groups=collections.defaultdict(functools.partial(eval, "1")),
        ),
        "not what River gives",
    ),
    "names that are no text": (
        lambda: changed(preprocessing.StandardScaler(), counts=collections.Counter([1])),
        "no text",
    ),
    "many features": (
        lambda: changed(
            preprocessing.StandardScaler(),
            counts=collections.Counter(map(str, range(LENGTH_MAX + 1))),
        ),
        "more than",
    ),
    "many bytes": (
        lambda: compose.Renamer({f"{n:05}" + "x" * 4_000: "" for n in range(2_000)}),
        "bytes, more than",
    ),
}


@pytest.mark.parametrize(("make", "reason"), UNPACKABLE.values(), ids=UNPACKABLE)
def test_what_is_not_known_is_refused(make: Callable[[], Any], reason: str) -> None:
    """It stays in its worker, with the reason."""
    with pytest.raises(Unpackable, match=reason):
        pack(make())


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_never_lowered_is_packed_or_refused_and_nothing_else(
    make: Callable[[], Any], reason: str
) -> None:
    """Where it can be packed, the plan refuses it for the same reason as before."""
    try:
        assert_same(make())
    except Unpackable:
        assert reason


def tree_of(estimator: Any) -> Any:
    """The nodes of an estimator."""
    return msgpack.unpackb(pack(estimator))


def data_of(node: Any) -> bytes:
    """Data with such an estimator in it."""
    payload: bytes = msgpack.packb([1, node])
    return payload


RATE = ["Constant", 0.1]
GLM = ["LinearRegression", ["SGD", RATE, 0], ["Squared"], 0, 0, 0, 0, 2, 1e12, ["Zeros", 0.0]]
SEARCH = ["LazySearch", 5, 0.0, "euclidean", [5]]

MALFORMED: dict[str, Any] = {
    "empty": b"",
    "no list": msgpack.packb({}),
    "format": msgpack.packb([2, ["Select", ["a"]]]),
    "more behind": data_of(["Select", ["a"]]) + b"\0",
    "cut off": data_of(["Select", ["a"]])[:-1],
    "pickle": dill.dumps(Linear()),
    "too long": bytes(BYTES_MAX + 1),
    "map": data_of(["Renamer", {"a": "b"}]),
    "extension": data_of(["Select", msgpack.ExtType(1, b"")]),
    "time": data_of(["Select", [msgpack.Timestamp(1)]]),
    "no such class": data_of(["HoeffdingTreeRegressor"]),
    "class of another place": data_of(["Mean", 0.0, 0.0]),
    "dotted class": data_of(["os.system", "true"]),
    "class is no text": data_of([["Select"], ["a"]]),
    "attributes missing": data_of(["Select"]),
    "attributes too many": data_of(["Select", ["a"], 1]),
    "container for a number": data_of(["StandardScaler", [1, 2], None, [[], []], [[], []], 3]),
    "unhashable": data_of(["Select", [["a"]]]),
    "reference to nothing": data_of(5),
    "reference to another class": data_of([*GLM[:7], 1, *GLM[8:], [["a"], [0.5]], None]),
    "empty map": data_of(["Select", [{}]]),
    "reference below nothing": data_of(["TargetStandardScaler", ["Var", 1, -1, 0.0], 0, "", ""]),
    "itself": data_of(["TargetStandardScaler", ["Var", 1, ["Mean", 0.0, 0.0], 0.0], 0, "", ""]),
    "another's method": data_of(
        [
            *("TargetStandardScaler", ["Var", 1, ["Mean", 0.0, 0.0], 0.0]),
            *(["Select", ["a"]], "__class__", "_unscale"),
        ]
    ),
    "shared by kinds": data_of(["RollingMeans", [1], [1], [0], 1, [b""]]),
    "function": data_of(["FuncTransformer", "system"]),
    "array": data_of(["RollingMeans", [1], [1], [0], [b"1234567"], [b""]]),
    "window's size": data_of(["KNNRegressor", 3, [*SEARCH[:4], [-1]], 1, "mean"]),
    "flag of Rust": data_of(["StatisticRegressor", ["EWMean", 0.5, [0.0, 0.5, 0.5, 2, 0.5]]]),
    "state of Rust": data_of(["StatisticRegressor", ["EWMean", 0.5, b"\xff" * 33]]),
    "weights": data_of([*GLM, [["a"], ["b"]], None]),
    "names of features": data_of([*GLM, [[1], [0.5]], None]),
    "the same name": data_of([*GLM, [["a", "a"], [0.5, 0.5]], None]),
    "numbers without names": data_of([*GLM, [[], [0.5]], None]),
    "huge integer": data_of(["StatisticRegressor", ["Mean", ["int", "f" * 257], 0.0]]),
    "no integer": data_of(["StatisticRegressor", ["Mean", ["int", "zz"], 0.0]]),
    "number of objects": data_of(["StatisticRegressor", ["Mean", ["object_", b"12345678"], 0.0]]),
    "two numbers": data_of(["StatisticRegressor", ["Mean", ["float64", bytes(16)], 0.0]]),
    "bytes": data_of(["StatisticRegressor", ["Mean", b"1", 0.0]]),
    "text that is none": data_of(["Select", ["a"]])[:-1] + b"\xff",
    "long text": data_of(["Select", ["x" * (4 * TEXT_MAX + 1)]]),
    "many": data_of(["Select", list(range(LENGTH_MAX + 2))]),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_pack_does_not_give_is_malformed(data: bytes) -> None:
    """Whatever else it is; what it says is short."""
    with pytest.raises(Malformed) as raised:
        unpack(data)
    assert 0 < len(str(raised.value)) <= 500


def test_the_parts_that_malformed_data_is_made_of_are_good() -> None:
    """So that it is the one wrong thing in each that is refused."""
    for node in (
        ["Select", ["a"]],
        [*GLM, [["a"], [0.5]], None],
        ["KNNRegressor", 3, SEARCH, 1, "mean"],
        ["RollingMeans", [1], [1], [0], [b"12345678"], [b""]],
        ["StatisticRegressor", ["EWMean", 0.5, [0.0, 0.5, 0.5, True, 0.5]]],
    ):
        unpack(data_of(node))


def test_too_deep_data_is_malformed() -> None:
    """Before Python's own stack is."""
    node: Any = ["Select", ["a"]]
    variance = ["Var", 1, ["Mean", 0.0, 0.0], 0.0]
    for _ in range(200):
        node = ["TargetStandardScaler", variance, node, "_scale", "_unscale"]
    with pytest.raises(Malformed, match="deep"):
        unpack(data_of(node))
    with pytest.raises(Malformed):
        unpack(b"\x91" * BYTES_MAX)


BOMBS: dict[str, bytes] = {
    "lists": b"\x92\x01" + b"\x92\x90" * 500_000 + b"\x90",
    "announced lists": b"\x92\x01" + b"\xdc\x20\x00" * 1_000,
    "announced text": b"\x92\x01\xdb\x7f\xff\xff\xff",
    "empty lists": b"\x92\x01" + (b"\xdc\x20\x00" + b"\x90" * 0x2000) * 100,
    "many lists": b"\x92\x01\xdc\x1f\xff" + (b"\xdc\x01\xf0" + b"\x90" * 0x1F0) * 0x1FFF,
    "maps": b"\x92\x01\xdc\x1f\xff" + (b"\xdc\x01\xf0" + b"\x80" * 0x1F0) * 0x1FFF,
    "objects": data_of(
        [
            "Pipeline",
            [list(range(3_000)), [["TransformerUnion", [[0], [["Select", []]]]]] * 3_000],
        ]
    ),
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_memory_is_bounded(data: bytes) -> None:
    """Whatever is announced, or repeated."""
    tracemalloc.start()
    try:
        unpack(data)
    except Malformed:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 150_000_000


def test_more_objects_than_a_row_has_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """On both sides."""
    agg = feature_extraction.TargetAgg(by="a", how=stats.Mean())
    agg._groups.update({(float(n),): stats.Mean() for n in range(95)})
    data = pack(agg)
    monkeypatch.setattr("thalweg_server.engines.structures.field.OBJECTS_MAX", 99)
    assert_same(agg)
    agg._groups[-1.0,]
    with pytest.raises(Unpackable, match="more than 99 objects"):
        pack(agg)
    monkeypatch.setattr("thalweg_server.engines.structures.field.OBJECTS_MAX", 98)
    with pytest.raises(Malformed, match="more than 98 objects"):
        unpack(data)


SEEDS = [
    pack(make())
    for make in (
        lambda: taught(m5.knn()),
        lambda: taught(m5.lm()),
        lambda: taught(SCALED["groups"]()),
        lambda: taught(SCALED["pipelines"]()),
        lambda: taught(preprocessing.AdaptiveStandardScaler() | Linear(optim.RMSProp())),
        lambda: taught(linear_model.PARegressor()),
        lambda: compose.FuncTransformer(features.calendar),
    )
]


def tried(data: bytes) -> None:
    """Unpacks; what comes out, if anything, can be packed, copied and planned or refused."""
    try:
        made = unpack(data)
    except Malformed:
        return
    assert type(made) in KINDS
    copy.deepcopy(made)
    pack_or_refuse(made)


def pack_or_refuse(made: Any) -> None:
    """What was unpacked is of known classes, so that nothing but these two happens."""
    try:
        pack(made)
    except Unpackable as error:
        # An order of names that a set does not keep is all that this side is stricter about.
        assert "order of a set" in str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_malformed_or_an_estimator(data: bytes) -> None:
    """Nothing else is raised."""
    tried(data)
    tried(b"\x92\x01" + data)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 3)), max_size=6),
)
def test_changed_bytes_are_malformed_or_an_estimator(
    data: bytes, changes: list[tuple[float, bytes, int]]
) -> None:
    """Put in, taken out or overwritten."""
    for place, piece, gone in changes:
        at = int(place * len(data))
        data = data[:at] + piece + data[at + gone :]
    tried(data)


NODES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats()
    | st.binary(max_size=9)
    | st.sampled_from(
        [*NAMES, "_scale", "_unscale", "weekday", "euclidean", "int", "float64", "a"]
    ),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 10_000), NODES), max_size=3))
def test_changed_nodes_are_malformed_or_an_estimator(
    data: bytes, changes: list[tuple[int, Any]]
) -> None:
    """Well-formed data with other nodes in some places."""
    root = msgpack.unpackb(data)
    for number, node in changes:
        lists = [root]
        for each in lists:
            lists += [part for part in each if type(part) is list]
        chosen = [each for each in lists if each]
        target = chosen[number % len(chosen)]
        target[number % len(target)] = node
    tried(msgpack.packb(root))
