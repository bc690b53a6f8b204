"""Estimators as dill bytes."""

from __future__ import annotations

from typing import Any

import dill

from thalweg_server.core.errors import EstimatorFailed
from thalweg_server.engines.texts import text_of


def serialise(estimator: Any) -> bytes:
    """An estimator as dill bytes; raises EstimatorFailed."""
    try:
        payload: bytes = dill.dumps(estimator, recurse=True)
    except BaseException as error:
        text = text_of(error)
        raise EstimatorFailed(f"the estimator cannot be serialised: {text}") from error
    return payload
