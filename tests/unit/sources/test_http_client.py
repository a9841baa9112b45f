"""The client's decisions, in virtual time."""

import asyncio
import itertools

import pytest

from vnquant.errors import (
    CircuitOpenError,
    ClosedError,
    EmptyAnswerError,
    HttpStatusError,
    ParameterError,
    PayloadError,
    RateLimitedError,
    SourceConnectionError,
    SourceTimeoutError,
)
from vnquant.sources import BreakerState, HttpClient, HttpConfig

URL = "http://feed/x"


async def slow(seconds, value):
    await asyncio.sleep(seconds)
    return value


async def fetch(client, symbol="FPT", **options):
    return await client.get(URL, {}, source="s", symbol=symbol, decoder=bytes, **options)


def test_a_failed_request_is_retried_until_it_succeeds(run_virtual, transport_of, answer):
    script = [answer(status=500), SourceConnectionError("reset"), PayloadError("cut"), answer(b"good")]
    transport = transport_of(lambda n, *_: script[n])

    async def main():
        async with HttpClient(transport=transport) as client:
            return await fetch(client), client.statistics()["s"]

    body, told = run_virtual(main())
    assert body == b"good"
    assert (told.requests, told.attempts) == (1, 4)
    assert told.failures == {"HttpStatusError": 1, "SourceConnectionError": 1, "PayloadError": 1}


def test_a_body_that_cannot_be_decoded_is_asked_for_again(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(b"{bad" if n == 0 else b'{"a":1}'))

    async def main():
        async with HttpClient(transport=transport) as client:
            return await client.get_json(URL, source="s")

    assert run_virtual(main()) == {"a": 1}


def test_pauses_are_jittered_and_repeat_with_the_seed(run_virtual, transport_of, answer):
    def times(seed):
        transport = transport_of(lambda n, *_: answer(status=503))

        async def main():
            async with HttpClient(HttpConfig(seed=seed), transport=transport) as client:
                with pytest.raises(HttpStatusError):
                    await fetch(client)

        run_virtual(main())
        return transport.times

    first = times(1)
    assert len(first) == 5
    assert first == times(1) != times(2)
    gaps = [b - a for a, b in itertools.pairwise(first)]
    assert all(0 <= gap <= 0.1 * 2**n for n, gap in enumerate(gaps))


def test_retry_after_is_waited_for(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(status=429, retry_after="2") if n == 0 else answer(b"ok"))

    async def main():
        async with HttpClient(transport=transport) as client:
            return await fetch(client)

    assert run_virtual(main()) == b"ok"
    assert 2.0 <= transport.times[1] <= 2.2


def test_a_retry_after_beyond_the_cap_ends_the_request_at_once(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(status=429, retry_after="3600"))

    async def main():
        async with HttpClient(transport=transport) as client:
            with pytest.raises(RateLimitedError) as caught:
                await fetch(client)
            return caught.value

    error = run_virtual(main())
    assert error.retry_after_s == 3600
    assert len(transport.asked) == 1


@pytest.mark.parametrize("status", [301, 400, 403, 404])
def test_a_refusal_is_not_asked_again(status, run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(status=status))

    async def main():
        async with HttpClient(transport=transport) as client:
            with pytest.raises(HttpStatusError) as caught:
                await fetch(client)
            return caught.value

    error = run_virtual(main())
    assert (error.status, error.source, error.symbol, len(transport.asked)) == (status, "s", "FPT", 1)


def test_an_empty_answer_is_asked_again_only_as_often_as_told(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer())

    def empty(_):
        raise EmptyAnswerError("nothing")

    async def main(retries):
        async with HttpClient(transport=transport) as client:
            with pytest.raises(EmptyAnswerError):
                await client.get(URL, source="s", decoder=empty, empty_retries=retries)
            return client.statistics()["s"]

    assert run_virtual(main(0)).attempts == 1
    told = run_virtual(main(2))
    assert told.attempts == 3
    assert told.failures == {}


def test_silence_ends_in_a_typed_timeout_within_the_total_time(run_virtual, transport_of):
    transport = transport_of(lambda n, *_: slow(1e6, None))

    async def main():
        async with HttpClient(
            HttpConfig(total_timeout_s=5, attempt_timeout_s=2), transport=transport
        ) as client:
            with pytest.raises(SourceTimeoutError):
                await fetch(client)
            return asyncio.get_running_loop().time()

    assert 2.0 <= run_virtual(main()) <= 5.0
    assert transport.cancelled == len(transport.asked)


def test_a_late_request_is_sent_again_and_the_first_good_answer_wins(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: slow(100 if n == 50 else 0.1, answer(b"%d" % n)))

    async def main():
        async with HttpClient(
            HttpConfig(attempt_timeout_s=60, total_timeout_s=60), transport=transport
        ) as client:
            bodies = [await fetch(client) for _ in range(51)]
            return bodies[-1], client.statistics()["s"], asyncio.get_running_loop().time()

    body, told, ended = run_virtual(main())
    assert body == b"51"
    assert (told.hedges, told.hedges_won, transport.cancelled) == (1, 1, 1)
    assert ended < 5.5


