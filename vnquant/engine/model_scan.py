"""Model scan: one look of the model at the whole market; what passes its filter becomes leads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from vnquant.engine.config import EngineConfig
from vnquant.engine.events import EngineEvent, ScanFinished
from vnquant.engine.inbox import Inbox
from vnquant.engine.leads import Lead, leads_of_predictions
from vnquant.engine.research import Research
from vnquant.engine.rounds import Stage
from vnquant.engine.trader import Trader
from vnquant.models import Predictions
from vnquant.runtime import ICT, now, within
from vnquant.scanners import Coverage, ScanResult

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
        self._covered: tuple[Coverage | None, str] = (None, "")

    async def run_once(self) -> ScanResult:
        """Scan the market and offer what was found to the inbox.

        Raises
        ------
        VnQuantError
            If there is nothing to scan; failures of single symbols are in the result.
        """
        at = now()
        result = await within(self._config.scan_timeout_s, self._research.scan(held=self._trader.held))
        found = result.opportunities
        coverage = self._words(result.coverage)
        leads = self._leads(found, at, coverage) if found else ()
        accepted = await self._inbox.offer(leads, Stage.MODEL)
        self._tell(
            ScanFinished(
                at=at,
                predictions=len(result),
                opportunities=len(found),
                leads=len(accepted),
                coverage=coverage,
                elapsed_s=result.elapsed_s,
            )
        )
        return result

    def _leads(self, found: Predictions, at: datetime, coverage: str) -> list[Lead]:
        """Return the leads of what was found on bars of the present session.

        On those of an earlier one, as at 09:15 where a symbol has not matched yet, the agents would have no
        opinion; the next scan has its bar.
        """
        today = at.astimezone(ICT).date()
        days = [prediction.as_of.astimezone(ICT).date() for prediction in found]
        # Today's bars are those of the present session at the least; the calendar is asked about others only.
        session = today if min(days) >= today else self._research.calendar.latest_session(at)
        fresh = [prediction for prediction, day in zip(found, days, strict=True) if day >= session]
        return leads_of_predictions(fresh, at, expires_s=self._config.model_lead_expires_s, coverage=coverage)

    def _words(self, coverage: Coverage) -> str:
        """Return a coverage as text; scan after scan of a replay has the very same one."""
        if coverage is not self._covered[0]:
            self._covered = (coverage, str(coverage))
        return self._covered[1]
