"""Corporate events: dividends and share issues as a feed tells them.

No public feed of Vietnam is known whose format is documented and that tells amounts; the simulated exchange
has a route of its own, in the manner of one:
``{"symbols":["FPT"],"through":"2025-06-02","actions":[{"type":"CashDividend","symbol":"FPT",...}]}``.
The answer names the symbols and the last session that it speaks for: one that is empty, or of yesterday, is
then not taken for "nothing went ex".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import msgspec

from vnquant.errors import EmptyAnswerError, PayloadError
from vnquant.market import CorporateAction
from vnquant.sources.arguments import check_range
from vnquant.sources.http import HttpClient

__all__ = ("CorporateEventFeed", "EventsAnswer", "parse_events")


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the feed."""

    symbols: tuple[str, ...]
    through: date
    actions: tuple[CorporateAction, ...]


_answers: msgspec.json.Decoder[EventsAnswer] = msgspec.json.Decoder(EventsAnswer)


class CorporateEventFeed:
    """An `ActionSource` over HTTP.

    Parameters
    ----------
    client : HttpClient
        Shared; not closed by the source.
    url : str
        The comma-separated symbols are appended as a path segment.
    """

    name = "corporate-events"

    def __init__(self, client: HttpClient, url: str) -> None:
        self._client = client
        self._url = url

    async def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return what went ex from `start` to `end`, both included, by date and symbol.

        Raises
        ------
        EmptyAnswerError
            If the feed does not speak for one of the symbols, or not yet for `end`.
        SourceError
            If it did not answer as it should.
        """
        check_range(start, end)
        wanted = tuple(dict.fromkeys(symbols))
        if not wanted:
            return ()
        return await self._client.get(
            f"{self._url}/{','.join(wanted)}",
            {"from": start.isoformat(), "to": end.isoformat()},
            source=self.name,
            symbol=wanted[0] if len(wanted) == 1 else None,
            decoder=lambda body: parse_events(body, wanted, start, end, source=self.name),
            empty_retries=1,
        )


def parse_events(
    body: bytes, symbols: Collection[str], start: date, end: date, *, source: str
) -> tuple[CorporateAction, ...]:
    """Return the actions of an answer that belong to the question, by date, symbol and id.

    Raises
    ------
    EmptyAnswerError
        If it does not speak for one of the symbols, or not for `end`.
    PayloadError
        If it is no such answer.
    """
    try:
        answer = _answers.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise PayloadError(
            f"{source} did not answer with corporate events but {body[:40]!r}: {exc}", source=source
        ) from exc
    if missing := sorted(set(symbols) - set(answer.symbols)):
        raise EmptyAnswerError(
            f"{source} does not say whether anything of {', '.join(missing)} went ex.", source=source
        )
    if answer.through < end:
        raise EmptyAnswerError(
            f"{source} knows what went ex until {answer.through}, and was asked until {end}.", source=source
        )
    wanted = set(symbols)
    found = [a for a in answer.actions if a.symbol in wanted and start <= a.ex_date <= end]
    return tuple(sorted(found, key=lambda a: (a.ex_date, a.symbol, a.action_id)))
