"""File table: turn any table of bars into ours, and explain each decision. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vnquant.errors import FileFormatError
from vnquant.sources.file_columns import ColumnGuess, guess_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ("BarTable", "Unit", "normalise")

Unit = Literal["auto", "vnd", "thousand_vnd"]

_PRICES = ("open", "high", "low", "close")
# The median Vietnamese share costs about 15,000 VND; a table whose median is below 1,000 is in thousands.
_THOUSANDS_BELOW = 1_000.0


@dataclass(frozen=True, slots=True)
class BarTable:
    """All rows of a table under our names: symbol, date, open, high, low, close, volume; nothing dropped."""

    frame: pd.DataFrame
    interval: str
    explanation: tuple[str, ...]


def normalise(table: pd.DataFrame, *, name: str, unit: Unit = "auto", symbol: str | None = None) -> BarTable:
    """Return the table with our columns, in VND and shares, sorted by symbol and date.

    Parameters
    ----------
    table : DataFrame
    name : str
        Of the file, for the messages, and as the symbol where no column tells it.
    unit : {"auto", "vnd", "thousand_vnd"}
        Of the prices.
    symbol : str, optional
        Of all rows, where no column tells it.

    Raises
    ------
    FileFormatError
        If a needed column is not there, or no row is readable.
    """
    import pandas as pd

    flat = _flat_index(table)
    guess = guess_columns(flat.columns)
    told = [_tell_columns(guess)]
    _refuse(guess, flat, name)
    data: dict[str, Any] = {"symbol": _symbols(flat, guess, name, symbol, told)}
    data["date"] = _dates(flat[guess.columns["date"]], told)
    for field in (*_PRICES, "volume"):
        data[field] = _numbers(flat[guess.columns[field]], guess.columns[field], told)
    frame = pd.DataFrame(data)
    frame = _in_vnd(frame, unit, told)
    if "adjusted_close" in guess.columns:
        frame = _adjust(frame, flat[guess.columns["adjusted_close"]], told)
    if not (frame["date"].notna() & frame["close"].notna()).any():
        raise FileFormatError(
            f"{name} has the right columns, but no row with a date and a close. {' '.join(told)}", path=name
        )
    frame = frame.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    interval = _interval(frame)
    told.append(f"{len(frame):,} rows of {frame['symbol'].nunique()} symbols, taken as {interval} bars.")
    return BarTable(frame, interval, tuple(told))


def _flat_index(table: pd.DataFrame) -> pd.DataFrame:
    """Make columns of a named or dated index, as yfinance and many others deliver."""
    import pandas as pd

    index = table.index
    if isinstance(index, pd.MultiIndex) or index.name is not None:
        return table.reset_index()
    if isinstance(index, pd.DatetimeIndex):
        return table.rename_axis("date").reset_index()
    return table.reset_index(drop=True)


def _refuse(guess: ColumnGuess, table: pd.DataFrame, name: str) -> None:
    if guess.missing:
        raise FileFormatError(
            f"{name} has no column for {', '.join(guess.missing)}; its columns are "
            f"{', '.join(map(str, table.columns))[:300]}. "
            "Rename them to symbol, date, open, high, low, close, volume.",
            path=name,
        )
    interest = guess.columns.get("open_interest")
    if interest is not None and bool((table[interest].fillna(0) != 0).any()):
        raise FileFormatError(
            f"{name} fills {interest!r}: CafeF's files of foreign trades do, and carry other quantities "
            "under the names open, high, low and close. Use the price file.",
            path=name,
        )


def _tell_columns(guess: ColumnGuess) -> str:
    told = ", ".join(f"{ours} from {theirs!r}" for ours, theirs in guess.columns.items())
    unused = f" Not used: {', '.join(guess.unused)}." if guess.unused else ""
    return f"Columns: {told}.{unused}"


def _symbols(
    table: pd.DataFrame, guess: ColumnGuess, name: str, symbol: str | None, told: list[str]
) -> pd.Series[str]:
    import pandas as pd

    if "symbol" in guess.columns:
        return table[guess.columns["symbol"]].astype("str").str.strip().str.upper().astype("object")
    only = (symbol or Path(name).stem).upper()
    told.append(f"No column of symbols: all rows are taken as {only}.")
    return pd.Series([only] * len(table), dtype="object")


def _dates(column: pd.Series[Any], told: list[str]) -> Any:
    """Read dates as ICT wall clock: stamps, 20250630, Unix seconds or milliseconds, ISO or dd/mm/yyyy."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        dates: Any = column
    elif pd.api.types.is_numeric_dtype(column):
        dates = _numeric_dates(column)
    else:
        text: Any = column.astype("str").str.strip()
        if text.str.fullmatch(r"\d{8}(\.0)?").mean() > 0.5:
            dates = pd.to_datetime(text.str[:8], format="%Y%m%d", errors="coerce")
        elif text.str.contains(r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{4}").mean() > 0.5:
            dates = _slashed_dates(text, told)
        else:
            dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=_zoned(text))
    if getattr(dates.dt, "tz", None) is not None:
        dates = dates.dt.tz_convert("Asia/Ho_Chi_Minh").dt.tz_localize(None)
    if unread := int(dates.isna().sum()):
        told.append(f"{unread:,} rows have no readable date.")
    return dates.astype("datetime64[s]")


