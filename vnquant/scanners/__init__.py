"""Scanners: they look through the market for what deserves a discussion."""

from vnquant.scanners.coverage import Coverage
from vnquant.scanners.history import FIRST_BAR, MarketHistory, ScannerConfig
from vnquant.scanners.model_scanner import BatchPredictor, ModelScanner
from vnquant.scanners.result import OpportunityFilter, ScanResult

__all__ = (
    "FIRST_BAR",
    "BatchPredictor",
    "Coverage",
    "MarketHistory",
    "ModelScanner",
    "OpportunityFilter",
    "ScanResult",
    "ScannerConfig",
)
