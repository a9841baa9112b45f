from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest

from vnquant.errors import InputError
from vnquant.news import AlertLevel, Article, EventType, article_from, event_type, news_sentiment
from vnquant.runtime.clock import ICT
from vnquant.sources.base import FeedItem

MORNING = datetime(2025, 6, 3, 10, 0, tzinfo=ICT)
DAYS = np.datetime64("2025-06-02") + np.arange(14)


def article(
    title: str, published_at: datetime | None = MORNING, *, summary: str = "", url: str = ""
) -> Article:
    return article_from(
        FeedItem(title=title, summary=summary, url=url or title, source="test", published_at=published_at)
    )


@pytest.mark.parametrize(
    ("title", "level", "event"),
    [
        ("Khởi tố Chủ tịch Novaland (NVL) vì thao túng cổ phiếu", AlertLevel.CRITICAL, EventType.LEGAL),
        ("HNG bị hủy niêm yết bắt buộc", AlertLevel.CRITICAL, EventType.LISTING),
        ("FPT báo lãi kỷ lục, lợi nhuận tăng 40%", AlertLevel.HIGH, EventType.EARNINGS),
        ("Vinamilk chi 2.300 tỷ đồng trả cổ tức", AlertLevel.MEDIUM, EventType.DIVIDEND),
        ("Masan (MSN) họp đại hội cổ đông", AlertLevel.LOW, EventType.OTHER),
        ("Khởi tố lãnh đạo một công ty chưa niêm yết", AlertLevel.LOW, EventType.LEGAL),
        ("HPG, VCB, VIC, VHM, MSN, FPT bứt phá, lập đỉnh", AlertLevel.LOW, EventType.PRICE_MOVE),
    ],
)
def test_alert_level_and_event(title: str, level: AlertLevel, event: EventType) -> None:
    found = article(title)
    assert (found.level, found.event) == (level, event)


def test_the_gravest_event_names_the_kind() -> None:
    assert event_type("Trả cổ tức xong, lãnh đạo bị xử phạt") is EventType.LEGAL


def test_the_summary_adds_symbols_and_shades_the_score() -> None:
    plain = article("Doanh nghiệp thép báo lãi lớn")
    told = article(
        "Doanh nghiệp thép báo lãi lớn", summary="Hòa Phát cho biết nợ xấu tăng mạnh, áp lực bán lớn"
    )
    assert (plain.symbols, told.symbols) == ((), ("HPG",))
    assert 0 < told.sentiment.score < plain.sentiment.score


def test_a_companys_name_is_not_good_news() -> None:
    assert article("Dệt may - Đầu tư - Thương mại Thành Công (TCM) họp cổ đông").sentiment.score == 0.0
    assert article("Phát Đạt (PDR) họp cổ đông").sentiment.score == 0.0


def test_a_routine_title_stays_neutral_and_a_plain_one_hears_its_summary() -> None:
    routine = article("Lịch sự kiện ngày 13/4", summary="FPT trả cổ tức, lợi nhuận tăng mạnh")
    assert (routine.sentiment.label, routine.sentiment.score) == ("neutral", 0.0)
    plain = article("FPT công bố kết quả", summary="Lợi nhuận giảm mạnh 40%, lỗ nặng")
    assert plain.sentiment.label == "negative"


def test_a_bar_knows_what_was_published_by_its_close() -> None:
    field = news_sentiment([article("FPT báo lãi kỷ lục")], ["FPT", "VCB"], DAYS)
    assert np.isnan(field[0]).all(), "the day before"
    score = article("FPT báo lãi kỷ lục").sentiment.score
    assert field[1, 0] == pytest.approx(score * 0.5 ** (4.75 / 24.0 / 2.0))
    assert np.isnan(field[:, 1]).all(), "another symbol"
    late = news_sentiment([article("FPT báo lãi kỷ lục", MORNING.replace(hour=15))], ["FPT"], DAYS)
    assert np.isnan(late[1, 0]), "after the close it belongs to the next bar"
    assert np.isfinite(late[2, 0])


def test_sentiment_halves_and_is_forgotten() -> None:
    field = news_sentiment(
        [article("FPT báo lãi kỷ lục")], ["FPT"], DAYS, half_life_days=2.0, horizon_days=10.0
    )[:, 0]
    assert field[3] == pytest.approx(0.5 * field[1])
    assert np.isfinite(field[10])
    assert np.isnan(field[11:]).all()


