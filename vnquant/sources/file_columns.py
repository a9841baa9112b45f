"""File columns: guess which column of a table is which, from Vietnamese, English or AmiBroker's names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ("ColumnGuess", "guess_columns", "plain_name")

# Names as `plain_name` leaves them, the most telling first: of two candidates the earlier wins.
_NAMES: dict[str, tuple[str, ...]] = {
    "symbol": (
        "symbol", "ticker", "sym", "code", "stockcode", "stock", "stocksymbol", "security", "macp", "mack",
        "mack", "machungkhoan", "macophieu", "ma", "chungkhoan", "cophieu",
    ),
    "date": (
        "date", "tradingdate", "tradedate", "datetime", "timestamp", "time", "dtyyyymmdd", "yyyymmdd", "ngay",
        "ngaygiaodich", "ngaygd", "thoigian", "t",
    ),
    "open": ("open", "openprice", "priceopen", "giamocua", "mocua", "o"),
    "high": ("high", "highprice", "highestprice", "pricehigh", "giacaonhat", "caonhat", "giacao", "h"),
    "low": ("low", "lowprice", "lowestprice", "pricelow", "giathapnhat", "thapnhat", "giathap", "l"),
    "close": ("close", "closeprice", "priceclose", "giadongcua", "dongcua", "last", "price", "gia", "c"),
    "adjusted_close": (
        "adjustedclose", "adjclose", "adjustedcloseprice", "adclose", "giadieuchinh", "giadongcuadieuchinh",
        "dieuchinh",
    ),
    "volume": (
        "volume", "vol", "matchedvolume", "nmvolume", "totalvolume", "tradingvolume", "khoiluongkhoplenh",
        "klkhoplenh", "khoiluonggiaodich", "khoiluong", "klgd", "kl", "v",
    ),
    "open_interest": ("oi", "openinterest", "openint"),
}  # fmt: skip

_NEEDED = ("date", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class ColumnGuess:
    """Which column carries what.

    Attributes
    ----------
    columns : dict of str to str
        Our name to the table's.
    missing : tuple of str
        Needed and not found; without a symbol column the table is taken to hold one symbol.
    unused : tuple of str
        The table's other columns.
    """

    columns: dict[str, str]
    missing: tuple[str, ...]
    unused: tuple[str, ...]


def guess_columns(names: Iterable[object]) -> ColumnGuess:
    """Guess by name; upper case, accents, brackets, blanks and units do not matter."""
    given = [str(name) for name in names]
    by_plain: dict[str, str] = {}
    for name in given:
        by_plain.setdefault(plain_name(name), name)
    columns = {
        ours: by_plain[found]
        for ours, candidates in _NAMES.items()
        if (found := next((c for c in candidates if c in by_plain), None)) is not None
    }
    if "close" not in columns and "adjusted_close" in columns:
        columns["close"] = columns.pop("adjusted_close")
    used = set(columns.values())
    return ColumnGuess(
        columns=columns,
        missing=tuple(name for name in _NEEDED if name not in columns),
        unused=tuple(name for name in given if name not in used),
    )


def plain_name(name: str) -> str:
    """Return a heading in lower-case ASCII letters only: "Giá đóng cửa (nghìn VNĐ)" becomes "giadongcua"."""
    head = name.split("(")[0] or name
    flat = unicodedata.normalize("NFD", head.lower().replace("đ", "d"))
    return "".join(c for c in flat if c.isascii() and c.isalpha())
