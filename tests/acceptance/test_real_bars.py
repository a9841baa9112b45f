"""The workbench on real Vietnamese bars from a file that is not ours to ship: absent, these tests skip."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from vnquant import Workbench

REAL = Path(__file__).parents[3] / "shared" / "data" / "real" / "vn_daily.parquet"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not REAL.exists(), reason="../shared/data/real/vn_daily.parquet is not here"),
]


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workbench]:
    async with Workbench.open(
        source=REAL, cache_dir=tmp_path_factory.mktemp("models"), progress=False
    ) as opened:
        yield opened


async def test_real_bars_are_scanned_and_discussed_with_honest_coverage(bench, capsys):
    result = await bench.scan()
    # 23 of the 82 symbols end on 2025-11-13, the others on 2026-04-10.
    assert len(result) == len(result.coverage.fresh) == 59
    assert len(result.failures) == 23
    assert all("too old" in str(reason) for reason in result.failures.values())
    verdict = await bench.discuss("FPT")
    assert len(verdict.components) == 5
    assert not verdict.missing
    assert "59 of 82 fresh, 23 failed" in verdict.coverage
    with capsys.disabled():
        print(f"\n{result}\n{bench.model.report}\n{verdict}")
    report = bench.model.report
    assert {"momentum", "reversal"} <= set(report.baselines)
    assert report.rank_ic.low < report.rank_ic.mean < report.rank_ic.high
    assert bench.chart("FPT").data


async def test_the_data_report_tells_the_files_known_defects(bench):
    report = await bench.data_report()
    told = str(report)
    assert "173,469 rows, 82 symbols" in told
    assert "266 rows whose high is below" in told
    assert "23 symbols that stop before the data does" in told
    assert "back-adjusted" in told
    assert "Nothing was dropped or repaired" in told or "nothing" in told.lower()


async def test_the_file_could_be_opened_on_any_past_day(tmp_path):
    async with Workbench.open(source=REAL, at="2022-06-30", cache_dir=tmp_path, progress=False) as bench:
        panel = await bench.bars(["FPT", "VCB"], "2022-06-01", "2022-06-30")
        assert str(panel.timestamps[-1])[:10] == "2022-06-30"
        assert bench.clock.now().isoformat() == "2022-06-30T15:00:00+07:00"
