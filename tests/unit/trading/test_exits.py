from datetime import date, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.trading.conftest import at, fill, order
from vnquant.errors import ParameterError
from vnquant.trading import (
    CashDividend,
    ExitKind,
    ExitRules,
    OrderAccepted,
    Parcel,
    Portfolio,
    PriceAdjustment,
    Side,
    apply,
    exit_signal,
    exit_signals,
    quiet_range,
)

RULES = ExitRules()
THURSDAY = at("10:00", "2025-06-05")


def position(peak=100_000.0):
    """500 FPT bought at 100,000 on Monday 2025-06-02."""
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill())
    portfolio.mark({"FPT": peak})
    return portfolio.positions["FPT"]


@pytest.mark.parametrize(
    ("price", "peak", "kind"),
    [
        (95_000, 100_000, ExitKind.STOP_LOSS),
        (95_100, 100_000, None),
        (104_500, 110_000, ExitKind.TRAILING_STOP),
        (104_600, 110_000, None),
        (115_000, 115_000, ExitKind.TAKE_PROFIT),
        (114_900, 115_000, None),
        # Priority: a price that meets several rules is told by the first.
        (94_000, 110_000, ExitKind.STOP_LOSS),
        (116_000, 123_000, ExitKind.TRAILING_STOP),
    ],
)
def test_each_rule_has_its_price_and_its_priority(price, peak, kind):
    signal = exit_signal(position(peak), price, THURSDAY, RULES)
    assert (None if signal is None else signal.kind) == kind


def test_time_is_up_on_the_fifth_session_after_the_purchase():
    assert exit_signal(position(), 100_000, at("14:45", "2025-06-06"), RULES) is None
    signal = exit_signal(position(), 100_000, at("09:15", "2025-06-09"), RULES)
    assert signal.kind is ExitKind.TIME
    assert "held 5 sessions since 2025-06-02 (T+5)" in signal.reason


def test_holidays_are_no_sessions():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill(when=at("10:00", "2025-04-25")))  # 30 April to 2 May are off
    held = portfolio.positions["FPT"]
    assert exit_signal(held, 100_000, at("10:00", "2025-05-06"), RULES) is None
    assert exit_signal(held, 100_000, at("10:00", "2025-05-07"), RULES).kind is ExitKind.TIME


def test_a_stop_loss_on_t1_waits_for_settlement_and_says_so():
    signal = exit_signal(position(), 93_000, at("10:00", "2025-06-03"), RULES)
    assert signal.waits
    assert (signal.quantity, signal.waiting_quantity) == (0, 500)
    assert signal.waits_until == at("13:00", "2025-06-04")
    assert "stop loss: 93,000 VND is -7.0% from the entry at 100,000" in signal.reason
    assert "500 shares wait for settlement until 2025-06-04 13:00" in signal.reason


def test_what_has_settled_is_sold_and_the_rest_waits():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill())
    portfolio.apply(fill(quantity=200, when=at("10:00", "2025-06-03")))
    signal = exit_signal(portfolio.positions["FPT"], 93_000, at("14:00", "2025-06-04"), RULES)
    assert (signal.quantity, signal.waiting_quantity) == (500, 200)
    assert signal.waits_until == at("13:00", "2025-06-05")


def test_shares_on_order_are_not_sold_again():
    assert exit_signal(position(), 93_000, THURSDAY, RULES, on_order=500) is None
    assert exit_signal(position(), 93_000, THURSDAY, RULES, on_order=200).quantity == 300


def test_an_ex_dividend_price_stops_nothing_out():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill())
    assert exit_signal(portfolio.positions["FPT"], 94_000, THURSDAY, RULES).kind is ExitKind.STOP_LOSS
    portfolio.apply(
        CashDividend(
            action_id="d",
            symbol="FPT",
            ex_date=date(2025, 6, 5),
            per_share_vnd=5_000,
            payable_on=date(2025, 6, 20),
        )
    )
    assert exit_signal(portfolio.positions["FPT"], 94_000, THURSDAY, RULES) is None


