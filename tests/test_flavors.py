"""The three flavors, against the same estimators in a River loop on River's own data."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from river import (
    compose,
    datasets,
    ensemble,
    linear_model,
    metrics,
    multiclass,
    naive_bayes,
    neighbors,
    preprocessing,
    tree,
)

from tests.estimators import Labeller, Proba
from tests.structure import difference
from tests.wire import Wire, refused

ROWS = 200


def rows(dataset: Any) -> list[tuple[dict[str, Any], Any]]:
    """Return the first rows, keys in order of their names, without what is no feature."""
    return [
        ({k: v for k, v in sorted(x.items()) if isinstance(v, float | int)}, y)
        for x, y in itertools.islice(dataset, ROWS)
    ]


REGRESSORS = {
    "linear": lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(),
    "knn": lambda: (
        preprocessing.MinMaxScaler()
        | neighbors.KNNRegressor(5, engine=neighbors.LazySearch(window_size=30))
    ),
    "tree": lambda: tree.HoeffdingAdaptiveTreeRegressor(grace_period=20, seed=1),
    "bagging": lambda: ensemble.BaggingRegressor(linear_model.LinearRegression(), 2, seed=1),
}


@pytest.mark.parametrize("make", REGRESSORS.values(), ids=REGRESSORS)
def test_regression_equals_a_river_loop(make: Any, regression: Wire) -> None:
    """Predictions, MAE, RMSE and the estimator itself, on TrumpApproval."""
    loop, mae, rmse = make(), metrics.MAE(), metrics.RMSE()
    regression.upload("m", loop)
    for x, y in rows(datasets.TrumpApproval()):
        asked = regression.predict("m", x)  # must leave no trace
        answer = loop.predict_one(x)
        mae.update(y, answer)
        rmse.update(y, answer)
        loop.learn_one(x, y)
        response = regression.learn("m", y, x)
        assert response.candidates[0].prediction.value == answer == asked.prediction.value
    score = response.scores[0]
    assert (score.mae, score.rmse, score.count) == (mae.get(), rmse.get(), ROWS)
    # A lowered candidate keeps every number in eight bytes of float.
    assert not difference(loop, regression.estimator("m"), whole_numbers=False)


CLASSIFIERS = {
    "logistic": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "tree": lambda: tree.HoeffdingTreeClassifier(grace_period=20),
    "bayes": naive_bayes.GaussianNB,
    "boosting": lambda: ensemble.ADWINBoostingClassifier(naive_bayes.GaussianNB(), 2, seed=1),
    "perceptron": lambda: preprocessing.StandardScaler() | linear_model.PAClassifier(),
}


@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_binary_equals_a_river_loop(make: Any, binary: Wire) -> None:
    """Probabilities, labels, accuracy and log loss, on Phishing."""
    loop, accuracy, entropy = make(), metrics.Accuracy(), metrics.CrossEntropy()
    binary.upload("m", loop)
    for x, y in rows(datasets.Phishing()):
        expected = loop.predict_proba_one(x)
        if expected:
            accuracy.update(y, max(expected, key=expected.get))
            entropy.update(y, expected if y in expected else {y: 1e-15})
        loop.learn_one(x, y)
        response = binary.learn("m", y, x)
        answer = response.candidates[0]
        assert answer.HasField("prediction") == bool(expected)
        if expected:
            given = dict(answer.prediction.probabilities.by_class)
            assert given == {str(label).lower(): p for label, p in expected.items()}
            assert answer.prediction.label == str(max(expected, key=expected.get)).lower()
    score = response.scores[0]
    assert score.accuracy == accuracy.get()
    assert score.log_loss == pytest.approx(entropy.get(), rel=1e-12)
    assert score.count + score.nonfinite == ROWS
    assert not score.HasField("mae")
    assert not difference(loop, binary.estimator("m"), ignoring={"_rng"})


MULTICLASS = {
    "bayes": naive_bayes.GaussianNB,
    "tree": lambda: tree.HoeffdingTreeClassifier(grace_period=20),
    "softmax": lambda: preprocessing.StandardScaler() | linear_model.SoftmaxRegression(),
    "one vs rest": lambda: (
        preprocessing.StandardScaler()
        | multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
    ),
    "one vs one": lambda: (
        preprocessing.StandardScaler()
        | multiclass.OneVsOneClassifier(linear_model.LogisticRegression())
    ),
    "output code": lambda: (
        preprocessing.StandardScaler()
        | multiclass.OutputCodeClassifier(linear_model.LogisticRegression(), 5, seed=1)
    ),
    "voting": lambda: ensemble.VotingClassifier(
        [naive_bayes.GaussianNB(), tree.HoeffdingTreeClassifier(grace_period=20)]
    ),
    "nearest": lambda: neighbors.KNNClassifier(3, engine=neighbors.LazySearch(window_size=30)),
}
WITHOUT_PROBABILITIES = {"one vs one", "output code", "voting"}


@pytest.mark.parametrize("name", MULTICLASS)
def test_multiclass_equals_a_river_loop(name: str, multiclass: Wire) -> None:
    """Labels, probabilities where there are any, and accuracy, on ImageSegments."""
    make: Any = MULTICLASS[name]
    loop, accuracy, entropy = make(), metrics.Accuracy(), metrics.CrossEntropy()
    multiclass.upload("m", loop)
    for x, y in rows(datasets.ImageSegments()):
        label = loop.predict_one(x)
        proba = {} if name in WITHOUT_PROBABILITIES else loop.predict_proba_one(x)
        loop.learn_one(x, y)
        response = multiclass.learn("m", y, x)
        if label is None:
            assert not response.candidates[0].HasField("prediction")
            continue
        accuracy.update(y, label)
        entropy.update(y, proba if y in proba else {y: 1e-15})
        answer = response.candidates[0].prediction
        assert answer.label == label
        # Some sum up over a set, whose order is another in every process.
        expected = pytest.approx(proba or {label: 1.0}, rel=1e-12)
        assert dict(answer.probabilities.by_class) == expected
    score = response.scores[0]
    assert score.accuracy == accuracy.get()
    assert score.HasField("log_loss") == (name not in WITHOUT_PROBABILITIES)
    if score.HasField("log_loss"):
        assert score.log_loss == pytest.approx(entropy.get(), rel=1e-12)
    # OneVsOne goes over a set of labels, whose order is another in every process.
    assert not difference(loop, multiclass.estimator("m"), ignoring={"_rng", "classifiers"})


def test_a_classifier_without_probabilities_answers_its_label_with_one(multiclass: Wire) -> None:
    """It has an accuracy and no log loss."""
    wire = multiclass
    wire.upload("m", Labeller())
    first = wire.learn("m", "a")
    assert not first.candidates[0].HasField("prediction")
    assert first.scores[0].nonfinite == 1
    score = wire.learn("m", "b").scores[0]
    assert (score.accuracy, score.count, score.HasField("log_loss")) == (0.0, 1, False)
    answer = wire.predict("m").prediction
    assert (answer.label, dict(answer.probabilities.by_class)) == ("b", {"b": 1.0})


def test_a_class_that_an_answer_lacks_has_probability_1e_15(multiclass: Wire) -> None:
    """River would score it as perfect."""
    wire = multiclass
    wire.upload("m", Proba())
    score = wire.learn("m", "c", {"a": 0.5, "b": 0.5}).scores[0]
    assert score.log_loss == -math.log(1e-15)
    score = wire.learn("m", "a", {"a": 0.5, "b": 0.5}).scores[0]
    assert score.log_loss == pytest.approx((-math.log(1e-15) - math.log(0.5)) / 2, rel=1e-15)


@pytest.mark.parametrize("x", [{}, {"a": 1e300, "b": 1.0}], ids=["empty", "fine"])
def test_an_empty_answer_is_not_scored(x: dict[str, float], multiclass: Wire) -> None:
    """It counts in `nonfinite` and leaves no prediction; any other is scored."""
    wire = multiclass
    wire.upload("m", Proba())
    response = wire.learn("m", "a", {name: min(p, 1.0) for name, p in x.items()})
    assert response.candidates[0].HasField("prediction") == bool(x)
    assert response.scores[0].nonfinite == (not x)


def test_none_for_probabilities_is_no_error(binary: Wire) -> None:
    """Some classifiers answer None before they know a class."""
    binary.upload("m", Silent())
    response = binary.learn("m", True)
    assert (response.candidates[0].error, response.scores[0].nonfinite) == ("", 1)


class Silent(Proba):
    """Answers nothing."""

    def predict_proba_one(self, x: Any) -> Any:
        """Answer None."""
        return None


def test_a_classifier_that_learned_0_and_1_elsewhere_answers_flags(binary: Wire) -> None:
    """Binary classes are "true" and "false", whatever they were called at home."""
    model = naive_bayes.GaussianNB()
    for i in range(10):
        model.learn_one({"a": float(i)}, i % 2)
    binary.upload("m", model)
    answer = binary.predict("m", {"a": 3.0}).prediction
    assert sorted(answer.probabilities.by_class) == ["false", "true"]
    assert answer.label in ("false", "true")
    assert binary.predict_many(models=["m"], features={"a": [3.0]})[0].means == [
        answer.probabilities.by_class["true"]
    ]


def test_the_known_classes_of_an_upload_fix_the_kind(multiclass: Wire) -> None:
    """A classifier trained on integers refuses texts, and a sibling of another kind."""
    model, texts = naive_bayes.GaussianNB(), naive_bayes.GaussianNB()
    model.learn_one({"a": 1.0}, 7)
    texts.learn_one({"a": 1.0}, "seven")
    multiclass.upload("m", model)
    with refused("BAD_TARGET"):
        multiclass.learn("m", "seven", {"a": 1.0})
    with refused("NOT_AN_ESTIMATOR") as seen:
        multiclass.upload("m", texts, "other")
    assert "int" in seen[0].message
    assert multiclass.predict("m", {"a": 1.0}).prediction.label == "7"
    multiclass.learn("m", 8, {"a": 1.0})


def test_a_mixture_of_known_classes_is_refused(multiclass: Wire) -> None:
    """One model has one kind of classes."""
    model = naive_bayes.GaussianNB()
    model.learn_one({"a": 1.0}, 7)
    model.learn_one({"a": 1.0}, "seven")
    with refused("NOT_AN_ESTIMATOR"):
        multiclass.upload("m", model)


def test_many_answers_of_a_binary_server_are_probabilities_of_true(binary: Wire) -> None:
    """Also in acks; labels without probabilities count as 1 and 0."""
    binary.upload("p", compose.Pipeline(Proba()))
    binary.upload("l", Labeller())
    binary.learn("l", True)
    part = binary.predict_many(models=["p", "l"], features={"true": [0.25], "false": [0.75]})[0]
    assert list(part.means) == [0.25, 1.0]