def test_the_hedged_copy_may_fail_while_the_first_still_answers(run_virtual, transport_of, answer):
    def script(n, *_):
        if n == 50:
            return slow(0.5, answer(b"late"))
        return answer(status=500) if n > 50 else slow(0.1, answer(b"x"))

    transport = transport_of(script)

    async def main():
        async with HttpClient(transport=transport) as client:
            return [await fetch(client) for _ in range(51)][-1]

    assert run_virtual(main()) == b"late"


def test_duplicates_stay_within_a_tenth_when_everything_turns_slow(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: slow(0.05 if n < 40 else 1.0, answer()))

    async def main():
        async with HttpClient(transport=transport) as client:
            for _ in range(200):
                await fetch(client)
            return client.statistics()["s"]

    told = run_virtual(main())
    assert 0 < told.hedges <= 0.1 * told.attempts


def test_a_dead_source_is_left_alone_and_tried_again_later(run_virtual, transport_of, answer):
    alive = False
    transport = transport_of(lambda n, *_: answer(b"up") if alive else SourceConnectionError("refused"))

    async def main():
        nonlocal alive
        async with HttpClient(HttpConfig(breaker_cooldown_s=10), transport=transport) as client:
            for _ in range(2):
                with pytest.raises(SourceConnectionError):
                    await fetch(client)
            assert client.statistics()["s"].breaker is BreakerState.OPEN
            asked = len(transport.asked)
            with pytest.raises(CircuitOpenError, match="tried again in"):
                await fetch(client)
            assert len(transport.asked) == asked
            await client.get_bytes("http://other", source="other") if alive else None
            alive = True
            await asyncio.sleep(10)
            assert await fetch(client) == b"up"
            return client.statistics()["s"].breaker

    assert run_virtual(main()) is BreakerState.CLOSED


def test_a_half_open_source_is_tested_by_one_request_only(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(status=500) if n < 10 else slow(1, answer(b"up")))

    async def main():
        async with HttpClient(transport=transport) as client:
            for _ in range(2):
                with pytest.raises(HttpStatusError):
                    await fetch(client)
            await asyncio.sleep(10)
            results = await asyncio.gather(*(fetch(client) for _ in range(5)), return_exceptions=True)
            return [type(r) for r in results]

    assert sorted(t.__name__ for t in run_virtual(main())) == ["CircuitOpenError"] * 4 + ["bytes"]


def test_a_cancelled_probe_gives_way_to_the_next(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(status=500) if n < 10 else slow(1, answer(b"up")))

    async def main():
        async with HttpClient(transport=transport) as client:
            for _ in range(2):
                with pytest.raises(HttpStatusError):
                    await fetch(client)
            await asyncio.sleep(10)
            probe = asyncio.create_task(fetch(client))
            await asyncio.sleep(0)
            probe.cancel()
            await asyncio.wait({probe})
            return await fetch(client)

    assert run_virtual(main()) == b"up"


def test_the_quota_holds_in_any_minute_and_does_not_count_as_time_of_the_request(
    run_virtual, transport_of, answer
):
    transport = transport_of(lambda n, *_: slow(0.01, answer(b"ok")))

    async def main():
        async with HttpClient(HttpConfig(requests_per_minute=60), transport=transport) as client:
            bodies = await asyncio.gather(*(fetch(client) for _ in range(130)))
            return bodies, client.statistics()["s"]

    bodies, told = run_virtual(main(), start=1.7e9)
    assert bodies == [b"ok"] * 130
    times = transport.times
    assert all(times[i + 60] - times[i] >= 60 - 1e-3 for i in range(len(times) - 60))
    assert told.quota_free == 50


@pytest.mark.parametrize("when", [0.0, 0.05, 0.1, 0.15, 2.05])
def test_a_request_cancelled_at_any_moment_leaves_nothing(when, run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: answer(status=500) if n % 2 else slow(0.1, answer(status=503)))

    async def main():
        async with HttpClient(transport=transport) as client:
            task = asyncio.create_task(fetch(client))
            await asyncio.sleep(when)
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled() or isinstance(task.exception(), HttpStatusError)
            before = asyncio.get_running_loop().time()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return asyncio.get_running_loop().time() - before

    assert run_virtual(main()) == 0.0


def test_closing_ends_requests_that_wait_and_is_idempotent(run_virtual, transport_of, answer):
    transport = transport_of(lambda n, *_: slow(1e6, None))

    async def main():
        client = HttpClient(HttpConfig(requests_per_minute=1), transport=transport)
        tasks = [
            asyncio.create_task(fetch(client)) for _ in range(3)
        ]  # one under way, two wait for the quota
        await asyncio.sleep(0.1)
        await asyncio.gather(client.aclose(), client.aclose())
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(o) for o in outcomes] == [ClosedError] * 3
        await client.aclose()
        with pytest.raises(ClosedError, match="open a new one"):
            await fetch(client)
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(0.1, abs=1e-3)
    assert transport.closed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("total_timeout_s", 0),
        ("hedge_share", 2),
        ("hedge_quantile", 0),
        ("backoff_cap_s", -1),
    ],
)
def test_a_config_out_of_bounds_is_refused(name, value):
    with pytest.raises(ParameterError) as caught:
        HttpConfig(**{name: value})
    assert (caught.value.name, caught.value.value) == (name, value)
