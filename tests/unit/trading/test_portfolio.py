from datetime import date

import msgspec
import pytest

from tests.unit.trading.conftest import at, fill
from vnquant.errors import (
    InputError,
    InsufficientCashError,
    InsufficientSharesError,
    MissingDataError,
    UnbalancedBooksError,
)
from vnquant.trading import (
    Account,
    CashDividend,
    Deposit,
    Portfolio,
    PortfolioState,
    PriceAdjustment,
    ShareSplit,
    Side,
    Transaction,
)

# Monday 2025-06-02: T+2 is Wednesday the 4th, 13:00.
MONDAY, WEDNESDAY, THURSDAY = "2025-06-02", "2025-06-04", "2025-06-05"


@pytest.fixture
def holding() -> Portfolio:
    """500 FPT bought at 100,000 on Monday at 10:00."""
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill())
    return portfolio


def dividend(**changes):
    terms = {"ex_date": date(2025, 6, 4), "per_share_vnd": 2_000, "payable_on": date(2025, 6, 20)}
    return CashDividend(action_id="FPT dividend", symbol="FPT", **(terms | changes))


def split(**changes):
    terms = {"ex_date": date(2025, 6, 4), "held": 10, "become": 13}
    return ShareSplit(action_id="FPT bonus", symbol="FPT", **(terms | changes))


def test_a_purchase_takes_cash_at_once_and_books_the_fee_apart(holding):
    assert holding.available_cash_vnd(at("10:00")) == 100_000_000 - 50_000_000 - 75_000
    assert holding.balances[Account.SHARES] == 50_000_000
    assert holding.balances[Account.FEES] == 75_000
    assert holding.positions["FPT"].average_cost_vnd == 100_000


def test_bought_shares_are_not_sellable_before_the_afternoon_of_t2(holding):
    assert holding.sellable_quantity("FPT", at("14:45", MONDAY)) == 0
    assert holding.sellable_quantity("FPT", at("12:59:59", WEDNESDAY)) == 0
    assert holding.sellable_quantity("FPT", at("13:00", WEDNESDAY)) == 500
    assert holding.positions["FPT"].next_sellable(at("10:00", MONDAY)) == at("13:00", WEDNESDAY)


def test_a_sale_before_settlement_is_refused_and_changes_nothing(holding):
    before = holding.state
    with pytest.raises(InsufficientSharesError, match="more from 2025-06-04 13:00") as caught:
        holding.apply(fill(Side.SELL, 100, when=at("10:00", WEDNESDAY)))
    assert (caught.value.held, caught.value.sellable) == (500, 0)
    assert holding.state == before


def test_nothing_is_sold_short(holding):
    with pytest.raises(InsufficientSharesError, match="500 may be sold"):
        holding.apply(fill(Side.SELL, 600, when=at("13:00", WEDNESDAY)))
    with pytest.raises(InsufficientSharesError, match="none are held"):
        holding.apply(fill(Side.SELL, 100, symbol="VCB", when=at("13:00", WEDNESDAY)))


def test_the_money_of_a_sale_comes_on_t2_after_fee_and_tax(holding):
    holding.apply(fill(Side.SELL, 200, 110_000, when=at("14:00", WEDNESDAY)))
    proceeds = 22_000_000 - 33_000 - 22_000
    cash = 100_000_000 - 50_075_000
    assert holding.receivable_vnd(at("14:00", WEDNESDAY)) == proceeds
    assert holding.available_cash_vnd(at("12:59", "2025-06-06")) == cash
    assert holding.available_cash_vnd(at("13:00", "2025-06-06")) == cash + proceeds
    assert holding.realised_vnd == 200 * 10_000 - 75_000 - 33_000 - 22_000
    (settled,) = holding.settle(at("13:00", "2025-06-06"))
    assert settled.entries == {Account.CASH: proceeds, Account.RECEIVABLE: -proceeds}
    assert holding.settle(at("13:00", "2025-06-06")) == ()


def test_money_that_has_arrived_is_booked_before_the_purchase_that_needs_it(holding):
    holding.apply(fill(Side.SELL, 500, 110_000, when=at("14:00", WEDNESDAY)))
    late = fill(Side.BUY, 1_000, 104_000, when=at("13:30", "2025-06-06"))
    transactions = holding.apply(late)
    assert [t.source_id.partition(":")[0] for t in transactions] == ["settled", late.fill_id]
    with pytest.raises(InsufficientCashError) as caught:
        holding.apply(late)
    assert caught.value.available_vnd == holding.available_cash_vnd(late.filled_at)


