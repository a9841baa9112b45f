"""Evaluation: is it real? The look-ahead guard and the rank IC."""

from vnquant.evaluation.lookahead import LookaheadReport, check_lookahead
from vnquant.features import RankIC, forward_return, rank_ic

__all__ = ("LookaheadReport", "RankIC", "check_lookahead", "forward_return", "rank_ic")
