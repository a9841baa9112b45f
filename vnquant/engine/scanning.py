"""Scanning: one round of all scanners at the same time, on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from vnquant.engine.crew import Crew
from vnquant.engine.leads import Lead
from vnquant.errors import LedgerError, VnQuantError
from vnquant.scanners import ScanResult

__all__ = ("RoundReport", "scan_everything")


class RoundReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one round of all scanners found. A scanner that failed is named in `errors`."""

    scan: ScanResult | None
    leads: tuple[Lead, ...]
    errors: dict[str, str]


async def scan_everything(crew: Crew) -> RoundReport:
    """Run the model and news scanners side by side; one that fails does not sink the other.

    Raises
    ------
    LedgerError
        If what they found cannot be written down.
    """
    errors: dict[str, str] = {}
    before = set(crew.record.leads)

    async def attempt(name: str, run: Callable[[], Awaitable[object]]) -> object:
        try:
            return await run()
        except (VnQuantError, TimeoutError) as exc:
            if isinstance(exc, LedgerError):
                raise
            errors[name] = f"{type(exc).__name__}: {exc}"
            return None

    try:
        async with asyncio.TaskGroup() as group:
            model = group.create_task(attempt("model_scanner", crew.model.run_once), name="round:model")
            group.create_task(attempt("news_scanner", crew.news.run_once), name="round:news")
    except* LedgerError as failed:
        raise failed.exceptions[0] from None
    scan = model.result()
    leads = tuple(lead for name, lead in crew.record.leads.items() if name not in before)
    return RoundReport(scan=scan if isinstance(scan, ScanResult) else None, leads=leads, errors=errors)
