"""Wire: records of the simulated market as the bytes of the Vietnamese endpoints, without sockets."""

from __future__ import annotations

from vnquant.simulation.wire.answer import Answer, html_answer, json_answer
from vnquant.simulation.wire.board import board_body, encode_board_record, java_double
from vnquant.simulation.wire.cafef import CafefDay, cafef_change, cafef_page, cafef_window
from vnquant.simulation.wire.events import events_answer
from vnquant.simulation.wire.history import (
    HistoryText,
    udf_error,
    vndirect_history,
    vps_history,
    vps_unsupported,
)
from vnquant.simulation.wire.rss import FEEDS, Feed, Story, feed_answer, number_of

__all__ = (
    "FEEDS",
    "Answer",
    "CafefDay",
    "Feed",
    "HistoryText",
    "Story",
    "board_body",
    "cafef_change",
    "cafef_page",
    "cafef_window",
    "encode_board_record",
    "events_answer",
    "feed_answer",
    "html_answer",
    "java_double",
    "json_answer",
    "number_of",
    "udf_error",
    "vndirect_history",
    "vps_history",
    "vps_unsupported",
)
