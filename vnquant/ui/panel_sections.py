"""Panel sections: which there are, on what of the picture each depends, and how each is drawn."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from vnquant.ui.panel_cells import span_text
from vnquant.ui.panel_html import (
    feed_html,
    health_html,
    news_html,
    opportunities_html,
    orders_html,
    positions_html,
    tasks_html,
)
from vnquant.ui.panel_picture import PanelPicture

__all__ = ("SECTIONS", "Section")


class Section(NamedTuple):
    """One section: what of the picture it shows, and how."""

    title: str
    reads: Callable[[PanelPicture], object]
    """The part of the picture on which alone it depends, to be compared."""
    note: Callable[[PanelPicture], str]
    """Plain text beside the title."""
    html: Callable[[PanelPicture], str]


def _positions_note(picture: PanelPicture) -> str:
    account = picture.account
    if account is None:
        return ""
    parts = (
        f"{len(picture.positions)}",
        f"unrealised {account.unrealised_vnd:+,}",
        f"realised {account.realised_vnd:+,}",
    )
    return " · ".join(parts).replace("-", "−")


def _feed_note(picture: PanelPicture) -> str:
    shown, total = len(picture.feed), picture.feed_total
    return f"{total}" if shown == total else f"{shown} of {total}"


def _health_note(picture: PanelPicture) -> str:
    health = picture.health
    down = sum(one.breaker != "closed" for one in health.sources)
    troubles = len(health.troubled) + down
    return f"{troubles} in trouble" if troubles else "no trouble"


def _today(picture: PanelPicture) -> date:
    return picture.clock.at.date()


SECTIONS: dict[str, Section] = {
    "positions": Section(
        "Positions",
        lambda p: (p.positions, p.account, _today(p)),
        _positions_note,
        lambda p: positions_html(p.positions, _today(p), is_known=p.account is not None),
    ),
    "orders": Section(
        "Orders",
        lambda p: (p.orders, _today(p)),
        lambda p: f"{sum(one.is_open for one in p.orders)} open",
        lambda p: orders_html(p.orders, _today(p)),
    ),
    "opportunities": Section(
        "Opportunities",
        lambda p: (p.opportunities, _today(p)),
        lambda p: f"{len(p.opportunities)}",
        lambda p: opportunities_html(p.opportunities, _today(p)),
    ),
    "news": Section(
        "News",
        lambda p: (p.news, _today(p)),
        lambda p: f"{len(p.news)}",
        lambda p: news_html(p.news, _today(p)),
    ),
    "tasks": Section(
        "Tasks",
        lambda p: [(t.name, t.state, span_text(t.age_s), t.restarts, t.last_error) for t in p.tasks],
        lambda p: f"{sum(one.state == 'running' for one in p.tasks)} running",
        lambda p: tasks_html(p.tasks),
    ),
    "health": Section(
        "Health",
        lambda p: (p.health, _today(p)),
        _health_note,
        lambda p: health_html(p.health, _today(p)),
    ),
    "feed": Section(
        "Events",
        lambda p: (p.feed, p.feed_total, _today(p)),
        _feed_note,
        lambda p: feed_html(p.feed, _today(p)),
    ),
}
