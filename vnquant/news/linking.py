"""Linking: which symbols of the universe a Vietnamese text speaks about."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from vnquant.market.symbols import Symbol, Universe, load_universe
from vnquant.news.text import fold

__all__ = ("link_symbols", "without_names")

# Tickers by name, and a pattern that finds names.
_Names = tuple[dict[str, str], re.Pattern[str]]

# Tickers that are also words of the trade: chief executive, the currency, the city, gas, the volatility
# index. They count only where the text marks them as a ticker.
_AMBIGUOUS = frozenset({"CEO", "VND", "HCM", "GAS", "VIX", "DIG", "PC1", "ABB"})
_MARKED = (
    r"\({t}\)"
    r"|(?i:cổ phiếu|mã|cp)\s+{t}(?!\w)"
    r"|^[\"“]?{t}\s*:"
    r"|(?<!\w){t}\s*,\s*[A-Z][A-Z0-9]{{2}}(?!\w)"
    r"|(?<!\w)[A-Z][A-Z0-9]{{2}}\s*,\s*{t}(?!\w)"
)
# What stands before is looked at from behind the first letter: the search leaps from capital to capital.
_TICKER = re.compile(r"[A-Z](?<![\w.&-].)[A-Z0-9]{2}(?![\w&-])")

# The names that headlines use, where they are not the company's registered name. Sources: the companies' own
# brand names. A longer name wins over a shorter one inside it ("Masan High-Tech Materials" is MSR, not MSN).
_BRANDS: dict[str, str] = {
    "vinamilk": "VNM", "vietcombank": "VCB", "vietinbank": "CTG", "bidv": "BID", "techcombank": "TCB",
    "vpbank": "VPB", "sacombank": "STB", "mbbank": "MBB", "mb bank": "MBB", "hdbank": "HDB",
    "tpbank": "TPB", "seabank": "SSB", "lpbank": "LPB", "lienvietpostbank": "LPB", "eximbank": "EIB",
    "abbank": "ABB", "vietcapital bank": "BVB", "bvbank": "BVB", "ngân hàng quân đội": "MBB",
    "hòa phát": "HPG", "hoa sen": "HSG", "thép nam kim": "NKG", "thế giới di động": "MWG",
    "fpt retail": "FRT", "fpt shop": "FRT", "long châu": "FRT", "chứng khoán fpt": "FTS", "fpts": "FTS",
    "fpt online": "", "digiworld": "DGW", "pnj": "PNJ", "vàng bạc đá quý phú nhuận": "PNJ",
    "vingroup": "VIC", "vinhomes": "VHM", "vincom retail": "VRE", "novaland": "NVL", "phát đạt": "PDR",
    "khang điền": "KDH", "nam long": "NLG", "đất xanh": "DXG", "đất xanh services": "",
    "dat xanh services": "", "kinh bắc": "KBC", "becamex": "BCM", "viglacera": "VGC",
    "viglacera hạ long": "", "sonadezi châu đức": "SZC", "hà đô": "HDG", "dic corp": "DIG",
    "khải hoàn land": "KHG", "idico": "IDC", "vietjet": "VJC", "gemadept": "GMD", "viconship": "VSC",
    "hải an": "HAH", "acv": "ACV", "masan": "MSN", "masan high-tech materials": "MSR", "sabeco": "SAB",
    "vĩnh hoàn": "VHC", "nam việt": "ANV", "dabaco": "DBC", "hoàng anh gia lai": "HAG", "hagl": "HAG",
    "hagl agrico": "HNG", "bầu đức": "HAG", "petrolimex": "PLX", "pv gas": "GAS", "pvgas": "GAS",
    "pv power": "POW", "pvpower": "POW", "pv drilling": "PVD", "ptsc": "PVS", "lọc hóa dầu bình sơn": "BSR",
    "đạm cà mau": "DCM", "đạm phú mỹ": "DPM", "đức giang": "DGC", "vietcap": "VCI",
    "chứng khoán bản việt": "VCI", "vndirect": "VND", "hsc": "HCM", "gelex": "GEX", "vinaconex": "VCG",
    "coteccons": "CTD", "hòa bình": "", "xây dựng hòa bình": "HBC", "tập đoàn hòa bình": "HBC",
    "đèo cả": "HHV", "viettel construction": "CTR", "viettel post": "VTP", "viettel global": "VGI",
    "tasco": "HUT", "dệt may thành công": "TCM", "vinatex": "VGT", "veam": "VEA", "cao su việt nam": "GVR",
    "bảo việt": "", "chứng khoán bảo việt": "BVS", "chứng khoán mb": "MBS", "chứng khoán vietinbank": "CTS",
    "sở giao dịch chứng khoán thành phố hồ chí minh": "", "sở giao dịch chứng khoán hà nội": "",
    "chứng khoán tiên phong": "ORS", "chứng khoán ssi": "SSI", "chứng khoán vix": "VIX", "cii": "CII",
}  # fmt: skip

# Registered names that without their legal form are whole industries.
_GENERIC = frozenset({"dệt may việt nam", "xăng dầu việt nam", "khí việt nam"})

_LEGAL_FORMS = re.compile(
    r"^(?:ctcp\s*-\s*|ctcp\s+|tổng công ty cổ phần\s+|tổng công ty\s+|công ty tài chính\s+|tập đoàn\s+"
    r"|ngân hàng tmcp\s+)+"
    r"|\s*[-–]\s*ctcp$"
)


def link_symbols(text: str, universe: Mapping[str, Symbol] | None = None) -> tuple[str, ...]:
    """Return the symbols that a text names, by ticker, brand or company name, in order of appearance.

    Parameters
    ----------
    text : str
        Vietnamese, best of a headline and its summary.
    universe : mapping of ticker to Symbol, optional
        The shipped universe by default.

    Notes
    -----
    A ticker that is also a word, such as CEO or VND, counts only where the text marks it as one: "(CEO)",
    "cổ phiếu CEO", "CEO:" at the start, or in a list of tickers.

    Examples
    --------
    >>> link_symbols("Vietcombank và FPT báo lãi kỷ lục")
    ('VCB', 'FPT')
    """
    known = load_universe() if universe is None else universe
    composed = unicodedata.normalize("NFC", text)
    names, pattern = _names_of(known)
    places: dict[str, int] = {}
    taken: set[int] = set()
    for found in pattern.finditer(fold(composed)):
        taken.update(range(*found.span()))
        if (ticker := names[found.group()]) in known:
            places.setdefault(ticker, found.start())
    words: dict[str, int] = {}
    for found in _TICKER.finditer(composed):
        # The FPT in "FPT Retail" is a part of that name, not the mother company.
        if found.start() not in taken:
            words.setdefault(found.group(), found.start())
    for ticker, start in words.items():
        if ticker in known and _is_meant(ticker, composed):
            places[ticker] = min(places.get(ticker, start), start)
    return tuple(sorted(places, key=lambda ticker: places[ticker]))


def without_names(text: str, universe: Mapping[str, Symbol] | None = None) -> str:
    """Return a text, folded, with each company's name replaced by "công ty".

    So that "Phát Đạt" (prosperous) or "Thành Công" (success) are not taken for good news.
    """
    _, pattern = _names_of(load_universe() if universe is None else universe)
    return pattern.sub("công ty", fold(text))


def _names_of(universe: Mapping[str, Symbol]) -> _Names:
    if universe is _latest.universe:
        return _latest.names
    names = _names(tuple(universe), tuple(one.company for one in universe.values()))
    if isinstance(universe, Universe):  # which never changes; a mapping of somebody's own may
        _latest.universe, _latest.names = universe, names
    return names


class _Latest(threading.local):
    """The universe that was asked for last in this thread: thousands of texts in a row are about one."""

    universe: Universe | None = None
    names: _Names


_latest = _Latest()


def _is_meant(ticker: str, text: str) -> bool:
    """Whether an uppercase word is meant as a ticker."""
    if ticker not in _AMBIGUOUS and not text.isupper():
        return True
    return re.search(_MARKED.format(t=ticker), text, re.MULTILINE) is not None


@lru_cache(maxsize=4)
def _names(tickers: tuple[str, ...], companies: tuple[str, ...]) -> _Names:
    """Return the tickers by name, and a pattern that finds the longest name; "" is a company not listed."""
    names = {}
    for ticker, company in zip(tickers, companies, strict=True):
        full = fold(company).strip()
        core = _LEGAL_FORMS.sub("", full).strip()
        names[full] = ticker
        if full.startswith("ngân hàng"):
            # A bank's core is a region or a trade: "Đông Nam Á", "Công Thương".
            names[f"ngân hàng {core}"] = ticker
        elif len(core.split()) >= 3 and core not in _GENERIC:
            # Fewer syllables are too common to mean a company: the brands above name those.
            names[core] = ticker
    names.update({fold(brand): ticker for brand, ticker in _BRANDS.items()})
    return names, re.compile(rf"(?<!\w){_longest_of(sorted(names))}(?!\w)")


def _longest_of(words: Sequence[str]) -> str:
    """Return a pattern of the longest of some words, sorted, that share what they begin with.

    One letter tells which of two hundred names may follow: a list of alternatives is tried name by name.
    """
    by_letter = {
        letter: [word[1:] for word in group] for letter, group in groupby(filter(None, words), itemgetter(0))
    }
    if not by_letter:
        return ""
    longer = "|".join(re.escape(letter) + _longest_of(rest) for letter, rest in by_letter.items())
    # Greedy: what is longer is tried first, and given up where it does not end as a word.
    return f"(?:{longer})" + ("?" if "" in words else "")
