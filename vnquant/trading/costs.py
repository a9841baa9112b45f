"""Costs: commission, taxes and slippage, in whole VND and on the tick grid."""

from __future__ import annotations

from datetime import date, datetime
from hashlib import blake2b

import msgspec

from vnquant.errors import ParameterError
from vnquant.market import Exchange, round_to_tick, tick_size
from vnquant.trading.order_events import Side

__all__ = ("Costs", "Slippage")

_BPS = 10_000
_PPM_PER_BPS = 100
_MILLION = 1_000_000


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs beside the price.

    Attributes
    ----------
    commission_bps : int
        The broker's, both ways. 15 is a usual online rate; the law's cap is 50 (Circular 128/2018/TT-BTC).
    sale_tax_bps : int
        Personal income tax on the value sold: 0.1 % (Circular 111/2013/TT-BTC, article 11 as amended by
        92/2015/TT-BTC, article 16).
    """

    commission_bps: int = 15
    sale_tax_bps: int = 10

    def __post_init__(self) -> None:
        for name in ("commission_bps", "sale_tax_bps"):
            value = getattr(self, name)
            if not 0 <= value <= _BPS:
                raise ParameterError(f"{name} must be from 0 to {_BPS}, got {value}.", name=name, value=value)

    def commission_vnd(self, value_vnd: int) -> int:
        """Return the commission on a traded value; half a VND goes up."""
        return _share(value_vnd, self.commission_bps)

    def sale_tax_vnd(self, value_vnd: int) -> int:
        """Return the tax on a value sold; half a VND goes up."""
        return _share(value_vnd, self.sale_tax_bps)

    def of_fill(self, side: Side, value_vnd: int, *, filled_before_vnd: int = 0) -> tuple[int, int]:
        """Return (fee, tax) of a fill.

        Parameters
        ----------
        side : Side
        value_vnd : int
            Price times shares of this fill.
        filled_before_vnd : int
            The same of the order's earlier fills. Rounding is over the order as a whole, so an order that
            fills in ten parts pays what it would pay in one.
        """
        total = filled_before_vnd + value_vnd
        fee = self.commission_vnd(total) - self.commission_vnd(filled_before_vnd)
        if side is Side.BUY:
            return fee, 0
        return fee, self.sale_tax_vnd(total) - self.sale_tax_vnd(filled_before_vnd)


class Slippage(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse than the board a paper order fills: drawn evenly from `low_bps` to `high_bps`.

    The draw hangs on the seed, the order's id and the market time alone. How often the broker was asked, and
    in which order, does not matter, so a run that was killed and resumed draws the same.
    """

    low_bps: int = 10
    high_bps: int = 30
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.low_bps <= self.high_bps <= 1_000:
            raise ParameterError(
                f"Slippage from {self.low_bps} to {self.high_bps} bps: needs 0 <= low <= high <= 1000.",
                name="low_bps",
                value=self.low_bps,
            )

    @classmethod
    def none(cls) -> Slippage:
        """Return no slippage: fills at the board's price."""
        return cls(low_bps=0, high_bps=0)

    def price_vnd(
        self,
        quoted_vnd: int,
        side: Side,
        *,
        client_order_id: str,
        at: datetime,
        exchange: Exchange,
        on: date | None = None,
    ) -> int:
        """Return the price after slippage, on a tick; the band and the limit are the caller's.

        Ticks are coarse (50 VND at 10,000 VND is 50 bps), so the slipped price is rounded up or down at
        random, in proportion: the mean slippage is the drawn one, where rounding to the nearest tick would
        often make it nothing.
        """
        ppm, threshold = self._draw(client_order_id, at)
        tick = tick_size(quoted_vnd, exchange, on=on)
        steps, rest = divmod(quoted_vnd * ppm, tick * _MILLION)
        if threshold * tick * _MILLION < rest << 32:
            steps += 1
        if not steps:
            return quoted_vnd
        moved = max(quoted_vnd + side.sign * steps * tick, 1)
        # The ladder may change its step on the way; what falls between is rounded against us.
        return round_to_tick(moved, exchange, "up" if side is Side.BUY else "down", on=on)

    def _draw(self, client_order_id: str, at: datetime) -> tuple[int, int]:
        """Return slippage in millionths and a threshold of 32 bits."""
        key = f"{self.seed}|{client_order_id}|{at.timestamp():.3f}".encode()
        drawn = int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
        span = (self.high_bps - self.low_bps) * _PPM_PER_BPS
        return self.low_bps * _PPM_PER_BPS + (drawn >> 32) % (span + 1), drawn & 0xFFFF_FFFF


def _share(value_vnd: int, bps: int) -> int:
    return (value_vnd * bps + _BPS // 2) // _BPS
