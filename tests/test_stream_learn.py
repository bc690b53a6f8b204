"""StreamLearn: batches in order, each learned once."""

from __future__ import annotations

import math
import random
import threading
import time
from typing import Any

import grpc
import pytest

from tests.conftest import Connect, StartServer
from tests.estimators import Constant, RaisesOn, Recorder, Slow, linear
from tests.structure import difference
from tests.waiting import until
from tests.wire import Wire, batch, columns, refused, row
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.limits import Limits

DATE = pb.CONTEXT_FIELD_DATE


def numbered(sequence: int, count: int = 3) -> pb.StreamLearnRequest:
    """Return a batch whose targets say which batch and row they are."""
    return batch(sequence, [row("m", 100.0 * sequence + i) for i in range(count)])


def targets(wire: Wire, model: str = "m") -> list[float]:
    """Return what a Recorder or Slow learned."""
    live = wire.live(model)
    return list(live.targets) if isinstance(live, Slow) else [y for _, y in live.seen]


def test_opened_tells_where_to_go_on_and_the_limits(regression: Wire) -> None:
    """A memory server is not durable: its durable sequence is 0, always."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        opened = stream.open("s")
        assert (opened.last_applied_sequence, opened.last_durable_sequence) == (0, 0)
        assert not opened.durable
        assert opened.max_batch_rows == Limits().batch_rows_max
        assert opened.max_batch_bytes == 64 * 1024 * 1024
        assert opened.max_inflight_batches >= 2
        assert stream.learn(numbered(1)).durable_sequence == 0


def test_every_batch_gets_one_ack_in_order(regression: Wire) -> None:
    """However many are in flight; rows are learned in the order sent."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        stream.open("s")
        stream.send(*[numbered(n) for n in range(1, 21)])
        acks = [stream.ack() for _ in range(20)]
        stream.done()
    assert [a.sequence for a in acks] == [a.applied_sequence for a in acks] == [*range(1, 21)]
    assert {(a.learned, a.duplicates, a.error_count) for a in acks} == {(3, 0, 0)}
    assert targets(regression) == [100.0 * n + i for n in range(1, 21) for i in range(3)]


def test_a_stream_resumes_after_the_last_applied_batch(regression: Wire) -> None:
    """By its id; repeats are acked as duplicates and learned no second time."""
    wire = regression
    wire.upload("m", Recorder())
    with wire.stream() as stream:
        stream.open("s")
        stream.learn(numbered(1), numbered(2))
    with wire.stream() as stream:
        assert stream.open("s").last_applied_sequence == 2
        repeat = stream.learn(numbered(1))
        assert (repeat.sequence, repeat.applied_sequence, repeat.duplicates) == (1, 2, 3)
        assert (repeat.learned, repeat.error_count, list(repeat.predictions)) == (0, 0, [])
        assert stream.learn(numbered(2)).duplicates == 3
        assert stream.learn(numbered(3)).learned == 3
    assert targets(wire) == [100.0 * n + i for n in (1, 2, 3) for i in range(3)]


def test_ids_do_not_share_watermarks(regression: Wire) -> None:
    """Each id is one sequence of batches; an empty id is none at all."""
    regression.upload("m", Recorder())
    for stream_id in ("a", "b", "", ""):
        with regression.stream() as stream:
            assert stream.open(stream_id).last_applied_sequence == 0
            assert stream.learn(numbered(1)).learned == 3
    assert len(targets(regression)) == 12


def test_anonymous_streams_do_not_fence_each_other(regression: Wire) -> None:
    """Only an id can be taken over."""
    regression.upload("m", Recorder())
    with regression.stream() as one, regression.stream() as two:
        one.open()
        two.open()
        assert one.learn(numbered(1)).learned == two.learn(numbered(1)).learned == 3


