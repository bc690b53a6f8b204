"""River's classes whose instances an upload may hold: an exact list, of River 0.26.

Abstract classes are not in it, nor what reads files or the network (`datasets`, `stream`, parts of
`bandit`), nor what no regressor, classifier or transformer keeps. None of their constructors runs
on load; those that run later, when an estimator clones a part, evaluate no text and open nothing.

`tests/uploads/test_table.py` recomputes what trained estimators need.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RIVER_A_TO_N: Mapping[str, str] = MappingProxyType(
    {
        "river.active.entropy": "EntropySampler",
        "river.anomaly.filter": "ThresholdFilter QuantileFilter",
        "river.anomaly.gaussian": "GaussianScorer",
        "river.anomaly.hst": "HalfSpaceTrees",
        "river.anomaly.loda": "LODA",
        "river.anomaly.lof": "LocalOutlierFactor",
        "river.anomaly.pad": "PredictiveAnomalyDetection",
        "river.anomaly.sad": "StandardAbsoluteDeviation",
        "river.anomaly.svm": "OneClassSVM",
        "river.bandit.bayes_ucb": "BayesUCB",
        "river.bandit.epsilon_greedy": "EpsilonGreedy",
        "river.bandit.exp3": "Exp3",
        "river.bandit.lin_ucb": "LinUCBDisjoint",
        "river.bandit.random": "RandomPolicy",
        "river.bandit.thompson": "ThompsonSampling",
        "river.bandit.ucb": "UCB",
        "river.base.base": "Base",
        "river.base.drift_detector": (
            "_BaseDriftDetector _BaseDriftAndWarningDetector DriftDetector DriftAndWarningDetector "
            "BinaryDriftDetector BinaryDriftAndWarningDetector"
        ),
        "river.base.ensemble": "Ensemble WrapperEnsemble",
        "river.base.estimator": "Estimator",
        "river.compose.func": "FuncTransformer",
        "river.compose.grouper": "Grouper",
        "river.compose.pipeline": "Pipeline",
        "river.compose.product": "TransformerProduct",
        "river.compose.renamer": "Renamer Prefixer Suffixer",
        "river.compose.select": "Discard Select SelectType",
        "river.compose.target_transform": "TargetTransformRegressor",
        "river.compose.union": "TransformerUnion",
        "river.conf.interval": "Interval",
        "river.conf.jackknife": "RegressionJackknife",
        "river.covariance.emp": "EmpiricalCovariance EmpiricalPrecision",
        "river.covariance.ewa": (
            "_EWMatrix _EWCovariance EwaCovariance LedoitWolfCovariance OASCovariance "
            "ShrunkCovariance EwaPrecision"
        ),
        "river.drift.adwin": "ADWIN",
        "river.drift.binary.ddm": "DDM",
        "river.drift.binary.eddm": "EDDM",
        "river.drift.binary.fhddm": "FHDDM",
        "river.drift.binary.hddm_a": "HDDMA",
        "river.drift.binary.hddm_w": "HDDMW SampleInfo",
        "river.drift.datasets.airline_passengers": "AirlinePassengers",
        "river.drift.datasets.apple": "Apple",
        "river.drift.datasets.bitcoin": "Bitcoin",
        "river.drift.datasets.brent_crude_oil": "BrentSpotPrice",
        "river.drift.datasets.occupancy": "Occupancy",
        "river.drift.datasets.run_log": "RunLog",
        "river.drift.datasets.uk_coal_employment": "UKCoalEmploy",
        "river.drift.dummy": "DummyDriftDetector",
        "river.drift.kswin": "KSWIN",
        "river.drift.no_drift": "NoDrift",
        "river.drift.page_hinkley": "PageHinkley",
        "river.drift.retrain": "DriftRetrainingClassifier",
        "river.dummy": "NoChangeClassifier PriorClassifier StatisticRegressor",
        "river.ensemble.bagging": (
            "BaseBagging BaggingClassifier BaggingRegressor ADWINBaggingClassifier "
            "LeveragingBaggingClassifier"
        ),
        "river.ensemble.boosting": "AdaBoostClassifier ADWINBoostingClassifier BOLEClassifier",
        "river.ensemble.ewa": "EWARegressor",
        "river.ensemble.stacking": "StackingClassifier",
        "river.ensemble.streaming_random_patches": (
            "BaseSRPEnsemble BaseSRPEstimator SRPClassifier BaseSRPClassifier SRPRegressor "
            "BaseSRPRegressor"
        ),
        "river.ensemble.voting": "VotingClassifier",
        "river.facto.base": "BaseFM",
        "river.facto.ffm": "FFM FFMRegressor FFMClassifier",
        "river.facto.fm": "FM FMRegressor FMClassifier",
        "river.facto.fwfm": "FwFM FwFMRegressor FwFMClassifier",
        "river.facto.hofm": "HOFM HOFMRegressor HOFMClassifier",
        "river.feature_extraction.agg": "Agg TargetAgg",
        "river.feature_extraction.kernel_approx": "RBFSampler RandomTreesEmbedding",
        "river.feature_extraction.poly": "PolynomialExtender",
        "river.feature_extraction.vectorize": "VectorizerMixin BagOfWords TFIDF",
        "river.feature_selection.k_best": "SelectKBest",
        "river.feature_selection.random": "PoissonInclusion",
        "river.feature_selection.variance": "VarianceThreshold",
        "river.forest.adaptive_random_forest": (
            "BaseTreeClassifier BaseTreeRegressor ARFClassifier ARFRegressor"
        ),
        "river.forest.aggregated_mondrian_forest": "AMFClassifier AMFRegressor",
        "river.forest.online_extra_trees": (
            "ConstantSampler BaggingSampler SubBaggingSampler ETRegressor OXTRegressor"
        ),
        "river.imblearn.chebyshev": "ChebyshevUnderSampler ChebyshevOverSampler",
        "river.imblearn.hard_sampling": (
            "HardSampling HardSamplingRegressor HardSamplingClassifier"
        ),
        "river.imblearn.random": "RandomUnderSampler RandomOverSampler RandomSampler",
        "river.linear_model.ad_predictor": "AdPredictor",
        "river.linear_model.alma": "ALMAClassifier",
        "river.linear_model.base": "GLM",
        "river.linear_model.bayesian_lin_reg": "BayesianLinearRegression",
        "river.linear_model.lin_reg": "LinearRegression",
        "river.linear_model.log_reg": "LogisticRegression",
        "river.linear_model.pa": "BasePA PARegressor PAClassifier",
        "river.linear_model.perceptron": "Perceptron",
        "river.linear_model.softmax": "SoftmaxRegression",
        "river.metrics.accuracy": "Accuracy",
        "river.metrics.balanced_accuracy": "BalancedAccuracy",
        "river.metrics.base": "Metrics",
        "river.metrics.confusion": "ConfusionMatrix",
        "river.metrics.cross_entropy": "CrossEntropy",
        "river.metrics.fbeta": (
            "FBeta MacroFBeta MicroFBeta WeightedFBeta MultiFBeta F1 MacroF1 MicroF1 WeightedF1"
        ),
        "river.metrics.fowlkes_mallows": "FowlkesMallows",
        "river.metrics.geometric_mean": "GeometricMean",
        "river.metrics.jaccard": "Jaccard MacroJaccard MicroJaccard WeightedJaccard",
        "river.metrics.kappa": "CohenKappa",
        "river.metrics.log_loss": "LogLoss",
        "river.metrics.mae": "MAE",
        "river.metrics.mape": "MAPE",
        "river.metrics.mcc": "MCC",
        "river.metrics.mse": "MSE RMSE RMSLE",
        "river.metrics.multioutput.confusion": "MultiLabelConfusionMatrix",
        "river.metrics.multioutput.exact_match": "ExactMatch",
        "river.metrics.multioutput.macro": "MacroAverage",
        "river.metrics.multioutput.micro": "MicroAverage",
        "river.metrics.multioutput.per_output": "PerOutput",
        "river.metrics.multioutput.sample_average": "SampleAverage",
        "river.metrics.mutual_info": "MutualInfo NormalizedMutualInfo AdjustedMutualInfo",
        "river.metrics.precision": "Precision MacroPrecision MicroPrecision WeightedPrecision",
        "river.metrics.r2": "R2",
        "river.metrics.rand": "Rand AdjustedRand",
        "river.metrics.recall": "Recall MacroRecall MicroRecall WeightedRecall",
        "river.metrics.report": "ClassificationReport",
        "river.metrics.roc_auc": "ROCAUC",
        "river.metrics.rolling_pr_auc": "RollingPRAUC",
        "river.metrics.rolling_roc_auc": "RollingROCAUC",
        "river.metrics.silhouette": "Silhouette",
        "river.metrics.smape": "SMAPE",
        "river.metrics.vbeta": "Homogeneity Completeness VBeta",
        "river.misc.sdft": "SDFT",
        "river.misc.skyline": "Skyline",
        "river.misc.zstd_classifier": "ZstdClassifier",
        "river.model_selection.bandit": "BanditModelSection BanditRegressor BanditClassifier",
        "river.model_selection.greedy": "GreedyRegressor",
        "river.model_selection.sh": "SuccessiveHalvingRegressor SuccessiveHalvingClassifier",
        "river.multiclass.occ": "OutputCodeClassifier",
        "river.multiclass.ovo": "OneVsOneClassifier",
        "river.multiclass.ovr": "OneVsRestClassifier",
        "river.multioutput.chain": (
            "BaseChain ClassifierChain RegressorChain ProbabilisticClassifierChain "
            "MonteCarloClassifierChain"
        ),
        "river.multioutput.encoder": "MultiClassEncoder",
        "river.multioutput.per_output": "PerOutputRegressor",
        "river.multioutput.per_output_classifier": "PerOutputClassifier",
        "river.naive_bayes.bernoulli": "BernoulliNB",
        "river.naive_bayes.complement": "ComplementNB",
        "river.naive_bayes.gaussian": "GaussianNB",
        "river.naive_bayes.multinomial": "MultinomialNB",
        "river.neighbors.ann.nn_vertex": "Vertex",
    }
)
"""Module to the names of its classes, `active` to `naive_bayes`."""
