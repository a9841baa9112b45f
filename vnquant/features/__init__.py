"""Features: indicators and factors over a BarPanel, vectorised and causal (the value at t uses rows <= t)."""

from vnquant.features.context import CONTEXT_NAMES, MarketContext
from vnquant.features.definitions import DEFAULT_FEATURES, Feature, FeatureInputs
from vnquant.features.gaps import Gaps
from vnquant.features.rank import RankIC, forward_return, rank_ic
from vnquant.features.table import WARMUP_BARS, Features, FeatureSet, compute_features

__all__ = (
    "CONTEXT_NAMES",
    "DEFAULT_FEATURES",
    "WARMUP_BARS",
    "Feature",
    "FeatureInputs",
    "FeatureSet",
    "Features",
    "Gaps",
    "MarketContext",
    "RankIC",
    "compute_features",
    "forward_return",
    "rank_ic",
)