def test_a_gap_ends_the_stream_and_keeps_what_was_acked(regression: Wire) -> None:
    """The same id goes on with the batch that was expected."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        stream.open("s")
        stream.learn(numbered(1))
        stream.send(numbered(3))
        with refused("SEQUENCE_GAP") as seen:
            stream.receive()
    assert seen[0].metadata == {"expected": "2"}
    with regression.stream() as stream:
        assert stream.open("s").last_applied_sequence == 1
        stream.learn(numbered(2))
    assert len(targets(regression)) == 6


def test_a_newer_stream_fences_the_older_one(regression: Wire) -> None:
    """The older gets ABORTED; the newer goes on where it ended."""
    regression.upload("m", Recorder())
    with regression.stream() as old, regression.stream() as new:
        old.open("s")
        old.learn(numbered(1))
        assert new.open("s").last_applied_sequence == 1
        with refused("STREAM_FENCED") as seen:
            old.receive()
        assert seen[0].code is grpc.StatusCode.ABORTED
        assert new.learn(numbered(2)).learned == 3
    assert len(targets(regression)) == 6


def test_a_newer_stream_waits_for_the_batches_that_the_older_has_begun(regression: Wire) -> None:
    """These are finished and counted before the newer is told where to go on."""
    wire = regression
    wire.upload("m", Slow(0.01))
    with wire.stream() as old, wire.stream() as new:
        old.open("s")
        old.send(*[numbered(n, 30) for n in range(1, 9)])
        until(lambda: wire.live("m").learned > 3)
        applied = new.open("s").last_applied_sequence
        assert wire.live("m").learned == 30 * applied
        acks = old.acks_until_refused("STREAM_FENCED")
        assert [ack.sequence for ack in acks] == [*range(1, applied + 1)]
        assert {ack.learned for ack in acks} == {30}
        assert 1 <= applied < 8
        assert new.learn(numbered(1, 30)).duplicates == 30
        assert new.learn(numbered(applied + 1, 2)).learned == 2
    begun = [100.0 * n + i for n in range(1, applied + 1) for i in range(30)]
    assert targets(wire) == [*begun, 100.0 * (applied + 1), 100.0 * (applied + 1) + 1]


def test_the_newest_of_many_openings_is_left(regression: Wire) -> None:
    """While a batch is being learned, too: every older one is fenced."""
    wire = regression
    wire.upload("m", Slow(0.01))
    with wire.stream() as a, wire.stream() as b, wire.stream() as c:
        a.open("s")
        a.send(numbered(1, 30))
        until(lambda: wire.live("m").learned > 1)
        b.send(pb.StreamLearnRequest(open=pb.StreamOpen(stream_id="s")))
        time.sleep(0.05)
        assert c.open("s").last_applied_sequence == 1
        with refused("STREAM_FENCED"):
            b.receive()
            b.receive()
        assert c.learn(numbered(2)).learned == 3


def test_a_reset_fences_open_streams(regression: Wire) -> None:
    """In the middle of a batch, too; nothing of the old world is learned any more."""
    wire = regression
    wire.upload("m", Slow(0.01))
    with wire.stream() as busy, wire.stream() as idle, wire.stream() as nameless:
        busy.open("s")
        idle.open("t")
        nameless.open()
        busy.send(numbered(1, 60))
        until(lambda: wire.live("m").learned > 3)
        wire.init(pb.FLAVOR_REGRESSION, reset=True)
        for stream in (busy, idle, nameless):
            with refused("STREAM_FENCED"):
                stream.receive()
    wire.upload("m", Recorder())
    with wire.stream() as stream:
        assert stream.open("s").last_applied_sequence == 0
        stream.learn(numbered(1))
    assert len(targets(wire)) == 3


def test_a_cancelled_client_still_leaves_a_whole_batch(regression: Wire) -> None:
    """What has begun is finished and counted in the watermark."""
    wire = regression
    wire.upload("m", Slow(0.01))
    with wire.stream() as stream:
        stream.open("s")
        stream.send(numbered(1, 40))
        until(lambda: wire.live("m").learned > 3)
        stream.call.cancel()
    with wire.stream() as stream:
        assert stream.open("s").last_applied_sequence == 1
        assert stream.learn(numbered(1, 40)).duplicates == 40
    assert targets(wire) == [100.0 + i for i in range(40)]


def test_bad_rows_use_up_their_sequence(regression: Wire) -> None:
    """A batch of nothing else is acked and applied all the same."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        stream.open("s")
        ack = stream.learn(batch(1, [row("m", math.nan), row("nix", 1.0)]))
        assert (ack.applied_sequence, ack.learned, ack.error_count) == (1, 0, 2)
        assert stream.learn(numbered(2)).learned == 3
    with regression.stream() as stream:
        assert stream.open("s").last_applied_sequence == 2


