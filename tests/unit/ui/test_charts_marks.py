"""What a price chart marks, and the ranges that its buttons show."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from vnquant.agents import known_swings
from vnquant.market import Action, BarPanel, Exchange, default_calendar
from vnquant.news import AlertLevel, Article, EventType, Sentiment
from vnquant.runtime import ICT
from vnquant.trading import Fill, Side
from vnquant.ui import price_chart
from vnquant.ui.chart_data import fill_marks, news_marks, signal_marks, spans


@pytest.fixture
def panel() -> BarPanel:
    """Fourteen months of FPT over Tet 2025, with one session without a bar."""
    days = default_calendar().sessions(datetime(2024, 4, 1).date(), datetime(2025, 6, 3).date())
    rows = np.arange(len(days), dtype=float)
    close = 20_000.0 + 1_000.0 * np.sin(rows / 9.0) + 5.0 * rows
    close[100] = np.nan
    column = close[:, None]
    stamps = days.astype("datetime64[s]")
    return BarPanel(("FPT",), stamps, column, column + 100, column - 100, column, np.full_like(column, 1e6))


def fill(side: Side, at: datetime, *, symbol: str = "FPT") -> Fill:
    return Fill(
        fill_id=f"{side}{at}",
        client_order_id="one",
        symbol=symbol,
        side=side,
        quantity=300,
        price_vnd=20_500,
        fee_vnd=9_225,
        tax_vnd=0,
        filled_at=at,
    )


def article(at: datetime | None, *, score: float = 0.0, title: str = "Tin", symbols=("FPT",)) -> Article:
    return Article(
        title=title,
        summary="",
        url="https://example.com",
        source="feed",
        published_at=at,
        symbols=symbols,
        sentiment=Sentiment(label="neutral", score=score, terms=()),
        event=EventType.OTHER,
        level=AlertLevel.LOW,
    )


def ict(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ICT)


# -- no gaps, and range buttons ----------------------------------------------------------------------------


def test_the_sessions_around_tet_stand_next_to_each_other(panel):
    categories = price_chart(panel, "FPT").layout.xaxis.categoryarray.tolist()
    assert "2025-01-24" in categories
    assert categories[categories.index("2025-01-24") + 1] == "2025-02-03"
    assert len(categories) == panel.shape[0] - 1  # the session without a bar takes no place


def test_buttons_show_the_last_months_and_scale_the_prices_to_them(panel):
    figure = price_chart(panel, "FPT", scores={"chief": np.zeros(panel.shape[0])})
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == ["1M", "3M", "6M", "1Y", "All"]
    series = panel.series("FPT")
    for button in menu.buttons:
        (ranges,) = button.args
        first, last = ranges["xaxis.range"]
        rows = slice(int(first + 0.5), int(last + 0.5))
        assert rows.stop == len(series)
        low, high = ranges["yaxis.range"]
        assert low < series.low[rows].min()
        assert high > series.high[rows].max()
        assert high - low < 1.3 * (series.high[rows].max() - series.low[rows].min())
    shown = {button.label: int(button.args[0]["xaxis.range"][0] + 0.5) for button in menu.buttons}
    assert str(series.timestamps[shown["1M"]])[:10] == "2025-05-05"  # the 3rd and 4th were a weekend
    assert str(series.timestamps[shown["1Y"]])[:10] == "2024-06-04"
    assert shown["All"] == 0


def test_all_parts_move_together_and_six_months_are_seen_first(panel):
    figure = price_chart(panel, "FPT", scores={"chief": np.zeros(panel.shape[0])})
    assert figure.layout.xaxis2.matches == figure.layout.xaxis3.matches == "x"
    (menu,) = figure.layout.updatemenus
    assert menu.buttons[menu.active].label == "6M"
    assert list(figure.layout.xaxis.range) == list(menu.buttons[menu.active].args[0]["xaxis.range"])


def test_a_short_panel_has_the_buttons_that_fit_it(panel):
    assert [span.label for span in spans(panel.tail(30).series("FPT"), is_daily=True)] == ["1M", "All"]
    assert [span.label for span in spans(panel.tail(3).series("FPT"), is_daily=True)] == ["All"]
    assert spans(panel.tail(0).series("FPT"), is_daily=True) == ()


def test_a_price_that_never_moves_still_has_a_range(panel):
    flat = np.full((5, 1), 20_000.0)
    still = BarPanel(("FPT",), panel.timestamps[:5], flat, flat, flat, flat, np.zeros((5, 1)))
    ((_, _, (low, high), (bottom, top)),) = spans(still.series("FPT"), is_daily=True)
    assert low < 20_000 < high
    assert bottom < top


# -- signals -----------------------------------------------------------------------------------------------


def test_a_run_of_equal_advice_is_marked_once_and_strong_advice_is_of_its_side():
    score = np.array([np.nan, 0.4, 0.8, 0.4, 0.0, 0.4, -0.2, -0.9])
    marks = signal_marks(score)
    assert [(m.row, m.action) for m in marks] == [(1, Action.BUY), (5, Action.BUY), (6, Action.SELL)]


def test_the_chiefs_turns_are_drawn_where_they_happened(panel):
    score = np.zeros(panel.shape[0])
    score[-10:-5], score[-3:] = 0.4, -0.2
    figure = price_chart(panel, "FPT", scores={"chief": score, "bull": -score})
    labels = figure.layout.xaxis.categoryarray.tolist()
    traces = {t.name: t for t in figure.data if t.showlegend is False and t.legendgroup}
    assert list(traces["chief turns to buy"].x) == [labels[-10]]
    assert list(traces["chief turns to sell"].x) == [labels[-3]]
    assert traces["chief turns to sell"].hovertext == ("chief: SELL",)
    entries = [t.name for t in figure.data if t.showlegend is not False]
    assert entries.count("chief turns to buy") == entries.count("chief turns to sell") == 1


# -- fills -------------------------------------------------------------------------------------------------


def test_fills_stand_at_their_session_and_price_and_others_are_left_out(panel):
    bought, sold = fill(Side.BUY, ict("2025-05-06 10:05")), fill(Side.SELL, ict("2025-05-13 14:20"))
    others = [
        fill(Side.BUY, ict("2025-05-06 10:05"), symbol="VCB"),
        fill(Side.BUY, ict("2025-05-10 10:00")),  # a Saturday
        fill(Side.BUY, ict("2020-01-06 10:00")),
    ]
    figure = price_chart(panel, "FPT", fills=[bought, sold, *others])
    traces = {t.name: t for t in figure.data}
    assert list(traces["bought (B)"].x) == ["2025-05-06"]
    assert list(traces["bought (B)"].y) == [20_500]
    assert traces["bought (B)"].text == ("B",)  # colour is not the only sign
    assert list(traces["sold (S)"].x) == ["2025-05-13"]
    assert "SELL 300 at 20,500 VND" in traces["sold (S)"].hovertext[0]


def test_a_fill_in_minutes_stands_at_the_bar_that_had_begun(panel):
    start = np.datetime64("2025-06-03T09:15:00")
    stamps = start + np.arange(4) * np.timedelta64(5, "m")
    flat = np.full((4, 1), 20_000.0)
    minutes = BarPanel(("FPT",), stamps, flat, flat, flat, flat, flat, interval="5m").series("FPT")
    (mark,) = fill_marks([fill(Side.BUY, ict("2025-06-03 09:23"))], minutes, is_daily=False)
    assert mark.row == 1


# -- news --------------------------------------------------------------------------------------------------


def test_news_stands_at_the_session_that_could_first_react(panel):
    series = panel.series("FPT")
    told = {
        "2025-05-06 09:00": "2025-05-06",
        "2025-05-06 15:00": "2025-05-07",  # after the close
        "2025-05-10 11:00": "2025-05-12",  # a Saturday
        "2025-01-28 08:00": "2025-02-03",  # Tet
        "2025-06-03 20:00": "2025-06-03",  # nothing later to stand at
    }
    for published, session in told.items():
        (mark,) = news_marks([article(ict(published))], series, is_daily=True)
        assert str(series.timestamps[mark.row])[:10] == session
    assert news_marks([article(None), article(ict("2020-01-01 10:00"))], series, is_daily=True) == ()


def test_headlines_of_one_session_share_a_mark_and_are_escaped(panel):
    at = ict("2025-05-06 09:00")
    articles = [
        article(at, title="<img src=x onerror=alert(1)>", score=-0.8),
        article(at + timedelta(hours=1), title="Lãi lớn", score=0.2),
        article(at, title="Khác", symbols=("VCB",)),
    ]
    figure = price_chart(panel, "FPT", articles=articles)
    (trace,) = (t for t in figure.data if (t.name or "").startswith("news") and t.showlegend is False)
    (text,) = trace.hovertext
    assert text.index("Lãi lớn") < text.index("onerror")  # newest first
    assert "<img" not in text
    assert trace.marker.symbol == ("line-ew",)  # a minus: bad news
    assert "Khác" not in text


# -- support and resistance --------------------------------------------------------------------------------


def test_levels_are_the_last_swings_that_hold_and_see_nothing_of_the_future(panel):
    support, resistance = known_swings(panel)
    close = panel.close
    with np.errstate(invalid="ignore"):
        assert not (support > close).any()
        assert not (resistance < close).any()
    assert np.isfinite(support).mean() > 0.3
    for cut in (60, 150, 200):
        early_support, early_resistance = known_swings(panel.rows(slice(0, cut)))
        np.testing.assert_array_equal(early_support, support[:cut])
        np.testing.assert_array_equal(early_resistance, resistance[:cut])


def test_levels_are_drawn_as_steps(panel):
    support, resistance = known_swings(panel)
    figure = price_chart(panel, "FPT", levels=(support[:, 0], resistance[:, 0]))
    traces = {t.name: t for t in figure.data}
    for name in ("support", "resistance"):
        assert traces[name].line.shape == "hv"
        assert len(traces[name].x) == len(panel.series("FPT"))


# -- themes ------------------------------------------------------------------------------------------------


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255.0
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_reads_on_both_of_jupyterlabs_themes(panel):
    text = price_chart(panel, "FPT").layout.font.color
    assert min(_contrast(text, "#ffffff"), _contrast(text, "#111111")) > 4.3  # 4.36 is the most there can be
    for theme in ("light", "dark"):
        layout = price_chart(panel, "FPT", theme=theme).layout
        assert _contrast(layout.font.color, layout.plot_bgcolor) > 7


def test_an_unknown_exchange_band_changes_the_colours_only(panel):
    one, other = (price_chart(panel, "FPT", exchange=e) for e in (Exchange.HOSE, Exchange.UPCOM))
    assert list(one.layout.xaxis.categoryarray) == list(other.layout.xaxis.categoryarray)
