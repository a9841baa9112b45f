"""Model scan: one look of the model at the whole market; what passes its filter becomes leads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import EngineEvent, ScanFinished
from vnquant.engine.inbox import Inbox
from vnquant.engine.leads import lead_of_prediction
from vnquant.engine.research import Research
from vnquant.engine.rounds import Stage
from vnquant.engine.trader import Trader
from vnquant.runtime import ICT, now
from vnquant.scanners import ScanResult

__all__ = ("ModelScan",)


class ModelScan:
    """Path A: predictions with a high expected return and confidence go to discussion."""

    def __init__(
        self,
        research: Research,
        inbox: Inbox,
        trader: Trader,
        *,
        config: EngineConfig,
        tell: Callable[[EngineEvent], None],
    ) -> None:
        self._research = research
        self._inbox = inbox
        self._trader = trader
        self._config = config
        self._tell = tell

    async def run_once(self) -> ScanResult:
        """Scan the market and offer what was found to the inbox.

        Raises
        ------
        VnQuantError
            If there is nothing to scan; failures of single symbols are in the result.
        """
        at = now()
        async with asyncio.timeout(self._config.scan_timeout_s):
            result = await self._research.scan(held=self._trader.held)
        coverage = str(result.coverage)
        # On bars of an earlier session, as at 09:15 where a symbol has not matched yet, the agents would have
        # no opinion; the next scan has its bar.
        session = self._research.calendar.latest_session(at)
        leads = [
            lead_of_prediction(prediction, at, expires_s=self._config.model_lead_expires_s, coverage=coverage)
            for prediction in result.opportunities
            if prediction.as_of.astimezone(ICT).date() >= session
        ]
        accepted = await self._inbox.offer(leads, Stage.MODEL)
        self._tell(
            ScanFinished(
                at=at,
                predictions=len(result),
                opportunities=len(result.opportunities),
                leads=len(accepted),
                coverage=coverage,
                elapsed_s=result.elapsed_s,
            )
        )
        return result
