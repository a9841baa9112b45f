"""Collector: keeps full garbage collections short where something must stay responsive, or all rare.

The collector's full runs look at every container object of the process with the loop standing still: with the
240,000 objects of numpy, pandas, scikit-learn and a few years of bars that takes 140 to 160 ms, two or three
times a minute under an orchestrator, and is by far the longest thing that stops its loop. What was there
before is set aside instead (`gc.freeze`), so that full runs look only at what came since.

The price: reference cycles among the objects set aside are not found until the end. Whatever has no cycles is
freed as ever, and so is everything that is made meanwhile.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ("rare_collections", "short_collections")

# Objects made before the youngest are looked at, and how many such looks make one at the older ones. The
# youngest are few hundred by default, most of which a replay gives back by itself: it saved 4 % of its time.
_RARE = (50_000, 20, 50)

_lock = threading.Lock()
_users = 0
_is_ours = False
_rare_users = 0
_usual = (0, 0, 0)


@contextmanager
def short_collections() -> Iterator[None]:
    """Set aside what is there now from garbage collection, until the last such block ends.

    Where somebody has called `gc.freeze` already, it is left to them. Moves pointers only, so it takes no
    time worth mentioning.
    """
    global _users, _is_ours
    with _lock:
        if _users == 0 and not gc.get_freeze_count():
            gc.freeze()
            _is_ours = True
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _is_ours:
                gc.unfreeze()
                _is_ours = False


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage seldom, and then longer, until the last such block ends: where nobody waits for it."""
    global _rare_users, _usual
    with _lock:
        if _rare_users == 0:
            _usual = gc.get_threshold()
            gc.set_threshold(*_RARE)
        _rare_users += 1
    try:
        yield
    finally:
        with _lock:
            _rare_users -= 1
            if _rare_users == 0:
                gc.set_threshold(*_usual)
