import asyncio
from datetime import date

import numpy as np
import pytest

from vnquant.errors import (
    AllSourcesFailedError,
    DateRangeError,
    EmptyAnswerError,
    EmptySelectionError,
    ParameterError,
    SourceTimeoutError,
)
from vnquant.market import BarSeries
from vnquant.sources import SourceChain

START, END = date(2025, 5, 5), date(2025, 6, 2)


class Fixed:
    def __init__(self, name, outcome, intervals=("1D",)):
        self.name = name
        self.outcome = outcome
        self.intervals = intervals
        self.asked = 0

    async def bars(self, symbol, start, end, *, interval="1D"):
        self.asked += 1
        if isinstance(self.outcome, float):
            await asyncio.sleep(self.outcome)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        one = np.array([1.0])
        return BarSeries(
            symbol, np.array(["2025-06-02"], dtype="datetime64[s]"), one, one, one, one, one, self.name
        )


async def test_the_first_source_that_has_the_bars_serves_them():
    first, second, third = Fixed("a", SourceTimeoutError("late")), Fixed("b", None), Fixed("c", None)
    chain = SourceChain([first, second, third])
    assert (await chain.bars("FPT", START, END)).source == "b"
    assert dict(chain.served_by) == {"FPT": "b"}
    assert (first.asked, second.asked, third.asked) == (1, 1, 0)
    assert chain.name == "a>b>c"


async def test_when_all_fail_each_cause_is_told():
    chain = SourceChain([Fixed("a", SourceTimeoutError("late")), Fixed("b", EmptyAnswerError("none"))])
    with pytest.raises(AllSourcesFailedError, match=r"late.*none") as caught:
        await chain.bars("FPT", START, END)
    assert [type(c) for c in caught.value.causes] == [SourceTimeoutError, EmptyAnswerError]


async def test_a_source_without_the_interval_is_passed_over():
    daily, minutes = Fixed("a", None), Fixed("b", None, ("1D", "5m"))
    chain = SourceChain([daily, minutes])
    assert (await chain.bars("FPT", START, END, interval="5m")).source == "b"
    assert daily.asked == 0
    with pytest.raises(ParameterError, match="1D, 5m"):
        await chain.bars("FPT", START, END, interval="1W")


async def test_a_mistake_of_the_caller_is_not_blamed_on_the_sources():
    chain = SourceChain([Fixed("a", None)])
    with pytest.raises(DateRangeError):
        await chain.bars("FPT", END, START)
    with pytest.raises(EmptySelectionError):
        SourceChain([])


async def test_fetch_with_timeout_returns_bars_or_none_with_a_warning(caplog):
    assert len(await SourceChain([Fixed("a", None)]).fetch_with_timeout("FPT")) == 1
    assert await SourceChain([Fixed("a", SourceTimeoutError("x"))]).fetch_with_timeout("FPT") is None
    assert await SourceChain([Fixed("a", 30.0)]).fetch_with_timeout("VNM", timeout=0.01) is None
    assert "FPT" in caplog.text
    assert "VNM: no answer within 0.01 s" in caplog.text
