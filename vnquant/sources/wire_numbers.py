"""Numbers: read the mixture of numbers and numeric strings that the Vietnamese feeds send."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from vnquant.market.bars import FloatArray

__all__ = ("THOUSAND", "as_float", "float_column", "whole_vnd")

# Prices of the feeds are in thousand VND.
THOUSAND = 1_000.0


def as_float(value: object) -> float:
    """Return a number or numeric string as float, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def float_column(values: Iterable[object]) -> FloatArray:
    """Return the values as float64, NaN where one is no number."""
    return np.array([as_float(value) for value in values], dtype=np.float64)


def whole_vnd(thousands: FloatArray) -> FloatArray:
    """Return thousand VND as whole VND. Feeds send at most three decimals, so nothing is lost."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.round(thousands * THOUSAND)
