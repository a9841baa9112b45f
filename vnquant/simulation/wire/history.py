"""History: bars in the TradingView UDF shape of VPS and of VNDIRECT.

Both give thousand VND and shares. VPS echoes the symbol and says `no_data`; VNDIRECT echoes nothing and says
`ok` with empty arrays. Adjusted prices have up to 3 decimals, so VND inside and thousands outside are
the same number.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from vnquant.market.bars import BarSeries
from vnquant.simulation.wire.answer import Answer, json_answer

__all__ = (
    "COLUMNS",
    "DAILY_RESOLUTIONS",
    "MINUTE_RESOLUTIONS",
    "HistoryText",
    "repeat_some_days",
    "udf_error",
    "vndirect_history",
    "vps_history",
    "vps_unsupported",
)

# Resolution on the wire -> interval inside. 120, 240, W and M are measured not to be served.
MINUTE_RESOLUTIONS = {"1": "1m", "5": "5m", "15": "15m", "30": "30m", "60": "1h"}
DAILY_RESOLUTIONS = frozenset({"D", "1D"})
COLUMNS = ("t", "c", "o", "h", "l", "v")

_ICT_OFFSET_S = 7 * 3600
_COMMA = ord(",")
# Of the symbols, one in 16 has repeated days; of its days, one in 50: VNREAL showed 34 in 1,649.
_SYMBOLS_PER_REPEATING = 16
_DAYS_PER_REPEAT = 50
_VNDIRECT_HEADERS = {
    "Content-Type": "text/plain;charset=UTF-8",
    "Access-Control-Allow-Origin": "*",
    "Set-Cookie": "TS015b7ec3=0190757a12; Path=/",
}
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class HistoryText:
    """Bars as the text of their JSON arrays, from which any run of rows is cut without encoding again.

    Encoding 2,000 rows takes about 0.5 ms, cutting them out 0.02 ms; a client that asks for one new row
    pays for one row.

    Attributes
    ----------
    stamps : int64, shape (T,)
        Unix seconds, ascending, equal where a day is repeated.
    columns : tuple of bytes
        For each of `COLUMNS` its values, each followed by a comma.
    ends : int64, shape (6, T + 1)
        Where the text of each row begins in each column, and where the last one ends.
    """

    stamps: npt.NDArray[np.int64]
    columns: tuple[bytes, ...]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, bars: BarSeries, *, daily: bool, repeat_days: bool = True) -> HistoryText:
        """Encode bars whose timestamps are ICT wall clock.

        Daily stamps stay at 00:00 UTC of the session date, as every parser expects; those of minutes become
        true UTC. `repeat_days` gives some symbols the duplicate dates that VPS has.
        """
        stamps = bars.timestamps.astype("datetime64[s]").astype(np.int64)
        values = [bars.close, bars.open, bars.high, bars.low, bars.volume]
        if not daily:
            stamps = stamps - _ICT_OFFSET_S
        elif repeat_days:
            stamps, values = repeat_some_days(bars.symbol, stamps, values)
        prices = [(np.rint(column) / 1000).tolist() for column in values[:4]]
        columns = tuple(
            _encoder.encode(column)[1:-1] + b"," if column else b""
            for column in (stamps.tolist(), *prices, np.rint(values[4]).astype(np.int64).tolist())
        )
        commas = [np.flatnonzero(np.frombuffer(text, np.uint8) == _COMMA) + 1 for text in columns]
        ends = np.zeros((len(columns), len(stamps) + 1), np.int64)
        ends[:, 1:] = commas
        return cls(stamps, columns, ends)

    def then(self, later: HistoryText) -> HistoryText:
        """Return these rows followed by later ones."""
        shift = self.ends[:, -1:]
        return HistoryText(
            np.concatenate([self.stamps, later.stamps]),
            tuple(a + b for a, b in zip(self.columns, later.columns, strict=True)),
            np.concatenate([self.ends, later.ends[:, 1:] + shift], axis=1),
        )

    def cut(self, first_s: float, last_s: float) -> dict[str, bytes]:
        """Return the text of each array for the rows from `first_s` to `last_s`, both included."""
        i = int(np.searchsorted(self.stamps, first_s, side="left"))
        j = max(i, int(np.searchsorted(self.stamps, last_s, side="right")))
        starts, stops = self.ends[:, i].tolist(), self.ends[:, j].tolist()
        return {
            name: text[start:stop]
            for name, text, start, stop in zip(COLUMNS, self.columns, starts, stops, strict=True)
        }


def repeat_some_days(
    symbol: str, stamps: npt.NDArray[np.int64], values: list[npt.NDArray[np.float64]]
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.float64]]]:
    """Repeat some days of some symbols, the first copy with conflicting values, the last one right.

    Which days depends on symbol and date only, so a row comes out the same in every answer. The wrong copy
    looks like an early snapshot of the day: every price at the open, half the volume.
    """
    salt = zlib.crc32(symbol.encode())
    if salt % _SYMBOLS_PER_REPEATING:
        return stamps, values
    days = (stamps // 86_400).astype(np.uint64)
    # Knuth's multiplicative hash; the high bits decide, since the low ones follow the weekday.
    mixed = ((days + np.uint64(salt)) * np.uint64(2654435761)) % np.uint64(2**32)
    counts = np.where(mixed < 2**32 // _DAYS_PER_REPEAT, 2, 1)
    rows = np.repeat(np.arange(len(stamps)), counts)
    wrong = np.flatnonzero(np.diff(rows, append=-1) == 0)
    repeated = [column[rows] for column in values]
    opening = repeated[1][wrong]
    for column in repeated[:4]:
        column[wrong] = opening
    repeated[4][wrong] = np.floor(repeated[4][wrong] / 200) * 100
    return stamps[rows], repeated


def vps_history(symbol: str, *texts: dict[str, bytes]) -> Answer:
    """Return VPS's answer from consecutive cuts, `no_data` with empty arrays where they hold no row."""
    arrays = _arrays(texts)
    state = b"ok" if arrays[0] else b"no_data"
    head = b'{"symbol":' + _encoder.encode(symbol) + b',"s":"' + state + b'"'
    return json_answer(head + b"".join(map(_member, COLUMNS, arrays)) + b"}")


def vps_unsupported(symbol: str, resolution: str) -> Answer:
    """Return VPS's answer to a resolution that it does not serve: status 200, `s` null or absent."""
    if resolution.isdigit():
        return json_answer(_encoder.encode({"symbol": symbol, "s": None}))
    return json_answer(_encoder.encode({"symbol": symbol}))


def udf_error(message: str) -> Answer:
    """Return the error form of the UDF protocol."""
    return json_answer(_encoder.encode({"s": "error", "errmsg": message}))


def vndirect_history(*texts: dict[str, bytes]) -> Answer:
    """Return VNDIRECT's answer: no symbol, `ok` also when empty, and JSON that calls itself plain text."""
    order = ("t", "o", "h", "l", "c", "v")
    arrays = dict(zip(COLUMNS, _arrays(texts), strict=True))
    members = b"".join(_member(name, arrays[name]) for name in order)
    return Answer(200, _VNDIRECT_HEADERS, b"{" + members[1:] + b',"s":"ok"}')


def _arrays(texts: tuple[dict[str, bytes], ...]) -> list[bytes]:
    """Join the cuts column by column, without the comma after the last value."""
    return [b"".join([text[name] for text in texts])[:-1] for name in COLUMNS]


def _member(name: str, array: bytes) -> bytes:
    return b',"' + name.encode() + b'":[' + array + b"]"
