"""Hyper-parameters that are only numbers, and too large: no loader can know, the jail confines.

A loader may refuse them; where it does not, the worker that runs them is bounded.
"""

from __future__ import annotations

from river import facto, feature_extraction, forest, preprocessing

from tests.hostile.assembly import instance, pipeline, regressor, whole
from tests.hostile.attack import Attack, Family

_hyper = Family(technique="hyper-parameters", fires="predict", harm="memory", permitted="safe")

MANY = 10**9

ATTACKS: tuple[Attack, ...] = (
    _hyper("trees", "a forest of 10^9 trees", lambda c: instance(
        forest.ARFRegressor(n_models=1, seed=1), n_models=MANY), harm="hang"),
    _hyper("degree", "polynomials of degree 40 of 2 features", lambda c: pipeline(
        instance(feature_extraction.PolynomialExtender(), degree=MANY), regressor()),
        harm="hang"),
    _hyper("amf_trees", "a Mondrian forest of 10^9 trees", lambda c: instance(
        forest.AMFRegressor(n_estimators=1, seed=1), n_estimators=MANY), fires="learn",
        harm="hang"),
    _hyper("projections", "10^9 random projections", lambda c: pipeline(
        instance(preprocessing.GaussianRandomProjector(seed=1), n_components=MANY), regressor()),
        harm="hang"),
    _hyper("factors", "10^9 factors for each feature", lambda c: whole(
        facto.FMRegressor(seed=1, n_factors=MANY))),
)  # fmt: skip
