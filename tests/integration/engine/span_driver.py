"""Runs a span as `vnquant run --virtual` does, with a predictor that trains quickly.

python span_driver.py DATABASE FROM TO CACHE
"""

import sys

from sklearn.linear_model import Ridge

from vnquant.engine import EngineConfig, ExecutionPolicy
from vnquant.market import Action
from vnquant.runtime import run_virtual
from vnquant.unattended import read_span, run_virtual_span

# Trades on less than it would by itself, so that a morning has orders to lose.
EAGER = EngineConfig(
    cash_vnd=2_000_000_000,
    policy=ExecutionPolicy(
        opens=(Action.STRONG_BUY, Action.BUY, Action.HOLD, Action.SELL), closes=(), min_confidence=0.05
    ),
    repeat_after_s=900.0,
    lease_term_s=86_400.0,
)


def main() -> None:
    database, first, last, cache = sys.argv[1:]
    start, until = read_span(first, last)
    span = run_virtual_span(
        until, database=database, cache_dir=cache, predictor=Ridge(alpha=1000.0), engine=EAGER
    )
    print(run_virtual(span, start=start).to_json(), flush=True)


if __name__ == "__main__":
    main()
