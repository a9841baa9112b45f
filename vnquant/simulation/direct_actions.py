"""Direct actions: what went ex on the simulated exchange, told from inside its process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from vnquant.market import CorporateAction
from vnquant.market.calendar import to_ict
from vnquant.simulation.direct import DirectMarket
from vnquant.sources import ActionSource

__all__ = ("DirectActions",)


class DirectActions:
    """The corporate events of a direct market."""

    def __init__(self, direct: DirectMarket, otherwise: ActionSource) -> None:
        self.name = otherwise.name
        self._direct = direct
        self._otherwise = otherwise

    async def actions(self, symbols: Sequence[str], start: date, end: date) -> tuple[CorporateAction, ...]:
        """Return what went ex from `start` to `end`, both included, as far as it is known now."""
        market, local = self._direct.market, to_ict(self._direct.exchange.now())
        # Where less is known than asked for, the feed says so.
        if not self._direct.is_clear or market.shown_session(local) < end:
            return await self._otherwise.actions(symbols, start, end)
        return market.actions_at(local, symbols, start, end)
