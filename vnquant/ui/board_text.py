"""Board texts: what the board says besides numbers, in English and Vietnamese, and its status line."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from vnquant.market import EXCHANGE_ORDER, Phase, phase_at
from vnquant.ui.board_book import BoardBook, Freshness
from vnquant.ui.board_columns import COLUMNS, GROUPS, Language
from vnquant.ui.board_feed import FeedState
from vnquant.ui.board_rows import breadth
from vnquant.ui.theme import SIGNS, PriceState

__all__ = ("LANGUAGES", "PHASES", "TEXTS", "header", "note", "phases_at", "words")

LANGUAGES: tuple[Language, ...] = ("en", "vi")
TEXTS: dict[str, dict[Language, str]] = {
    "title": {"en": "Price board", "vi": "Bảng giá"},
    "search": {"en": "Symbols", "vi": "Mã CK"},
    "search_hint": {"en": "FPT, VCB, V…", "vi": "FPT, VCB, V…"},
    "exchange": {"en": "Exchange", "vi": "Sàn"},
    "sector": {"en": "Sector", "vi": "Ngành"},
    "all": {"en": "All", "vi": "Tất cả"},
    "language": {"en": "Language", "vi": "Ngôn ngữ"},
    "look": {"en": "Dark board", "vi": "Nền tối"},
    "shown": {"en": "{shown} of {all} symbols", "vi": "{shown} / {all} mã"},
    "none": {"en": "No symbol matches the filter.", "vi": "Không có mã nào phù hợp."},
    "units": {
        "en": "Prices × 1,000 VND · volumes × 10 shares",
        "vi": "Giá × 1.000 VND · khối lượng × 10 cổ phiếu",
    },
    "sort_hint": {
        "en": "Click a heading to sort; arrow keys move between headings.",
        "vi": "Bấm tiêu đề để sắp xếp; dùng phím mũi tên để chuyển cột.",
    },
    "silent": {
        "en": "No word from the kernel for {seconds} s: it is busy or gone, and these prices are old.",
        "vi": "Kernel không trả lời đã {seconds} giây: giá đang hiển thị đã cũ.",
    },
    "unmatched": {"en": "unmatched", "vi": "chưa khớp"},
}
_STATES: dict[PriceState, dict[Language, str]] = {
    PriceState.CEILING: {"en": "ceiling", "vi": "trần"},
    PriceState.UP: {"en": "up", "vi": "tăng"},
    PriceState.REFERENCE: {"en": "unchanged", "vi": "tham chiếu"},
    PriceState.DOWN: {"en": "down", "vi": "giảm"},
    PriceState.FLOOR: {"en": "floor", "vi": "sàn"},
}
PHASES: dict[Phase, dict[Language, str]] = {
    Phase.CLOSED: {"en": "closed", "vi": "đóng cửa"},
    Phase.PRE_OPEN: {"en": "before the opening", "vi": "trước giờ mở cửa"},
    Phase.ATO: {"en": "ATO", "vi": "ATO"},
    Phase.CONTINUOUS: {"en": "continuous", "vi": "khớp lệnh liên tục"},
    Phase.LUNCH: {"en": "lunch break", "vi": "nghỉ trưa"},
    Phase.ATC: {"en": "ATC", "vi": "ATC"},
    Phase.PUT_THROUGH: {"en": "put-through", "vi": "thoả thuận"},
}
_CONDITIONS: dict[str, dict[Language, str]] = {
    "waiting": {"en": "waiting", "vi": "đang chờ"},
    "live": {"en": "live", "vi": "trực tuyến"},
    "late": {"en": "late", "vi": "chậm"},
    "failing": {"en": "not fresh", "vi": "lỗi nguồn"},
    "closed": {"en": "closed", "vi": "đã đóng"},
    "silent": {"en": "no connection", "vi": "mất kết nối"},
}
_NOTES: dict[str, dict[Language, str]] = {
    "waiting": {"en": "Waiting for the first board…", "vi": "Đang chờ bảng giá…"},
    "late": {
        "en": "Late: the last board is {age} old, {source} has not answered since.",
        "vi": "Chậm: bảng giá cũ {age}, {source} chưa trả lời.",
    },
    "failing": {
        "en": "Not fresh ({since}). {error} Asking again.",
        "vi": "Chưa cập nhật ({since}). {error} Đang thử lại.",
    },
    "closed": {
        "en": "Closed: these are the last prices it had.",
        "vi": "Đã đóng: đây là giá cuối cùng.",
    },
    "malformed": {
        "en": "{count} of the records could not be read: {problem}",
        "vi": "{count} bản ghi không đọc được: {problem}",
    },
    "stale": {"en": "{count} symbols are missing from the board.", "vi": "{count} mã không có trên bảng."},
    "never": {"en": "no board yet", "vi": "chưa có bảng giá"},
    "old": {"en": "last board {age} ago", "vi": "bảng cuối cách đây {age}"},
}


def words() -> dict[str, Any]:
    """Return everything the browser needs to label the board, as JSON."""
    return {
        "columns": [
            {
                "key": column.key,
                "kind": column.kind,
                "group": column.group,
                "value": column.value,
                "tint": column.tint,
                "width": column.width_px,
                "heading": column.heading,
                "told": column.told,
            }
            for column in COLUMNS
        ],
        "groups": GROUPS,
        "texts": TEXTS,
        "conditions": _CONDITIONS,
        "phases": {phase.value: text for phase, text in PHASES.items()},
        "states": {state.value: {"sign": SIGNS[state], "text": text} for state, text in _STATES.items()},
    }


def phases_at(when: datetime) -> dict[str, str]:
    """Return the phase of each exchange at an instant."""
    return {str(exchange): phase_at(when, exchange).value for exchange in EXCHANGE_ORDER}


def header(
    now: datetime, state: FeedState, source: str, book: BoardBook, *, error: str = ""
) -> dict[str, Any]:
    """Return what stands above the rows, as JSON: time, phases, how fresh it is and why, and the breadth."""
    stale = int((book.freshness == Freshness.STALE).sum())
    return {
        "time": f"{now:%Y-%m-%d %H:%M:%S}",
        "phases": phases_at(now),
        "condition": "failing" if error else state.condition,
        "note": note(state, source, stale=stale, extra=error),
        "breadth": breadth(book),
    }


def note(state: FeedState, source: str, *, stale: int, extra: str = "") -> dict[Language, str]:
    """Return what the status line says about the feed, "" where all is well.

    Parameters
    ----------
    state : FeedState
    source : str
        Name of the source of quotes.
    stale : int
        Symbols that were quoted before but are missing from the last board.
    extra : str
        Another error, told first.
    """
    return {language: " ".join(_sentences(state, source, stale, extra, language)) for language in LANGUAGES}


def _sentences(state: FeedState, source: str, stale: int, extra: str, language: Language) -> list[str]:
    said = [extra] if extra else []
    age = None if state.age_s is None else f"{state.age_s:.0f} s"
    if state.condition in ("waiting", "late", "closed"):
        said.append(_NOTES[state.condition][language].format(age=age, source=source))
    elif state.condition == "failing":
        since = _NOTES["never" if age is None else "old"][language].format(age=age)
        said.append(_NOTES["failing"][language].format(since=since, error=state.error))
    if state.malformed:
        said.append(_NOTES["malformed"][language].format(count=state.malformed, problem=state.problem))
    if stale:
        said.append(_NOTES["stale"][language].format(count=stale))
    return said
