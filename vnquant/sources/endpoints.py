"""Endpoints: the addresses of the feeds. Live and simulated exchange differ here and nowhere else."""

from __future__ import annotations

import msgspec

__all__ = ("Endpoints",)


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Base addresses, one for each feed.

    Attributes
    ----------
    vps_board : str
        Board; the comma-separated symbols are appended as a path segment.
    vps_history : str
        TradingView UDF history; takes symbol, resolution, from, to.
    cafef_history : str
        CafeF price history; takes Symbol, StartDate, EndDate, PageIndex, PageSize.
    rss : tuple of (name, address)
        The news feeds.
    events : str or None
        Dividends and share issues; the comma-separated symbols are appended as a path segment, takes from and
        to. None where nobody tells them.
    """

    vps_board: str
    vps_history: str
    cafef_history: str
    rss: tuple[tuple[str, str], ...]
    events: str | None = None

    @classmethod
    def live(cls) -> Endpoints:
        """Return the public addresses."""
        return cls(
            vps_board="https://bgapidatafeed.vps.com.vn/getliststockdata",
            vps_history="https://histdatafeed.vps.com.vn/tradingview/history",
            # Not s.cafef.vn: it redirects here and drops the query on the way.
            cafef_history="https://cafef.vn/du-lieu/Ajax/PageNew/DataHistory/PriceHistory.ashx",
            rss=(
                ("cafef", "https://cafef.vn/thi-truong-chung-khoan.rss"),
                ("vietstock", "https://vietstock.vn/144/chung-khoan.rss"),
                ("vnexpress", "https://vnexpress.net/rss/kinh-doanh.rss"),
            ),
            # VPS has company pages of events; their format is not known, so they are not asked.
            events=None,
        )

    @classmethod
    def local(cls, base_url: str) -> Endpoints:
        """Return the addresses of a simulated exchange that listens at `base_url`."""
        base = base_url.rstrip("/")
        return cls(
            vps_board=f"{base}/getliststockdata",
            vps_history=f"{base}/tradingview/history",
            cafef_history=f"{base}/du-lieu/Ajax/PageNew/DataHistory/PriceHistory.ashx",
            rss=(
                ("cafef", f"{base}/rss/cafef/thi-truong-chung-khoan.rss"),
                ("vietstock", f"{base}/rss/vietstock/144/chung-khoan.rss"),
                ("vnexpress", f"{base}/rss/vnexpress/kinh-doanh.rss"),
            ),
            events=f"{base}/corporate-events",
        )
