"""The first ledger: orders, events, fills, actions, double entry, journal, states, leases.

A step says what it builds in full and imports nothing from `schema`, which goes on changing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _key() -> sa.types.TypeEngine[str]:
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Build the tables."""
    op.create_table(
        "orders",
        sa.Column("client_order_id", _key(), primary_key=True),
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("side", sa.String(8), nullable=False),
        sa.Column("type", sa.String(8), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("limit_price_vnd", sa.BigInteger),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("cause", _key(), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("status_reason", sa.Text, nullable=False),
        sa.Column("filled_quantity", sa.BigInteger, nullable=False),
        sa.Column("filled_value_vnd", sa.BigInteger, nullable=False),
        sa.Column("fee_vnd", sa.BigInteger, nullable=False),
        sa.Column("tax_vnd", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_orders_status", "orders", ["status"])
    op.create_index("ix_orders_created_at", "orders", ["created_at"])
    op.create_table(
        "order_events",
        sa.Column("client_order_id", _key(), sa.ForeignKey("orders.client_order_id"), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("event", sa.Text, nullable=False),
    )
    op.create_table(
        "fills",
        sa.Column("fill_id", _key(), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("client_order_id", _key(), sa.ForeignKey("orders.client_order_id"), nullable=False),
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("side", sa.String(8), nullable=False),
        sa.Column("quantity", sa.BigInteger, nullable=False),
        sa.Column("price_vnd", sa.BigInteger, nullable=False),
        sa.Column("fee_vnd", sa.BigInteger, nullable=False),
        sa.Column("tax_vnd", sa.BigInteger, nullable=False),
        sa.Column("quoted_price_vnd", sa.BigInteger),
        sa.Column("filled_at", sa.String(32), nullable=False),
    )
    op.create_index("ix_fills_client_order_id", "fills", ["client_order_id"])
    op.create_table(
        "actions",
        sa.Column("action_id", _key(), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, unique=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
    )
    op.create_table(
        "entries",
        sa.Column("source_id", _key(), primary_key=True),
        sa.Column("account", sa.String(16), primary_key=True),
        sa.Column("amount_vnd", sa.BigInteger, nullable=False),
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("entry_id", _key(), primary_key=True),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("cause", _key(), nullable=False),
        sa.Column("client_order_id", _key(), nullable=False),
        sa.Column("seen", sa.Text, nullable=False),
    )
    op.create_index("ix_journal_at", "journal", ["at", "entry_id"])
    op.create_index("ix_journal_client_order_id", "journal", ["client_order_id"])
    op.create_table(
        "states",
        sa.Column("scope", sa.String(32), primary_key=True),
        sa.Column("name", _key(), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.String(32), nullable=False),
        sa.Column("acquired_at", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.Column("wrote_at", sa.String(32)),
    )


def downgrade() -> None:
    """Remove the tables."""
    for table in ("leases", "states", "journal", "entries", "actions", "fills", "order_events", "orders"):
        op.drop_table(table)
