"""Chart export: a figure as one HTML page that needs no network, or as a PNG or SVG picture.

Pictures are drawn by the Chromium or Chrome of this machine, started without a window for each one: plotly
draws with a browser's engine, and nothing is downloaded, started as a server or left running.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote_to_bytes

from vnquant.errors import ExportError
from vnquant.ui.theme import TONES, ChartTheme

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ("export_html", "export_png", "export_svg", "in_theme")

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_ARGUMENTS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    # Waits for plotly: the page counts as done when its own clock has run this far with nothing to do.
    "--virtual-time-budget=30000",
    "--dump-dom",
)
_PICTURE = re.compile(rb'<pre id="picture">(data:image/[^<]*)</pre>')
_PAGE = """<!doctype html><meta charset="utf-8"><title>chart</title>{figure}<pre id="picture"></pre><script>
Plotly.toImage(document.getElementById("chart"), {{format: "{kind}", width: {width}, height: {height},
  scale: {scale}}}).then(picture => document.getElementById("picture").textContent = picture);
</script>"""


async def export_html(
    figure: go.Figure, path: str | Path, *, theme: ChartTheme | str = ChartTheme.LIGHT
) -> Path:
    """Write a figure as one page with everything in it, which opens without a network.

    Parameters
    ----------
    figure : Figure
    path : str or Path
    theme : ChartTheme
        AUTO leaves the figure as it is.
    """
    target = Path(path)

    def write() -> Path:
        in_theme(figure, theme).write_html(target, include_plotlyjs=True, full_html=True)
        return target

    return await asyncio.to_thread(write)


async def export_png(
    figure: go.Figure,
    path: str | Path,
    *,
    width: int = 1200,
    height: int | None = None,
    scale: float = 2.0,
    theme: ChartTheme | str = ChartTheme.LIGHT,
    browser: str | Path | None = None,
    timeout_s: float = 60.0,
) -> Path:
    """Write a figure as a PNG picture.

    Parameters
    ----------
    figure : Figure
    path : str or Path
    width, height : int
        Pixels before scaling; the figure's own height by default.
    scale : float
        Pixels of the picture for each of these: 2 is sharp on any screen.
    theme : ChartTheme
        LIGHT or DARK; AUTO is transparent.
    browser : str or Path, optional
        Chromium, Chrome or Edge; what the PATH finds by default.
    timeout_s : float

    Raises
    ------
    ExportError
        If there is no browser, or it draws nothing in time.

    Examples
    --------
    >>> await export_png(bench.chart("FPT"), "fpt.png")  # doctest: +SKIP
    """
    options = {"width": width, "height": height, "scale": scale, "theme": theme}
    return await _export("png", figure, Path(path), browser=browser, timeout_s=timeout_s, **options)


async def export_svg(
    figure: go.Figure,
    path: str | Path,
    *,
    width: int = 1200,
    height: int | None = None,
    theme: ChartTheme | str = ChartTheme.LIGHT,
    browser: str | Path | None = None,
    timeout_s: float = 60.0,
) -> Path:
    """Write a figure as an SVG picture; see `export_png`."""
    options = {"width": width, "height": height, "scale": 1.0, "theme": theme}
    return await _export("svg", figure, Path(path), browser=browser, timeout_s=timeout_s, **options)


def in_theme(figure: go.Figure, theme: ChartTheme | str) -> go.Figure:
    """Return the figure on a ground of its own, with text and lines that read there; AUTO changes nothing."""
    chosen = ChartTheme(theme)
    if chosen is ChartTheme.AUTO:
        return figure
    tones = TONES[chosen]
    from plotly import graph_objects as go

    copy = go.Figure(figure)
    copy.update_layout(
        paper_bgcolor=tones.ground,
        plot_bgcolor=tones.ground,
        font_color=tones.text,
    )
    copy.update_xaxes(gridcolor=tones.grid)
    copy.update_yaxes(gridcolor=tones.grid)
    for menu in copy.layout.updatemenus:
        menu.update(bgcolor=tones.button, bordercolor=tones.grid, font_color=tones.text)
    return copy


async def _export(
    kind: Literal["png", "svg"],
    figure: go.Figure,
    path: Path,
    *,
    browser: str | Path | None,
    timeout_s: float,
    **options: Any,
) -> Path:
    command = str(browser) if browser is not None else _find_browser()
    with tempfile.TemporaryDirectory(prefix="vnquant-chart-", ignore_cleanup_errors=True) as folder:
        page = Path(folder) / "chart.html"
        await asyncio.to_thread(lambda: page.write_text(_page(figure, kind, **options), encoding="utf-8"))
        shown = await _dump(command, page, timeout_s)
    found = _PICTURE.search(shown)
    if found is None:
        raise ExportError(
            f"{command} drew no picture of the figure. Try `export_html` and print the page from a browser, "
            "or name another with `browser=`."
        )
    await asyncio.to_thread(path.write_bytes, _decoded(found[1]))
    return path


def _page(
    figure: go.Figure,
    kind: str,
    *,
    width: int,
    height: int | None,
    scale: float,
    theme: ChartTheme | str,
) -> str:
    from plotly import graph_objects as go

    dressed = go.Figure(in_theme(figure, theme))
    tall = height or dressed.layout.height or 450
    dressed.update_layout(width=width, height=tall)
    dressed.layout.updatemenus = ()  # buttons do nothing in a picture
    body = dressed.to_html(full_html=False, include_plotlyjs=True, div_id="chart", validate=False)
    return _PAGE.format(figure=body, kind=kind, width=width, height=tall, scale=scale)


async def _dump(command: str, page: Path, timeout_s: float) -> bytes:
    """Return the page's document after its scripts have run."""
    # Chromium refuses to sandbox itself as root, as in a container; the page is our own.
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    arguments = (*_ARGUMENTS, *root, f"--user-data-dir={page.parent / 'profile'}", page.as_uri())
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        raise ExportError(f"The browser {command} could not be started: {exc}.") from exc
    try:
        async with asyncio.timeout(timeout_s):
            shown, _ = await process.communicate()
    except TimeoutError as exc:
        raise ExportError(
            f"{command} drew no picture within {timeout_s:g} s. Give it longer with `timeout_s=`."
        ) from exc
    finally:
        await _end(process)
    return shown


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a browser that still runs, with its children, which are a group of their own."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, 9)
        else:
            process.kill()
    await process.wait()


def _find_browser() -> str:
    for name in _BROWSERS:
        if found := shutil.which(name):
            return found
    raise ExportError(
        "A picture needs Chromium, Chrome or Edge, and none of them is on the PATH. Install one, name it "
        "with `browser=`, or use `export_html`, which needs none."
    )


def _decoded(url: bytes) -> bytes:
    """Return the content of a data URL."""
    head, _, data = url.partition(b",")
    return base64.b64decode(data) if head.endswith(b";base64") else unquote_to_bytes(data)
