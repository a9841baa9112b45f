"""Trading: orders and fills, the paper broker, the portfolio and its books, risk limits, exits, the ledger.

Cores decide on plain values and do no I/O; thin async shells ask for quotes and write to the database. Money
is whole VND everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vnquant.lazy import lazy_names
from vnquant.market import CashDividend, ShareSplit
from vnquant.trading.accounting import Deposit, PortfolioEvent, PortfolioState, Receivable
from vnquant.trading.batch import Batch
from vnquant.trading.books import Account, Transaction
from vnquant.trading.broker import Broker, PaperConfig
from vnquant.trading.corporate_actions import PriceAdjustment
from vnquant.trading.costs import Costs, Slippage
from vnquant.trading.exits import ExitKind, ExitRules, ExitSignal, exit_signal, exit_signals, quiet_range
from vnquant.trading.journal import JournalEntry
from vnquant.trading.order_desk import OrderDesk
from vnquant.trading.order_events import (
    Fill,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderRestated,
    Side,
    fill_id,
)
from vnquant.trading.order_lists import Fills, Journal, Orders
from vnquant.trading.order_status import OrderStatus, OrderType, Transition
from vnquant.trading.orders import Order, apply, apply_all, order_id, split_into_lots
from vnquant.trading.paper_broker import PaperBroker
from vnquant.trading.portfolio import Portfolio
from vnquant.trading.positions import Parcel, Position
from vnquant.trading.risk import RiskDecision, RiskLimits, RiskView, review

if TYPE_CHECKING:
    from vnquant.trading.audit import Audit
    from vnquant.trading.database import database_connection
    from vnquant.trading.lease import LeaseHolder
    from vnquant.trading.ledger import Ledger
    from vnquant.trading.recovery import Recovery

__all__ = (
    "Account",
    "Audit",
    "Batch",
    "Broker",
    "CashDividend",
    "Costs",
    "Deposit",
    "ExitKind",
    "ExitRules",
    "ExitSignal",
    "Fill",
    "Fills",
    "Journal",
    "JournalEntry",
    "LeaseHolder",
    "Ledger",
    "Order",
    "OrderAccepted",
    "OrderCancelled",
    "OrderDesk",
    "OrderEvent",
    "OrderExpired",
    "OrderFilled",
    "OrderRejected",
    "OrderRestated",
    "OrderStatus",
    "OrderType",
    "Orders",
    "PaperBroker",
    "PaperConfig",
    "Parcel",
    "Portfolio",
    "PortfolioEvent",
    "PortfolioState",
    "Position",
    "PriceAdjustment",
    "Receivable",
    "Recovery",
    "RiskDecision",
    "RiskLimits",
    "RiskView",
    "ShareSplit",
    "Side",
    "Slippage",
    "Transaction",
    "Transition",
    "apply",
    "apply_all",
    "database_connection",
    "exit_signal",
    "exit_signals",
    "fill_id",
    "order_id",
    "quiet_range",
    "review",
    "split_into_lots",
)

# These bring SQLAlchemy with them, which a portfolio or a paper broker alone does not need.
__getattr__ = lazy_names(
    __name__,
    {
        "Audit": "audit",
        "LeaseHolder": "lease",
        "Ledger": "ledger",
        "Recovery": "recovery",
        "database_connection": "database",
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
