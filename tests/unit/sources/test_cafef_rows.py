"""CafeF price history, recorded."""

import json
from datetime import date

import pytest

from vnquant.errors import PayloadError
from vnquant.sources.cafef import _windows, bars_of_rows, parse_page

PAGE = {
    "Data": {
        "TotalCount": 1,
        "Data": [
            {
                "Symbol": "FPT", "Ngay": "28/08/2026", "GiaDieuChinh": 73.2, "GiaDongCua": 73.2,
                "ThayDoi": "+0,35 (+1,65%)", "KhoiLuongKhopLenh": 10196800, "GiaTriKhopLenh": 749.76,
                "KLThoaThuan": 3305900, "GtThoaThuan": 252.19, "GiaMoCua": 72.2, "GiaCaoNhat": 74.0,
                "GiaThapNhat": 72.2,
            }
        ],
    },
    "Message": None,
    "Success": True,
}  # fmt: skip
ROW = PAGE["Data"]["Data"][0]


def rows(*changes):
    return [{**ROW, **change} for change in changes]


def test_a_recorded_page_becomes_one_bar():
    page = parse_page(json.dumps(PAGE).encode(), "FPT", source="cafef")
    series = bars_of_rows("FPT", list(page.rows), source="cafef")
    assert page.total == 1
    assert str(series.timestamps[0])[:10] == "2026-08-28"
    assert (series.open[0], series.high[0], series.low[0], series.close[0]) == (
        72_200,
        74_000,
        72_200,
        73_200,
    )
    assert series.volume[0] == 10_196_800  # put-through deals apart


def test_open_high_and_low_are_brought_to_the_adjusted_close():
    (series,) = [bars_of_rows("FPT", rows({"GiaDieuChinh": 36.6}), source="cafef")]
    assert (series.open[0], series.high[0], series.low[0], series.close[0]) == (
        36_100,
        37_000,
        36_100,
        36_600,
    )


def test_rows_come_newest_first_and_leave_oldest_first():
    series = bars_of_rows("FPT", rows({"Ngay": "03/09/2026"}, {"Ngay": "28/08/2026"}), source="cafef")
    assert [str(t)[:10] for t in series.timestamps] == ["2026-08-28", "2026-09-03"]


def test_an_unadjusted_row_and_a_row_without_symbol_are_read():
    series = bars_of_rows("FPT", rows({"GiaDieuChinh": 0, "Symbol": None}), source="cafef")
    assert series.close[0] == 73_200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"Ngay": "2026-08-28"}, "time"),
        ({"Ngay": None}, "time"),
        ({"Ngay": "31/02/2026"}, "time"),
        ({"GiaMoCua": None}, "open"),
        ({"GiaDongCua": "x", "GiaDieuChinh": None}, "open"),
        ({"KhoiLuongKhopLenh": -5}, "volume"),
        ({"Symbol": "VNM"}, "Symbol"),
    ],
)
def test_a_malformed_row_is_named_and_the_others_are_kept(change, field):
    series = bars_of_rows("FPT", rows({"Ngay": "27/08/2026"}, change), source="cafef")
    assert len(series) == 1
    assert [(p.symbol, p.field) for p in series.problems] == [("FPT", field)]


@pytest.mark.parametrize(
    "body", [b'{"Data":{"TotalCount":0,"Data":[]},"Success":true}', b'{"Data":null,"Success":true}',
             b'{"Data":{"TotalCount":null,"Data":null},"Success":true}']
)  # fmt: skip
def test_an_unknown_symbol_is_a_page_without_rows(body):
    page = parse_page(body, "XXX", source="cafef")
    assert page.rows == ()
    assert page.total == 0


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"Success":false,"Message":"no"}', b'{"Data":{"Data":3}}']
)
def test_what_is_no_page_is_a_payload_error(body):
    with pytest.raises(PayloadError):
        parse_page(body, "FPT", source="cafef")


def test_windows_cover_the_range_once_and_stay_within_a_quarter():
    windows = _windows(date(2024, 1, 1), date(2025, 6, 2))
    covered = [d for first, last in reversed(windows) for d in range(first.toordinal(), last.toordinal() + 1)]
    assert covered == list(range(date(2024, 1, 1).toordinal(), date(2025, 6, 2).toordinal() + 1))
    assert all((last - first).days < 80 for first, last in windows)
