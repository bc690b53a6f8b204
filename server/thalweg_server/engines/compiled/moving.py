"""Where a candidate goes that its fleet cannot take any further."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg_server.engines.compiled.fleet import Fleet
from thalweg_server.engines.compiled.lowering import Lowering, reason_of
from thalweg_server.engines.compiled.steps.base import Inputs, fits_narrow

MISFIT = "a row had features or values that it does not compile"


def elsewhere(
    lowering: Lowering, estimator: Any, fleet: Fleet, target: float
) -> tuple[int, int] | str:
    """Fleet and row in one with more room or wider numbers; or why River has to run it.

    Args:
        estimator: the candidate, lifted out of `fleet`.
        target: what it is to learn next.
    """
    plan = fleet.plan
    try:
        if plan.full(estimator):
            inputs = Inputs(plan.taken or None, raw=True, text=plan.texts)
            return lowering.lower(estimator, inputs, fleet.context)
        if plan.narrow and np.isfinite(target) and not fits_narrow(target):
            return lowering.widen(estimator, fleet)
    except Exception as error:
        return reason_of(error)
    if plan.coding.dictionary.full:
        return f"{MISFIT}, or one of more texts than a fleet can tell apart"
    return MISFIT
