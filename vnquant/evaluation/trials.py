"""Evaluation: the settings of agents that were tried, counted, since the best of many looks good by luck."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from vnquant.agents import Agent

__all__ = ("TrialBook",)


class TrialBook:
    """Counts the distinct settings of each agent that somebody saw the worth of.

    A setting is the agent's parameters and its code: running a cell with an unchanged class again is no new
    try, a class that was rewritten is. It lives as long as its workbench, whatever becomes of the widgets.
    """

    def __init__(self) -> None:
        self._tried: dict[str, set[Hashable]] = {}
        self._codes: WeakKeyDictionary[type[Agent], str] = WeakKeyDictionary()

    def note(self, name: str, agent: Agent) -> int:
        """Count a setting of the agent known by `name`, and return how many were tried by now."""
        kind = type(agent)
        code = self._codes.get(kind)
        if code is None:
            code = self._codes[kind] = _fingerprint(kind)
        self._tried.setdefault(name, set()).add((code, *sorted(agent.parameters.items())))
        return self.count(name)

    def count(self, name: str) -> int:
        """Return how many settings of this agent were tried."""
        return len(self._tried.get(name, ()))

    def __repr__(self) -> str:
        told = ", ".join(f"{name}: {len(tried)}" for name, tried in self._tried.items())
        return f"TrialBook({told})"


def _fingerprint(kind: type[Agent]) -> str:
    """Return a hash of what the methods of a class and its bases do, wherever they are written."""
    digest = hashlib.blake2b(digest_size=16)
    for base in kind.__mro__[: kind.__mro__.index(Agent)]:
        for name, value in sorted(vars(base).items()):
            for code in _codes(value):
                digest.update(name.encode())
                _feed(digest, code)
    return digest.hexdigest()


def _codes(value: Any) -> Iterator[CodeType]:
    """Yield the code of a function, or of those behind a property, class method or static method."""
    inner = (getattr(value, part, None) for part in ("fget", "__func__", "func"))
    for function in (value, *inner):
        if isinstance(function, FunctionType):
            yield function.__code__


def _feed(digest: Any, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed(digest, constant)
        else:
            # The order of a set differs from process to process, but not between two runs of a cell.
            digest.update(repr(constant).encode())
