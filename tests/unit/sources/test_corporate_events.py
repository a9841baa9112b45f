"""The feed of corporate events: what it says, what it leaves out, and what is no answer."""

from datetime import date

import msgspec
import pytest

from vnquant.errors import EmptyAnswerError, PayloadError
from vnquant.market import CashDividend, ShareSplit
from vnquant.sources.corporate_events import parse_events

FIRST, LAST = date(2025, 6, 2), date(2025, 6, 4)


def dividend(symbol: str = "FPT", ex_date: date = LAST) -> CashDividend:
    return CashDividend(
        action_id=f"{symbol} {ex_date}",
        symbol=symbol,
        ex_date=ex_date,
        per_share_vnd=1_000,
        payable_on=date(2025, 7, 1),
    )


def body(*actions: object, symbols: tuple[str, ...] = ("FPT", "VCB"), through: date = LAST) -> bytes:
    return msgspec.json.encode({"symbols": symbols, "through": through, "actions": actions})


def parsed(answer: bytes, symbols: tuple[str, ...] = ("FPT", "VCB")) -> tuple[object, ...]:
    return parse_events(answer, symbols, FIRST, LAST, source="events")


def test_actions_come_by_date_and_symbol_and_others_are_left_out():
    split = ShareSplit(action_id="s", symbol="VCB", ex_date=FIRST, held=10, become=13)
    early, foreign = dividend(ex_date=date(2025, 5, 30)), dividend("HPG")
    assert parsed(body(dividend(), split, early, foreign)) == (split, dividend())
    assert parsed(body()) == ()


def test_an_answer_that_leaves_a_symbol_out_does_not_say_that_nothing_went_ex():
    with pytest.raises(EmptyAnswerError, match="VCB"):
        parsed(body(symbols=("FPT",)))


def test_an_answer_of_yesterday_does_not_speak_for_today():
    with pytest.raises(EmptyAnswerError, match="2025-06-03"):
        parsed(body(through=date(2025, 6, 3)))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"symbols":["FPT"]}',
        b"<html>",
        body({"type": "CashDividend", "symbol": "FPT"}),
        body(msgspec.to_builtins(dividend()) | {"per_share_vnd": 0}),
        body({"type": "RightsIssue", "symbol": "FPT"}),
    ],
)
def test_anything_else_is_no_answer(answer):
    with pytest.raises(PayloadError):
        parsed(answer)