def test_shares_leave_at_average_cost_and_the_last_take_the_rest_of_it():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill(quantity=100, price=100_100))
    portfolio.apply(fill(quantity=200, price=100_200))
    assert portfolio.positions["FPT"].cost_vnd == 30_050_000
    portfolio.apply(fill(Side.SELL, 100, when=at("13:00", WEDNESDAY)))
    assert portfolio.positions["FPT"].cost_vnd == 30_050_000 - 10_016_667
    portfolio.apply(fill(Side.SELL, 200, when=at("13:00", WEDNESDAY)))
    assert portfolio.positions == {}
    assert portfolio.reconcile()[Account.SHARES] == 0
    assert portfolio.balances[Account.REALISED] == 50_000


def test_the_books_say_capital_is_all_that_is_there_less_what_was_earned(holding):
    holding.apply(fill(Side.SELL, 200, 110_000, when=at("14:00", WEDNESDAY)))
    books = holding.reconcile()
    have = books[Account.CASH] + books[Account.RECEIVABLE] + books[Account.SHARES]
    spent = books[Account.FEES] + books[Account.TAX]
    assert have + spent + books[Account.REALISED] + books[Account.DIVIDENDS] == 100_000_000
    assert have == 100_000_000 + holding.realised_vnd


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"cash_vnd": 1}, "cash"),
        ({"receivables": ()}, "receivable"),
        ({"positions": {}}, "shares at cost"),
    ],
)
def test_a_state_changed_behind_the_books_is_found_out(holding, change, where):
    holding.apply(fill(Side.SELL, 200, 110_000, when=at("14:00", WEDNESDAY)))
    broken = msgspec.structs.replace(holding.state, **change)
    with pytest.raises(UnbalancedBooksError) as caught:
        Portfolio.from_state(broken)
    assert list(caught.value.differences) == [where]


def test_a_transaction_that_does_not_balance_cannot_be_made():
    with pytest.raises(UnbalancedBooksError, match="1 VND"):
        Transaction(source_id="x", at=at("10:00"), entries={Account.CASH: 10, Account.CAPITAL: -9})


def test_a_portfolio_goes_on_from_its_stored_state(holding):
    stored = msgspec.json.encode(holding.state)
    restored = Portfolio.from_state(msgspec.json.decode(stored, type=PortfolioState))
    sale = fill(Side.SELL, 200, 110_000, when=at("14:00", WEDNESDAY))
    assert restored.apply(sale) == holding.apply(sale)
    assert restored.state == holding.state


def test_a_dividend_goes_to_unsettled_shares_too_is_taxed_and_comes_later(holding):
    (transaction,) = holding.apply(dividend())
    assert transaction.entries == {
        Account.RECEIVABLE: 950_000,
        Account.TAX: 50_000,
        Account.DIVIDENDS: -1_000_000,
    }
    cash = 100_000_000 - 50_075_000
    assert holding.available_cash_vnd(at("08:59", "2025-06-20")) == cash
    assert holding.available_cash_vnd(at("09:00", "2025-06-20")) == cash + 950_000


def test_an_ex_dividend_price_is_no_loss_and_no_fall_from_the_peak(holding):
    holding.mark({"FPT": 104_000})
    holding.apply(dividend())
    position = holding.positions["FPT"]
    assert position.average_cost_vnd == 100_000
    assert position.entry_price_vnd == 98_000
    assert position.peak_price_vnd == 102_000


def test_who_buys_on_the_ex_date_gets_no_dividend():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill(when=at("10:00", WEDNESDAY)))
    assert portfolio.apply(dividend()) == ()
    assert portfolio.apply(split()) == () or portfolio.positions["FPT"].quantity == 500


def test_a_split_multiplies_shares_keeps_cost_and_moves_the_peak(holding):
    holding.apply(split(held=1, become=2))
    position = holding.positions["FPT"]
    assert (position.quantity, position.cost_vnd, position.average_cost_vnd) == (1_000, 50_000_000, 50_000)
    assert position.peak_price_vnd == 50_000
    assert position.next_sellable(at("10:00", WEDNESDAY)) == at("13:00", WEDNESDAY)


def test_bonus_shares_are_sellable_once_they_are_listed_and_fractions_fall_away():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill(quantity=55))
    portfolio.apply(split(new_shares_sellable_from=at("09:00", "2025-06-25")))
    position = portfolio.positions["FPT"]
    assert position.quantity == 71  # 55 * 1.3 = 71.5
    assert position.sellable_quantity(at("13:00", WEDNESDAY)) == 55
    assert position.sellable_quantity(at("09:00", "2025-06-25")) == 71


