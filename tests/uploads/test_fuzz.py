"""Whatever the bytes are: an object, a refusal or a bad payload, soon and in little memory."""

from __future__ import annotations

import pickle
import time
import tracemalloc
from functools import cache
from typing import Any

import dill
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.uploads import pickles as p
from tests.uploads.catalogue import entries, trained
from thalweg_server.core.errors import BadPayload, PayloadRefused
from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load
from thalweg_server.uploads.names import table

SECONDS_MAX = 2.0
MEMORY_BYTES_MAX = 200_000_000
FUZZ = settings(max_examples=150, deadline=None)

_SEEDS = (
    "linear_model.LinearRegression",
    "neighbors.KNNRegressor",
    "tree.HoeffdingAdaptiveTreeRegressor",
    "naive_bayes.GaussianNB",
    "facto.FMRegressor",
    "ensemble.ADWINBaggingClassifier",
    "conf.RegressionJackknife",
    "imblearn.HardSamplingRegressor",
)


@cache
def _good() -> tuple[bytes, ...]:
    """Payloads of trained estimators that use most of the table's stand-ins."""
    payloads = []
    for entry in entries():
        if entry.name in _SEEDS:
            estimator = trained(entry, count=12)
            payloads.append(dill.dumps(estimator, recurse=True))
            payloads += [pickle.dumps(estimator, protocol) for protocol in (2, 5)]
    return tuple(payloads)


def _survives(payload: bytes) -> Any:
    """Load in the policy `safe`; what was loaded, or None."""
    started = time.process_time()
    loaded = None
    try:
        loaded = load(payload, Policy.SAFE)
    except (PayloadRefused, BadPayload) as error:
        assert len(error.message) < 2_000
    assert time.process_time() - started < SECONDS_MAX
    return loaded


def _bounded(payload: bytes) -> None:
    tracemalloc.start()
    try:
        _survives(payload)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX


_CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["set", "delete", "insert", "double"]),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)


@FUZZ
@given(st.integers(0, 23), _CHANGES)
def test_damaged_payloads_of_real_estimators_do_no_harm(
    which: int, changes: list[tuple[float, str, bytes]]
) -> None:
    """Bytes replaced, dropped, put in and doubled anywhere."""
    payload = bytearray(_good()[which % len(_good())])
    for share, change, piece in changes:
        at = int(share * len(payload))
        if change == "set":
            payload[at : at + len(piece)] = piece
        elif change == "delete":
            del payload[at : at + len(piece)]
        elif change == "insert":
            payload[at:at] = piece
        else:
            payload[at:at] = payload[at : at + 50 * len(piece)]
    _survives(bytes(payload))


_NAMES = sorted(table().names)
_NUMBERS = st.one_of(st.integers(-3, 300), st.integers(-(2**70), 2**70))
_PIECES = st.one_of(
    st.sampled_from(_NAMES).map(lambda key: p.name(*key)),
    st.sampled_from(
        [
            *(p.EMPTY_TUPLE, p.EMPTY_DICT, p.EMPTY_LIST, p.EMPTY_SET, p.NONE, p.MARK),
            *(p.NEWOBJ, p.REDUCE, p.BUILD, p.MEMOIZE, p.TUPLE, p.TUPLE1, p.TUPLE2, p.TUPLE3),
            *(p.SETITEM, p.SETITEMS, b"a", b"e", b"\x90", b"\x91", b"0", b"1", b"\x88"),
        ]
    ),
    _NUMBERS.map(p.integer),
    st.integers(0, 12).map(p.get),
    st.sampled_from(["latin1", "f8", "d", "MT19937", "", "O", "lower", "x"]).map(p.text),
    st.binary(max_size=12).map(p.data),
    st.floats().map(lambda number: pickle.dumps(number, 2)[2:-1]),
    st.binary(min_size=1, max_size=3),
)


@FUZZ
@given(st.lists(_PIECES, max_size=60))
def test_any_mixture_of_opcodes_does_no_harm(pieces: list[bytes]) -> None:
    """Opcodes, names of the table and arguments in any order."""
    _survives(p.pickle_of(*pieces))


_CALLED = st.tuples(
    st.sampled_from(_NAMES),
    st.lists(
        st.one_of(
            _NUMBERS.map(p.integer),
            st.binary(max_size=40).map(p.data),
            st.sampled_from(["latin1", "f8", "d", "int", "PartialType", "a"]).map(p.text),
            st.sampled_from(
                [p.NONE, b"\x88", p.EMPTY_TUPLE, p.EMPTY_DICT, p.EMPTY_LIST, p.attributes(a=b"N")]
            ),
            st.sampled_from(_NAMES).map(lambda key: p.name(*key)),
        ),
        max_size=5,
    ),
    st.sampled_from([p.NEWOBJ, p.REDUCE]),
    st.one_of(
        st.just(b""),
        st.binary(max_size=80).map(lambda state: p.data(state) + p.BUILD),
        st.just(p.attributes(a=b"N") + p.BUILD),
    ),
)


@FUZZ
@given(st.lists(_CALLED, min_size=1, max_size=3))
def test_any_arguments_for_any_name_of_the_table_do_no_harm(calls: list[Any]) -> None:
    """Each stand-in called with what it was not made for, and given a state."""
    parts = [
        p.name(*key) + p.several(*arguments) + how + state for key, arguments, how, state in calls
    ]
    _survives(p.pickle_of(*parts, b"\x86" * (len(parts) - 1)))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_take_little_memory(payload: bytes) -> None:
    """Claims of sizes that are not there allocate nothing."""
    _bounded(b"\x80\x04" + payload)
