import asyncio
import random
import statistics

import pytest

from vnquant.sources.hedge import HedgeBudget, Hedger, LatencyWindow


def test_quantiles_follow_the_last_latencies_only():
    window = LatencyWindow(size=20)
    for value in [9.0] * 30 + [float(i) for i in range(1, 21)]:
        window.add(value)
    assert window.quantile(0.95) == 19.0
    assert window.quantile(0.5) == 10.0
    assert window.quantile(1.0) == 20.0
    assert len(window) == 20


def test_no_latency_has_no_quantile():
    assert LatencyWindow().quantile(0.95) is None


def test_ten_requests_earn_one_duplicate_and_no_more_than_the_cap_is_saved():
    budget = HedgeBudget(share=0.1, most=2)
    for _ in range(9):
        budget.earn()
    assert not budget.allows(keep=0)
    budget.earn()
    assert budget.allows(keep=0)
    assert not budget.allows(keep=1)
    for _ in range(100):
        budget.earn()
    assert budget.tokens == 2


def test_the_p95_does_not_sink_because_losers_are_cancelled(run_virtual):
    """Counting answers only, hedged requests would vanish from the tail and the p95 would fall by itself."""
    rng = random.Random(3)
    drawn = [rng.lognormvariate(-3.0, 0.6) for _ in range(4_000)]
    hedger = Hedger(share=0.1)

    async def main():
        latencies = iter(drawn * 2)

        async def send():
            await asyncio.sleep(next(latencies))
            return "x"

        for _ in range(2_000):
            await hedger.run(send, may_hedge=lambda: True, name="t")

    run_virtual(main())
    truth = statistics.quantiles(drawn, n=20)[-1]
    assert hedger.latencies.quantile(0.95) == pytest.approx(truth, rel=0.25)
    assert 0.02 < hedger.sent / 2_000 <= 0.1


def test_all_copies_failing_raises_the_first_failure(run_virtual):
    hedger = Hedger()

    async def main():
        async def send():
            await asyncio.sleep(0.1)
            raise KeyError("first")

        with pytest.raises(KeyError, match="first"):
            await hedger.run(send, may_hedge=lambda: True, name="t")

    run_virtual(main())


def test_no_duplicate_without_leave(run_virtual):
    hedger = Hedger(min_samples=1, first_delay_s=0.1)
    hedger.budget.tokens = 10
    sent = 0

    async def main():
        async def send():
            nonlocal sent
            sent += 1
            await asyncio.sleep(5)

        await hedger.run(send, may_hedge=lambda: False, name="t")

    run_virtual(main())
    assert sent == 1
    assert hedger.budget.tokens == pytest.approx(10)
