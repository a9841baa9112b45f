"""Faults, latency and the draws that deal them."""

import math
from collections import Counter

import msgspec
import numpy as np
import pytest

from vnquant.errors import ParameterError
from vnquant.simulation.delivery import delay_s, deliver
from vnquant.simulation.draws import Draw, Draws
from vnquant.simulation.faults import Fault, Faults
from vnquant.simulation.latency import Latency
from vnquant.simulation.wire import json_answer

SOUND = json_answer(b'{"symbol":"VNM","s":"ok","t":[1747008000]}')
# Pinned so that a change of the sequence, which would change every benchmark, does not go unnoticed.
KNOWN_LATENCIES = [0.03419138788419362, 0.07130218535504192, 0.0745283505778289]
ISSUE_MIX = Faults(http_500=0.1, http_429=0.05, bad_json=0.02, truncated=0.02, reset=0.01, hang=0.01)


def drawn(fault: Fault | None, variant: float = 0.0, latency_s: float = 0.25) -> Draw:
    return Draw(0, latency_s, fault, variant)


@pytest.mark.parametrize("name", [f.value for f in Fault])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf"), True])
def test_a_probability_outside_0_to_1_is_refused(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=f"{name} = .*probability") as caught:
        Faults(**{name: value})
    assert caught.value.name == name


@pytest.mark.parametrize("name", ["hang_s", "straggler_s", "retry_after_s"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_duration_that_is_negative_or_endless_is_refused(name: str, value: float) -> None:
    with pytest.raises(ParameterError, match=f"{name} = .*seconds"):
        Faults(**{name: value})


def test_stale_answers_are_at_least_one_session_old() -> None:
    with pytest.raises(ParameterError, match="stale_sessions"):
        Faults(stale_sessions=0)


def test_probabilities_that_add_up_to_more_than_one_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"add up to 1\.2"):
        Faults(http_500=0.6, reset=0.6)
    assert Faults(http_500=0.5, reset=0.5).total == 1.0


def test_no_faults_means_none() -> None:
    assert all(Faults().pick(u) is None for u in np.linspace(0.0, 0.999999, 1000))


def test_a_fault_of_probability_one_befalls_every_request() -> None:
    assert all(Faults(hang=1.0).pick(u) is Fault.HANG for u in np.linspace(0.0, 0.999999, 1000))


def test_faults_occur_as_often_as_asked() -> None:
    draws, count = Draws(7), 20_000
    met = Counter(draws.next(ISSUE_MIX, Latency.none()).fault for _ in range(count))
    for fault in Fault:
        p = getattr(ISSUE_MIX, fault.value)
        assert abs(met[fault] - p * count) <= 5 * math.sqrt(max(p * (1 - p) * count, 1e-9)) + 1e-6


def test_draws_repeat_with_the_seed_and_differ_without() -> None:
    latency = Latency.lognormal(0.05)
    first, same, other = ([Draws(seed).next(ISSUE_MIX, latency) for _ in range(1)] for seed in (3, 3, 4))
    assert first == same
    assert first != other


def test_latency_draws_are_the_known_ones() -> None:
    draws = Draws(7)
    known = [draws.next(Faults(), Latency.lognormal(0.05)).latency_s for _ in range(3)]
    assert known == pytest.approx(KNOWN_LATENCIES, rel=1e-12)


def test_a_change_of_settings_leaves_later_draws_where_they_were() -> None:
    latency = Latency.lognormal(0.05)
    steady, changed = Draws(5), Draws(5)
    expected = [steady.next(Faults(), latency) for _ in range(10)]
    got = [
        changed.next(Faults(http_500=1.0) if n < 5 else Faults(), Latency.none() if n < 5 else latency)
        for n in range(10)
    ]
    assert got[5:] == expected[5:]


def test_preview_tells_the_draws_and_deals_none() -> None:
    draws, latency = Draws(5), Latency.lognormal(0.05)
    draws.next(ISSUE_MIX, latency)
    told = draws.preview(20, ISSUE_MIX, latency)
    assert told == tuple(draws.next(ISSUE_MIX, latency) for _ in range(20))


def test_lognormal_latency_has_its_mean_and_spread() -> None:
    draws, latency = Draws(1), Latency.lognormal(0.05, sigma=0.6)
    seconds = np.array([draws.next(Faults(), latency).latency_s for _ in range(20_000)])
    assert seconds.mean() == pytest.approx(0.05, rel=0.02)
    assert np.log(seconds).std() == pytest.approx(0.6, rel=0.02)
    assert seconds.min() > 0.0


def test_constant_and_no_latency() -> None:
    assert Latency.constant(0.2).seconds(1.7) == 0.2
    assert Latency.none().seconds(1.7) == 0.0


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_impossible_latency_is_refused(value: float) -> None:
    with pytest.raises(ParameterError):
        Latency.constant(value)
    with pytest.raises(ParameterError):
        Latency.lognormal(0.05, sigma=value)


def test_delay_is_the_latency_and_what_the_fault_adds() -> None:
    faults = Faults(hang_s=9.0, straggler_s=2.0)
    assert delay_s(drawn(None), faults) == 0.25
    assert delay_s(drawn(Fault.STRAGGLER), faults) == 2.25
    assert delay_s(drawn(Fault.HANG), faults) == 9.0


@pytest.mark.parametrize("fault", [None, Fault.STRAGGLER, Fault.STALE, Fault.EMPTY])
def test_answers_chosen_elsewhere_pass_unchanged(fault: Fault | None) -> None:
    delivery = deliver(SOUND, drawn(fault), Faults())
    assert (delivery.answer, delivery.cut_at) == (SOUND, None)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG])
def test_reset_and_hang_end_without_an_answer(fault: Fault) -> None:
    assert deliver(None, drawn(fault), Faults()).answer is None


@pytest.mark.parametrize(("variant", "status"), [(0.0, 500), (0.3, 502), (0.6, 503), (0.999, 504)])
def test_server_errors_vary(variant: float, status: int) -> None:
    answer = deliver(None, drawn(Fault.HTTP_500, variant), Faults()).answer
    assert answer is not None
    assert answer.status == status


@pytest.mark.parametrize(("seconds", "header"), [(1.0, "1"), (30.0, "30"), (0.05, "0.05"), (0.0, "0")])
def test_429_says_when_to_come_back(seconds: float, header: str) -> None:
    answer = deliver(None, drawn(Fault.HTTP_429), Faults(retry_after_s=seconds)).answer
    assert answer is not None
    assert (answer.status, answer.headers["Retry-After"]) == (429, header)


def test_wrong_type_is_a_page_with_status_200() -> None:
    answer = deliver(None, drawn(Fault.WRONG_TYPE), Faults()).answer
    assert answer is not None
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("body", [b"[]", b'{"s":"ok"}', SOUND.body, b'{"a":"xxxxxxxxxxxx"}'])
def test_bad_json_is_read_by_no_parser(body: bytes) -> None:
    answer = deliver(json_answer(body), drawn(Fault.BAD_JSON), Faults()).answer
    assert answer is not None
    assert (answer.status, answer.headers) == (200, SOUND.headers)
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(answer.body)


def test_truncated_is_cut_within_the_body() -> None:
    delivery = deliver(SOUND, drawn(Fault.TRUNCATED), Faults())
    assert delivery.answer == SOUND
    assert delivery.cut_at is not None
    assert 0 <= delivery.cut_at < len(SOUND.body)
