"""Pace: how slow this machine is at the moment, for limits in seconds: a limit is one for a quiet machine."""

import statistics
import time

# What `_work` takes on the quicker of the machines of CI, in seconds. It takes 22 ms on one where the bare
# sleeps of a year (tests/benchmarks/test_replay_year.py) take 11.4 s; on the quicker one these take 3.8 s.
_QUIET_S = 0.0075


def slowness() -> float:
    """Return how many times as long as on a quiet machine a piece of work takes here and now, at least 1.

    The machines of CI differ by a factor of three, and so does one machine from hour to hour.
    """
    took = []
    for _ in range(5):
        began_s = time.perf_counter()
        _work()
        took.append(time.perf_counter() - began_s)
    return max(1.0, statistics.median(took) / _QUIET_S)


def _work() -> int:
    total = 0
    for number in range(300_000):
        total += number
    return total