def test_intraday_bars_know_the_news_up_to_their_start() -> None:
    stamps = np.datetime64("2025-06-03T09:55:00") + np.arange(3) * np.timedelta64(5, "m")
    field = news_sentiment([article("FPT báo lãi kỷ lục")], ["FPT"], stamps)
    assert np.isfinite(field[:, 0]).tolist() == [False, True, True]


def test_later_articles_never_change_earlier_values() -> None:
    articles = [article("FPT báo lãi kỷ lục"), article("FPT bị phạt nặng", MORNING + timedelta(days=4))]
    both = news_sentiment(articles, ["FPT"], DAYS)
    first = news_sentiment(articles[:1], ["FPT"], DAYS)
    np.testing.assert_array_equal(both[:5], first[:5])
    assert both[5, 0] < 0 < first[5, 0]


def test_order_doubles_and_undated_articles_do_not_matter() -> None:
    one, two = article("FPT báo lãi kỷ lục"), article("FPT, VCB bị phạt", MORNING + timedelta(days=1))
    undated = article("FPT phá sản", None)
    expected = news_sentiment([one, two], ["FPT", "VCB"], DAYS)
    np.testing.assert_array_equal(news_sentiment([two, undated, one, two], ["FPT", "VCB"], DAYS), expected)


def test_an_article_about_several_stocks_is_shared() -> None:
    alone = news_sentiment([article("FPT bị phạt")], ["FPT"], DAYS)
    shared = news_sentiment([article("FPT, VCB bị phạt")], ["FPT"], DAYS)
    np.testing.assert_allclose(shared, alone / 2.0)


def test_sums_stay_in_bounds() -> None:
    many = [article("FPT báo lãi kỷ lục", url=f"https://example.invalid/{i}") for i in range(9)]
    assert np.nanmax(news_sentiment(many, ["FPT"], DAYS)) == 1.0


def test_senseless_spans_are_refused() -> None:
    with pytest.raises(InputError, match="must be positive"):
        news_sentiment([], ["FPT"], DAYS, half_life_days=0.0)


def plain_sentiment(articles, symbols, known, half_life_days, horizon_days):
    """The definition: article after article, symbol after symbol, bar after bar."""
    field = np.full((len(known), len(symbols)), np.nan)
    told = set()
    for one in sorted(articles, key=lambda one: (one.published_at, one.url, one.title)):
        if (one.url or one.title) in told or not one.symbols:
            continue
        told.add(one.url or one.title)
        for row, until in enumerate(known):
            age_days = (until - one.published_at).total_seconds() / 86_400
            if not 0 <= age_days <= horizon_days:
                continue
            said = one.sentiment.score / len(one.symbols) * 0.5 ** (age_days / half_life_days)
            for symbol in set(one.symbols) & set(symbols):
                cell = (row, symbols.index(symbol))
                field[cell] = said if np.isnan(field[cell]) else field[cell] + said
    return np.clip(field, -1.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_sums_are_those_of_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = ["{} báo lãi kỷ lục", "{} bị phạt nặng", "{} và {} bị khởi tố", "Thị trường lặng sóng"]
    symbols = ["FPT", "VCB", "HPG", "SSI"]
    articles = [
        article(
            texts[rng.integers(4)].format(*rng.permutation([*symbols, "MWG"])),
            MORNING + timedelta(minutes=int(rng.integers(-20_000, 20_000))),
            url=f"https://example.invalid/{rng.integers(40)}",
        )
        for _ in range(60)
    ]
    closes = [MORNING.replace(hour=14, minute=45) + timedelta(days=day) for day in range(-3, 6)]
    days = np.array([close.date() for close in closes], dtype="datetime64[s]")
    for rows in (slice(None), slice(4, 5)):
        field = news_sentiment(articles, symbols, days[rows], half_life_days=1.5, horizon_days=7.0)
        expected = plain_sentiment(articles, symbols, closes[rows], 1.5, 7.0)
        np.testing.assert_allclose(field, expected, rtol=1e-12, atol=1e-14)
    assert np.isfinite(field).any()


def test_no_articles_and_no_bars_give_an_empty_field() -> None:
    assert np.isnan(news_sentiment([], ["FPT"], DAYS)).all()
    assert news_sentiment([article("FPT báo lãi kỷ lục")], ["FPT"], DAYS[:0]).shape == (0, 1)
