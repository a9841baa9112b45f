"""Delivery: a sound answer and the luck of its request, turned into what the client will get."""

from __future__ import annotations

import msgspec

from vnquant.simulation.draws import Draw
from vnquant.simulation.faults import Fault, Faults
from vnquant.simulation.wire.answer import Answer, html_answer

__all__ = ("Delivery", "delay_s", "deliver")

_SERVER_ERRORS = (
    (500, "500 Internal Server Error"),
    (502, "502 Bad Gateway"),
    (503, "503 Service Temporarily Unavailable"),
    (504, "504 Gateway Time-out"),
)
# No JSON value and no XML document goes on like this.
_GARBAGE = b'\x00<&"]'


class Delivery(msgspec.Struct, frozen=True):
    """What reaches the client.

    Attributes
    ----------
    answer : Answer or None
        None where the connection ends without one (reset, hang).
    fault : Fault or None
    cut_at : int or None
        Bytes of the body after which the connection closes; None for all of it.
    """

    answer: Answer | None
    fault: Fault | None = None
    cut_at: int | None = None


def delay_s(draw: Draw, faults: Faults) -> float:
    """Return how long a request waits for its delivery, in loop seconds."""
    if draw.fault is Fault.HANG:
        return faults.hang_s
    return draw.latency_s + (faults.straggler_s if draw.fault is Fault.STRAGGLER else 0.0)


def deliver(answer: Answer | None, draw: Draw, faults: Faults) -> Delivery:
    """Spoil a sound answer as the draw says.

    Parameters
    ----------
    answer : Answer or None
        The sound answer, already empty or stale where the fault is one of those; it may be None for the
        faults that do not look at it.
    """
    fault = draw.fault
    match fault:
        case Fault.RESET | Fault.HANG:
            return Delivery(None, fault)
        case Fault.HTTP_500:
            return Delivery(html_answer(*_SERVER_ERRORS[int(draw.variant * len(_SERVER_ERRORS))]), fault)
        case Fault.HTTP_429:
            wait = {"Retry-After": f"{faults.retry_after_s:g}"}
            return Delivery(html_answer(429, "429 Too Many Requests", wait), fault)
        case Fault.WRONG_TYPE:
            return Delivery(html_answer(200, "Hệ thống đang bảo trì"), fault)
    if answer is None:
        raise ValueError(f"a delivery with fault {fault} needs the sound answer")
    if fault is Fault.BAD_JSON:
        spoilt = answer.body[: len(answer.body) // 2] + _GARBAGE
        return Delivery(Answer(answer.status, answer.headers, spoilt), fault)
    if fault is Fault.TRUNCATED:
        return Delivery(answer, fault, cut_at=len(answer.body) // 2)
    return Delivery(answer, fault)
