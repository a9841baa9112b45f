"""Board columns: what a Vietnamese price board shows, in its order, with headings in both languages."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ("COLUMNS", "COLUMN_KEYS", "GROUPS", "Column", "Kind", "Language")

Language = Literal["en", "vi"]
# How a cell is written. "price" is coloured by itself, "change" and "percent" by the last price.
Kind = Literal["symbol", "price", "change", "percent", "volume", "net"]


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of the board.

    Attributes
    ----------
    key : str
        Names the column in `snapshot()` and for sorting.
    kind : str
    group : str
        The heading above it, a key of `GROUPS`; columns of one group stand side by side.
    value : str
        Field of `board_book` that it shows; "" where it is made from others.
    tint : str
        Price field whose colour it takes; "" for none.
    width_px : int
    heading, told : dict of language to str
        What stands in the header, and what it says in full.
    """

    key: str
    kind: Kind
    group: str
    value: str = ""
    tint: str = ""
    width_px: int
    heading: dict[Language, str]
    told: dict[Language, str]


GROUPS: dict[str, dict[Language, str]] = {
    "symbol": {"en": "", "vi": ""},
    "band": {"en": "Band", "vi": "Biên độ"},
    "bid": {"en": "Bid", "vi": "Bên mua"},
    "match": {"en": "Matched", "vi": "Khớp lệnh"},
    "ask": {"en": "Ask", "vi": "Bên bán"},
    "day": {"en": "Day", "vi": "Trong ngày"},
    "foreign": {"en": "Foreign", "vi": "ĐTNN"},
}
_PRICE_PX, _VOLUME_PX = 46, 52


def _price(key: str, group: str, en: str, vi: str, told_en: str, told_vi: str) -> Column:
    return Column(
        key=key,
        kind="price",
        group=group,
        value=key,
        tint=key,
        width_px=_PRICE_PX,
        heading={"en": en, "vi": vi},
        told={"en": told_en, "vi": told_vi},
    )


def _volume(
    key: str,
    group: str,
    en: str,
    vi: str,
    told_en: str,
    told_vi: str,
    *,
    tint: str = "",
    px: int = _VOLUME_PX,
) -> Column:
    return Column(
        key=key,
        kind="volume",
        group=group,
        value=key,
        tint=tint,
        width_px=px,
        heading={"en": en, "vi": vi},
        told={"en": told_en, "vi": told_vi},
    )


def _level(side: Literal["bid", "ask"], level: int) -> tuple[Column, Column]:
    """Return price and volume of one level."""
    name = {"bid": ("bid", "mua"), "ask": ("ask", "bán")}[side]
    price = _price(
        f"{side}_price_{level}",
        side,
        f"Price {level}",
        f"Giá {level}",
        f"{name[0]} price, level {level}",
        f"giá {name[1]} {level}",
    )
    volume = _volume(
        f"{side}_volume_{level}",
        side,
        f"Vol {level}",
        f"KL {level}",
        f"{name[0]} volume, level {level}",
        f"khối lượng {name[1]} {level}",
        tint=price.key,
    )
    return price, volume


COLUMNS: tuple[Column, ...] = (
    Column(
        key="symbol",
        kind="symbol",
        group="symbol",
        tint="last_price",
        width_px=58,
        heading={"en": "Symbol", "vi": "Mã"},
        told={"en": "symbol", "vi": "mã chứng khoán"},
    ),
    _price("ceiling_price", "band", "Ceil", "Trần", "ceiling price", "giá trần"),
    _price("floor_price", "band", "Floor", "Sàn", "floor price", "giá sàn"),
    _price("reference_price", "band", "Ref", "TC", "reference price", "giá tham chiếu"),
    *(column for level in (3, 2, 1) for column in _level("bid", level)),
    _price("last_price", "match", "Price", "Giá", "last matched price", "giá khớp"),
    _volume("last_volume", "match", "Vol", "KL", "last matched volume", "khối lượng khớp", tint="last_price"),
    Column(
        key="change",
        kind="change",
        group="match",
        tint="last_price",
        width_px=54,
        heading={"en": "+/-", "vi": "+/-"},
        told={"en": "change against the reference", "vi": "thay đổi so với tham chiếu"},
    ),
    Column(
        key="change_pct",
        kind="percent",
        group="match",
        tint="last_price",
        width_px=47,
        heading={"en": "%", "vi": "%"},
        told={"en": "change in per cent", "vi": "thay đổi phần trăm"},
    ),
    *(column for level in (1, 2, 3) for column in _level("ask", level)),
    _volume("total_volume", "day", "Volume", "Tổng KL", "total matched volume", "tổng khối lượng", px=64),
    _price("high_price", "day", "High", "Cao", "highest price", "giá cao nhất"),
    _price("average_price", "day", "Avg", "TB", "average price", "giá trung bình"),
    _price("low_price", "day", "Low", "Thấp", "lowest price", "giá thấp nhất"),
    _volume("foreign_buy_volume", "foreign", "Buy", "Mua", "bought by foreigners", "nước ngoài mua", px=58),
    _volume("foreign_sell_volume", "foreign", "Sell", "Bán", "sold by foreigners", "nước ngoài bán", px=58),
    Column(
        key="foreign_net",
        kind="net",
        group="foreign",
        width_px=66,
        heading={"en": "Net", "vi": "Ròng"},
        told={"en": "bought less sold by foreigners", "vi": "nước ngoài mua ròng"},
    ),
)
COLUMN_KEYS: tuple[str, ...] = tuple(column.key for column in COLUMNS)
