"""The universe: what it holds and how it refuses."""

from __future__ import annotations

from datetime import date

import pytest

from vnquant.errors import EmptySelectionError, UnknownSymbolError
from vnquant.market import EXCHANGE_ORDER, Exchange, Symbol, Universe, load_universe, lot_size


def test_universe_holds_102_symbols_on_three_exchanges() -> None:
    universe = load_universe()
    counts = {e: sum(s.exchange is e for s in universe.values()) for e in EXCHANGE_ORDER}
    assert counts == {Exchange.HOSE: 82, Exchange.HNX: 10, Exchange.UPCOM: 10}
    assert len(universe) == 102


def test_every_symbol_has_a_sector_a_company_and_a_lot_of_100() -> None:
    for ticker, symbol in load_universe().items():
        assert ticker == symbol.ticker == ticker.upper()
        assert symbol.sector
        assert symbol.company
        assert symbol.lot_size == 100


def test_fpt_is_a_technology_company_on_hose() -> None:
    fpt = load_universe()["FPT"]
    assert (fpt.exchange, fpt.sector) == (Exchange.HOSE, "Technology")


def test_sectors_divide_the_universe() -> None:
    universe = load_universe()
    listed = [ticker for tickers in universe.sectors.values() for ticker in tickers]
    assert sorted(listed) == sorted(universe)
    assert list(universe.sectors) == sorted(universe.sectors)


def test_check_uppercases_strips_and_keeps_each_symbol_once_in_order() -> None:
    assert load_universe().check(["vcb", " FPT", "VCB"]) == ("VCB", "FPT")
    assert load_universe().check("fpt") == ("FPT",)


def test_check_of_none_is_the_whole_universe() -> None:
    universe = load_universe()
    assert universe.check() == universe.tickers


def test_unknown_symbol_is_refused_with_suggestions() -> None:
    with pytest.raises(UnknownSymbolError, match="FPT") as caught:
        load_universe().check(["FPTT", "VCB"])
    assert caught.value.unknown == ("FPTT",)
    assert "FPT" in caught.value.suggestions["FPTT"]


def test_empty_selection_is_refused() -> None:
    with pytest.raises(EmptySelectionError, match="Name one"):
        load_universe().check([])


def test_a_universe_without_symbols_cannot_be_built() -> None:
    with pytest.raises(EmptySelectionError):
        Universe([])


def test_exchanges_of_unknown_symbols_are_taken_as_hose() -> None:
    assert load_universe().exchanges(["SHS", "ZZZ"]) == (Exchange.HNX, Exchange.HOSE)


def test_repr_counts_by_exchange() -> None:
    one = Universe([Symbol(ticker="AAA", exchange=Exchange.HNX, sector="x", company="y")])
    assert repr(one) == "Universe(1 symbols: 1 HNX)"


def test_hose_traded_in_lots_of_10_before_2021() -> None:
    assert lot_size(Exchange.HOSE, on=date(2020, 12, 31)) == 10
    assert lot_size(Exchange.HOSE, on=date(2021, 1, 4)) == lot_size() == 100
    assert lot_size("UPCOM", on=date(2016, 1, 4)) == 100


def test_symbols_print_as_their_ticker() -> None:
    assert str(load_universe()["FPT"]) == "FPT"
    with pytest.raises(KeyError):
        load_universe()["fpt"]
