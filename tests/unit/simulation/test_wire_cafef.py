"""CafeF's paged price history."""

import json
from datetime import date, timedelta

import pytest

from vnquant.simulation.wire import CafefDay, cafef_change, cafef_page, cafef_window

TODAY = date(2025, 6, 2)
FPT_RECORDED = json.loads("""{"Data":{"TotalCount":1,"Data":[{"Symbol":"FPT","Ngay":"28/08/2026",
"GiaDieuChinh":73.2,"GiaDongCua":73.2,"ThayDoi":"+0,35 (+1,65%)",
"KhoiLuongKhopLenh":10196800,"GiaTriKhopLenh":749.76,"KLThoaThuan":3305900,
"GtThoaThuan":252.19,"GiaMoCua":72.2,"GiaCaoNhat":74.0,"GiaThapNhat":72.2}]},"Message":null,"Success":true}""")


def fpt_day(session: date = date(2026, 8, 28)) -> CafefDay:
    return CafefDay(
        session=session,
        open=72_200,
        high=74_000,
        low=72_200,
        close=73_200,
        adjusted_close=73_200,
        reference=72_850,
        volume=10_196_800,
        value=749.76e9,
        put_through_volume=3_305_900,
        put_through_value=252.19e9,
    )


def test_page_is_the_recorded_one_but_for_the_change() -> None:
    body = json.loads(cafef_page("FPT", [fpt_day()], 1, 20).body)
    body["Data"]["Data"][0]["ThayDoi"] = FPT_RECORDED["Data"]["Data"][0][
        "ThayDoi"
    ]  # recorded of another symbol
    assert body == FPT_RECORDED


def test_change_has_sign_and_decimal_comma() -> None:
    assert cafef_change(21_550, 21_200) == "+0,35 (+1,65%)"
    assert cafef_change(72_700, 73_000) == "-0,30 (-0,41%)"


def test_unknown_symbol_is_a_success_without_rows() -> None:
    assert json.loads(cafef_page("NOPE", [], 1, 20).body) == {
        "Data": {"TotalCount": 0, "Data": []},
        "Message": None,
        "Success": True,
    }


def test_pages_are_capped_at_twenty_rows() -> None:
    days = [fpt_day(date(2026, 8, 28) - timedelta(days=n)) for n in range(65)]
    pages = [json.loads(cafef_page("FPT", days, page, 365).body)["Data"] for page in (1, 2, 3, 4, 5)]
    assert [len(page["Data"]) for page in pages] == [20, 20, 20, 5, 0]
    assert {page["TotalCount"] for page in pages} == {65}
    assert pages[0]["Data"][0]["Ngay"] == "28/08/2026"
    assert pages[3]["Data"][-1]["Ngay"] == f"{days[-1].session:%d/%m/%Y}"


def test_window_is_about_three_months_ending_at_the_end_date() -> None:
    assert cafef_window("01/01/2020", "03/31/2025", TODAY) == (date(2024, 12, 29), date(2025, 3, 31))
    assert cafef_window("03/01/2025", "03/31/2025", TODAY) == (date(2025, 3, 1), date(2025, 3, 31))


@pytest.mark.parametrize(("start", "end"), [("", ""), ("31/12/2024", "30/04/2025"), ("x", "1e9")])
def test_absent_or_day_first_dates_give_the_latest_window(start: str, end: str) -> None:
    assert cafef_window(start, end, TODAY) == (TODAY - timedelta(days=92), TODAY)


def test_ambiguous_day_first_date_is_read_month_first() -> None:
    assert cafef_window("", "05/04/2025", TODAY)[1] == date(2025, 5, 4)


def test_future_end_is_cut_to_today() -> None:
    assert cafef_window("", "12/31/2030", TODAY)[1] == TODAY


def test_window_of_the_first_days_of_the_calendar_does_not_overflow() -> None:
    first, last = cafef_window("", "01/15/0001", TODAY)
    assert first <= last == date(1, 1, 15)