BAD_ROWS = [
    (row("nix", 1.0), pb.ERROR_REASON_UNKNOWN_MODEL, "'nix'"),
    (row("", 1.0), pb.ERROR_REASON_BAD_NAME, "empty"),
    (row("*", 1.0), pb.ERROR_REASON_BAD_NAME, "'*'"),
    (row("m", None), pb.ERROR_REASON_BAD_TARGET, "missing"),
    (row("m", math.inf), pb.ERROR_REASON_BAD_TARGET, "inf"),
    (row("m", "1"), pb.ERROR_REASON_BAD_TARGET, "'1'"),
    (row("m", 1.0, {"a": math.nan}), pb.ERROR_REASON_BAD_FEATURE, "'a'"),
    (row("m", 1.0, date="2016-02-30"), pb.ERROR_REASON_BAD_DATE, "'2016-02-30'"),
    (row("dated", 1.0), pb.ERROR_REASON_BAD_REQUEST, "date"),
    (row("m", 1.0, {"bad": 1}), pb.ERROR_REASON_ESTIMATOR_FAILED, "x has bad"),
    (row("m", 1.0, request_id="r" * 300), pb.ERROR_REASON_BAD_REQUEST, "at most 256"),
    (row("m", 1.0, prediction_id="nix"), pb.ERROR_REASON_UNKNOWN_PREDICTION, "'nix'"),
]


def test_a_bad_row_is_reported_and_the_rest_is_learned(regression: Wire) -> None:
    """Every reason that a row can have, each between good rows."""
    wire = regression
    wire.upload("m", RaisesOn())
    wire.upload("dated", Constant(), context=[DATE])
    rows = [each for bad, _, _ in BAD_ROWS for each in (row("m", 1.0), bad)]
    with wire.stream() as stream:
        stream.open()
        ack = stream.learn(batch(1, rows))
    assert (ack.learned, ack.error_count) == (len(BAD_ROWS), len(BAD_ROWS))
    assert [(e.row, e.reason) for e in ack.errors] == [
        (2 * i + 1, reason) for i, (_, reason, _) in enumerate(BAD_ROWS)
    ]
    for error, (_, _, text) in zip(ack.errors, BAD_ROWS, strict=True):
        assert text in error.message
    assert wire.estimator("m").total == len(BAD_ROWS)


