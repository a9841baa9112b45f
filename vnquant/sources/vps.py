"""VPS: bars and quotes of the VPS data feeds, live or simulated."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from vnquant.errors import ClosedError, EmptyAnswerError, RecordError, SourceError
from vnquant.market.bars import BarSeries, Quote
from vnquant.runtime.clock import ICT
from vnquant.sources.arguments import Clock, LoopClock, check_interval, check_range
from vnquant.sources.base import QuoteBoard
from vnquant.sources.board import parse_board
from vnquant.sources.endpoints import Endpoints
from vnquant.sources.http import HttpClient
from vnquant.sources.ohlcv import MINUTES
from vnquant.sources.selection import between
from vnquant.sources.udf import parse_history

__all__ = ("VpsSource",)

# Weeks and months are not served (HTTP 200 without a status); a panel resamples to them.
_RESOLUTIONS = {"1D": "1D", **{name: str(minutes) for name, minutes in MINUTES.items()}}
# A whole market's board a few times over, some two kilobytes a record.
_KEPT_RECORDS = 400


class VpsSource:
    """Bars from the VPS history, quotes from the VPS board.

    Minutes reach back about six sessions, whatever is asked. Daily prices are back-adjusted for splits and
    cash dividends, so they are close to total return.

    Parameters
    ----------
    client : HttpClient
        Shared; not closed by the source.
    endpoints : Endpoints
    clock : Clock, optional
        Stamps the quotes, which carry no time of their own.
    batch_size : int
        Symbols a board request. The feed takes hundreds; smaller batches lose less when one fails.
    """

    name = "vps"
    intervals = tuple(_RESOLUTIONS)

    def __init__(
        self, client: HttpClient, endpoints: Endpoints, clock: Clock | None = None, *, batch_size: int = 50
    ) -> None:
        self._client = client
        self._endpoints = endpoints
        self._clock = clock or LoopClock()
        self._batch_size = max(1, batch_size)
        self._records: dict[bytes, Quote] = {}

    async def bars(self, symbol: str, start: date, end: date, *, interval: str = "1D") -> BarSeries:
        """Return the bars of the sessions from `start` to `end`, both included."""
        check_range(start, end)
        check_interval(interval, self.intervals, self.name)
        daily = interval == "1D"
        params = {
            "symbol": symbol,
            "resolution": _RESOLUTIONS[interval],
            "from": str(_unix_s(start)),
            "to": str(_unix_s(end + timedelta(days=1)) - 1),
        }
        series = await self._client.get(
            self._endpoints.vps_history,
            params,
            source=self.name,
            symbol=symbol,
            decoder=lambda body: between(
                parse_history(body, symbol, source=self.name, daily=daily), start, end
            ),
            # An unknown symbol and a passing hiccup give the same empty answer.
            empty_retries=1,
        )
        return series

    async def quotes(self, symbols: Sequence[str]) -> QuoteBoard:
        """Return the present quotes, asked for in batches that run side by side.

        A symbol that the feed leaves out is absent. Those of a batch that failed are among the problems.

        Raises
        ------
        SourceError
            That of the first batch, if every batch failed.
        """
        wanted = tuple(dict.fromkeys(symbols))
        batches = [wanted[i : i + self._batch_size] for i in range(0, len(wanted), self._batch_size)]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._batch(batch), name=f"{self.name}-board:{batch[0]}..{batch[-1]}")
                for batch in batches
            ]
        quotes: dict[str, Quote] = {}
        problems: list[RecordError] = []
        errors: list[SourceError] = []
        for batch, task in zip(batches, tasks, strict=True):
            outcome = task.result()
            if isinstance(outcome, ClosedError):
                raise outcome
            if isinstance(outcome, QuoteBoard):
                quotes.update(outcome.quotes)
                problems.extend(outcome.problems)
                continue
            errors.append(outcome)
            told = f"{type(outcome).__name__}: {outcome}"
            problems.extend(RecordError(s, "board", None, told, source=self.name) for s in batch)
        if errors and len(errors) == len(batches):
            raise errors[0]
        return QuoteBoard({s: quotes[s] for s in wanted if s in quotes}, tuple(problems))

    async def _batch(self, batch: tuple[str, ...]) -> QuoteBoard | SourceError | ClosedError:
        """Return a batch's board, or its failure as a value, so that it does not cancel the others."""
        members = frozenset(batch)
        try:
            return await self._client.get(
                f"{self._endpoints.vps_board}/{','.join(batch)}",
                source=f"{self.name}-board",
                symbol=batch[0] if len(batch) == 1 else None,
                decoder=lambda body: self._read_board(body, members),
                empty_retries=2,
                empty_pause_s=0.5,
            )
        except EmptyAnswerError as exc:
            # Unknown symbols are left out silently, and a batch of only such gives an empty list.
            return exc if len(batch) > 1 else QuoteBoard({})
        except (SourceError, ClosedError) as exc:
            return exc

    def _read_board(self, body: bytes, members: frozenset[str]) -> QuoteBoard:
        """Read a board; the last records are kept, for a live board gets the same ones again and again."""
        if len(self._records) > _KEPT_RECORDS:
            self._records.clear()
        return parse_board(body, members, as_of=self._clock.now(), source=self.name, known=self._records)


def _unix_s(day: date) -> int:
    return int(datetime.combine(day, time(), ICT).timestamp())
