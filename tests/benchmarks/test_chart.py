"""How long `bench.chart` holds the loop, beside plotly's own part of it: making a figure of ready traces."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from plotly import graph_objects as go
from sklearn.linear_model import Ridge

from vnquant import Workbench

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]


def median_ms(call: Callable[[int], object], rounds: int = 20) -> float:
    took = []
    for k in range(rounds):
        began = time.perf_counter()
        call(k)
        took.append(1000.0 * (time.perf_counter() - began))
    return statistics.median(took)


async def test_a_chart_costs_little_more_than_plotlys_figure(tmp_path: Path) -> None:
    async with Workbench.open(
        cache_dir=tmp_path, predictor=Ridge(alpha=1000.0), progress=False, at="2025-06-05 10:00"
    ) as bench:
        await bench.prepare()
        symbols = bench.symbols
        first_ms = median_ms(lambda _: bench.chart("FPT"), rounds=1)
        chart_ms = median_ms(lambda k: bench.chart(symbols[k]))
        ready = bench.chart("FPT").to_dict()
        figure_ms = median_ms(lambda _: go.Figure(ready))
        size_kb = len(bench.chart("FPT").to_json()) / 1000
    print(
        json.dumps(
            {
                "benchmark": "chart",
                "first_ms": round(first_ms, 1),
                "chart_ms": round(chart_ms, 1),
                "plotly_figure_ms": round(figure_ms, 1),
                "ratio": round(chart_ms / figure_ms, 2),
                "json_kb": round(size_kb),
            }
        )
    )
    assert chart_ms < 6 * figure_ms
    assert first_ms < 20 * figure_ms  # what all symbols share was computed by `prepare`