def test_a_split_loses_one_fraction_not_one_a_parcel():
    portfolio = Portfolio(100_000_000)
    for day in ("2025-05-29", "2025-05-30", MONDAY):
        portfolio.apply(fill(quantity=5, when=at("10:00", day)))
    portfolio.apply(split(held=2, become=3))
    assert portfolio.positions["FPT"].quantity == 22  # 15 * 1.5 = 22.5; by parcel it would be 7 * 3 = 21


def test_a_consolidation_to_nothing_books_the_loss():
    portfolio = Portfolio(100_000_000)
    portfolio.apply(fill(quantity=5))
    portfolio.apply(split(held=10, become=1))
    assert portfolio.positions == {}
    assert portfolio.reconcile()[Account.REALISED] == 500_000


def test_deposits_and_withdrawals_move_the_capital(holding):
    holding.apply(Deposit(deposit_id="d1", at=at("15:00"), amount_vnd=5_000_000))
    assert holding.reconcile()[Account.CAPITAL] == -105_000_000
    with pytest.raises(InsufficientCashError):
        holding.apply(Deposit(deposit_id="d2", at=at("15:00"), amount_vnd=-60_000_000))


def test_equity_counts_cash_receivables_and_shares_and_needs_every_price(holding):
    holding.apply(fill(Side.SELL, 200, 110_000, when=at("14:00", WEDNESDAY)))
    costs = 75_000 + 33_000 + 22_000
    assert holding.equity_vnd({"FPT": 110_000.0}) == 100_000_000 + 500 * 10_000 - costs
    with pytest.raises(MissingDataError, match="FPT"):
        holding.equity_vnd({})


def test_peaks_only_rise(holding):
    holding.mark({"FPT": 108_000.0, "VCB": 1.0})
    holding.mark({"FPT": 101_000.0})
    assert holding.positions["FPT"].peak_price_vnd == 108_000


def test_a_portfolio_does_not_start_in_debt():
    with pytest.raises(InputError, match="debt"):
        Portfolio(-1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: dividend(per_share_vnd=0),
        lambda: dividend(payable_on=date(2025, 6, 1)),
        lambda: split(become=0),
        lambda: split(become=9, new_shares_sellable_from=at("09:00")),
    ],
)
def test_actions_that_cannot_be_are_refused(make):
    with pytest.raises(InputError):
        make()


def untold(**changes):
    terms = {"ex_date": date(2025, 6, 4), "base_vnd": 104_000, "reference_vnd": 78_000}
    return PriceAdjustment(action_id="FPT price", symbol="FPT", **(terms | changes))


def test_where_only_the_price_tells_entry_and_peak_follow_and_the_books_stand_still(holding):
    holding.mark({"FPT": 104_000})
    before = dict(holding.balances)
    (transaction,) = holding.apply(untold())
    position = holding.positions["FPT"]
    assert transaction.entries == {}
    assert (position.quantity, position.cost_vnd) == (500, 50_000_000)
    assert (position.entry_price_vnd, position.peak_price_vnd) == (75_000, 78_000)
    assert holding.reconcile() == before


def test_what_went_ex_untold_leaves_with_the_shares_that_are_sold(holding):
    holding.apply(untold())
    holding.apply(fill(Side.SELL, 200, 80_000, when=at("14:00", THURSDAY)))
    position = holding.positions["FPT"]
    assert (position.quantity, position.gone_ex_vnd) == (300, 7_500_000)
    assert position.entry_price_vnd == 75_000
    assert holding.balances[Account.REALISED] == 20_000_000 - 200 * 80_000
    holding.reconcile()


def test_an_untold_fall_concerns_only_who_held_before(holding):
    assert holding.apply(untold(ex_date=date(2025, 6, 2))) == ()
    assert Portfolio(1_000).apply(untold()) == ()
    assert holding.positions["FPT"].gone_ex_vnd == 0


def test_dividends_before_an_untold_fall_count_in_once(holding):
    holding.apply(dividend())
    holding.apply(untold(ex_date=date(2025, 6, 5)))
    assert holding.positions["FPT"].entry_price_vnd == 98_000 * 0.75


@pytest.mark.parametrize("changes", [{"base_vnd": 0}, {"reference_vnd": -1}])
def test_a_price_adjustment_of_nothing_is_refused(changes):
    with pytest.raises(InputError, match="at least 1 VND"):
        untold(**changes)
    assert untold().factor == 0.75


def test_issued_shares_need_a_listing_with_a_time_zone():
    with pytest.raises(InputError, match="time zone"):
        split(new_shares_sellable_from=at("09:00", "2025-07-01").replace(tzinfo=None))
