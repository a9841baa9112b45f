"""Timestamps: reading dates and instants as the ICT wall clock that bars stand on."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np

from vnquant.errors import DateRangeError
from vnquant.runtime.clock import ICT

__all__ = ("to_timestamp",)


def to_timestamp(when: date | datetime | str | np.datetime64, *, end_of_day: bool = False) -> np.datetime64:
    """Read a date or instant as ICT wall clock, datetime64[s].

    With `end_of_day` a bare date stands for its last second. Raises DateRangeError when unreadable.
    """
    try:
        if isinstance(when, str) and ":" in when:
            # numpy would read "10:00+07:00" as UTC.
            when = datetime.fromisoformat(when)
        if isinstance(when, datetime):
            if when.tzinfo is not None:
                when = when.astimezone(ICT).replace(tzinfo=None)
            return np.datetime64(when, "s")
        stamp = np.datetime64(when)
    except ValueError as exc:
        raise DateRangeError(f"Cannot read {when!r} as a date; write it as 2025-06-30.") from exc
    if np.isnat(stamp):
        raise DateRangeError("NaT is not a date; write it as 2025-06-30.")
    unit = np.datetime_data(stamp.dtype)[0]
    has_time = isinstance(when, np.datetime64) and unit not in ("Y", "M", "W", "D")
    seconds: np.datetime64 = stamp.astype("datetime64[s]")
    if end_of_day and not has_time:
        seconds = stamp.astype("datetime64[D]").astype("datetime64[s]") + np.timedelta64(86_399, "s")
    return seconds
