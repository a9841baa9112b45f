"""Config: how often the engine looks, how long it waits, and what it may do."""

from __future__ import annotations

import msgspec

from vnquant.engine.policy import ExecutionPolicy
from vnquant.errors import ParameterError
from vnquant.trading import ExitRules, PaperConfig, RiskLimits

__all__ = ("EngineConfig",)


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How an orchestrator works. Seconds are market seconds, `..._timeout_s` those of the loop.

    Attributes
    ----------
    cash_vnd : int
        Paid into a new ledger.
    model_every_s, news_every_s, positions_every_s, health_every_s : float
        From one round to the next, on a fixed grid of the day.
    model_lead_expires_s, news_lead_expires_s : float
        How long a lead is worth a discussion.
    news_max_age_s : float
        Older headlines raise no lead, such as those found by the first look at a feed.
    repeat_after_s : float
        One lead a symbol and direction in this time.
    max_leads : int
        Leads that may wait; beyond it the least urgent is given up.
    order_patience_s : float
        An order that has not filled by then is taken back; a sale is sent again at the price of then.
    turn_patience_s : float
        How long rounds that are due together wait for those before them (loop seconds).
    lease_term_s : float
        How long the ledger stays ours without a sign of life.
    policy, limits, exits, paper
        What becomes of verdicts, what a portfolio may hold, when it sells, how the paper broker fills.
    """

    cash_vnd: int = 100_000_000
    model_every_s: float = 180.0
    news_every_s: float = 300.0
    positions_every_s: float = 60.0
    health_every_s: float = 60.0
    model_lead_expires_s: float = 900.0
    news_lead_expires_s: float = 86_400.0
    news_max_age_s: float = 86_400.0
    repeat_after_s: float = 3_600.0
    max_leads: int = 1_000
    order_patience_s: float = 300.0
    turn_patience_s: float = 2.0
    scan_timeout_s: float = 900.0
    news_timeout_s: float = 60.0
    board_timeout_s: float = 5.0
    case_timeout_s: float = 120.0
    agent_timeout_s: float = 5.0
    lease_term_s: float = 180.0
    policy: ExecutionPolicy = ExecutionPolicy()
    limits: RiskLimits = RiskLimits()
    exits: ExitRules = ExitRules()
    paper: PaperConfig = PaperConfig()

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not value > 0:
                raise ParameterError(f"{name} must be positive, got {value}.", name=name, value=value)
