"""Files: guessed and explained, nothing dropped in silence, no look into the future."""

import zipfile
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from vnquant.errors import EmptyAnswerError, FileFormatError, ParameterError, StateError
from vnquant.runtime.clock import ICT, MarketClock
from vnquant.sources import FileSource
from vnquant.sources.file_columns import guess_columns, plain_name

START, END = date(2025, 1, 1), date(2025, 12, 31)
AMIBROKER = """<Ticker>,<DTYYYYMMDD>,<Open>,<High>,<Low>,<Close>,<Volume>
TPB,20250603,11.9,12.1,11.9,12.0,11178200
TPB,20250602,11.8,11.9,11.7,11.9,9000000
"""


def frame(**changes):
    data = {
        "symbol": ["FPT", "FPT", "VNM", "VNM"],
        "date": pd.to_datetime(["2025-06-02", "2025-06-03"] * 2),
        "open": [120_000.0, 121_000, 60_000, 60_100],
        "high": [122_000.0, 123_000, 61_000, 61_100],
        "low": [119_000.0, 120_000, 59_000, 59_100],
        "close": [121_000.0, 122_000, 60_500, 60_600],
        "volume": [1_000, 2_000, 3_000, 4_000],
    }
    return pd.DataFrame(data | changes)


def named(frame, **names):
    return frame.rename(columns=names)


async def test_a_frame_of_ours_is_read_as_it_is():
    source = FileSource(frame())
    series = await source.bars("FPT", START, END)
    assert series.close.tolist() == [121_000, 122_000]
    assert source.symbols == ("FPT", "VNM")
    panel = await source.panel()
    assert panel.shape == (2, 2)
    assert panel.close[:, 1].tolist() == [60_500, 60_600]
    assert "Prices taken as VND" in source.explanation


@pytest.mark.parametrize("suffix", ["parquet", "csv", "txt", "data"])
async def test_the_content_decides_and_not_the_suffix(suffix, tmp_path):
    path = tmp_path / f"bars.{suffix}"
    if suffix in ("parquet", "data"):
        frame().to_parquet(path)
    else:
        frame().to_csv(path, index=False)
    assert (await FileSource(path).bars("VNM", START, END)).volume.tolist() == [3_000, 4_000]


async def test_a_bulk_zip_of_three_boards_in_thousands(tmp_path):
    path = tmp_path / "CafeF.SolieuGD.Upto03062025.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("CafeF.HSX.csv", "\ufeff" + AMIBROKER)
        archive.writestr("CafeF.HNX.csv", AMIBROKER.replace("TPB", "SHS"))
        archive.writestr("CafeF.UPCOM.csv", AMIBROKER.replace("TPB", "BSR"))
    source = FileSource(path)
    series = await source.bars("TPB", START, END)
    assert series.close.tolist() == [11_900, 12_000]
    assert series.volume.tolist() == [9_000_000, 11_178_200]
    await source.load()
    assert source.symbols == ("BSR", "SHS", "TPB")
    for told in ("zip of 3 tables", "symbol from '<Ticker>'", "thousand VND", "median close is 11.95"):
        assert told in source.explanation


async def test_vietnamese_headings_dates_and_decimal_commas(tmp_path):
    path = tmp_path / "gia.csv"
    path.write_text(
        "Mã CK;Ngày;Giá mở cửa (nghìn VNĐ);Giá cao nhất;Giá thấp nhất;Giá đóng cửa;Khối lượng khớp lệnh\n"
        "FPT;28/05/2025;120,5;122,0;119,5;121,0;1.234.500\nFPT;02/06/2025;121,0;123,0;120,0;122,5;2.000.000\n",
        encoding="utf-8",
    )
    source = FileSource(path)
    series = await source.bars("FPT", START, END)
    assert [str(t)[:10] for t in series.timestamps] == ["2025-05-28", "2025-06-02"]
    assert series.open.tolist() == [120_500, 121_000]
    assert series.volume.tolist() == [1_234_500, 2_000_000]
    assert "day/month/year" in source.explanation


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (["2025-06-02", "2025-06-03"], ["2025-06-02", "2025-06-03"]),
        ([20250602, 20250603], ["2025-06-02", "2025-06-03"]),
        (["20250602", "20250603"], ["2025-06-02", "2025-06-03"]),
        (["13/06/2025", "02/06/2025"], ["2025-06-02", "2025-06-13"]),
        (["06/13/2025", "06/02/2025"], ["2025-06-02", "2025-06-13"]),
        (["02/06/2025", "03/06/2025"], ["2025-06-02", "2025-06-03"]),
        ([1748822400, 1748908800], ["2025-06-02", "2025-06-03"]),
        ([1748822400000, 1748908800000], ["2025-06-02", "2025-06-03"]),
        (["2025-06-02T00:00:00+07:00", "2025-06-03T00:00:00+07:00"], ["2025-06-02", "2025-06-03"]),
        (pd.to_datetime(["2025-06-01 17:00", "2025-06-02 17:00"], utc=True), ["2025-06-02", "2025-06-03"]),
    ],
)
async def test_dates_however_written(dates, days):
    source = FileSource(frame().iloc[:2].assign(date=dates))
    assert [str(t)[:10] for t in (await source.bars("FPT", START, END)).timestamps] == days


async def test_without_a_column_of_symbols_the_files_name_is_the_symbol(tmp_path):
    path = tmp_path / "fpt.csv"
    frame().iloc[:2].drop(columns="symbol").to_csv(path, index=False)
    source = FileSource(path)
    assert len(await source.bars("FPT", START, END)) == 2
    assert "all rows are taken as FPT" in source.explanation


