"""Progress: a bar with rate, estimate and a cancel button for whatever takes longer than a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from vnquant.errors import OperationCancelledError
from vnquant.ui.comms import answer_comms_while_awaiting

__all__ = ("ProgressBar",)

_QUIET_S = 1.0  # faster than this shows nothing
_BEAT_S = 0.5  # time goes on in the bar, also while nothing gets done


class Bar(Protocol):
    """What is needed of a tqdm."""

    disable: bool | None
    n: float
    start_t: float
    total: float | None

    def update(self, n: Any = 1) -> Any:
        """Go on by so many items."""

    def refresh(self) -> Any:
        """Show what it is now."""

    def reset(self, total: Any = None) -> Any:
        """Begin anew, with another total."""

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> Any:
        """Say what is being done."""

    def close(self) -> Any:
        """Go away."""


class ProgressBar:
    """A tqdm bar that appears when the work outlasts a second, as a widget with a button where there is one.

    The button cancels the task that entered the bar, as a timeout would: what it awaits is cancelled, its
    `finally` blocks run, and the block ends in an `OperationCancelledError` that says how far it came. A
    cancellation from elsewhere, such as the kernel's interrupt, passes through as it is. A terminal has no
    button, but Ctrl+C.

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
        self._done, self._total, self._doing = 0, 0, ""
        self._bar: Bar | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._began_s = 0.0
        self._is_cancelled = False
        self._is_over = False

    def __enter__(self) -> Self:
        if self._shown:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()
            self._cancelling = 0 if self._task is None else self._task.cancelling()
            self._began_s = self._loop.time()
            self._beat = self._loop.call_later(_QUIET_S, self._go_on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._beat is not None:
            self._beat.cancel()
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if not self._is_cancelled or self._task is None:
            return
        # As asyncio.timeout does: the cancellation that was ours is taken back, one from elsewhere stays.
        if self._task.uncancel() <= self._cancelling and isinstance(value, asyncio.CancelledError):
            raise OperationCancelledError(
                f"{self._what} was cancelled by its button{self._how_far()}; nothing of it goes on. Run the "
                "cell again to start over."
            ) from None

    def items(self, done: int, total: int) -> None:
        """Show that `done` of `total` items are finished."""
        self._show(done, total)

    def share(self, fraction: float, doing: str = "") -> None:
        """Show that a fraction in [0, 1] is finished, and what is being done."""
        self._show(round(100 * fraction), 100, doing)

    def cancel(self) -> None:
        """Cancel the work; what the button does. From any thread, and harmless once the work is over."""
        if self._shown and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._is_over and not self._is_cancelled:
            self._is_cancelled = True
            self._task.cancel()

    def _show(self, done: int, total: int, doing: str = "") -> None:
        self._done, self._total, self._doing = done, total, doing or self._doing
        if self._bar is not None:
            self._fill(self._bar)

    def _go_on(self) -> None:
        """Appear, or let the time of the bar go on; on the loop, until the block ends."""
        if self._bar is None:
            self._bar = _new_bar(self._what, self._total, self._unit, self.cancel)
            if self._bar.disable:  # by TQDM_DISABLE: such a bar has no beginning and shows nothing
                self._bar.close()
                return
            self._bar.start_t -= self._loop.time() - self._began_s
        self._fill(self._bar)
        self._bar.refresh()
        self._beat = self._loop.call_later(_BEAT_S, self._go_on)

    def _fill(self, bar: Bar) -> None:
        if self._total and bar.total != self._total:
            began_t = bar.start_t
            bar.reset(self._total)
            bar.start_t = began_t
        if self._doing:
            bar.set_postfix_str(self._doing, refresh=False)
        bar.update(self._done - bar.n)

    def _how_far(self) -> str:
        return f" after {self._done:,} of {self._total:,} {_plural(self._unit)}" if self._total else ""


def _new_bar(what: str, total: int, unit: str, cancel: Callable[[], object]) -> Bar:
    from tqdm.auto import tqdm
    from tqdm.notebook import tqdm_notebook

    # The rate is that since the beginning: the bar appears a second late, which would look like a leap.
    options = {"total": total or None, "desc": what, "unit": unit, "leave": False, "smoothing": 0}
    if not issubclass(tqdm, tqdm_notebook):
        return _text_bar(**options)
    from vnquant.ui.progress_widget import widget_bar

    answer_comms_while_awaiting()
    return widget_bar(cancel, **options)


def _text_bar(**options: Any) -> Bar:
    from tqdm import tqdm

    # A monitor's thread would outlive the work; the loop keeps the time here.
    quiet: Callable[..., Bar] = type("Bar", (tqdm,), {"monitor_interval": 0})
    return quiet(**options)


def _plural(unit: str) -> str:
    return unit if unit == "%" or unit.endswith("s") else f"{unit}s"
