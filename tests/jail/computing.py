"""What a jailed process can still do: each gives the same value as outside."""

from __future__ import annotations

import codecs
import copy
import gc
import os
import pickle
import random
import signal
import socket
import statistics
import time
import traceback
import uuid
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import dill
import numpy as np
import scipy.special
import scipy.stats
from river import (
    drift,
    ensemble,
    facto,
    feature_extraction,
    forest,
    linear_model,
    naive_bayes,
    neighbors,
    preprocessing,
    rules,
    stats,
    tree,
)

ROWS = 200

REGRESSORS: dict[str, Callable[[], Any]] = {
    "linear regression": lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(),
    "neighbours": neighbors.KNNRegressor,
    "tree": lambda: tree.HoeffdingTreeRegressor(grace_period=20),
    "forest": lambda: forest.ARFRegressor(n_models=3, seed=1),
    "bagging": lambda: ensemble.BaggingRegressor(linear_model.PARegressor(), n_models=3, seed=1),
    "rules": lambda: rules.AMRules(n_min=20),
    "factorisation": lambda: facto.FMRegressor(seed=1),
    "target means": lambda: (
        feature_extraction.TargetAgg(by=["shop"], how=stats.Mean())
        + feature_extraction.TargetAgg(by=["shop"], how=stats.Var())
        | preprocessing.MinMaxScaler()
        | linear_model.LinearRegression()
    ),
}
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "forest of classes": lambda: forest.ARFClassifier(n_models=3, seed=1),
    "naive Bayes": naive_bayes.GaussianNB,
    "tree of classes": lambda: tree.HoeffdingAdaptiveTreeClassifier(grace_period=20, seed=1),
    "logistic regression": lambda: (
        preprocessing.AdaptiveStandardScaler() | linear_model.LogisticRegression()
    ),
}


def _rows() -> list[tuple[dict[str, float], float]]:
    draw = random.Random(1)
    rows = [
        ({"a": draw.random(), "b": draw.gauss(0, 1), "shop": draw.randrange(5)}, draw.random())
        for _ in range(ROWS)
    ]
    return [(x, 3 * x["a"] - x["b"] + noise) for x, noise in rows]


def _teach(estimator: Any, target: Callable[[float], Any]) -> str:
    """Predicts and learns each row, then goes on with copies of all kinds."""
    answers: list[Any] = []
    rows = _rows()
    for x, y in rows:
        answers.append(estimator.predict_one(x))
        estimator.learn_one(x, target(y))
    for clone in (copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))):
        clone.learn_one(rows[0][0], target(rows[0][1]))
        answers.append(clone.predict_one(rows[1][0]))
    gc.collect()
    return repr(answers)


def _regress(name: str) -> Callable[[Any], str]:
    return lambda _: _teach(REGRESSORS[name](), float)


def _classify(name: str) -> Callable[[Any], str]:
    return lambda _: _teach(CLASSIFIERS[name](), lambda y: y > 1)


def _detect_drift(_: Any) -> str:
    detectors = [drift.ADWIN(), drift.KSWIN(seed=1), drift.PageHinkley()]
    found = []
    for turn in range(600):
        for detector in detectors:
            detector.update(float(turn % 3 + 5 * (turn > 300)))
            found.append(detector.drift_detected)
    return repr(found)


def _by_value(_: Any) -> int:
    scope: dict[str, Any] = {"__name__": "elsewhere"}
    exec("def double(x):\n    return 2 * x", scope)
    return int(dill.loads(dill.dumps(scope["double"], recurse=True))(21))


def _trace(_: Any) -> bool:
    try:
        _ = 1 / (ROWS - ROWS)
    except ZeroDivisionError:
        return "division by zero" in traceback.format_exc()
    return False


def _warn(_: Any) -> int:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("careful", stacklevel=1)
    return len(caught)


def _recurse(_: Any) -> str:
    nested: list[Any] = []
    for _turn in range(100_000):
        nested = [nested]
    try:
        return repr(len(pickle.dumps(nested)))
    except RecursionError:
        return "too deep"


def _sleep(_: Any) -> bool:
    begin = time.perf_counter()
    time.sleep(0.01)
    return time.perf_counter() - begin >= 0.01 and time.process_time() > 0


def _ring(_: Any) -> str:
    """A timer interrupts a loop: a worker's own deadline."""

    def interrupt(number: int, frame: Any) -> None:
        raise TimeoutError("enough")

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    try:
        while True:
            pass
    except TimeoutError as error:
        return str(error)


def _use_link(link: socket.socket) -> str:
    """Everything that may be done with the socket; the warden skips blanks."""
    link.setblocking(False)
    link.settimeout(5)
    link.sendall(b" ")
    os.writev(link.fileno(), [b" ", b" "])
    os.write(link.fileno(), b" ")
    again = socket.socket(fileno=link.fileno())
    told = again.recv(1).decode() + repr(again.type)
    again.detach()
    return told


def _linear_algebra(_: Any) -> str:
    matrix = np.random.default_rng(1).normal(size=(300, 300))
    product = matrix @ matrix.T + np.eye(300)
    parts = (np.linalg.solve(product, matrix[0]), np.linalg.svd(matrix)[1], np.fft.fft(matrix[0]))
    return repr([part.sum() for part in parts]) + f"{np.array2string(product[:2, :2])}"


def _dates(_: Any) -> str:
    day = datetime.strptime("2016-05-22 10:11", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return f"{day:%A %d %B} {day.astimezone():%H:%M} {datetime.fromtimestamp(0)}"


def _texts(_: Any) -> str:
    names = ("idna", "latin1", "utf-16", "punycode", "cp1252", "unicode_escape")
    return repr([codecs.encode("é", name) for name in names]) + "ǅ".casefold()


def _numbers(_: Any) -> str:
    normal = statistics.NormalDist(1, 2).cdf(0.5)
    exact = scipy.stats.chi2.sf(3.0, 2), scipy.special.betainc(1, 2, 0.3)
    return f"{Decimal(2).sqrt()} {normal} {exact} {stats.Quantile(0.5)}"


def _chance(_: Any) -> list[int]:
    random.seed()
    sizes = [
        len(os.urandom(1 << 16)),
        len(str(uuid.uuid4())),
        len(np.random.default_rng().bytes(9)),
    ]
    return [*sizes, 0 <= random.random() < 1]


ATTEMPTS: dict[str, Callable[[Any], Any]] = {
    **{name: _regress(name) for name in REGRESSORS},
    **{name: _classify(name) for name in CLASSIFIERS},
    "drift detectors": _detect_drift,
    "functions by value": _by_value,
    "traces": _trace,
    "warnings": _warn,
    "deep recursion": _recurse,
    "sleep": _sleep,
    "timers": _ring,
    "the link": _use_link,
    "linear algebra": _linear_algebra,
    "dates": _dates,
    "texts": _texts,
    "numbers": _numbers,
    "chance": _chance,
}