def _zoned(text: pd.Series[str]) -> Any:
    return bool(text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$").mean() > 0.5) and bool(
        text.str.contains("T| ").any()
    )


def _numeric_dates(column: pd.Series[Any]) -> Any:
    import pandas as pd

    typical = float(column.median())
    if 19_000_000 < typical < 22_000_000:
        whole = column.round().astype("Int64").astype("str")
        return pd.to_datetime(whole, format="%Y%m%d", errors="coerce")
    unit: Literal["ms", "s"] = "ms" if typical > 1e11 else "s"
    return pd.to_datetime(column, unit=unit, errors="coerce", utc=True)


def _slashed_dates(text: pd.Series[str], told: list[str]) -> Any:
    import pandas as pd

    parts = text.str.extract(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})").astype("float64")
    day_first = not bool((parts[1] > 12).any()) or bool((parts[0] > 12).any())
    certain = bool((parts[0] > 12).any()) or bool((parts[1] > 12).any())
    order = "day/month/year" if day_first else "month/day/year"
    told.append(f"Dates read as {order}" + ("." if certain else ", as in Vietnam; no date in it proves it."))
    return pd.to_datetime(text, dayfirst=day_first, errors="coerce", format="mixed")


def _numbers(column: pd.Series[Any], name: str, told: list[str]) -> Any:
    """Read numbers, also as text with thousands separators of either habit; NaN where one is none."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    text = column.astype("str").str.strip().str.replace(r"[\s\u00a0]", "", regex=True)
    if text.str.fullmatch(r"-?\d{1,3}(\.\d{3})+(,\d+)?|-?\d+,\d{1,2}").mean() > 0.5:
        text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        told.append(f"{name!r} read with the comma as decimal mark.")
    else:
        text = text.str.replace(",", "", regex=False)
    return pd.to_numeric(text, errors="coerce").astype("float64")


def _in_vnd(frame: pd.DataFrame, unit: Unit, told: list[str]) -> pd.DataFrame:
    if unit == "auto":
        median = float(frame["close"].median())
        thousands = median < _THOUSANDS_BELOW
        reading = "thousand VND" if thousands else "VND"
        told.append(f"Prices taken as {reading}: the median close is {median:,.2f}. If not, pass unit=...")
    else:
        thousands = unit == "thousand_vnd"
        told.append(f"Prices in {'thousand VND' if thousands else 'VND'}, as told.")
    if thousands:
        # To a thousandth of a VND: 57.57 * 1000 is 57570.00000000001 otherwise.
        frame[list(_PRICES)] = (frame[list(_PRICES)] * 1_000.0).round(3)
    return frame


def _adjust(frame: pd.DataFrame, adjusted: pd.Series[Any], told: list[str]) -> pd.DataFrame:
    """Bring all four prices to the scale of the adjusted close, whatever unit that one is in."""
    close = frame["close"].to_numpy()
    target = _numbers(adjusted, str(adjusted.name), told).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = target / close
    # The same unit puts the newest factor near 1; in thousands beside VND it is near 0.001.
    scale = 1_000.0 if np.nanmedian(factor) < 0.02 else 1.0
    factor = np.where(np.isfinite(factor) & (factor > 0.0), factor * scale, 1.0)
    for field in _PRICES:
        frame[field] = frame[field].to_numpy() * factor
    told.append(f"Prices brought to the adjusted close, factor {factor.min():.4g} to {factor.max():.4g}.")
    return frame


def _interval(frame: pd.DataFrame) -> str:
    stamps = frame["date"].dropna().to_numpy().astype("datetime64[s]").astype(np.int64)
    if not len(stamps) or bool((stamps % 86_400 == stamps[0] % 86_400).all()):
        return "1D"
    steps = np.diff(np.unique(stamps))
    minutes = int(steps.min()) // 60
    return "1h" if minutes == 60 else f"{max(1, minutes)}m"
