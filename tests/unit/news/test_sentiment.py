from __future__ import annotations

import csv
import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vnquant.news import score_sentiment

HEADLINES = Path(__file__).parents[4] / "shared" / "data" / "real" / "vn_news.csv"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Lợi nhuận quý 3 giảm mạnh", "negative"),
        ("Hòa Phát báo lãi kỷ lục, cao gấp 3 lần cùng kỳ", "positive"),
        ("Khối ngoại bán ròng hơn 1.100 tỷ đồng", "negative"),
        ("Khối ngoại mua ròng phiên thứ 5 liên tiếp", "positive"),
        ("Chủ tịch bị khởi tố vì thao túng giá cổ phiếu", "negative"),
        ("Chốt danh sách cổ đông trả cổ tức tỷ lệ 25 %", "positive"),
        ("Lịch sự kiện và tin vắn chứng khoán ngày 13/4", "neutral"),
        ("HBC, ACB: Thông tin giao dịch lượng lớn cổ phiếu", "neutral"),
        ("", "neutral"),
        ("???", "neutral"),
    ],
)
def test_plain_headlines_are_read_as_a_trader_reads_them(text: str, label: str) -> None:
    assert score_sentiment(text).label == label


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Nợ xấu giảm mạnh", "Nợ xấu tăng mạnh"),
        ("Chi phí lãi vay giảm 30%", "Chi phí lãi vay tăng 30%"),
        ("Khối ngoại giảm bán ròng", "Khối ngoại tăng bán ròng"),
        ("Lợi nhuận tăng mạnh", "Lợi nhuận giảm mạnh"),
        ("Lợi nhuận tăng", "Lợi nhuận không tăng"),
        ("Công ty không bị phạt", "Công ty bị phạt"),
    ],
)
def test_direction_and_negation_turn_the_meaning(good: str, bad: str) -> None:
    assert score_sentiment(good).label == "positive"
    assert score_sentiment(bad).label == "negative"


def test_a_negation_ends_with_its_clause() -> None:
    assert score_sentiment("Giá không đổi, lợi nhuận tăng mạnh").label == "positive"


def test_longer_phrases_win_over_the_words_in_them() -> None:
    assert score_sentiment("Lãi suất").score == 0.0
    assert score_sentiment("Lãi").score > 0.0
    terms = dict(score_sentiment("Mã này không được giao dịch ký quỹ").terms)
    assert list(terms) == ["không được giao dịch ký quỹ"]


def test_english_words_say_nothing() -> None:
    assert score_sentiment("Stocks surge to record profit, great growth").score == 0.0


def test_spelling_of_tone_marks_and_composition_do_not_matter() -> None:
    text = "Doanh nghiệp bị huỷ niêm yết, cổ phiếu giảm sàn"
    other = text.replace("huỷ", "hủy")
    assert score_sentiment(text).score == score_sentiment(other).score
    assert score_sentiment(unicodedata.normalize("NFD", text)).score == score_sentiment(text).score
    assert score_sentiment(text.upper()).score == score_sentiment(text).score


def test_scores_are_bounded_and_explained() -> None:
    found = score_sentiment("khởi tố " * 50)
    assert -1.0 <= found.score < -0.99
    assert len(found.terms) == 50
    one = score_sentiment("Giá cổ phiếu tăng trần?")
    assert 0 < one.score < score_sentiment("Giá cổ phiếu tăng trần").score, "a question guesses"


@given(st.text(max_size=200))
def test_any_text_has_a_bounded_score_and_a_label_that_fits_it(text: str) -> None:
    found = score_sentiment(text)
    assert -1.0 <= found.score <= 1.0
    assert (found.label == "positive") == (found.score >= 0.2)
    assert (found.label == "negative") == (found.score <= -0.2)


@pytest.mark.real_data
def test_accuracy_on_labelled_headlines(capsys: pytest.CaptureFixture[str]) -> None:
    if not HEADLINES.exists():
        pytest.skip(f"{HEADLINES} is not on this machine")
    with HEADLINES.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    # Words were chosen with the first sixty rows and the even ones in view: the other odd ones are held out.
    told = {}
    for name, part in (("seen", rows[:60] + rows[60::2]), ("held_out", rows[61::2])):
        pairs = Counter((row["label"], score_sentiment(row["title"]).label) for row in part)
        right = sum(count for (label, guess), count in pairs.items() if label == guess)
        majority = max(Counter(row["label"] for row in part).values())
        opposite = pairs["positive", "negative"] + pairs["negative", "positive"]
        told[name] = {
            "rows": len(part),
            "accuracy": round(right / len(part), 3),
            "always_majority": round(majority / len(part), 3),
            "opposite_sign": round(opposite / len(part), 3),
        }
    with capsys.disabled():
        print(json.dumps({"sentiment_accuracy": told}))
    assert told["held_out"]["accuracy"] >= told["held_out"]["always_majority"] + 0.15
    assert told["held_out"]["opposite_sign"] <= 0.05
