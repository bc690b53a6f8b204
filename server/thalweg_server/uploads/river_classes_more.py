"""River's classes whose instances an upload may hold, second half: see `river_classes`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RIVER_N_TO_U: Mapping[str, str] = MappingProxyType(
    {
        "river.neighbors.ann.swinn": "SWINN",
        "river.neighbors.base": "FunctionWrapper",
        "river.neighbors.knn_classifier": "KNNClassifier",
        "river.neighbors.knn_regressor": "KNNRegressor",
        "river.neighbors.lazy": "LazySearch",
        "river.optim.ada_bound": "AdaBound",
        "river.optim.ada_delta": "AdaDelta",
        "river.optim.ada_grad": "AdaGrad",
        "river.optim.ada_max": "AdaMax",
        "river.optim.adam": "Adam",
        "river.optim.ams_grad": "AMSGrad",
        "river.optim.average": "Averager",
        "river.optim.base": "Optimizer",
        "river.optim.ftrl": "FTRLProximal",
        "river.optim.initializers": "Constant Zeros Normal",
        "river.optim.losses": (
            "Absolute Cauchy CrossEntropy Hinge EpsilonInsensitiveHinge Log Quantile Squared Huber "
            "BinaryFocalLoss Poisson"
        ),
        "river.optim.momentum": "Momentum",
        "river.optim.nadam": "Nadam",
        "river.optim.nesterov": "NesterovMomentum",
        "river.optim.newton": "Newton",
        "river.optim.rms_prop": "RMSProp",
        "river.optim.schedulers": "Constant InverseScaling Optimal",
        "river.optim.sgd": "SGD",
        "river.preprocessing.feature_hasher": "FeatureHasher",
        "river.preprocessing.gap_encoder": "GapEncoder",
        "river.preprocessing.impute": "PreviousImputer StatImputer Constant",
        "river.preprocessing.lda": "LDA",
        "river.preprocessing.one_hot": "OneHotEncoder",
        "river.preprocessing.ordinal": "OrdinalEncoder",
        "river.preprocessing.pred_clipper": "PredClipper",
        "river.preprocessing.random_projection": "GaussianRandomProjector SparseRandomProjector",
        "river.preprocessing.scale": (
            "Binarizer StandardScaler MinMaxScaler MaxAbsScaler RobustScaler Normalizer "
            "AdaptiveStandardScaler"
        ),
        "river.preprocessing.scale_target": "TargetStandardScaler TargetMinMaxScaler",
        "river.proba.beta": "Beta",
        "river.proba.gaussian": "Gaussian MultivariateGaussian",
        "river.proba.multinomial": "Multinomial",
        "river.rules.amrules": "MeanRegressor AdaptiveRegressor RegRule AMRules",
        "river.rules.base": "Literal NumericLiteral NominalLiteral",
        "river.sketch.counter": "Counter",
        "river.sketch.heavy_hitters": "HeavyHitters",
        "river.sketch.histogram": "Bin Histogram",
        "river.sketch.n_unique": "NUnique",
        "river.sketch.set": "Set",
        "river.stats.auto_corr": "AutoCorr",
        "river.stats.base": "Link",
        "river.stats.chi_squared": "ChiSquared",
        "river.stats.count": "Count",
        "river.stats.cov": "Cov",
        "river.stats.entropy": "Entropy",
        "river.stats.ewcov": "EWCov",
        "river.stats.ewmean": "EWMean",
        "river.stats.ewvar": "EWVar",
        "river.stats.iqr": "IQR RollingIQR",
        "river.stats.kolmogorov_smirnov": "_Node KolmogorovSmirnov",
        "river.stats.kurtosis": "Kurtosis",
        "river.stats.mad": "MAD",
        "river.stats.maximum": "Max RollingMax AbsMax RollingAbsMax",
        "river.stats.mean": "Mean BayesianMean",
        "river.stats.minimum": "Min RollingMin",
        "river.stats.mode": "Mode RollingMode",
        "river.stats.pearson": "PearsonCorr",
        "river.stats.ptp": "PeakToPeak RollingPeakToPeak",
        "river.stats.quantile": "Quantile RollingQuantile",
        "river.stats.sem": "SEM",
        "river.stats.shift": "Shift",
        "river.stats.skew": "Skew",
        "river.stats.summing": "Sum",
        "river.stats.var": "Var",
        "river.tree.base": "Leaf",
        "river.tree.extremely_fast_decision_tree": "ExtremelyFastDecisionTreeClassifier",
        "river.tree.hoeffding_adaptive_tree_classifier": "HoeffdingAdaptiveTreeClassifier",
        "river.tree.hoeffding_adaptive_tree_regressor": "HoeffdingAdaptiveTreeRegressor",
        "river.tree.hoeffding_tree_classifier": "HoeffdingTreeClassifier",
        "river.tree.hoeffding_tree_regressor": "HoeffdingTreeRegressor",
        "river.tree.isoup_tree_regressor": "ISOUPTreeRegressor",
        "river.tree.last_classifier": "LASTClassifier",
        "river.tree.losses": "BinaryCrossEntropyLoss SquaredErrorLoss",
        "river.tree.mondrian.mondrian_tree": "MondrianTree",
        "river.tree.mondrian.mondrian_tree_classifier": "MondrianTreeClassifier",
        "river.tree.mondrian.mondrian_tree_nodes": (
            "MondrianLeaf MondrianBranch MondrianNode MondrianNodeClassifier "
            "MondrianLeafClassifier MondrianBranchClassifier MondrianNodeRegressor "
            "MondrianLeafRegressor MondrianBranchRegressor"
        ),
        "river.tree.mondrian.mondrian_tree_regressor": "MondrianTreeRegressor",
        "river.tree.nodes.arf_htc_nodes": (
            "RandomLeafMajorityClass RandomLeafNaiveBayes RandomLeafNaiveBayesAdaptive"
        ),
        "river.tree.nodes.arf_htr_nodes": "RandomLeafMean RandomLeafModel RandomLeafAdaptive",
        "river.tree.nodes.branch": (
            "NumericBinaryBranch NominalBinaryBranch NumericMultiwayBranch NominalMultiwayBranch"
        ),
        "river.tree.nodes.efdtc_nodes": (
            "EFDTLeafMajorityClass EFDTLeafNaiveBayes EFDTLeafNaiveBayesAdaptive "
            "EFDTNominalBinaryBranch EFDTNominalMultiwayBranch EFDTNumericBinaryBranch "
            "EFDTNumericMultiwayBranch"
        ),
        "river.tree.nodes.et_nodes": "ETLeafMean ETLeafModel ETLeafAdaptive",
        "river.tree.nodes.hatc_nodes": (
            "AdaLeafClassifier AdaNomBinaryBranchClass AdaNumBinaryBranchClass "
            "AdaNomMultiwayBranchClass AdaNumMultiwayBranchClass"
        ),
        "river.tree.nodes.hatr_nodes": (
            "AdaNomBinaryBranchReg AdaNumBinaryBranchReg AdaNomMultiwayBranchReg "
            "AdaNumMultiwayBranchReg AdaLeafRegMean AdaLeafRegModel AdaLeafRegAdaptive"
        ),
        "river.tree.nodes.htc_nodes": "LeafMajorityClass LeafNaiveBayes LeafNaiveBayesAdaptive",
        "river.tree.nodes.htr_nodes": "LeafMean LeafModel LeafAdaptive",
        "river.tree.nodes.isouptr_nodes": (
            "LeafMeanMultiTarget LeafModelMultiTarget LeafAdaptiveMultiTarget"
        ),
        "river.tree.nodes.last_nodes": (
            "LeafMajorityClassWithDetector LeafNaiveBayesWithDetector "
            "LeafNaiveBayesAdaptiveWithDetector"
        ),
        "river.tree.nodes.sgt_nodes": "SGTLeaf",
        "river.tree.padded": "PaddedBranch PaddedLeaf",
        "river.tree.split_criterion.gini_split_criterion": "GiniSplitCriterion",
        "river.tree.split_criterion.hellinger_distance_criterion": "HellingerDistanceCriterion",
        "river.tree.split_criterion.info_gain_split_criterion": "InfoGainSplitCriterion",
        "river.tree.split_criterion.intra_cluster_variance_reduction_split_criterion": (
            "IntraClusterVarianceReductionSplitCriterion"
        ),
        "river.tree.split_criterion.variance_ratio_split_criterion": "VarianceRatioSplitCriterion",
        "river.tree.split_criterion.variance_reduction_split_criterion": (
            "VarianceReductionSplitCriterion"
        ),
        "river.tree.splitter.ebst_splitter": "EBSTSplitter EBSTNode",
        "river.tree.splitter.exhaustive_splitter": "ExhaustiveSplitter ExhaustiveNode",
        "river.tree.splitter.gaussian_splitter": "GaussianSplitter",
        "river.tree.splitter.histogram_splitter": "HistogramSplitter",
        "river.tree.splitter.nominal_splitter_classif": "NominalSplitterClassif",
        "river.tree.splitter.nominal_splitter_reg": "NominalSplitterReg",
        "river.tree.splitter.qo_splitter": "QOSplitter Slot FeatureQuantizer",
        "river.tree.splitter.random_splitter": "RegRandomSplitter",
        "river.tree.splitter.sgt_quantizer": "DynamicQuantizer StaticQuantizer",
        "river.tree.splitter.tebst_splitter": "TEBSTSplitter",
        "river.tree.stochastic_gradient_tree": "StochasticGradientTree SGTClassifier SGTRegressor",
        "river.tree.utils": "BranchFactory GradHess GradHessMerit GradHessStats",
        "river.utils.rolling": "BaseRolling Rolling TimeRolling",
        "river.utils.sorted_window": "SortedWindow",
    }
)
"""Module to the names of its classes, `neighbors` to `utils`."""
