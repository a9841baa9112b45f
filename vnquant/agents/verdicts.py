"""Verdicts: a Chief's decision on one stock, and how it is told: who was missing, and what weighed most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from vnquant.agents.signals import AgentSignal

__all__ = ("PointVerdict", "absences", "reasons")


class PointVerdict(NamedTuple):
    """Opinions on one stock, weighed."""

    score: float
    confidence: float
    contributions: dict[str, float]
    vetoed: bool
    before_veto: float


def absences(given: Sequence[AgentSignal], names: Iterable[str], why: Mapping[str, str]) -> tuple[str, ...]:
    """Name each expected agent without an opinion, with the reason."""
    said = {signal.agent: signal for signal in given}
    absent = []
    for name in names:
        if name not in said:
            absent.append(f"{name}: {why.get(name, 'gave no signal')}")
        elif not said[name].has_opinion:
            absent.append(f"{name}: no opinion, {'; '.join(said[name].reasons) or 'and no reason given'}")
    return tuple(absent)


def reasons(heard: Sequence[AgentSignal], verdict: PointVerdict) -> tuple[str, ...]:
    """Return the veto if there is one, then the agents' main reasons, the weightiest agent first."""
    if not heard:
        return ("no agent gave an opinion, so there is nothing to act on",)
    told = []
    if verdict.vetoed:
        points = 50.0 * (verdict.before_veto + 1.0)
        told.append(f"a buy is vetoed; the score would have been {points:.0f} of 100")
        told += [
            reason
            for signal in heard
            if signal.vetoed
            for reason in signal.reasons
            if reason.startswith("veto")
        ]
    amounts = verdict.contributions
    for signal in sorted(heard, key=lambda signal: -abs(amounts[signal.agent])):
        why = next((reason for reason in signal.reasons if not reason.startswith("veto")), "no reason given")
        told.append(f"{signal.agent} {amounts[signal.agent]:+.2f}: {why}")
    return tuple(told)
