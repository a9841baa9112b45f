"""Scanners: they look through the market for what deserves a discussion."""

from vnquant.scanners.coverage import Coverage
from vnquant.scanners.history import MarketHistory, ScannerConfig
from vnquant.scanners.model_scanner import BatchPredictor, ModelScanner
from vnquant.scanners.result import OpportunityFilter, ScanResult

__all__ = (
    "BatchPredictor",
    "Coverage",
    "MarketHistory",
    "ModelScanner",
    "OpportunityFilter",
    "ScanResult",
    "ScannerConfig",
)
