"""The machine refuses what pickle allows and no estimator needs, and says what and where."""

from __future__ import annotations

import pickle
import pickletools
import tracemalloc
from typing import Any

import pytest

from tests.uploads import pickles as p
from thalweg_server.core.errors import BadPayload, PayloadRefused
from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load

LINEAR = ("river.linear_model.lin_reg", "LinearRegression")
PLAIN: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    255,
    256,
    65_536,
    -1,
    -(2**31),
    2**40,
    -(2**200),
    2**3000,
    1.5,
    float("inf"),
    "ä\ud800 text",
    "x" * 300,
    b"\x00\xff" * 5,
    b"y" * 300,
    bytearray(b"abc"),
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    [1, [2, [3]]],
    {"a": {"b": 1}, 2: (3, 4), (5, "x"): None},
    {1, 2, 3.0},
    frozenset({("a", "b")}),
)

REFUSED: dict[str, bytes] = {
    "PERSID": b"Pname\n.",
    "BINPERSID": b"NQ.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\x00.",
    "EXT4": b"\x84\x01\x00\x00\x00.",
    "INST": b"(iposix\nsystem\n.",
    "OBJ": b"(No.",
    "NEWOBJ_EX": p.name(*LINEAR) + b")}\x92.",
    "NEXT_BUFFER": b"\x97.",
    "READONLY_BUFFER": b"N\x98.",
    "DUP": b"N2.",
}

FORBIDDEN: dict[str, bytes] = {
    "the global posix.system": p.name("posix", "system"),
    "the global os.system": b"cos\nsystem\n",
    "the global builtins.eval": p.name("builtins", "eval"),
    "the global river.base.base.copy.deepcopy": p.name("river.base.base", "copy.deepcopy"),
    "the global river.linear_model.lin_reg.LinearRegression.learn_one": p.name(
        LINEAR[0], "LinearRegression.learn_one"
    ),
    "a global named by": p.NONE + p.text("x") + b"\x93",
    "a call of river.linear_model.lin_reg.LinearRegression": p.name(*LINEAR)
    + p.EMPTY_TUPLE
    + p.REDUCE,
    "arguments for LinearRegression": p.name(*LINEAR) + p.several(p.NONE) + p.NEWOBJ,
    "for a tuple of arguments": p.name(*LINEAR) + p.EMPTY_LIST + p.NEWOBJ,
    "an instance of builtins.float": p.name("builtins", "float") + p.EMPTY_TUPLE + p.NEWOBJ,
    "an instance of a value of type river.linear_model": p.instance(
        *LINEAR, p.attributes(new=p.name("math", "exp"), cost=p.integer(0))
    )
    + p.EMPTY_TUPLE
    + p.NEWOBJ,
    "a call of a value of type river.linear_model": p.instance(
        *LINEAR, p.attributes(call=p.name("math", "exp"), cost=p.integer(0))
    )
    + p.EMPTY_TUPLE
    + p.REDUCE,
    "a call of math.exp": p.name("math", "exp") + p.several(p.integer(1)) + p.REDUCE,
    "state for river.linear_model.lin_reg.LinearRegression": p.name(*LINEAR)
    + p.NONE
    + p.attributes(predict_one=p.NONE)
    + p.TUPLE2
    + p.BUILD,
    "state for river.utils.math.minkowski_distance": p.name(
        "river.utils.math", "minkowski_distance"
    )
    + p.attributes(x=p.NONE)
    + p.BUILD,
    "state for a value of type builtins.list": p.EMPTY_LIST + p.EMPTY_DICT + p.BUILD,
    "APPEND to a value of type river.linear_model": p.instance(*LINEAR) + p.NONE + b"a",
    "SETITEM on a value of type river.linear_model": p.instance(*LINEAR) + b"NNs",
    "ADDITEMS to a value of type builtins.list": p.EMPTY_LIST + p.MARK + b"N\x90",
    "as a key or a member of a set": p.EMPTY_DICT + p.instance(*LINEAR) + b"Ns",
    "inside a key": p.EMPTY_DICT + p.instance(*LINEAR) + p.TUPLE1 + b"Ns",
    "memo slot 7 where 0 is next": b"Nq\x07",
    "memo slot 0 where 1 is next": b"Nq\x00Nq\x00",
    "memo slot 2147483648 where 0": b"Nr\x00\x00\x00\x80",
    "an integer of 2147483647 bytes": b"\x8b\xff\xff\xff\x7f",
    "an integer of -1 bytes": b"\x8b\xff\xff\xff\xff",
    "itself as a value": p.EMPTY_LIST + p.name(*LINEAR) + b"a",
}

MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "text": b"not a pickle",
    "protocol 0": pickle.dumps([1, "a"], 0),
    "old text": b"S'a'\n.",
    "protocol 1": b"\x80\x01N.",
    "protocol 9": b"\x80\x09N.",
    "without end": b"\x80\x04N",
    "cut": pickle.dumps(["a" * 50, 1.0])[:-9],
    "bytes behind": pickle.dumps(1) + b".",
    "two objects": b"\x80\x04NN.",
    "mark left": b"\x80\x04(N.",
    "nothing": b"\x80\x04.",
    "no such memo": b"\x80\x04h\x05.",
    "no mark": b"\x80\x04t.",
    "value without key": b"\x80\x04}(Nu.",
    "lying frame": b"\x80\x04\x95" + (2**40).to_bytes(8, "little") + b"N.",
    "lying bytes": b"\x80\x04\x8e" + (2**40).to_bytes(8, "little") + b"N.",
    "lying text": b"\x80\x04X\xff\xff\xff\x7fabc.",
    "no UTF-8": b"\x80\x04\x8c\x01\xff.",
    "unknown opcode": b"\x80\x04\xff.",
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", PLAIN, ids=lambda value: repr(value)[:30])
def test_plain_values_come_back_as_they_were(value: Any, protocol: int) -> None:
    """Every opcode for plain values does what Python's own unpickler does."""
    payload = pickle.dumps(value, protocol)
    loaded = load(payload, Policy.SAFE)
    assert (type(loaded), loaded) == (type(value), value)
    assert load(pickletools.optimize(payload), Policy.SAFE) == value


@pytest.mark.parametrize("opcode", REFUSED)
def test_opcodes_that_no_pickler_writes_are_refused_by_name(opcode: str) -> None:
    """Persistent ids, extension codes, old ways to make instances, buffers from elsewhere."""
    with pytest.raises(PayloadRefused, match=rf"the opcode {opcode} \(at byte \d+"):
        load(b"\x80\x04" + REFUSED[opcode], Policy.SAFE)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_the_policy_forbids_is_named(what: str) -> None:
    """Each refusal says what it met, where, and what to do instead."""
    with pytest.raises(PayloadRefused) as refusal:
        p.safe(FORBIDDEN[what])
    assert what in refusal.value.message
    assert "thalweg.features" in refusal.value.message
    assert refusal.value.field == "payload"


def test_a_refusal_names_the_position_of_the_opcode() -> None:
    """The position is that of the opcode that was refused, not of the payload's start."""
    with pytest.raises(PayloadRefused, match=r"at byte 17 of"):
        load(b"\x80\x04" + p.data(b"1234567890") + b"P1\n.", Policy.SAFE)


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_pickle_is_a_bad_payload(what: str) -> None:
    """Damage is told apart from what the policy forbids."""
    with pytest.raises(BadPayload, match="does not load as dill"):
        load(MALFORMED[what], Policy.SAFE)


@pytest.mark.parametrize("what", ["lying bytes", "lying text"])
def test_sizes_are_compared_with_what_is_there(what: str) -> None:
    """Before anything is read, let alone allocated."""
    with pytest.raises(BadPayload, match="bytes are announced"):
        load(MALFORMED[what], Policy.SAFE)


@pytest.mark.parametrize(
    "payload",
    [
        p.pickle_of(p.EMPTY_SET * 200_000, p.NONE),
        p.pickle_of(p.NONE, p.TUPLE1 * 200_000),
        p.pickle_of(p.EMPTY_LIST * 200_000, b"a" * 199_999),
        p.pickle_of(
            p.name("random", "Random"),
            p.MEMOIZE,
            (p.get(0) + p.EMPTY_TUPLE + p.REDUCE) * 50_000,
        ),
        p.pickle_of(p.MARK * 500_000),
    ],
    ids=["sets", "deep tuple", "deep list", "generators", "marks"],
)
def test_small_payloads_do_not_grow_into_large_objects(payload: bytes) -> None:
    """Opcodes of one byte that make objects of hundreds run out of budget or depth."""
    tracemalloc.start()
    with pytest.raises((PayloadRefused, BadPayload)):
        load(payload, Policy.SAFE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * len(payload) + 20_000_000


@pytest.mark.parametrize("kind", [tuple, list])
def test_shared_references_that_expand_without_end_are_refused(kind: type) -> None:
    """2 to the 40th values behind 300 bytes: a repr of them would never end."""
    nested: Any = [1.0]
    for _ in range(40):
        nested = kind((nested, nested))
    with pytest.raises(PayloadRefused, match="shared so often"):
        load(pickle.dumps(nested), Policy.SAFE)


def test_a_shared_part_is_one_object_afterwards() -> None:
    """What was shared stays shared, cycles included."""
    cycle: list[Any] = [{"a": 1.0}]
    cycle.append(cycle[0])
    cycle.append(cycle)
    loaded: Any = load(pickle.dumps(cycle), Policy.SAFE)
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded


def test_keys_that_a_caller_could_make_collide_are_few() -> None:
    """Integers with one hash: inserting n of them takes n * n steps."""
    colliding = {number * (2**61 - 1): None for number in range(1, 10_002)}
    with pytest.raises(PayloadRefused, match="may collide"):
        load(pickle.dumps(colliding), Policy.SAFE)
    pairs = {(number, number): None for number in range(10_001)}
    with pytest.raises(PayloadRefused, match="may collide"):
        load(pickle.dumps(pairs), Policy.SAFE)
    assert load(pickle.dumps({str(n): n for n in range(20_000)}), Policy.SAFE)


def test_a_key_whose_hash_would_take_for_ever_is_refused() -> None:
    """A tuple of tuples of tuples, each twice the same: 2 to the 30th values to hash."""
    key: Any = ("a", "b")
    for _ in range(30):
        key = (key, key)
    written = pickle.dumps(key)[:-1]  # pickle writes the nested key without hashing it
    with pytest.raises(PayloadRefused, match="a key of more than"):
        load(b"\x80\x04}" + written[2:] + b"Ns.", Policy.SAFE)
