"""A chart becomes a picture by this machine's browser, without a network."""

import numpy as np
import pytest

from vnquant.market import BarPanel
from vnquant.ui import export_png, export_svg, price_chart

pytestmark = [pytest.mark.browser, pytest.mark.timeout(480)]


async def test_a_picture_has_the_size_asked_for(tmp_path):
    close = np.linspace(20_000, 21_000, 30)[:, None]
    days = np.datetime64("2025-03-03", "s") + np.arange(30) * np.timedelta64(1, "D")
    panel = BarPanel(("FPT",), days, close, close + 50, close - 50, close, np.full_like(close, 1e6))
    figure = price_chart(panel, "FPT", scores={"chief": np.zeros(30)})
    png = (await export_png(figure, tmp_path / "chart.png", width=800, scale=1.5)).read_bytes()
    assert png.startswith(b"\x89PNG")
    width, height = (int.from_bytes(png[k : k + 4], "big") for k in (16, 20))
    assert (width, height) == (1200, round(figure.layout.height * 1.5))
    svg = (await export_svg(figure, tmp_path / "chart.svg", width=800)).read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert ">FPT<" in svg
    assert ">All<" not in svg  # a button does nothing in a picture
    assert len(figure.layout.updatemenus) == 1  # and the figure keeps it
