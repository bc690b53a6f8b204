"""Functions and class-valued factories that an upload may name, each one by one.

All of them are harmless with whatever arguments a payload or a row brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "builtins": "max min str.lower",
        "math": "exp expm1 log log10 log1p log2 sqrt",
        "numpy": "exp expm1 log log10 log1p log2 sqrt",
        "river._river_rust.vectordict": "euclidean_distance_dict euclidean_distance_tuple",
        "river.bandit.thompson": "ThompsonSampling._clone_reward_obj_with_seed",
        "river.base.base": "Base.clone",
        "river.drift.dummy": (
            "DummyDriftDetector._fixed_trigger DummyDriftDetector._random_trigger"
        ),
        "river.drift.page_hinkley": (
            "PageHinkley._test_both PageHinkley._test_decrease PageHinkley._test_increase"
        ),
        "river.ensemble.bagging": (
            "LeveragingBaggingClassifier._leveraging_bag "
            "LeveragingBaggingClassifier._leveraging_bag_half "
            "LeveragingBaggingClassifier._leveraging_bag_me "
            "LeveragingBaggingClassifier._leveraging_bag_wt "
            "LeveragingBaggingClassifier._leveraging_subag"
        ),
        "river.feature_extraction.kernel_approx": "RBFSampler._random_weights",
        "river.feature_extraction.vectorize": (
            "find_all_ngrams remove_stop_words strip_accents_unicode tokenize_using_regex_pattern"
        ),
        "river.forest.online_extra_trees": (
            "ExtraTrees._detection_mode_all ExtraTrees._detection_mode_drop "
            "ExtraTrees._detection_mode_off"
        ),
        "river.linear_model.pa": (
            "BasePA._calc_tau_1 BasePA._calc_tau_2 PAClassifier._calc_tau_0 PARegressor._calc_tau_0"
        ),
        "river.metrics.mutual_info": "_average_arithmetic _average_geometric",
        "river.multiclass.occ": "OutputCodeClassifier._next_code",
        "river.naive_bayes.gaussian": "GaussianNB._make_gaussian",
        "river.preprocessing.random_projection": (
            "GaussianRandomProjector._rand_gauss SparseRandomProjector._rand_weights_for_feature"
        ),
        "river.preprocessing.scale_target": (
            "TargetMinMaxScaler._scale TargetMinMaxScaler._unscale "
            "TargetStandardScaler._scale TargetStandardScaler._unscale"
        ),
        "river.tree.splitter.ebst_splitter": (
            "EBSTNode._update_estimator_multivariate EBSTNode._update_estimator_univariate"
        ),
        "river.tree.splitter.nominal_splitter_reg": (
            "NominalSplitterReg._update_estimator_multivariate "
            "NominalSplitterReg._update_estimator_univariate"
        ),
        "river.tree.splitter.qo_splitter": (
            "Slot._update_estimator_multivariate Slot._update_estimator_univariate"
        ),
        "river.utils.math": "minkowski_distance",
        "thalweg.features": "calendar day_of_month month weekday",
    }
)
"""Module to functions of it, methods by their dotted names."""

FACTORIES: Mapping[str, str] = MappingProxyType(
    {
        "river.linear_model.bayesian_lin_reg": "BayesianLinearRegression",
        "river.proba.beta": "Beta",
        "river.sketch.histogram": "Histogram",
        "river.stats.ewmean": "EWMean",
        "river.stats.ewvar": "EWVar",
        "river.stats.iqr": "IQR",
        "river.stats.maximum": "Max AbsMax RollingMax RollingAbsMax",
        "river.stats.mean": "Mean",
        "river.stats.minimum": "Min RollingMin",
        "river.stats.quantile": "Quantile",
        "river.stats.var": "Var",
        "river.utils.rolling": "Rolling",
    }
)
"""Module to classes that a defaultdict or a partial may call: with numbers, or without."""

VALUES: Mapping[str, str] = MappingProxyType(
    {"river.ensemble.streaming_random_patches": "BaseSRPClassifier BaseSRPRegressor"}
)
"""Module to classes that estimators keep among their attributes."""

CLASSES: Mapping[str, str] = MappingProxyType({"thalweg.m5.features": "RollingMeans"})
"""Module to classes that Thalweg ships."""

NAMED_TUPLES: Mapping[str, str] = MappingProxyType({"river.imblearn.hard_sampling": "Triplet"})
"""Module to classes that are made of a tuple."""
