from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnquant.market.symbols import load_universe
from vnquant.news import link_symbols


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("TCM: Quý 1 lãi 62 tỷ đồng", ("TCM",)),
        ("Phú Tài (PTB) chốt danh sách cổ đông", ()),
        ("Vinamilk chuẩn bị chi 2.300 tỷ đồng", ("VNM",)),
        ("Hoà Phát và Hoa Sen cùng tăng giá thép", ("HPG", "HSG")),
        ("Ngân hàng TMCP Quân đội công bố kết quả", ("MBB",)),
        ("Khối ngoại bán HPG, VCB và VIC", ("HPG", "VCB", "VIC")),
        ("VnIndex giảm 9 điểm phiên cuối tuần", ()),
        ("Thị trường phục hồi mạnh nhất Đông Nam Á", ()),
        ("Ngân hàng Đông Nam Á báo lãi", ("SSB",)),
        ("Dệt may Việt Nam xuất khẩu kỷ lục", ()),
        ("Sở Giao dịch Chứng khoán Thành phố Hồ Chí Minh thông báo", ()),
        ("Chứng khoán Thành phố Hồ Chí Minh báo lãi", ("HCM",)),
        ("", ()),
    ],
)
def test_tickers_brands_and_company_names_are_found(text: str, symbols: tuple[str, ...]) -> None:
    assert link_symbols(text) == symbols


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("CEO Thép Nam Kim (NKG): Giá thép tăng", ("NKG",)),
        ("Cổ phiếu CEO tăng trần", ("CEO",)),
        ("Tập đoàn C.E.O (CEO) báo lãi", ("CEO",)),
        ("CEO: Thông báo ngày đăng ký cuối cùng", ("CEO",)),
        ("Trả nợ 100 tỷ VND", ()),
        ("HBC, VND: Thông tin giao dịch", ("HBC", "VND")),
        ("Bất động sản TP.HCM ấm lại", ()),
        ("Chứng khoán VNDIRECT báo lãi", ("VND",)),
        ("PV GAS: Giá dầu tăng cao", ("GAS",)),
    ],
)
def test_tickers_that_are_words_need_a_mark(text: str, symbols: tuple[str, ...]) -> None:
    assert link_symbols(text) == symbols


def test_a_longer_name_is_not_the_shorter_one_inside_it() -> None:
    assert link_symbols("Masan High-Tech Materials báo lỗ") == ("MSR",)
    assert link_symbols("FPT Retail mở thêm nhà thuốc") == ("FRT",)
    assert link_symbols("Dat Xanh Services chào bán cổ phiếu") == ()
    assert link_symbols("FPT và FPT Retail") == ("FPT", "FRT")


def test_words_that_only_contain_a_ticker_are_not_one() -> None:
    assert link_symbols("VNMEX, XVIC và AVCB không có ở đây") == ()


def test_every_company_is_found_by_its_ticker_in_brackets_and_its_registered_name() -> None:
    universe = load_universe()
    for ticker, symbol in universe.items():
        assert link_symbols(f"Doanh nghiệp ({ticker}) công bố") == (ticker,), ticker
        assert ticker in link_symbols(f"{symbol.company} công bố"), symbol.company
        assert ticker in link_symbols(unicodedata.normalize("NFD", f"{symbol.company} công bố"))


def test_only_symbols_of_the_universe_given_are_linked() -> None:
    small = {"FPT": load_universe()["FPT"]}
    assert link_symbols("FPT và VCB, Vinamilk", small) == ("FPT",)


@given(st.text(max_size=200))
def test_any_text_links_symbols_of_the_universe_once_each(text: str) -> None:
    found = link_symbols(text)
    assert len(set(found)) == len(found)
    assert set(found) <= set(load_universe())
