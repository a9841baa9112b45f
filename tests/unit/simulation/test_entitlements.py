"""What went ex on the simulated exchange is told exactly once, explains each price, and never early."""

import json
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from vnquant.errors import UnknownSymbolError
from vnquant.market import CashDividend, Exchange, ShareSplit, tick_size
from vnquant.runtime import ICT
from vnquant.simulation import SimulatedMarket
from vnquant.simulation.answers import Answers

FIRST, LAST = date(2018, 1, 2), date(2025, 12, 31)
END = datetime(2025, 12, 31, 16, 0, tzinfo=ICT)


@pytest.fixture(scope="module")
def market():
    return SimulatedMarket(7)


@pytest.fixture(scope="module")
def told(market):
    return market.actions_at(END, market.symbols, FIRST, LAST)


def test_each_ex_date_of_the_history_is_told_once_and_no_other(market, told):
    history = market.daily(LAST)
    rows, columns = np.nonzero(history.ex_rights_factor != 1.0)
    expected = {
        (history.sessions[row].item(), market.symbols[column])
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if row
    }
    assert {(action.ex_date, action.symbol) for action in told} == expected
    assert len({action.action_id for action in told}) == len(told) >= len(expected)
    assert {type(action) for action in told} == {CashDividend, ShareSplit}


def test_what_is_told_explains_the_reference_price_to_a_tick(market, told):
    history = market.daily(LAST)
    actions = {}
    for action in told:
        actions.setdefault((action.ex_date, action.symbol), []).append(action)
    for (ex_date, symbol), several in actions.items():
        row = int(np.searchsorted(history.sessions, np.datetime64(ex_date)))
        column = market.symbols.index(symbol)
        exchange = market.universe[symbol].exchange
        before = history.average if exchange is Exchange.UPCOM else history.close
        price = before[row - 1, column]
        for action in several:
            if isinstance(action, CashDividend):
                price -= action.per_share_vnd
            else:
                price *= action.held / action.become
        reference = history.reference[row, column]
        ticks = 2 if exchange is Exchange.UPCOM else 0.5
        assert abs(reference - price) <= ticks * tick_size(reference, exchange), several


def test_money_comes_weeks_later_and_issued_shares_are_listed_after_that(told):
    for action in told:
        if isinstance(action, CashDividend):
            assert timedelta(days=20) < action.payable_on - action.ex_date < timedelta(days=45)
        elif action.held < action.become <= 2 * action.held:
            assert action.new_shares_sellable_from is not None
            assert timedelta(days=45) < action.new_shares_sellable_from.date() - action.ex_date
        else:
            assert action.new_shares_sellable_from is None  # a split or a consolidation


def test_nothing_is_told_before_the_board_turns_to_the_ex_date(market, told):
    action = next(a for a in told if a.ex_date.year == 2025)
    morning = datetime(*action.ex_date.timetuple()[:3], 8, 29, tzinfo=ICT)
    span = (action.ex_date, action.ex_date + timedelta(days=30))
    assert market.actions_at(morning, [action.symbol], *span) == ()
    assert action in market.actions_at(morning + timedelta(minutes=1), [action.symbol], *span)
    with pytest.raises(UnknownSymbolError):
        market.actions_at(END, ["NOSUCH"], FIRST, LAST)


def test_the_route_speaks_for_known_symbols_through_the_session_shown(market, told):
    answers = Answers(market)
    action = next(a for a in told if a.ex_date.year == 2025)
    now = datetime(*action.ex_date.timetuple()[:3], 10, 0, tzinfo=ICT)
    asked = {"from": str(action.ex_date), "to": str(action.ex_date)}
    path = f"/corporate-events/{action.symbol.lower()},NOSUCH"
    body = json.loads(answers.answer(path, asked, now).body)
    assert body["symbols"] == [action.symbol]
    assert body["through"] == str(action.ex_date)
    assert [a["action_id"] for a in body["actions"]] == [action.action_id]
    assert json.loads(answers.answer(path, {}, now).body)["through"] == "0001-01-01"
    assert json.loads(answers.empty_answer(path, asked).body)["symbols"] == []
