"""Market: the facts of the Vietnamese stock market, and the arrays that carry its prices.

Symbols and exchanges, tick sizes and price bands, sessions, the trading calendar with Tet, T+2 settlement,
bars and panels, resampling, and the data report. Nothing here does I/O beyond reading the shipped tables.
"""

from vnquant.market.actions import ACTION_THRESHOLDS, Action, action_of
from vnquant.market.bars import Bar, BarSeries, FloatArray, Quote, TimeArray
from vnquant.market.calendar import Closure, TradingCalendar, default_calendar, load_closures
from vnquant.market.corporate_actions import CashDividend, CorporateAction, ShareSplit
from vnquant.market.panel import OHLCV, BarPanel, to_timestamp
from vnquant.market.price_band import (
    PriceLimits,
    band_pct,
    band_pcts,
    price_limits,
    price_limits_array,
    reference_price,
)
from vnquant.market.quality import Example, Finding, QualityReport, data_report
from vnquant.market.resample import FIELD_AGG, OHLCV_AGG, align, interval_minutes, resample
from vnquant.market.running import RunningSession
from vnquant.market.sessions import (
    Phase,
    SessionWindow,
    VolumeCurve,
    is_trading,
    phase_at,
    session_fraction,
    session_windows,
    volume_curve,
)
from vnquant.market.settlement import sellable_from, settlement_date
from vnquant.market.symbols import EXCHANGE_ORDER, Exchange, Symbol, Universe, load_universe, lot_size
from vnquant.market.ticks import (
    exchange_codes,
    is_on_tick,
    round_to_tick,
    round_to_ticks,
    tick_size,
    tick_sizes,
)

__all__ = (
    "ACTION_THRESHOLDS",
    "EXCHANGE_ORDER",
    "FIELD_AGG",
    "OHLCV",
    "OHLCV_AGG",
    "Action",
    "Bar",
    "BarPanel",
    "BarSeries",
    "CashDividend",
    "Closure",
    "CorporateAction",
    "Example",
    "Exchange",
    "Finding",
    "FloatArray",
    "Phase",
    "PriceLimits",
    "QualityReport",
    "Quote",
    "RunningSession",
    "SessionWindow",
    "ShareSplit",
    "Symbol",
    "TimeArray",
    "TradingCalendar",
    "Universe",
    "VolumeCurve",
    "action_of",
    "align",
    "band_pct",
    "band_pcts",
    "data_report",
    "default_calendar",
    "exchange_codes",
    "interval_minutes",
    "is_on_tick",
    "is_trading",
    "load_closures",
    "load_universe",
    "lot_size",
    "phase_at",
    "price_limits",
    "price_limits_array",
    "reference_price",
    "resample",
    "round_to_tick",
    "round_to_ticks",
    "sellable_from",
    "session_fraction",
    "session_windows",
    "settlement_date",
    "tick_size",
    "tick_sizes",
    "to_timestamp",
    "volume_curve",
)
