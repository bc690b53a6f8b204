"""What an uploaded object is: whether it is an estimator of the server's flavor, and which."""

from __future__ import annotations

from typing import Any

import numpy as np
from river import base, compose

from thalweg_server.core.errors import NotAnEstimator
from thalweg_server.core.observation import Flavor

_CLASS_HOLDERS = ("classes", "class_counts", "code_book", "classifiers")
"""Attributes under which River's classifiers keep the labels they have learned; the first one
that a classifier has. (What has a `code_book` keeps something else under `classifiers`.)"""


LABEL_KINDS = frozenset({str, int, bool})
"""Types that class labels can have in the contract."""


def plain(label: Any) -> Any:
    """A class label as a plain Python value: NumPy's scalars are not what was learned."""
    return label.item() if isinstance(label, np.generic) else label


def final_step(estimator: Any) -> Any:
    """The last step of a pipeline, else the estimator itself."""
    while isinstance(estimator, compose.Pipeline) and len(estimator):
        estimator = estimator._last_step
    return estimator


def check_kind(estimator: Any, flavor: Flavor) -> None:
    """Raises NotAnEstimator, naming kind and flavor, unless the flavor can use the estimator.

    River's own classes are told by `isinstance` of Regressor and Classifier, which sees through
    pipelines and wrappers. Others are taken by the methods of their final step, because every
    pipeline has every method.
    """
    final = final_step(estimator)
    if isinstance(final, type):
        raise NotAnEstimator(
            f"the payload is the class {final.__name__}, not an instance of it: upload "
            f"{final.__name__}(…)",
            field="payload",
        )
    if not _fits(estimator, final, flavor):
        raise NotAnEstimator(
            f"the payload is {_kind(estimator, final)}, and this server's flavor is "
            f"{flavor.value}: upload {_WANTED[flavor]}",
            field="payload",
        )


def known_classes(estimator: Any) -> frozenset[type]:
    """Types of the labels that a trained classifier knows; empty where it keeps none in reach."""
    final = final_step(estimator)
    for holder in _CLASS_HOLDERS:
        labels = getattr(final, holder, None)
        if isinstance(labels, dict | set | list | tuple):
            return frozenset(type(plain(label)) for label in labels) & LABEL_KINDS
    return frozenset()


_WANTED = {
    Flavor.REGRESSION: "a regressor, with learn_one and predict_one",
    Flavor.BINARY: "a classifier, with learn_one and predict_one",
    Flavor.MULTICLASS: "a classifier of several classes, with learn_one and predict_one",
}


def _fits(estimator: Any, final: Any, flavor: Flavor) -> bool:
    if isinstance(final, compose.Pipeline):  # an empty one: `isinstance` would raise
        return False
    if not isinstance(final, base.Base):
        return callable(getattr(final, "learn_one", None)) and callable(
            getattr(final, "predict_one", None)
        )
    if flavor is Flavor.REGRESSION:
        return isinstance(estimator, base.Regressor)
    is_classifier = isinstance(estimator, base.Classifier)
    return is_classifier and (flavor is Flavor.BINARY or bool(estimator._multiclass))


def _kind(estimator: Any, final: Any) -> str:
    name = type(final).__name__
    if isinstance(final, compose.Pipeline):
        return "an empty pipeline"
    if isinstance(estimator, base.Regressor):
        return f"a regressor ({name})"
    if isinstance(estimator, base.Classifier):
        several = "" if estimator._multiclass else " of two classes"
        return f"a classifier{several} ({name})"
    if isinstance(final, base.Base):
        return f"River's {name}, neither regressor nor classifier"
    return f"a {name}, without learn_one and predict_one"
