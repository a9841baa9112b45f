"""Settlement under the rules of three eras."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from vnquant.errors import DateRangeError
from vnquant.market import sellable_from, settlement_date
from vnquant.market.settlement import SETTLEMENT_RULES
from vnquant.runtime.clock import ICT


def ict(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ICT)


def test_bought_shares_are_sellable_from_the_afternoon_of_t_plus_2() -> None:
    assert settlement_date(date(2025, 6, 2)) == date(2025, 6, 4)
    assert sellable_from(date(2025, 6, 2)) == ict("2025-06-04 13:00")


def test_a_weekend_does_not_count() -> None:
    assert sellable_from(date(2025, 6, 5)) == ict("2025-06-09 13:00")


def test_shares_bought_before_tet_arrive_after_it() -> None:
    # The last session of the old year is Friday 24 January 2025; trading resumes on 3 February.
    assert settlement_date(date(2025, 1, 24)) == date(2025, 2, 4)


def test_first_trades_of_the_new_era_as_the_depository_announced() -> None:
    assert sellable_from(date(2022, 8, 25)) == ict("2022-08-29 13:00")
    assert sellable_from(date(2022, 8, 24)) == ict("2022-08-29 09:00")


def test_between_2016_and_2022_shares_of_t_plus_2_were_sellable_on_t_plus_3() -> None:
    assert settlement_date(date(2016, 1, 4)) == date(2016, 1, 6)
    assert sellable_from(date(2016, 1, 4)) == ict("2016-01-07 09:00")


@pytest.mark.parametrize(
    ("traded", "settled"),
    [("2015-12-29", "2016-01-04"), ("2015-12-30", "2016-01-05"), ("2015-12-31", "2016-01-06")],
)
def test_last_trades_of_2015_settled_as_the_depository_announced(traded: str, settled: str) -> None:
    assert settlement_date(date.fromisoformat(traded)) == date.fromisoformat(settled)
    assert sellable_from(date.fromisoformat(traded)) == ict(f"{settled} 09:00")


def test_the_depository_worked_while_hose_stood_still() -> None:
    assert settlement_date(date(2018, 1, 22)) == date(2018, 1, 24)


def test_a_day_without_a_session_is_refused_with_its_neighbours() -> None:
    with pytest.raises(DateRangeError, match=r"Tet.*2025-01-24 and 2025-02-03"):
        settlement_date(date(2025, 1, 29))
    with pytest.raises(DateRangeError, match="weekend"):
        sellable_from(date(2025, 6, 1))


def test_rules_are_ordered_newest_first_and_name_their_sources() -> None:
    firsts = [rule.first_trade_date for rule in SETTLEMENT_RULES]
    assert firsts == sorted(firsts, reverse=True)
    assert all(rule.source for rule in SETTLEMENT_RULES)
