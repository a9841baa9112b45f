"""The log of requests."""

from vnquant.simulation.faults import Fault
from vnquant.simulation.request_log import RequestLog, RequestRecord


def record(number: int, kind: str, *symbols: str, fault: Fault | None = None) -> RequestRecord:
    return RequestRecord(number, kind, symbols, "/", 0.0, fault, started_s=float(number))


def filled() -> RequestLog:
    log = RequestLog()
    for one in (
        record(0, "history", "FPT"), record(1, "history", "FPT", fault=Fault.RESET),
        record(2, "board", "FPT", "VCB"), record(3, "rss"),
    ):  # fmt: skip
        log.append(one)
    return log


def test_counts_by_kind_symbol_and_fault() -> None:
    log = filled()
    assert log.by_kind() == {"history": 2, "board": 1, "rss": 1}
    assert log.by_symbol() == {"FPT": 3, "VCB": 1}
    assert log.by_symbol("history") == {"FPT": 2}
    assert log.by_fault() == {"none": 3, "reset": 1}
    assert repr(log) == "RequestLog(4 requests: 2 history, 1 board, 1 rss)"


def test_log_is_a_sequence_in_order_of_arrival() -> None:
    log = filled()
    assert [r.number for r in log] == [0, 1, 2, 3]
    assert (len(log), log.total, log[-1].kind) == (4, 4, "rss")


def test_clear_forgets_everything() -> None:
    log = filled()
    log.clear()
    assert (len(log), log.total, log.in_flight) == (0, 0, 0)


def test_a_request_is_in_flight_until_it_finishes() -> None:
    log = filled()
    assert log.in_flight == 4
    log[0].finished_s = 1.0
    assert (log.in_flight, log[0].in_flight) == (3, False)


def test_only_a_single_symbol_is_the_symbol() -> None:
    assert [r.symbol for r in filled()] == ["FPT", "FPT", None, None]
