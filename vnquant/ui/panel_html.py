"""Panel HTML: what each section of the control panel holds, mostly one small table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape

from vnquant.ui.panel_cells import (
    ARROWS,
    MARKS,
    badge,
    empty_text,
    fraction,
    level_badge,
    long_text,
    money,
    mood_sign,
    side_text,
    span_text,
    table,
    time_text,
    whole,
)
from vnquant.ui.panel_feed import FeedLine, Tone
from vnquant.ui.panel_health import HealthReading, QueueReading, SourceReading, TaskReading
from vnquant.ui.panel_money import AccountReading, OrderReading, PositionReading
from vnquant.ui.panel_picture import CaseReading, NewsReading

__all__ = (
    "account_html",
    "feed_html",
    "health_html",
    "news_html",
    "opportunities_html",
    "orders_html",
    "positions_html",
    "tasks_html",
)


_TASK_TONES = {
    "running": Tone.GOOD,
    "finished": Tone.GOOD,
    "waiting": Tone.WARNING,
    "backoff": Tone.WARNING,
    "broken": Tone.BAD,
}
_ORDER_TONES = {"FILLED": Tone.GOOD, "REJECTED": Tone.BAD, "EXPIRED": Tone.WARNING}


def account_html(account: AccountReading | None) -> str:
    """Return equity, cash and profit in one line; empty before the first start."""
    if account is None:
        return ""
    about = "" if account.is_complete else "≈"
    figures = (
        ("Equity", f"{about}{account.equity_vnd:,}"),
        ("Cash", f"{account.cash_vnd:,}"),
        ("P&amp;L", f"{money(account.pnl_vnd)} {fraction(account.pnl_fraction)}"),
    )
    return "".join(f"<span><small>{name}</small> <b>{value}</b></span>" for name, value in figures)


def positions_html(positions: Sequence[PositionReading], today: date, *, is_known: bool = True) -> str:
    """Return what is held, and what it has gained."""
    if not positions:
        return empty_text("No shares are held." if is_known else "Start reads them from the ledger.")
    return table(
        ("Symbol", ">Shares", ">Sellable", ">Cost", ">Price", ">Value", ">P&L"),
        (
            (
                f"<b>{escape(one.symbol)}</b>",
                f"{one.quantity:,}",
                _sellable(one, today),
                f"{one.average_cost_vnd:,}",
                whole(one.price_vnd),
                whole(one.value_vnd),
                _profit(one),
            )
            for one in positions
        ),
    )


def _sellable(one: PositionReading, today: date) -> str:
    """Return the shares that may be sold now, and when there are more (T+2)."""
    if one.sellable_from is None:
        return f"{one.sellable:,}"
    return f"{one.sellable:,} <small>more {time_text(one.sellable_from, today, seconds=False)}</small>"


def _profit(one: PositionReading) -> str:
    if one.pnl_vnd is None or one.pnl_fraction is None:
        return "–"
    return f"{money(one.pnl_vnd)} <small>{one.pnl_fraction:+.1%}</small>"


def orders_html(orders: Sequence[OrderReading], today: date) -> str:
    """Return the orders, open ones first."""
    if not orders:
        return empty_text("No orders yet.")
    return table(
        ("Time", "Symbol", "Side", ">Filled / shares", ">Limit", ">Average", "Status", "Why"),
        (
            (
                time_text(one.at, today),
                f"<b>{escape(one.symbol)}</b>",
                side_text(one.side),
                f"{one.filled:,} / {one.quantity:,}",
                whole(one.limit_vnd),
                whole(one.average_vnd),
                badge(one.status.replace("_", " ").lower(), _ORDER_TONES.get(one.status, Tone.PLAIN)),
                long_text(one.reason),
            )
            for one in orders
        ),
    )


def opportunities_html(cases: Sequence[CaseReading], today: date) -> str:
    """Return the leads with their verdicts and what came of them."""
    if not cases:
        return empty_text("No opportunity has been found yet.")
    return table(
        ("Time", "Symbol", "Lead", "Verdict", "Outcome"),
        (
            (
                time_text(one.at, today),
                f"<b>{escape(one.symbol)}</b>",
                _lead(one),
                _verdict(one),
                long_text(one.outcome) if one.outcome else "<i>waits for its discussion</i>",
            )
            for one in cases
        ),
    )


def _lead(one: CaseReading) -> str:
    said = f"{side_text(one.direction)} <small>{one.origin}</small>"
    if one.expected_return is not None:
        said += f" {one.expected_return:+.1%}"
    if one.level:
        said += f" {level_badge(one.level)}"
    return said


def _verdict(one: CaseReading) -> str:
    if not one.action:
        return "–"
    points = "" if one.points is None else f" {one.points:.0f}"
    tone = {"BUY": "up", "SELL": "down"}.get(one.action.rpartition("_")[2], "flat")
    return f'<span class="vnq-{tone}">{ARROWS[tone]} {one.action.replace("_", " ").lower()}{points}</span>'


def news_html(news: Sequence[NewsReading], today: date) -> str:
    """Return the headlines with their alert levels."""
    if not news:
        return empty_text("No headlines yet.")
    return table(
        ("Time", "Level", "Symbols", "Headline"),
        (
            (
                "–" if one.at is None else time_text(one.at, today, seconds=False),
                level_badge(one.level),
                f"<b>{escape(', '.join(one.symbols))}</b>" if one.symbols else "–",
                long_text(one.title, mood_sign(one.sentiment), f"×{one.copies}" if one.copies > 1 else ""),
            )
            for one in news
        ),
    )


def tasks_html(tasks: Sequence[TaskReading]) -> str:
    """Return the tasks: state, age, restarts, last error."""
    if not tasks:
        return empty_text("No tasks: it has not been started.")
    return table(
        ("Task", "State", ">Age", ">Restarts", "Last error"),
        (
            (
                escape(one.name),
                badge(one.state, _TASK_TONES.get(one.state, Tone.PLAIN)),
                span_text(one.age_s),
                f"{one.restarts}",
                long_text(one.last_error) if one.last_error else "–",
            )
            for one in tasks
        ),
    )


def health_html(health: HealthReading, today: date) -> str:
    """Return loop, lease, sources and queues."""
    lag = "–" if health.loop_lag_ms is None else f"{health.loop_lag_ms:,.0f} ms"
    lease = None if health.lease_expires_at is None else time_text(health.lease_expires_at, today)
    facts = (
        ("Loop lag, worst of a minute", lag),
        ("Tasks on the loop", whole(health.tasks_on_loop)),
        ("Lease of the ledger until", lease or "–"),
    )
    listed = "".join(f"<span><small>{name}</small> <b>{value}</b></span>" for name, value in facts)
    troubles = "".join(f"<p>{badge(told, Tone.BAD)}</p>" for told in health.troubled)
    tables = f"{_sources(health.sources)}{_queues(health.queues)}"
    return f'<div class="vnq-facts">{listed}</div>{troubles}{tables}'


def _sources(sources: Sequence[SourceReading]) -> str:
    if not sources:
        return empty_text("No source has been asked yet.")
    return table(
        ("Source", "Breaker", ">p50", ">p95", ">Requests", ">Failures"),
        (
            (
                escape(one.name),
                badge(one.breaker, Tone.GOOD if one.breaker == "closed" else Tone.BAD),
                "–" if one.p50_ms is None else f"{one.p50_ms:,} ms",
                "–" if one.p95_ms is None else f"{one.p95_ms:,} ms",
                f"{one.requests:,}",
                f"{one.failures:,}",
            )
            for one in sources
        ),
    )


def _queues(queues: Sequence[QueueReading]) -> str:
    if not queues:
        return ""
    rows = ((escape(one.name), f"{one.depth:,}", escape(one.note)) for one in queues)
    return table(("Queue", ">Waiting", "Besides"), rows)


def feed_html(lines: Sequence[FeedLine], today: date) -> str:
    """Return the events."""
    if not lines:
        return empty_text("Nothing to show.")
    rows = "".join(
        f'<tr class="vnq-{one.tone}"><td>{time_text(one.at, today)}</td>'
        f"<td>{MARKS[one.tone]} {escape(one.kind)}</td>"
        f'<td class="vnq-long"><b>{escape(one.symbol)}</b> {escape(one.text)}</td></tr>'
        for one in lines
    )
    head = "<thead><tr><th>Time</th><th>Event</th><th>What</th></tr></thead>"
    return f"<table>{head}<tbody>{rows}</tbody></table>"
