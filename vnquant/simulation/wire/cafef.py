"""CafeF: daily prices in the paged shape of PriceHistory.ashx.

Newest first, at most 20 rows a page and about three months a window ending at EndDate; close both raw
and adjusted, open, high and low raw only.
"""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from vnquant.simulation.wire.answer import Answer, json_answer

__all__ = ("PAGE_CAP", "CafefDay", "cafef_change", "cafef_page", "cafef_window")

PAGE_CAP = 20
# About 65 sessions, the longest window measured.
_WINDOW_DAYS = 92
_encoder = msgspec.json.Encoder()


class CafefDay(msgspec.Struct, frozen=True, kw_only=True):
    """One session of one symbol. Prices in VND as traded, volumes in shares, values in VND."""

    session: date
    open: float
    high: float
    low: float
    close: float
    adjusted_close: float
    reference: float
    volume: float
    value: float
    put_through_volume: float = 0.0
    put_through_value: float = 0.0


def cafef_window(start: str, end: str, today: date) -> tuple[date, date]:
    """Return the first and last date that CafeF answers for MM/DD/YYYY texts.

    A date that cannot be read so (a day-first one past the twelfth, or none) counts as absent, which is
    how clients that write dd/mm/yyyy get the wrong window and no error.
    """
    last = min(_month_first(end) or today, today)
    # Counted in ordinals, which cannot leave the calendar on the way.
    earliest = date.fromordinal(max(last.toordinal() - _WINDOW_DAYS, 1))
    return max(_month_first(start) or date.min, earliest), last


def cafef_page(symbol: str, newest_first: list[CafefDay], page_index: int, page_size: int) -> Answer:
    """Return one page of the rows of a window."""
    size = min(max(page_size, 1), PAGE_CAP)
    begin = max(page_index - 1, 0) * size
    rows = [_row(symbol, day) for day in newest_first[begin : begin + size]]
    body = {"Data": {"TotalCount": len(newest_first), "Data": rows}, "Message": None, "Success": True}
    return json_answer(_encoder.encode(body))


def cafef_change(close_vnd: float, reference_vnd: float) -> str:
    """Return `ThayDoi`: thousand VND and percent with a decimal comma, "+0,35 (+1,65%)"."""
    change = (close_vnd - reference_vnd) / 1000
    percent = 100.0 * (close_vnd / reference_vnd - 1.0)
    return f"{change:+.2f} ({percent:+.2f}%)".replace(".", ",")


def _row(symbol: str, day: CafefDay) -> dict[str, str | int | float]:
    return {
        "Symbol": symbol,
        "Ngay": f"{day.session:%d/%m/%Y}",
        "GiaDieuChinh": round(day.adjusted_close) / 1000,
        "GiaDongCua": round(day.close) / 1000,
        "ThayDoi": cafef_change(day.close, day.reference),
        "KhoiLuongKhopLenh": round(day.volume),
        "GiaTriKhopLenh": round(day.value / 1e9, 2),
        "KLThoaThuan": round(day.put_through_volume),
        "GtThoaThuan": round(day.put_through_value / 1e9, 2),
        "GiaMoCua": round(day.open) / 1000,
        "GiaCaoNhat": round(day.high) / 1000,
        "GiaThapNhat": round(day.low) / 1000,
    }


def _month_first(text: str) -> date | None:
    try:
        return datetime.strptime(text.strip(), "%m/%d/%Y").date()  # noqa: DTZ007 - a calendar date
    except ValueError:
        return None
