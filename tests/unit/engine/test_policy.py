"""What becomes of verdicts: hand-checked cases of size, price and refusal."""

from datetime import datetime

import pytest

from vnquant.agents import AgentSignal
from vnquant.engine import ExecutionPolicy, decide, marketable_limit_vnd
from vnquant.errors import ParameterError
from vnquant.market import Action, Exchange, Quote, action_of, load_universe
from vnquant.runtime import ICT
from vnquant.trading import Costs, OrderType, RiskLimits, RiskView, Side

AT = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)


def a_quote(**changes) -> Quote:
    return Quote(
        **{
            "symbol": "FPT",
            "as_of": AT,
            "reference_price": 100_000.0,
            "ceiling_price": 107_000.0,
            "floor_price": 93_000.0,
            "last_price": 101_000.0,
            "bids": ((100_900.0, 5_000.0),),
            "asks": ((101_000.0, 5_000.0),),
        }
        | changes
    )


def a_verdict(score: float, **changes) -> AgentSignal:
    return AgentSignal(
        **{
            "agent": "chief",
            "symbol": "FPT",
            "as_of": AT,
            "action": action_of(score),
            "score": score,
            "confidence": 0.6,
            "position_fraction": 0.1,
        }
        | changes
    )


def a_view(**changes) -> RiskView:
    return RiskView(
        **{
            "at": AT,
            "equity_vnd": 1_000_000_000,
            "free_cash_vnd": 1_000_000_000,
            "exposure_vnd": {},
            "free_shares": {},
        }
        | changes
    )


def decided(verdict, quote=None, view=None, policy=None):
    return decide(
        verdict,
        a_quote() if quote is None else quote,
        a_view() if view is None else view,
        cause="lead",
        policy=policy or ExecutionPolicy(),
        limits=RiskLimits(),
        costs=Costs(),
        universe=load_universe(),
    )


def test_a_buy_takes_the_risk_doctors_share_of_equity_at_a_limit_that_fills_at_once():
    order = decided(a_verdict(0.7)).order
    # Best ask 101,000 and two ticks of 100 worse; 10 % of a billion at 101,200 is 988 shares, 900 in lots.
    assert (order.side, order.type, order.limit_price_vnd, order.quantity) == (
        Side.BUY,
        OrderType.LO,
        101_200,
        900,
    )
    assert order.cause == "lead"


def test_half_the_full_confidence_makes_half_the_size():
    assert decided(a_verdict(0.7, confidence=0.3)).order.quantity == 400


def test_the_limit_for_one_stock_cuts_what_the_risk_doctor_would_allow():
    assert decided(a_verdict(0.7, position_fraction=0.9)).order.quantity == 1_200  # 12.5 % of equity


@pytest.mark.parametrize(
    ("verdict", "view", "quote", "why"),
    [
        (a_verdict(0.1), None, None, "HOLD at 55"),
        (a_verdict(0.7, confidence=0.29), None, None, "confidence 0.29 is below 0.30"),
        (a_verdict(float("nan")), None, None, "no opinion"),
        (a_verdict(0.7), a_view(exposure_vnd={"FPT": 1}), None, "held or on order already"),
        (a_verdict(0.7), None, a_quote(asks=()), "nobody sells FPT"),
        (a_verdict(0.7, position_fraction=0.005), None, None, "less than a lot"),
        (a_verdict(0.7), a_view(free_cash_vnd=100_000), None, "cash are free"),
        (
            a_verdict(0.7),
            a_view(
                exposure_vnd=dict.fromkeys(
                    ("ACB", "VCB", "HPG", "MWG", "SSI", "BID", "CTG", "GAS", "MBB", "MSN"), 1
                )
            ),
            None,
            "10 are allowed",
        ),
        (a_verdict(0.7), a_view(day_start_equity_vnd=1_100_000_000), None, "the day has lost"),
        (a_verdict(-0.5), None, None, "no FPT is held"),
        (a_verdict(-0.5), a_view(exposure_vnd={"FPT": 1}), None, "may be sold yet"),
    ],
)
def test_there_is_no_order_and_the_reason_is_told(verdict, view, quote, why):
    decision = decided(verdict, quote, view)
    assert decision.order is None
    assert why in decision.outcome


def test_a_sell_closes_all_that_may_be_sold_below_the_best_bid():
    view = a_view(exposure_vnd={"FPT": 70_000_000}, free_shares={"FPT": 700})
    order = decided(a_verdict(-0.5, confidence=0.01), view=view).order
    assert (order.side, order.quantity, order.limit_price_vnd) == (Side.SELL, 700, 100_700)


@pytest.mark.parametrize(("free", "sold"), [(654, 600), (54, 54)])
def test_an_odd_lot_is_sold_after_the_lots_since_no_order_takes_both(free, sold):
    view = a_view(exposure_vnd={"FPT": 70_000_000}, free_shares={"FPT": free})
    order = decided(a_verdict(-0.5, confidence=0.01), view=view).order
    assert (order.side, order.quantity) == (Side.SELL, sold)


def test_a_limit_stays_inside_the_band():
    high = a_quote(asks=((107_000.0, 100.0),))
    assert marketable_limit_vnd(Side.BUY, high, Exchange.HOSE, slack_ticks=5, at=AT) == 107_000
    low = a_quote(bids=((93_000.0, 100.0),))
    assert marketable_limit_vnd(Side.SELL, low, Exchange.HOSE, slack_ticks=5, at=AT) == 93_000


def test_a_sale_without_buyers_stands_at_the_floor():
    quote = a_quote(bids=())
    assert marketable_limit_vnd(Side.SELL, quote, Exchange.HOSE, slack_ticks=2, at=AT) == 93_000


def test_an_auction_order_on_the_other_side_counts_at_the_last_price():
    quote = a_quote(asks=((None, 9_000.0),))
    assert marketable_limit_vnd(Side.BUY, quote, Exchange.HOSE, slack_ticks=0, at=AT) == 101_000


def test_an_action_cannot_open_and_close():
    with pytest.raises(ParameterError, match="cannot both"):
        ExecutionPolicy(opens=(Action.BUY,), closes=(Action.BUY,))
