"""A chart leaves the notebook as one page without a network, and as a picture by the system's browser."""

import asyncio
import re

import numpy as np
import pytest

from vnquant.errors import ExportError
from vnquant.market import BarPanel
from vnquant.ui import export_html, export_png, price_chart
from vnquant.ui.chart_export import in_theme


@pytest.fixture
def figure():
    close = np.linspace(20_000, 21_000, 30)[:, None]
    days = np.datetime64("2025-03-03", "s") + np.arange(30) * np.timedelta64(1, "D")
    panel = BarPanel(("FPT",), days, close, close + 50, close - 50, close, np.full_like(close, 1e6))
    return price_chart(panel, "FPT", scores={"chief": np.zeros(30)}, fingerprint="abc")


async def test_a_page_holds_everything_and_asks_nobody(figure, tmp_path):
    page = await export_html(figure, tmp_path / "chart.html")
    text = page.read_text(encoding="utf-8")
    assert "fingerprint abc" in text
    # Neither a script, a style sheet nor a picture comes from elsewhere.
    assert re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=", text) == []
    assert "cdn.plot.ly" not in re.sub(r"<script[^>]*>/\*\*.*?</script>", "", text, flags=re.S)


def test_a_theme_brings_its_ground_and_leaves_the_figure_alone(figure):
    dark = in_theme(figure, "dark")
    assert dark.layout.paper_bgcolor == dark.layout.plot_bgcolor == "#111111"
    assert dark.layout.updatemenus[0].font.color == dark.layout.font.color
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert in_theme(figure, "auto") is figure


async def test_without_a_browser_it_says_what_to_do(figure, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match="export_html"):
        await export_png(figure, tmp_path / "chart.png")
    with pytest.raises(ExportError, match="could not be started"):
        await export_png(figure, tmp_path / "chart.png", browser=tmp_path / "no-such-browser")
    assert not (tmp_path / "chart.png").exists()


async def test_a_browser_that_draws_nothing_or_hangs_is_named_and_ended(figure, tmp_path):
    silent, hanging = tmp_path / "silent", tmp_path / "hanging"
    silent.write_text("#!/bin/sh\nexit 0\n")
    hanging.write_text("#!/bin/sh\nsleep 300\n")
    for script in (silent, hanging):
        script.chmod(0o755)
    with pytest.raises(ExportError, match="drew no picture of the figure"):
        await export_png(figure, tmp_path / "chart.png", browser=silent)
    with pytest.raises(ExportError, match=r"within 0\.2 s"):
        await export_png(figure, tmp_path / "chart.png", browser=hanging, timeout_s=0.2)
    ps = await asyncio.create_subprocess_exec("pgrep", "-f", str(hanging), stdout=asyncio.subprocess.PIPE)
    assert (await ps.communicate())[0] == b""
