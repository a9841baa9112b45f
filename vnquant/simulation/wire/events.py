"""Events: dividends and share issues as the simulated exchange's own route tells them.

The live hosts have company pages too, of which no answer was ever recorded; so this format is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from vnquant.market import CorporateAction
from vnquant.simulation.wire.answer import Answer, json_answer

__all__ = ("events_answer",)


def events_answer(symbols: Sequence[str], through: date | None, actions: Sequence[CorporateAction]) -> Answer:
    """Return the events of some symbols, known through a session; None is that nothing is known."""
    said: dict[str, Any] = {"symbols": symbols, "through": through or date.min, "actions": actions}
    return json_answer(msgspec.json.encode(said))
