"""A progress bar on virtual time: when it appears, what it counts, how its button ends the work."""

import asyncio
import re

import pytest

from vnquant.errors import OperationCancelledError
from vnquant.ui import progress
from vnquant.ui.progress import ProgressBar

pytestmark = pytest.mark.virtual(start="2025-06-02 09:00")


class Bar:
    """What tqdm would show."""

    def __init__(self, what, total, unit, cancel) -> None:
        self.what, self.total, self.unit, self.cancel = what, total or None, unit, cancel
        self.n, self.start_t, self.doing = 0, 100.0, ""
        self.refreshed = self.resets = 0
        self.disable = False
        self.closed = False

    def update(self, n=1):
        self.n += n

    def refresh(self):
        self.refreshed += 1

    def reset(self, total=None):
        self.n, self.total, self.start_t = 0, total, 200.0
        self.resets += 1

    def set_postfix_str(self, s="", refresh=True):
        self.doing = s

    def close(self):
        self.closed = True


@pytest.fixture
def bars(monkeypatch):
    made: list[Bar] = []

    def new(*arguments):
        made.append(Bar(*arguments))
        return made[-1]

    monkeypatch.setattr(progress, "_new_bar", new)
    return made


async def counting(total: int, *, each_s: float, done: list[str] | None = None) -> str:
    try:
        with ProgressBar("Scanning", unit="symbol") as bar:
            for k in range(total):
                await asyncio.sleep(each_s)
                bar.items(k + 1, total)
        return "finished"
    finally:
        if done is not None:
            done.append("tidied up")


async def test_quick_work_shows_nothing(bars):
    assert await counting(9, each_s=0.1) == "finished"
    await asyncio.sleep(5)
    assert bars == []


async def test_a_bar_appears_after_a_second_counts_and_goes(bars):
    work = asyncio.create_task(counting(30, each_s=0.1))
    await asyncio.sleep(1.55)
    (bar,) = bars
    assert (bar.what, bar.n, bar.total, bar.unit) == ("Scanning", 15, 30, "symbol")
    assert bar.start_t == pytest.approx(99.0)  # the second before it appeared counts for the rate
    assert await work == "finished"
    assert bar.closed


async def test_work_that_tells_nothing_still_shows_that_time_passes(bars):
    async def silent() -> None:
        with ProgressBar("Asking") as bar:
            await asyncio.sleep(4.2)
            bar.share(0.5, "half")
            await asyncio.sleep(1)

    work = asyncio.create_task(silent())
    await asyncio.sleep(4.1)
    (bar,) = bars
    assert bar.total is None
    assert bar.refreshed >= 6
    began_t = bar.start_t
    await asyncio.sleep(0.5)
    assert (bar.total, bar.n, bar.doing, bar.resets) == (100, 50, "half", 1)
    assert bar.start_t == began_t  # learning the total begins no new time
    await work
    assert bar.closed


async def test_a_silent_bar_starts_no_timer(bars):
    with ProgressBar("Scanning", shown=False) as bar:
        bar.items(1, 2)
        await asyncio.sleep(10)
        bar.cancel()
        await asyncio.sleep(1)
    assert bars == []


async def test_the_button_ends_the_work_with_a_word_that_says_how_far_it_came(bars):
    done: list[str] = []
    work = asyncio.create_task(counting(102, each_s=0.1, done=done))
    await asyncio.sleep(5.15)
    (bar,) = bars
    bar.cancel()
    bar.cancel()  # a double click is harmless
    with pytest.raises(OperationCancelledError, match=r"Scanning was cancelled .* after 51 of 102 symbols"):
        await work
    assert done == ["tidied up"]
    assert bar.closed
    bar.cancel()
    await asyncio.sleep(1)  # and a late one, too


async def test_the_button_works_from_another_thread(bars):
    work = asyncio.create_task(counting(102, each_s=0.1))
    await asyncio.sleep(2)
    await asyncio.to_thread(bars[0].cancel)
    with pytest.raises(OperationCancelledError):
        await work


async def test_a_cancellation_from_elsewhere_stays_a_cancellation(bars):
    work = asyncio.create_task(counting(102, each_s=0.1))
    await asyncio.sleep(2)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    both = asyncio.create_task(counting(102, each_s=0.1))
    await asyncio.sleep(2)
    bars[-1].cancel()
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both


async def test_a_task_goes_on_after_its_operation_was_cancelled(bars):
    async def cell() -> str:
        with pytest.raises(OperationCancelledError):
            await counting(102, each_s=0.1)
        await asyncio.sleep(1)
        async with asyncio.timeout(10):
            return await counting(3, each_s=0.1)

    task = asyncio.create_task(cell())
    await asyncio.sleep(2)
    bars[0].cancel()
    assert await task == "finished"
    assert task.cancelling() == 0


async def test_an_error_of_the_work_is_not_hidden(bars):
    async def failing() -> None:
        with ProgressBar("Dividing"):
            await asyncio.sleep(2)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert bars[0].closed


# -- the real bars -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["tqdm.std", "tqdm.notebook"])
async def test_a_user_who_switched_tqdm_off_sees_none(module, monkeypatch, capsys):
    made = []

    def new(what, total, unit, cancel):
        options = {"total": total or None, "desc": what, "unit": unit, "disable": True}
        if module == "tqdm.notebook":
            from vnquant.ui.progress_widget import widget_bar

            made.append(widget_bar(cancel, **options))
        else:
            made.append(progress._text_bar(**options))
        return made[-1]

    monkeypatch.setattr(progress, "_new_bar", new)
    assert await counting(50, each_s=0.1) == "finished"
    assert len(made) == 1
    assert capsys.readouterr() == ("", "")


async def test_a_terminal_shows_rate_and_estimate(capsys):
    with ProgressBar("Scanning", unit="symbol") as bar:
        bar.items(0, 102)
        await asyncio.sleep(2)
        bar.items(51, 102)
        await asyncio.sleep(1)
    shown = capsys.readouterr().err
    assert re.search(r"Scanning:\s+50%.*51/102 \[00:0\d<00:0\d, .*symbol/s\]", shown)


async def test_a_notebooks_bar_has_a_button_and_leaves_no_widget():
    from vnquant.ui.progress_widget import widget_bar

    pressed: list[bool] = []
    bar = widget_bar(lambda: pressed.append(True), total=10, desc="Scanning", unit="symbol", leave=False)
    assert bar.row.children == (bar.container, bar.button)
    assert bar.button.tooltip == "Cancel: Scanning"
    bar.update(5)
    bar.refresh()
    assert "5/10" in bar.container.children[2].value
    bar.button.click()
    assert pressed == [True]
    assert bar.button.disabled
    bar.close()
    assert bar.row.comm is None
    assert bar.button.comm is None