async def test_an_index_of_dates_is_taken_as_a_column():
    table = frame().iloc[:2].set_index("date")
    assert len(await FileSource(table).bars("FPT", START, END)) == 2
    assert len(await FileSource(frame().set_index(["symbol", "date"])).bars("VNM", START, END)) == 2


async def test_an_adjusted_close_brings_all_four_prices_to_its_scale():
    source = FileSource(frame().assign(**{"Adj Close": frame()["close"] / 2}))
    series = await source.bars("FPT", START, END)
    assert series.open.tolist() == [60_000, 60_500]
    assert "adjusted close, factor 0.5" in source.explanation


async def test_the_unit_may_be_told():
    cheap = frame(**{n: frame()[n] / 1_000 for n in ("open", "high", "low", "close")})
    assert (await FileSource(cheap).bars("FPT", START, END)).close[0] == 121_000
    assert (await FileSource(cheap, unit="vnd").bars("FPT", START, END)).close[0] == 121


async def test_defective_rows_are_told_and_stay_in_the_raw_frame():
    bad = frame(close=[121_000.0, np.nan, 60_500, 60_600], volume=[1, 1, -5, 1])
    source = FileSource(bad)
    panel = await source.panel()
    assert int(panel.present.sum()) == 2
    assert sorted((p.symbol, p.field) for p in source.problems) == [("FPT", "close"), ("VNM", "volume")]
    assert len(await source.raw_frame()) == 4
    assert "2 rows are no valid bars" in source.explanation


async def test_duplicates_keep_the_last_in_the_bars_and_all_in_the_raw_frame():
    source = FileSource(pd.concat([frame(), frame(close=[121_500.0] * 4, low=[1_000.0] * 4)]))
    assert (await source.bars("FPT", START, END)).close.tolist() == [121_500, 121_500]
    assert len(await source.raw_frame()) == 8


async def test_a_bar_is_not_seen_before_its_session_has_ended():
    clock = MarketClock.frozen(datetime(2025, 6, 3, 14, 59, tzinfo=ICT))
    source = FileSource(frame(), clock=clock)
    assert len(await source.bars("FPT", START, END)) == 1
    assert (await source.panel()).shape == (1, 2)
    clock.set(at=datetime(2025, 6, 3, 15, 0, tzinfo=ICT))
    assert len(await source.bars("FPT", START, END)) == 2
    assert len(await FileSource(frame(), as_of=date(2025, 6, 2)).bars("FPT", START, END)) == 1
    clock.set(at=datetime(2025, 6, 1, 15, 0, tzinfo=ICT))
    with pytest.raises(EmptyAnswerError):
        await source.bars("FPT", START, END)
    with pytest.raises(EmptyAnswerError):
        await source.panel()


async def test_minutes_are_seen_when_they_have_ended():
    stamps = pd.to_datetime(["2025-06-02 09:15", "2025-06-02 09:20"])
    source = FileSource(frame().iloc[:2].assign(date=stamps), as_of=datetime(2025, 6, 2, 9, 24, tzinfo=ICT))
    await source.load()
    assert source.intervals == ("5m",)
    assert len(await source.bars("FPT", START, END, interval="5m")) == 1
    with pytest.raises(ParameterError, match="5m"):
        await source.bars("FPT", START, END)


async def test_an_unknown_symbol_is_an_empty_answer_that_names_others():
    with pytest.raises(EmptyAnswerError, match="FPT, VNM"):
        await FileSource(frame()).bars("XXX", START, END)


def test_the_explanation_is_there_after_loading_only():
    with pytest.raises(StateError, match="load"):
        _ = FileSource(frame()).explanation


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"hello", "does not begin with headings"),
        (b"a,b,c,d,e,f\n1,2,3,4,5,6\n", "no column for date, open"),
        (b"PAR1 not really", "cannot be read"),
        (b"PK\x03\x04 not really", "cannot be read"),
        (b"date,open,high,low,close,volume\nx,y,z,a,b,c\n", "no row with a date"),
        (b"date,open,high,low,close,volume\n2025-06-02,1,1,1,-1,1\n", "no valid bar"),
        (AMIBROKER.replace("<Volume>", "<Volume>,<OI>").replace("00\n", "00,7\n").encode(), "foreign trades"),
    ],
)
async def test_an_unreadable_file_says_why_and_what_to_do(content, told, tmp_path):
    path = tmp_path / "bars.csv"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=told):
        await FileSource(path).load()


async def test_a_missing_file_a_folder_and_a_zip_without_tables(tmp_path):
    with pytest.raises(FileFormatError, match="no file"):
        await FileSource(tmp_path / "none.csv").load()
    with pytest.raises(FileFormatError, match="folder"):
        await FileSource(tmp_path).load()
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.md", "x")
    with pytest.raises(FileFormatError, match=r"readme\.md"):
        await FileSource(tmp_path / "x.zip").load()


def test_headings_are_compared_without_case_accents_and_brackets():
    assert plain_name("Giá đóng cửa (nghìn VNĐ)") == "giadongcua"
    assert plain_name("<DTYYYYMMDD>") == "dtyyyymmdd"
    guess = guess_columns(["Ngày GD", "O", "H", "L", "C", "Vol", "note"])
    assert guess.columns == {
        "date": "Ngày GD",
        "open": "O",
        "high": "H",
        "low": "L",
        "close": "C",
        "volume": "Vol",
    }
    assert (guess.missing, guess.unused) == ((), ("note",))