def test_bad_cells_of_columns_are_row_errors(regression: Wire) -> None:
    """NaN, an index or a date out of range, a feature: the other rows are learned."""
    wire = regression
    wire.upload("m", Recorder())
    nan = math.nan
    message = columns(
        1,
        models=["m", "nix"],
        model_index=[0, 0, 2, 1, 0, 0, 2**32 - 1, 0],
        date_days=[1, 1, 1, 1, 3_000_000, 1, 1, -(2**31)],
        target=[1.0, nan, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        features={"a": [1.0, 1.0, 1.0, 1.0, 1.0, 1e16, 1.0, 1.0], "t": ["x"]},
    )
    with wire.stream() as stream:
        stream.open(return_predictions=True)
        ack = stream.learn(message)
    reasons = {e.row: pb.ErrorReason.Name(e.reason)[13:] for e in ack.errors}
    assert reasons == {
        1: "BAD_TARGET",
        2: "BAD_REQUEST",
        3: "UNKNOWN_MODEL",
        4: "BAD_DATE",
        5: "BAD_FEATURE",
        6: "BAD_REQUEST",
        7: "BAD_DATE",
    }
    assert (ack.learned, ack.error_count) == (1, 7)
    assert targets(wire) == [1.0]
    assert [math.isnan(p) for p in ack.predictions] == [False] + [True] * 7


def test_a_bad_value_for_all_rows_is_an_error_of_each(regression: Wire) -> None:
    """A column of one value counts for every row."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        stream.open()
        ack = stream.learn(
            columns(1, models=["m"] * 3, target=[1.0] * 3, features={"a": [math.nan]})
        )
    assert (ack.learned, ack.error_count) == (0, 3)


def test_an_ack_lists_the_first_100_errors(regression: Wire) -> None:
    """And counts all of them."""
    with regression.stream() as stream:
        stream.open()
        ack = stream.learn(columns(1, models=["nix"], model_index=[0] * 500, target=[1.0] * 500))
    assert (ack.error_count, [e.row for e in ack.errors]) == (500, [*range(100)])


def test_an_ack_stays_within_a_mebibyte(regression: Wire) -> None:
    """The most predictions, and the longest errors, that it can hold."""
    wire = regression
    wire.upload("m", Shouts())
    count = Limits().batch_rows_max
    message = columns(
        1, models=["m", "nix"], model_index=[0] * 100 + [1] * (count - 100), target=[1.0] * count
    )
    with wire.stream() as stream:
        stream.open(return_predictions=True)
        ack = stream.learn(message)
    assert (len(ack.predictions), ack.error_count) == (count, count)
    assert ack.ByteSize() <= 1024 * 1024


class Shouts(Constant):
    """Raises at length."""

    def learn_one(self, x: Any, y: Any) -> None:
        """Raise."""
        raise RuntimeError("😀" * 5_000)

    def predict_one(self, x: Any) -> Any:
        """Raise."""
        raise RuntimeError("😀" * 5_000)


def test_columns_equal_rows(regression: Wire) -> None:
    """The same observations leave the same estimators, scores and predictions."""
    wire, rng = regression, random.Random(3)
    acks = []
    for way in ("rows", "columns"):
        for name in ("a", "b"):
            wire.upload(f"{way}/{name}", linear(), context=[])
    index = [rng.randrange(2) for _ in range(200)]
    xs = [{"u": rng.gauss(0, 1), "v": rng.gauss(5, 3), "w": 2.5} for _ in index]
    ys = [rng.gauss(0, 9) for _ in index]
    days = [rng.randrange(-700, 17_000) for _ in index]
    rows = [
        row(f"rows/{'ab'[i]}", y, x, date=day_text(d))
        for i, x, y, d in zip(index, xs, ys, days, strict=True)
    ]
    features = {"v": [x["v"] for x in xs], "u": [x["u"] for x in xs], "w": [2.5]}
    as_columns = columns(
        1,
        models=["columns/a", "columns/b"],
        model_index=index,
        date_days=days,
        target=ys,
        features=features,
    )
    for message in (batch(1, rows), as_columns):
        with wire.stream() as stream:
            stream.open(return_predictions=True)
            acks.append(stream.learn(message))
    assert acks[0] == acks[1]
    for name in ("a", "b"):
        left, right = wire.get(f"rows/{name}"), wire.get(f"columns/{name}")
        assert left.candidates[0].score == right.candidates[0].score
        assert (left.learned, left.learned_through) == (right.learned, right.learned_through)
        assert not difference(wire.estimator(left.model), wire.estimator(right.model))


def day_text(day: int) -> str:
    """Return days since 1970-01-01 as a date."""
    from datetime import date, timedelta

    return str(date(1970, 1, 1) + timedelta(day))


def test_columns_may_name_a_model_per_row(regression: Wire) -> None:
    """An empty index means just that; a date may be one for all rows, or none."""
    wire = regression
    for name in "ab":
        wire.upload(name, Recorder(), context=[DATE])
    with wire.stream() as stream:
        stream.open()
        ack = stream.learn(columns(1, models=["a", "b", "a"], date_days=[0], target=[1, 2, 3]))
        assert ack.learned == 3
        assert stream.learn(columns(2, models=["a"], target=[4.0])).error_count == 1
    assert wire.estimator("a").seen == [([("date", "1970-01-01")], y) for y in (1.0, 3.0)]


def test_columns_of_a_classifier(multiclass: Wire, shared_wire: Wire) -> None:
    """Texts for many classes; 0 and 1 for two; predictions are NaN, or of true."""
    shared_wire.upload("m", Answers("b"))
    with shared_wire.stream() as stream:
        stream.open(return_predictions=True)
        ack = stream.learn(columns(1, models=["m"] * 2, target_text=["a", "b"]))
        assert (ack.learned, [math.isnan(p) for p in ack.predictions]) == (2, [True, True])
        ack = stream.learn(columns(2, models=["m"], target=[1.0]))
        assert [e.reason for e in ack.errors] == [pb.ERROR_REASON_BAD_TARGET]
    shared_wire.init(pb.FLAVOR_BINARY, reset=True)
    shared_wire.upload("m", Answers(True))
    with shared_wire.stream() as stream:
        stream.open(return_predictions=True)
        ack = stream.learn(columns(1, models=["m"] * 3, target=[0.0, 1.0, 0.5]))
        assert (ack.learned, ack.error_count) == (2, 1)
        assert list(ack.predictions)[:2] == [1.0, 1.0]
        ack = stream.learn(columns(2, models=["m"], target_text=["true"]))
        assert [e.reason for e in ack.errors] == [pb.ERROR_REASON_BAD_TARGET]


class Answers:
    """A duck that answers one label."""

    def __init__(self, label: Any) -> None:
        self.label = label

    def learn_one(self, x: Any, y: Any) -> None:
        """Learn nothing."""

    def predict_one(self, x: Any) -> Any:
        """Answer."""
        return self.label


def test_flags_as_many_classes_have_no_number(multiclass: Wire) -> None:
    """Multiclass predictions in acks are NaN whatever the classes are."""
    multiclass.upload("m", Answers(True))
    with multiclass.stream() as stream:
        stream.open(return_predictions=True)
        ack = stream.learn(batch(1, [row("m", True)]))
    assert ack.learned == 1
    assert math.isnan(ack.predictions[0])


@pytest.mark.parametrize(
    "body",
    [
        {"models": ["m", "m"], "target": [1.0]},
        {"models": ["m"] * 2, "target": [1.0] * 2, "features": {"a": [1.0] * 3}},
        {"models": ["m"] * 2, "target": [1.0] * 2, "date_days": [1, 2, 3]},
        {"models": ["m"]},
    ],
)
def test_unequal_columns_end_the_stream_and_teach_nothing(body: Any, regression: Wire) -> None:
    """The watermark stays, so that the batch can be sent anew."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        stream.open("s")
        stream.send(columns(1, **body))
        with refused("BAD_REQUEST"):
            stream.receive()
    assert targets(regression) == []
    with regression.stream() as stream:
        assert stream.open("s").last_applied_sequence == 0
        assert stream.learn(numbered(1)).learned == 3


def test_predictions_are_returned_only_on_demand(regression: Wire) -> None:
    """What the champion predicted before each row was learned; a stand-in where it had none."""
    wire = regression
    wire.upload("m", Recorder())
    wire.upload("m", Constant(50.0), "stand-in")
    rows = [row("m", 1.0, {"answer": 2.0}), row("m", 1.0, {"answer": "nan"}), row("m", math.nan)]
    with wire.stream() as stream:
        stream.open()
        assert list(stream.learn(batch(1, rows)).predictions) == []
    with wire.stream() as stream:
        stream.open(return_predictions=True)
        predictions = list(stream.learn(batch(1, rows)).predictions)
    assert predictions[:2] == [2.0, 50.0]
    assert math.isnan(predictions[2])


def test_learned_dates_are_skipped_row_by_row(regression: Wire) -> None:
    """Within a batch and across: one row per model and date, in order of time."""
    wire = regression
    for name in "mn":
        wire.upload(name, Recorder())
    wire.learn("m", 0.0, date="2016-05-03")
    dates = ["2016-05-02", "2016-05-03", "2016-05-04", "2016-05-04", "2016-05-03", "2016-05-06"]
    rows = [row("m", float(i), date=date) for i, date in enumerate(dates)]
    rows[2:2] = [row("n", 7.0, date="2016-05-01"), row("n", 8.0)]
    with wire.stream() as stream:
        stream.open(skip_learned_dates=True)
        ack = stream.learn(batch(1, rows))
        assert (ack.learned, ack.duplicates, ack.error_count) == (3, 4, 1)
        assert [e.reason for e in ack.errors] == [pb.ERROR_REASON_BAD_DATE]
        ack = stream.learn(batch(2, rows))
        assert (ack.learned, ack.duplicates, ack.error_count) == (0, 7, 1)
    assert targets(wire, "m") == [0.0, 2.0, 5.0]
    assert targets(wire, "n") == [7.0]


def test_dates_that_were_refused_are_not_learned(regression: Wire) -> None:
    """A bad row does not make the good one after it a duplicate."""
    regression.upload("m", Recorder())
    rows = [row("m", math.nan, date="2016-05-01"), row("m", 1.0, date="2016-05-01")]
    with regression.stream() as stream:
        stream.open(skip_learned_dates=True)
        assert stream.learn(batch(1, rows)).learned == 1


def test_a_delayed_label_counts_for_its_date(regression: Wire) -> None:
    """The stored date is the row's: it neither opens a learned date again nor learns it twice."""
    wire = regression
    wire.upload("m", Recorder())
    wire.learn("m", 0.0, date="2016-05-05")
    wire.predict("m", prediction_id="old", date="2016-05-04")
    wire.predict("m", prediction_id="new", date="2016-05-06")
    rows = [
        row("", 1.0, prediction_id="new"),
        row("m", 2.0, date="2016-05-05"),
        row("m", 3.0, date="2016-05-06"),
        row("", 4.0, prediction_id="old"),
    ]
    with wire.stream() as stream:
        stream.open(skip_learned_dates=True)
        ack = stream.learn(batch(1, rows))
    assert (ack.learned, ack.duplicates) == (1, 3)
    assert targets(wire) == [0.0, 1.0]


def test_without_the_option_dates_may_repeat(regression: Wire) -> None:
    """In whatever order."""
    regression.upload("m", Recorder())
    with regression.stream() as stream:
        stream.open()
        rows = [row("m", 1.0, date=d) for d in ("2016-05-02", "2016-05-02", "2016-05-01")]
        assert stream.learn(batch(1, rows)).learned == 3


def test_other_models_answer_while_a_batch_is_learned(regression: Wire) -> None:
    """A Predict waits for a slice, not for the batch."""
    wire = regression
    wire.upload("slow", Slow(0.005))
    wire.upload("m", Constant(1.0))
    with wire.stream() as stream:
        stream.open("s")
        stream.send(batch(1, [row("slow", 1.0)] * 200))
        until(lambda: wire.live("slow").learned > 0)
        for name in ("m", "slow"):
            started = time.monotonic()
            wire.predict(name)
            assert time.monotonic() - started < 0.5
        assert wire.live("slow").learned < 200
        assert stream.ack().learned == 200


def test_a_deleted_model_does_not_break_the_batch_that_teaches_it(regression: Wire) -> None:
    """Its remaining rows are unknown; the others go on."""
    wire = regression
    wire.upload("slow", Slow(0.005))
    wire.upload("m", Recorder())
    with wire.stream() as stream:
        stream.open("s")
        stream.send(batch(1, [row("slow", 1.0), row("m", 1.0)] * 100))
        until(lambda: wire.live("slow").learned > 0)
        wire.delete("slow")
        ack = stream.ack()
    assert ack.learned + ack.error_count == 200
    assert {e.reason for e in ack.errors} == {pb.ERROR_REASON_UNKNOWN_MODEL}
    assert len(targets(wire)) == 100


def test_oversized_batches_teach_nothing(start_server: StartServer, connect: Connect) -> None:
    """Rows and bytes have limits, which `opened` tells; the largest batch is fine."""
    limits = Limits(batch_rows_max=5)
    wire = connect(start_server(limits=limits, message_bytes_max=10_000))
    wire.upload("m", Recorder())
    for message in (numbered(1, 6), batch(1, [row("m", 1.0, {"a": "x" * 10_000})])):
        with wire.stream() as stream:
            opened = stream.open("s")
            assert (opened.max_batch_rows, opened.max_batch_bytes) == (5, 10_000)
            stream.send(message)
            with refused("BATCH_TOO_LARGE"):
                stream.receive()
    with wire.stream() as stream:
        stream.open("s")
        assert stream.learn(numbered(1, 5)).learned == 5


def test_watermarks_are_kept_for_a_time(start_server: StartServer, connect: Connect) -> None:
    """Then the id may begin again."""
    wire = connect(start_server(limits=Limits(ids_kept_seconds=0.0)))
    wire.upload("m", Recorder())
    with wire.stream() as stream:
        stream.open("s")
        stream.learn(numbered(1))
    with wire.stream() as stream:
        stream.open("other")
    with wire.stream() as stream:
        assert stream.open("s").last_applied_sequence == 0


def test_many_streams_at_once_lose_nothing(regression: Wire) -> None:
    """Each with its own model and its own order."""
    wire = regression
    wire.upload("s*", Recorder(), template=True)

    def teach(name: str) -> None:
        with wire.stream() as stream:
            stream.open(name)
            for n in range(1, 11):
                stream.learn(batch(n, [row(name, 10.0 * n + i) for i in range(10)]))

    threads = [threading.Thread(target=teach, args=[f"s{i}"]) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [10.0 * n + i for n in range(1, 11) for i in range(10)]
    assert [targets(wire, f"s{i}") for i in range(6)] == [expected] * 6


def test_a_stream_without_messages_ends_well(regression: Wire) -> None:
    """Half-closing is no error, before `open` or after."""
    with regression.stream() as stream:
        stream.done()
    with regression.stream() as stream:
        stream.open("s")
        stream.done()
