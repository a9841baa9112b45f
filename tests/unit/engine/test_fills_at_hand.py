"""An orchestrator's fills are at hand without asking the ledger, those of earlier runs too."""

from datetime import datetime

from vnquant.engine import AutonomousOrchestrator, EngineConfig, run_span
from vnquant.runtime import ICT, run_virtual
from vnquant.trading import Fills, Ledger

CONFIG = EngineConfig(repeat_after_s=1_800.0, lease_term_s=86_400.0)


def test_fills_are_those_of_the_ledger_and_outlast_the_run(new_street, tmp_path):
    path = tmp_path / "ledger.db"

    async def main(until: datetime) -> tuple[Fills, Fills]:
        orchestrator = AutonomousOrchestrator(new_street(), database=path, config=CONFIG)
        assert orchestrator.fills == []
        await run_span(orchestrator, until)
        async with await Ledger.open(path, read_only=True) as ledger:
            return orchestrator.fills, await ledger.fills()

    first, written = run_virtual(main(datetime(2025, 6, 4, tzinfo=ICT)), start="2025-06-02 08:00")
    assert len(first) > 5
    assert first == written
    later, written = run_virtual(main(datetime(2025, 6, 5, tzinfo=ICT)), start="2025-06-04 00:00")
    assert later[: len(first)] == first
    assert later == written
    assert isinstance(later, Fills)
