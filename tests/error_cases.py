"""The table of what the server refuses: one line per mistake a client can make."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grpc import StatusCode as Code
from river import cluster, compose, linear_model, naive_bayes, preprocessing, tree

from tests.estimators import Constant, Panics, RaisesInLearn, RaisesInPredict, linear
from tests.wire import Wire, batch, columns, opening, payload, row
from thalweg.v1 import forecaster_pb2 as pb

DATE = pb.CONTEXT_FIELD_DATE
X = {"a": 1.0, "b": 2}

NOT_HERE = {
    "BAD_TOKEN": "needs a server with tokens: tests/callers walks every rpc",
    "ROLE_MISSING": "likewise",
    "UNSPECIFIED": "never sent",
    "STORAGE_FAILED": "it ends the server: tests/crash provokes it",
    "PAYLOAD_REFUSED": "the policy that refuses payloads comes with the security features",
}
"""Reasons that the table leaves out, and why."""


@dataclass(frozen=True)
class Case:
    """One mistake and its answer.

    Args:
        name: what the client did.
        code: the status.
        reason: the ErrorReason without its prefix.
        call: makes the mistake.
        says: texts that the message must hold: the value, and what to do.
        at: the request's field at fault.
        server: the fixture to talk to.
        metadata: facts in ErrorInfo.
        changes: whether the contract lets the state change.
    """

    name: str
    code: Code
    reason: str
    call: Callable[[Wire], Any]
    says: tuple[str, ...] = ()
    at: str = ""
    server: str = "regression"
    metadata: dict[str, str] = field(default_factory=dict)
    changes: bool = False


def prepare(wire: Wire) -> None:
    """Give a server the model "m", used and pending ids, and a stream with one batch."""
    flavor = wire.init().flavor
    made, target = {
        pb.FLAVOR_REGRESSION: (linear, 1.5),
        pb.FLAVOR_BINARY: (linear_model.LogisticRegression, True),
        pb.FLAVOR_MULTICLASS: (naive_bayes.GaussianNB, "red"),
    }[flavor]
    wire.upload("m", made())
    for i in range(3):
        wire.learn("m", target, {"a": 0.5 * i, "b": i}, date=f"2016-05-0{i + 1}")
    wire.predict("m", X, prediction_id="pending", date="2016-05-09")
    wire.predict("m", X, prediction_id="used")
    wire.learn("m", target, prediction_id="used", request_id="done")


def with_estimator(estimator: Any, call: Callable[[Wire], Any]) -> Callable[[Wire], Any]:
    """Upload an estimator as model "e", then make the mistake."""

    def run(wire: Wire) -> None:
        wire.upload("e", estimator)
        call(wire)

    return run


def in_stream(*messages: pb.StreamLearnRequest) -> Callable[[Wire], Any]:
    """Send messages down one stream and read to its end."""

    def run(wire: Wire) -> None:
        with wire.stream() as stream:
            stream.send(*messages)
            while True:
                stream.receive()

    return run


def fenced(wire: Wire) -> None:
    """Open a stream a second time and go on with the first."""
    with wire.stream() as first, wire.stream() as second:
        first.open("s")
        second.open("s")
        first.receive()


def at_limit(uploads: list[str], then: str) -> Callable[[Wire], Any]:
    """Upload until a limit is reached; names are "model/candidate"."""

    def run(wire: Wire) -> None:
        for each in [*uploads, then]:
            model, _, candidate = each.partition("/")
            wire.upload(model, Constant(), candidate)

    return run


def horizon(**fields: Any) -> Callable[[Wire], Any]:
    """Ask model "m" for a forecast."""
    return lambda w: w.predict("m", X, **fields)


def uploads(estimator: Any, **fields: Any) -> Callable[[Wire], Any]:
    """Upload to model "new"."""
    return lambda w: w.upload("new", estimator, **fields)


def teaches(target: Any, x: Any = X, **fields: Any) -> Callable[[Wire], Any]:
    """Teach model "m"."""
    return lambda w: w.learn("m", target, x, **fields)


def asks(x: Any = X, **fields: Any) -> Callable[[Wire], Any]:
    """Ask model "m"."""
    return lambda w: w.predict("m", x, **fields)


def bad(reason: str, name: str, call: Any, *says: str, at: str = "", **more: Any) -> Case:
    """Return a case whose status is INVALID_ARGUMENT."""
    return Case(name, Code.INVALID_ARGUMENT, reason, call, says, at, **more)


def missing(reason: str, name: str, call: Any, *says: str, at: str) -> Case:
    """Return a case whose status is NOT_FOUND."""
    return Case(name, Code.NOT_FOUND, reason, call, says, at)


def failed(reason: str, name: str, call: Any, *says: str, at: str = "", **more: Any) -> Case:
    """Return a case whose status is FAILED_PRECONDITION."""
    return Case(name, Code.FAILED_PRECONDITION, reason, call, says, at, **more)


def exhausted(reason: str, name: str, call: Any, *says: str, **more: Any) -> Case:
    """Return a case whose status is RESOURCE_EXHAUSTED."""
    return Case(name, Code.RESOURCE_EXHAUSTED, reason, call, says, **more)


ONE = columns(1, models=["m"], target=[1.0])
CONSUMED: dict[str, Any] = {"metadata": {"consumed": "true"}, "changes": True}

CASES = [
    # --- names that lead nowhere
    missing("UNKNOWN_MODEL", "predict", lambda w: w.predict("nix"), "'nix'", "upload", at="model"),
    missing("UNKNOWN_MODEL", "learn", lambda w: w.learn("nix", 1.0), "'nix'", "upload", at="model"),
    missing("UNKNOWN_MODEL", "get", lambda w: w.get("nix"), "'nix'", at="model"),
    missing("UNKNOWN_MODEL", "delete", lambda w: w.delete("nix"), "'nix'", at="model"),
    missing("UNKNOWN_MODEL", "download", lambda w: w.download("nix"), "'nix'", at="model"),
    missing(
        "UNKNOWN_MODEL", "template", lambda w: w.get("m", template=True), "template 'm'", at="model"
    ),
    missing(
        "UNKNOWN_MODEL",
        "watch",
        lambda w: next(w.stub.WatchScores(pb.WatchScoresRequest(models=["m", "nix"]))),
        "'nix'",
        at="model",
    ),
    missing(
        "UNKNOWN_CANDIDATE",
        "predict",
        asks(candidate="nix"),
        "'nix'",
        "it has default",
        at="candidate",
    ),
    missing("UNKNOWN_CANDIDATE", "delete", lambda w: w.delete("m", "nix"), "'nix'", at="candidate"),
    missing(
        "UNKNOWN_CANDIDATE", "download", lambda w: w.download("m", "nix"), "'nix'", at="candidate"
    ),
    missing(
        "UNKNOWN_PREDICTION",
        "learn",
        teaches(1.0, prediction_id="never"),
        "'never'",
        at="prediction_id",
    ),
    # --- the server's flavor
    failed(
        "NOT_INITIALISED", "before Init", lambda w: w.predict("m"), "Init", server="uninitialised"
    ),
    failed(
        "FLAVOR_CONFLICT",
        "models",
        lambda w: w.init(pb.FLAVOR_BINARY),
        "regression",
        "reset",
        at="flavor",
    ),
    # --- estimators that fail
    failed(
        "ESTIMATOR_FAILED",
        "in predict",
        with_estimator(RaisesInPredict(), lambda w: w.predict("e")),
        "default: ValueError: no answer from me",
        changes=True,
    ),
    failed(
        "ESTIMATOR_FAILED",
        "in learn",
        with_estimator(RaisesInLearn(), lambda w: w.learn("e", 1.0)),
        "KeyError: 'nothing learned'",
        "used up",
        **CONSUMED,
    ),
    failed(
        "ESTIMATOR_FAILED",
        "in learn's predict",
        with_estimator(RaisesInPredict(), lambda w: w.learn("e", 1.0)),
        "ValueError: no answer",
        **CONSUMED,
    ),
    failed(
        "ESTIMATOR_FAILED",
        "no Exception",
        with_estimator(Panics(), lambda w: w.learn("e", 1.0)),
        "SystemExit: panic",
        **CONSUMED,
    ),
    # --- streams
    failed("STREAM_NOT_OPEN", "batch first", in_stream(ONE), "first message", "open", at="open"),
    failed(
        "SEQUENCE_GAP",
        "a batch left out",
        in_stream(
            opening("s"),
            columns(1, models=["m"], target=[1.0]),
            columns(3, models=["m"], target=[1]),
        ),
        "batch 3",
        "2 was expected",
        at="sequence",
        metadata={"expected": "2"},
        changes=True,
    ),
    failed(
        "SEQUENCE_GAP",
        "sequence 0",
        in_stream(opening("s"), columns(0, models=["m"], target=[1.0])),
        "batch 0",
        "1 was expected",
        at="sequence",
        metadata={"expected": "1"},
        changes=True,
    ),
    failed(
        "SEQUENCE_GAP",
        "anonymous",
        in_stream(opening(), columns(2, models=["m"], target=[1.0])),
        "1 was expected",
        at="sequence",
        metadata={"expected": "1"},
    ),
    Case(
        "a newer stream",
        Code.ABORTED,
        "STREAM_FENCED",
        fenced,
        ("'s'", "do not reconnect"),
        changes=True,
    ),
    exhausted(
        "BATCH_TOO_LARGE",
        "rows",
        in_stream(opening(), columns(1, models=["m"], model_index=[0] * 9, target=[1.0] * 9)),
        "9 rows",
        "at most 8",
        server="small",
    ),
    exhausted(
        "BATCH_TOO_LARGE",
        "bytes",
        in_stream(opening(), batch(1, [row("m", 1.0, {"a": "x" * 70_000})])),
        "at most 65536",
        server="small",
    ),
    bad("BAD_REQUEST", "an empty batch", in_stream(opening(), batch(1, [])), "empty", at="body"),
    bad(
        "BAD_REQUEST",
        "no body",
        in_stream(opening(), pb.StreamLearnRequest(sequence=1)),
        "empty",
        at="body",
    ),
    bad("BAD_REQUEST", "open twice", in_stream(opening(), opening()), "once", at="open"),
    bad(
        "BAD_REQUEST",
        "columns without rows",
        in_stream(opening(), columns(1, models=["m"])),
        "empty",
    ),
    bad(
        "BAD_REQUEST",
        "models of another length",
        in_stream(opening(), columns(1, models=["m", "m"], target=[1.0])),
        "2 models for 1",
        at="columns",
    ),
    bad(
        "BAD_REQUEST",
        "index of another length",
        in_stream(opening(), columns(1, models=["m"], model_index=[0], target=[1.0, 2.0])),
        "1 models for 2",
        at="columns",
    ),
    bad(
        "BAD_REQUEST",
        "dates of another length",
        in_stream(opening(), columns(1, models=["m"] * 3, date_days=[1, 2], target=[1.0] * 3)),
        "2 date_days for 3",
        at="columns",
    ),
    bad(
        "BAD_REQUEST",
        "a feature of another length",
        in_stream(
            opening(), columns(1, models=["m"] * 3, target=[1.0] * 3, features={"a": [1.0, 2.0]})
        ),
        "'a' has 2 values for 3",
        at="columns",
    ),
    bad(
        "BAD_REQUEST",
        "a feature without values",
        in_stream(opening(), columns(1, models=["m"] * 3, target=[1.0] * 3, features={"a": []})),
        "'a' has 0 values",
        at="columns",
    ),
    bad(
        "BAD_REQUEST",
        "two kinds of target",
        in_stream(opening(), columns(1, models=["m"], target=[1.0], target_text=["a"])),
        "target_text",
        at="columns",
    ),
    bad(
        "BAD_REQUEST",
        "a long stream_id",
        in_stream(opening("s" * 257)),
        "at most 256",
        at="open.stream_id",
    ),
    # --- payloads
    bad("BAD_PAYLOAD", "text", uploads(b"no dill"), "7 bytes", "dill.dumps", at="payload"),
    bad("BAD_PAYLOAD", "nothing", uploads(b""), "0 bytes", at="payload"),
    bad("BAD_PAYLOAD", "half", uploads(payload(linear())[:-50]), "dill.dumps", at="payload"),
    bad(
        "NOT_AN_ESTIMATOR",
        "a class",
        uploads(linear_model.LinearRegression),
        "class LinearRegression",
        "instance",
        at="payload",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a clusterer",
        uploads(cluster.KMeans()),
        "KMeans",
        "regression",
        at="payload",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a transformer",
        uploads(preprocessing.StandardScaler()),
        "StandardScaler",
        "upload a regressor",
        at="payload",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a pipeline of transformers",
        uploads(preprocessing.StandardScaler() | preprocessing.MinMaxScaler()),
        "MinMaxScaler",
        at="payload",
    ),
    bad("NOT_AN_ESTIMATOR", "a dict", uploads({"a": 1}), "a dict", "learn_one", at="payload"),
    bad("NOT_AN_ESTIMATOR", "None", uploads(None), "NoneType", at="payload"),
    bad(
        "NOT_AN_ESTIMATOR",
        "an empty pipeline",
        uploads(compose.Pipeline()),
        "an empty pipeline",
        at="payload",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a classifier",
        uploads(naive_bayes.GaussianNB()),
        "a classifier (GaussianNB)",
        "regression",
        at="payload",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a classifier in a pipeline",
        uploads(preprocessing.StandardScaler() | linear_model.LogisticRegression()),
        "a classifier of two classes (LogisticRegression)",
        at="payload",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a regressor",
        uploads(linear()),
        "a regressor (LinearRegression)",
        "multiclass",
        at="payload",
        server="multiclass",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a binary classifier for many classes",
        uploads(preprocessing.StandardScaler() | linear_model.LogisticRegression()),
        "of two classes",
        "multiclass",
        at="payload",
        server="multiclass",
    ),
    bad(
        "NOT_AN_ESTIMATOR",
        "a regressor for two classes",
        uploads(tree.HoeffdingTreeRegressor()),
        "a regressor (HoeffdingTreeRegressor)",
        "binary",
        at="payload",
        server="binary",
    ),
    Case(
        "another checksum",
        Code.DATA_LOSS,
        "CHECKSUM_MISMATCH",
        uploads(linear(), sha256=b"\x00" * 32),
        ("SHA-256", "again"),
        "payload",
    ),
    Case(
        "an empty checksum",
        Code.DATA_LOSS,
        "CHECKSUM_MISMATCH",
        uploads(linear(), sha256=b""),
        ("SHA-256",),
        "payload",
    ),
    Case(
        "without replace",
        Code.ALREADY_EXISTS,
        "CANDIDATE_EXISTS",
        lambda w: w.upload("m", Constant()),
        ("'m'", "'default'", "replace"),
        "candidate",
    ),
    bad(
        "BAD_REQUEST",
        "apply_to_existing alone",
        uploads(linear(), apply_to_existing=True),
        "template",
        at="apply_to_existing",
    ),
    bad("BAD_REQUEST", "no such context", uploads(linear(), context=[7]), "7", at="context"),
    bad("BAD_REQUEST", "context unspecified", uploads(linear(), context=[0]), "0", at="context"),
    exhausted(
        "LIMIT_REACHED",
        "candidates",
        at_limit(["m/b"], "m/c"),
        "'m'",
        "delete one",
        server="small",
        changes=True,
    ),
    exhausted(
        "LIMIT_REACHED",
        "models",
        at_limit(["n", "o"], "p"),
        "delete some",
        server="small",
        changes=True,
    ),
    # --- names
    bad("BAD_NAME", "upload nothing", lambda w: w.upload("", linear()), "empty", at="model"),
    bad("BAD_NAME", "upload *", lambda w: w.upload("a*", linear()), "'a*'", "template", at="model"),
    bad("BAD_NAME", "upload ?", lambda w: w.upload("a?", linear()), "'a?'", at="model"),
    bad(
        "BAD_NAME",
        "1 KB",
        lambda w: w.upload("ä" * 512, linear()),
        "1024 bytes",
        "at most 256",
        at="model",
    ),
    bad("BAD_NAME", "257 bytes", lambda w: w.upload("a" * 257, linear()), "257 bytes", at="model"),
    bad(
        "BAD_NAME",
        "1 KB glob",
        lambda w: w.upload("*" * 1024, linear(), template=True),
        "1024 bytes",
        at="model",
    ),
    bad("BAD_NAME", "candidate *", lambda w: w.upload("m", linear(), "*"), "'*'", at="candidate"),
    bad("BAD_NAME", "learn nothing", lambda w: w.learn("", 1.0), "empty", at="model"),
    bad("BAD_NAME", "learn 1 KB", lambda w: w.learn("😀" * 256, 1.0), "1024 bytes", at="model"),
    bad("BAD_NAME", "learn *", lambda w: w.learn("*", 1.0), "'*'", at="model"),
    bad("BAD_NAME", "predict nothing", lambda w: w.predict(""), "empty", at="model"),
    bad("BAD_NAME", "predict *", lambda w: w.predict("m*"), "'m*'", at="model"),
    # --- dates
    bad(
        "BAD_DATE",
        "30 February",
        teaches(1.0, date="2016-02-30"),
        "'2016-02-30'",
        "YYYY-MM-DD",
        at="date",
    ),
    bad("BAD_DATE", "without dashes", teaches(1.0, date="20160201"), "'20160201'", at="date"),
    bad("BAD_DATE", "a week", asks(date="2016-W05-1"), "'2016-W05-1'", at="date"),
    bad("BAD_DATE", "with time", asks(date="2016-02-01T00:00"), "2016-02-01T00:00", at="date"),
    bad(
        "BAD_DATE",
        "many",
        lambda w: w.predict_many(glob="*", date="2016-02-30"),
        "'2016-02-30'",
        at="date",
    ),
    bad("BAD_DATE", "a horizon beyond 9999", horizon(date="9999-12-30", horizon=3), "9999"),
    # --- targets
    bad("BAD_TARGET", "none", teaches(None), "missing", at="target"),
    bad("BAD_TARGET", "NaN", teaches(math.nan), "nan", "finite", at="target"),
    bad("BAD_TARGET", "infinity", teaches(math.inf), "inf", at="target"),
    bad("BAD_TARGET", "minus infinity", teaches(-math.inf), "-inf", at="target"),
    bad("BAD_TARGET", "too large", teaches(1.1e15), "1100000000000000.0", "1e+15", at="target"),
    bad("BAD_TARGET", "too large an int", teaches(2**62), "1e+15", at="target"),
    bad("BAD_TARGET", "text", teaches("three"), "'three'", "numbers", at="target"),
    bad(
        "BAD_TARGET",
        "by prediction_id",
        teaches(math.nan, None, prediction_id="pending"),
        "nan",
        at="target",
    ),
    bad(
        "BAD_TARGET", "2 as a flag", teaches(2), "2", "true and false", at="target", server="binary"
    ),
    bad("BAD_TARGET", "half a flag", teaches(0.5), "0.5", at="target", server="binary"),
    bad("BAD_TARGET", "NaN as a flag", teaches(math.nan), "nan", at="target", server="binary"),
    bad("BAD_TARGET", "a text as a flag", teaches("true"), "'true'", at="target", server="binary"),
    bad("BAD_TARGET", "a float class", teaches(1.0), "1.0", at="target", server="multiclass"),
    bad(
        "BAD_TARGET",
        "a class of another kind",
        teaches(7),
        "7",
        "str",
        at="target",
        server="multiclass",
    ),
    bad(
        "BAD_TARGET", "a flag among texts", teaches(True), "True", at="target", server="multiclass"
    ),
    # --- features
    bad("BAD_FEATURE", "NaN", teaches(1.0, {"b": math.nan}), "'b'", "nan", "finite", at="features"),
    bad("BAD_FEATURE", "infinity", teaches(1.0, {"b": -math.inf}), "-inf", at="features"),
    bad("BAD_FEATURE", "too large", teaches(1.0, {"b": 1e16}), "1e+16", "1e+15", at="features"),
    bad("BAD_FEATURE", "too large an int", teaches(1.0, {"b": -(2**60)}), "'b'", at="features"),
    bad("BAD_FEATURE", "predict", asks({"b": math.nan}), "'b'", at="features"),
    bad(
        "BAD_FEATURE",
        "predict for later",
        asks({"b": math.nan}, prediction_id="p"),
        "'b'",
        at="features",
    ),
    bad(
        "BAD_FEATURE",
        "many",
        lambda w: w.predict_many(models=["m"], features={"b": [math.inf]}),
        "'b'",
        at="features",
    ),
    # --- fields that do not go together
    bad(
        "BAD_REQUEST",
        "text and features",
        lambda w: w.learn("m", 1.0, X, text="t"),
        "text",
        at="text",
    ),
    bad(
        "BAD_REQUEST",
        "text and features asked",
        lambda w: w.predict("m", X, text=""),
        "text",
        at="text",
    ),
    bad("BAD_REQUEST", "horizon without date", horizon(horizon=2), "date", at="date"),
    bad(
        "BAD_REQUEST",
        "a long horizon",
        horizon(horizon=367, date="2016-05-23"),
        "367",
        "at most 366",
        at="horizon",
    ),
    bad(
        "BAD_REQUEST",
        "horizon for later",
        horizon(horizon=2, date="2016-05-23", prediction_id="p"),
        "prediction_id",
        at="horizon",
    ),
    bad(
        "BAD_REQUEST",
        "horizon of a class",
        horizon(horizon=2, date="2016-05-23"),
        "regression",
        at="horizon",
        server="binary",
    ),
    bad(
        "BAD_REQUEST",
        "horizon of many classes",
        lambda w: w.predict_many(models=["m"], horizon=2, date="2016-05-23"),
        "regression",
        at="horizon",
        server="binary",
    ),
    bad(
        "BAD_REQUEST",
        "many horizons without date",
        lambda w: w.predict_many(models=["m"], horizon=2),
        "date",
        at="date",
    ),
    bad(
        "BAD_REQUEST",
        "many of several classes",
        lambda w: w.predict_many(models=["m"]),
        "Predict",
        server="multiclass",
    ),
    bad(
        "BAD_REQUEST",
        "many by name and glob",
        lambda w: w.predict_many(models=["m"], glob="*"),
        "glob",
        at="glob",
    ),
    bad(
        "BAD_REQUEST",
        "many with a column too short",
        lambda w: w.predict_many(models=["m"] * 3, features={"a": [1.0, 2.0]}),
        "'a' has 2 values for 3",
    ),
    bad(
        "BAD_REQUEST",
        "many by glob with a value each",
        lambda w: w.predict_many(glob="*", features={"a": [1.0, 2.0]}),
        "glob",
        at="features",
    ),
    bad(
        "BAD_REQUEST",
        "watch by name and glob",
        lambda w: next(w.stub.WatchScores(pb.WatchScoresRequest(models=["m"], glob="*"))),
        "glob",
        at="glob",
    ),
    bad(
        "BAD_REQUEST",
        "no date in context, learn",
        lambda w: (w.upload("c", Constant(), context=[DATE]), w.learn("c", 1.0)),
        "'c'",
        "date",
        at="date",
        changes=True,
    ),
    bad(
        "BAD_REQUEST",
        "no date in context, predict",
        lambda w: (w.upload("c", Constant(), context=[DATE]), w.predict("c")),
        "'c'",
        "date",
        at="date",
        changes=True,
    ),
    bad(
        "BAD_REQUEST",
        "no date for a sibling asked too",
        lambda w: (
            w.upload("c", Constant(), "one"),
            w.upload("c", Constant(), "two", context=[DATE]),
            w.predict("c", candidate="one", all_candidates=True),
        ),
        "date",
        at="date",
        changes=True,
    ),
    bad(
        "BAD_REQUEST",
        "another model by id",
        lambda w: w.learn("other", 1.0, prediction_id="pending"),
        "'other'",
        "'m'",
        at="model",
    ),
    bad(
        "BAD_REQUEST",
        "another date by id",
        teaches(1.0, None, prediction_id="pending", date="2016-05-10"),
        "'2016-05-10'",
        "'2016-05-09'",
        at="date",
    ),
    bad(
        "BAD_REQUEST",
        "other features by id",
        teaches(1.0, {"a": 2.0, "b": 2}, prediction_id="pending"),
        "unchanged",
        at="features",
    ),
    bad(
        "BAD_REQUEST",
        "a long request_id",
        teaches(1.0, request_id="r" * 257),
        "at most 256",
        at="request_id",
    ),
    bad(
        "BAD_REQUEST",
        "a long prediction_id",
        asks(prediction_id="p" * 257),
        "at most 256",
        at="prediction_id",
    ),
    bad("BAD_REQUEST", "no such flavor", lambda w: w.init(9), "9", at="flavor"),
    bad(
        "BAD_REQUEST",
        "no such order",
        lambda w: w.list(order_by="age"),
        "'age'",
        "learned",
        at="order_by",
    ),
    bad(
        "BAD_REQUEST",
        "a strange direction",
        lambda w: w.list(order_by="mae down"),
        "'mae down'",
        at="order_by",
    ),
    bad(
        "BAD_REQUEST",
        "a token of someone else",
        lambda w: w.list(page_token="nonsense"),
        "begin",
        at="page_token",
    ),
    bad(
        "BAD_REQUEST",
        "a token of no text",
        lambda w: w.list(page_token="öööö"),
        "begin",
        at="page_token",
    ),
    Case(
        "an id learned from",
        Code.ALREADY_EXISTS,
        "PREDICTION_USED",
        asks(prediction_id="used"),
        ("'used'", "new one"),
        "prediction_id",
    ),
]
