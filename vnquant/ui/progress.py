"""Progress: a bar with rate and estimate for whatever takes longer than a second."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

__all__ = ("ProgressBar",)

_QUIET_S = 1.0  # faster than this shows nothing


class ProgressBar:
    """A tqdm bar that appears only when the work outlasts a second, as a widget where there is one.

    Parameters
    ----------
    what : str
        Shown before the bar.
    unit : str
    shown : bool
        False keeps it silent.

    Examples
    --------
    ::

        with ProgressBar("Scanning", unit="symbol") as bar:
            bar.items(51, 102)
    """

    def __init__(self, what: str, *, unit: str = "it", shown: bool = True) -> None:
        self._what = what
        self._unit = unit
        self._shown = shown
        self._began_s: float | None = None
        self._bar: Any = None  # a tqdm; its notebook twin has no types

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def items(self, done: int, total: int) -> None:
        """Show that `done` of `total` items are finished."""
        self._show(done, total)

    def share(self, fraction: float, doing: str = "") -> None:
        """Show that a fraction in [0, 1] is finished, and what is being done."""
        self._show(round(100 * fraction), 100, doing)

    def _show(self, done: int, total: int, doing: str = "") -> None:
        if not self._shown:
            return
        now_s = asyncio.get_running_loop().time()
        if self._began_s is None:
            self._began_s = now_s
        if self._bar is None:
            if now_s - self._began_s < _QUIET_S:
                return
            self._bar = _new_bar(self._what, total, self._unit)
        if doing:
            self._bar.set_postfix_str(doing, refresh=False)
        self._bar.update(done - self._bar.n)


def _new_bar(what: str, total: int, unit: str) -> Any:
    """Return a widget in a notebook, text on stderr elsewhere."""
    from tqdm.auto import tqdm
    from tqdm.notebook import tqdm_notebook

    if not issubclass(tqdm, tqdm_notebook):
        return tqdm(total=total, desc=what, unit=unit, leave=False)
    from IPython import display

    bar: Any = tqdm(total=total, desc=what, unit=unit, leave=False, display=False)
    # Only the widget view: its text twin would hold rate and time, which differ each time a notebook is run.
    view = "application/vnd.jupyter.widget-view+json"
    widget = {"model_id": bar.container.model_id, "version_major": 2, "version_minor": 0}
    display.display({view: widget}, raw=True)  # type: ignore[no-untyped-call]
    return bar
