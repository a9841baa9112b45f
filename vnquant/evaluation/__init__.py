"""Evaluation: is it real? Look-ahead guard, factor report, deflated Sharpe ratio, overfitting, Shapley."""

from vnquant.evaluation.factor_days import FactorDays
from vnquant.evaluation.factor_findings import HorizonFindings, QuantileFindings, Verdict
from vnquant.evaluation.factor_report import Yardstick, factor_report
from vnquant.evaluation.factor_result import FactorReport
from vnquant.evaluation.intervals import Estimate, block_bootstrap, newey_west
from vnquant.evaluation.lab import AgentStudy, Assessment
from vnquant.evaluation.lab_session import GuardFinding, LabSession
from vnquant.evaluation.lab_settings import SettingHistory
from vnquant.evaluation.lab_worth import Comparison, Worth, compare, worth_of
from vnquant.evaluation.lookahead import LookaheadReport, check_lookahead
from vnquant.evaluation.overfitting import (
    OverfittingReport,
    overfitting_report,
    probability_of_backtest_overfitting,
)
from vnquant.evaluation.shapley import ShapleyReport, coalitions, shapley
from vnquant.evaluation.sharpe import (
    deflated_sharpe_ratio,
    effective_trials,
    expected_maximum_sharpe,
    minimum_track_record,
    probabilistic_sharpe_ratio,
)
from vnquant.evaluation.sharpe_report import SharpeReport, sharpe_report
from vnquant.evaluation.trials import TrialBook
from vnquant.features import RankIC, forward_return, rank_ic

__all__ = (
    "AgentStudy",
    "Assessment",
    "Comparison",
    "Estimate",
    "FactorDays",
    "FactorReport",
    "GuardFinding",
    "HorizonFindings",
    "LabSession",
    "LookaheadReport",
    "OverfittingReport",
    "QuantileFindings",
    "RankIC",
    "SettingHistory",
    "ShapleyReport",
    "SharpeReport",
    "TrialBook",
    "Verdict",
    "Worth",
    "Yardstick",
    "block_bootstrap",
    "check_lookahead",
    "coalitions",
    "compare",
    "deflated_sharpe_ratio",
    "effective_trials",
    "expected_maximum_sharpe",
    "factor_report",
    "forward_return",
    "minimum_track_record",
    "newey_west",
    "overfitting_report",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
    "rank_ic",
    "shapley",
    "sharpe_report",
    "worth_of",
)