def test_an_untold_fall_on_an_ex_date_stops_nothing_out():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill())
    fall = {"symbol": "FPT", "ex_date": date(2025, 6, 5), "base_vnd": 100_000, "reference_vnd": 50_000}
    assert exit_signal(portfolio.positions["FPT"], 50_000, THURSDAY, RULES).kind is ExitKind.STOP_LOSS
    portfolio.apply(PriceAdjustment(action_id="p", **fall))
    assert exit_signal(portfolio.positions["FPT"], 50_000, THURSDAY, RULES) is None
    assert exit_signal(portfolio.positions["FPT"], 46_000, THURSDAY, RULES).kind is ExitKind.STOP_LOSS


def test_a_new_high_is_its_own_peak():
    assert exit_signal(position(), 108_000, THURSDAY, RULES) is None


def test_exits_come_most_urgent_first_and_without_price_not_at_all():
    portfolio = Portfolio(100_000_000)
    for symbol in ("FPT", "VCB", "HPG", "VNM"):
        portfolio.apply(fill(quantity=100, symbol=symbol))
    prices = {"FPT": 116_000.0, "VCB": 94_000.0, "HPG": 101_000.0}
    found = exit_signals(portfolio.positions, prices, THURSDAY, RULES)
    assert [(s.symbol, s.kind) for s in found] == [
        ("VCB", ExitKind.STOP_LOSS),
        ("FPT", ExitKind.TAKE_PROFIT),
    ]
    sale = order(Side.SELL, 100, symbol="VCB")
    sale = apply(sale, OrderAccepted(client_order_id="order-1", sequence=1, at=THURSDAY))
    found = exit_signals(portfolio.positions, prices, THURSDAY, RULES, open_orders=[sale])
    assert [s.symbol for s in found] == ["FPT"]


def test_dividends_that_paid_for_the_share_leave_nothing_to_lose():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill())
    portfolio.apply(
        CashDividend(
            action_id="d",
            symbol="FPT",
            ex_date=date(2025, 6, 5),
            per_share_vnd=100_000,
            payable_on=date(2025, 6, 20),
        )
    )
    assert exit_signal(portfolio.positions["FPT"], 50, THURSDAY, RULES).kind is ExitKind.TAKE_PROFIT


@pytest.mark.parametrize("changes", [{"stop_loss": 0.0}, {"trailing": 1.0}, {"max_sessions": 0}])
def test_rules_out_of_bounds_are_refused(changes):
    (name,) = changes
    with pytest.raises(ParameterError, match=name):
        ExitRules(**changes)


@given(
    paid=st.integers(10_000, 200_000),
    quantity=st.integers(1, 3_000),
    peak=st.integers(5_000, 400_000),
    dividends=st.integers(0, 40_000),
    days=st.integers(0, 12),
    price=st.integers(1_000, 400_000),
    rules=st.builds(
        ExitRules,
        stop_loss=st.floats(0.001, 0.3),
        trailing=st.floats(0.001, 0.3),
        take_profit=st.floats(0.001, 0.6),
        max_sessions=st.integers(1, 9),
    ),
)
def test_in_the_quiet_range_no_rule_says_sell_and_right_outside_of_it_one_does_or_the_peak_is_passed(
    paid, quantity, peak, dividends, days, price, rules
):
    held = msgspec.structs.replace(
        position(),
        parcels=(Parcel(quantity=quantity, bought_on=date(2025, 6, 2), sellable_from=THURSDAY),),
        cost_vnd=paid * quantity,
        dividends_vnd=dividends * quantity,
        peak_price_vnd=peak,
    )
    when = THURSDAY + timedelta(days=days)
    low, high = quiet_range(held, when.date(), rules)
    for at_price in (price, low - 1, low, high, high + 1):
        if at_price > 0:
            is_quiet = exit_signal(held, at_price, when, rules) is None and at_price <= peak
            assert is_quiet == (low <= at_price <= high)
