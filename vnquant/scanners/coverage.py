"""Coverage: how much of what was asked for a scan really saw, and why the rest is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from vnquant.errors import VnQuantError
from vnquant.tables import html_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("Coverage",)

_SHOWN_ROWS = 20


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Which symbols a result stands on.

    Attributes
    ----------
    requested : int
        Symbols asked for.
    fresh : tuple of str
        Symbols brought up to date, whose newest bar is that of the present session.
    stale : mapping of str to int
        Symbols judged on older bars, with the number of sessions they lag; 0 where the bar is of the present
        session but could not be brought up to date.
    failures : mapping of str to VnQuantError
        Why a symbol is stale or missing. Symbols here and not in `stale` have no prediction.
    """

    requested: int
    fresh: tuple[str, ...] = ()
    stale: Mapping[str, int] = MappingProxyType({})
    failures: Mapping[str, VnQuantError] = MappingProxyType({})

    @property
    def failed(self) -> tuple[str, ...]:
        """Symbols without any prediction."""
        return tuple(s for s in self.failures if s not in self.stale)

    @property
    def share(self) -> float:
        """Fresh symbols among those asked for, in [0, 1]."""
        return len(self.fresh) / self.requested if self.requested else 0.0

    def to_frame(self) -> pd.DataFrame:
        """Return one row a symbol that is not fresh: the sessions that it lags, NaN without bars; and why."""
        import pandas as pd

        rows = [
            (symbol, self.stale.get(symbol, float("nan")), str(self.failures.get(symbol, "")))
            for symbol in dict.fromkeys((*self.stale, *self.failures))
        ]
        return pd.DataFrame(rows, columns=["symbol", "stale_sessions", "reason"]).set_index("symbol")

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = [
            (symbol, str(self.stale.get(symbol, "no bars")), str(self.failures.get(symbol, "")))
            for symbol in dict.fromkeys((*self.stale, *self.failures))
        ]
        table = html_table(("symbol", "sessions behind", "reason"), rows[:_SHOWN_ROWS], left=(0, 2))
        more = len(rows) - _SHOWN_ROWS
        rest = f"<p>... and {more} more; .to_frame() has them all</p>" if more > 0 else ""
        return f"<p>{escape(str(self))}</p>" + (table + rest if rows else "")

    def __str__(self) -> str:
        parts = [f"{len(self.fresh)} of {self.requested} fresh"]
        for sessions, count in sorted(Counter(self.stale.values()).items()):
            late = f"stale by {sessions} session{'s' if sessions != 1 else ''}"
            parts.append(f"{count} {late if sessions else 'of this session but not refreshed'}")
        if failed := self.failed:
            reasons = Counter(_reason(self.failures[s]) for s in failed)
            why = ", ".join(f"{reason} x{n}" if n > 1 else reason for reason, n in reasons.most_common(3))
            parts.append(f"{len(failed)} failed: {why}")
        return ", ".join(parts)


def _reason(error: VnQuantError) -> str:
    """Return an error's class as words: SourceTimeoutError becomes "source timeout"."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
