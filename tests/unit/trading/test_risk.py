import pytest

from tests.unit.trading.conftest import at, fill, order
from vnquant.errors import ParameterError
from vnquant.trading import (
    OrderAccepted,
    Portfolio,
    RiskLimits,
    RiskView,
    Side,
    apply,
    review,
)

LIMITS = RiskLimits()


def view(**changes) -> RiskView:
    facts = {
        "at": at("10:00"),
        "equity_vnd": 100_000_000,
        "free_cash_vnd": 100_000_000,
        "exposure_vnd": {},
        "free_shares": {},
    }
    return RiskView(**(facts | changes))


def bought(quantity, price=20_000, seen=None, limits=LIMITS, symbol="FPT"):
    return review(symbol, Side.BUY, quantity, price, view() if seen is None else seen, limits)


def test_an_order_within_the_limits_passes_whole_without_reasons():
    decision = bought(600)
    assert (decision.allowed, decision.reasons, decision.refused) == (600, (), False)


def test_one_stock_takes_an_eighth_of_equity_at_most():
    decision = bought(1_000)
    assert decision.allowed == 600  # 12,500,000 / 20,000 = 625
    assert "12.5% of equity is 12,500,000 VND a stock" in decision.reasons[0]
    held = view(exposure_vnd={"FPT": 9_000_000})
    assert bought(600, seen=held).allowed == 100
    full = view(exposure_vnd={"FPT": 12_500_000})
    assert bought(600, seen=full).refused


def test_the_eleventh_stock_is_refused_and_more_of_a_held_one_is_not():
    ten = dict.fromkeys(("FPT", "VCB", "HPG", "VNM", "SSI", "MWG", "VIC", "VHM", "GAS", "MSN"), 1_000_000)
    decision = bought(100, seen=view(exposure_vnd=ten), symbol="ACB")
    assert decision.refused
    assert "10 stocks are held or on order, and 10 are allowed" in str(decision)
    assert bought(100, seen=view(exposure_vnd=ten)).allowed == 100


def test_a_sector_has_its_limit():
    banks = dict.fromkeys(("VCB", "BID", "CTG", "TCB"), 12_000_000)
    decision = bought(600, seen=view(exposure_vnd=banks), symbol="ACB")
    assert decision.allowed == 100  # 50,000,000 - 48,000,000 over 20,000
    assert "a sector" in decision.reasons[0]
    assert bought(600, seen=view(exposure_vnd=banks)).allowed == 600


def test_cash_has_to_cover_the_commission_too():
    assert bought(100, seen=view(free_cash_vnd=2_003_000)).allowed == 100
    short = bought(100, seen=view(free_cash_vnd=2_002_999))
    assert short.refused
    assert "2,002,999 VND of cash are free" in short.reasons[0]
    kept = bought(600, seen=view(free_cash_vnd=12_003_000), limits=RiskLimits(min_cash_fraction=0.1))
    assert kept.allowed == 100


def test_after_a_bad_day_nothing_is_bought_and_everything_may_be_sold():
    bad = view(day_start_equity_vnd=105_300_000, free_shares={"FPT": 500})
    assert bought(100, seen=bad).refused
    assert bought(100, seen=view(day_start_equity_vnd=105_000_000)).allowed == 100
    assert review("FPT", Side.SELL, 500, 20_000, bad, LIMITS).allowed == 500


def test_a_sale_is_cut_to_what_may_be_sold():
    decision = review("FPT", Side.SELL, 500, 20_000, view(free_shares={"FPT": 320}), LIMITS)
    assert decision.allowed == 320
    assert "320 shares may be sold now" in decision.reasons[0]
    assert review("VCB", Side.SELL, 500, 20_000, view(), LIMITS).refused


def test_the_tightest_limit_is_named_first():
    decision = bought(5_000, seen=view(free_cash_vnd=4_100_000))
    assert decision.allowed == 200
    assert "cash" in decision.reasons[0]
    assert "a stock" in decision.reasons[1]


def test_less_than_a_lot_says_so():
    assert bought(50).reasons == ("whole lots of 100 shares only",)


def test_the_view_counts_open_orders_as_done_where_that_is_the_careful_way():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill(quantity=300, when=at("10:00", "2025-05-26")))
    accepted = {"sequence": 1, "at": at("10:00"), "block_price_vnd": 100_500}
    buy = apply(order(quantity=100), OrderAccepted(client_order_id="order-1", **accepted))
    sale = order(Side.SELL, 100, name="order-2")
    sale = apply(sale, OrderAccepted(client_order_id="order-2", **accepted))
    seen = RiskView.of(portfolio, {"FPT": 101_000.0}, at("10:00"), open_orders=[buy, sale])
    assert seen.exposure_vnd == {"FPT": 300 * 101_000 + 100 * 100_500}
    assert seen.free_shares == {"FPT": 200}
    assert seen.free_cash_vnd == 100_000_000 - 30_045_000 - 10_050_000 - 15_075
    assert seen.equity_vnd == 100_000_000 - 45_000 + 300_000


@pytest.mark.parametrize(
    "changes",
    [
        {"max_positions": 0},
        {"max_position_fraction": 0.0},
        {"max_sector_fraction": 1.1},
        {"min_cash_fraction": 1.0},
    ],
)
def test_limits_out_of_bounds_are_refused(changes):
    (name,) = changes
    with pytest.raises(ParameterError, match=name):
        RiskLimits(**changes)
