"""Lease: the right to write a ledger, which one orchestrator has at a time and must renew.

It runs out in market time. A holder whose process is gone is found out at once where both run on one machine;
elsewhere the lease has to expire. Each transaction renews it and is refused without it, in the same
transaction, so an orchestrator that was thought dead and comes back cannot write behind its successor.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from vnquant.errors import LeaseHeldError, LeaseLostError
from vnquant.trading.journal import market_time_text
from vnquant.trading.migrate import one_at_a_time
from vnquant.trading.prepared import Prepared
from vnquant.trading.schema import LEASES

__all__ = ("Lease", "LeaseHolder", "read_lease")

_NAME = "writer"
_CLOCK_CORRECTION_S = 2.0
_OURS = update(LEASES).where(LEASES.c.name == bindparam("at_name"), LEASES.c.token == bindparam("at_token"))
_RENEW = Prepared(_OURS.values(expires_at=bindparam("expires_at")))
_WRITE = Prepared(_OURS.values(expires_at=bindparam("expires_at"), wrote_at=bindparam("wrote_at")))


class LeaseHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Who has or had the lease of a ledger.

    Attributes
    ----------
    token : str
        Empty where it was released.
    holder : str
    host, pid, process_started
        Tell whether the process still lives, on the same machine.
    acquired_at, expires_at : datetime
    wrote_at : datetime or None
        Market time of the last transaction, by whomever: where the ledger ends.
    """

    token: str
    holder: str
    host: str
    pid: int
    process_started: str
    acquired_at: datetime
    expires_at: datetime
    wrote_at: datetime | None = None

    def is_free(self, at: datetime) -> bool:
        """Whether somebody else may have it."""
        return not self.token or self.expires_at <= at or self._is_dead()

    def _is_dead(self) -> bool:
        if self.host != _host():
            return False
        if self.pid == os.getpid() and _is_started(self.pid, self.process_started):
            return self.token not in _alive  # a ledger of this process that was dropped without being closed
        return not _is_started(self.pid, self.process_started)


class Lease:
    """One ledger's claim to write, made by `acquire` in the ledger's thread.

    Parameters
    ----------
    holder : str
        Who is named to others.
    term : timedelta
        Market time after which it runs out unless renewed.
    """

    def __init__(self, holder: str, term: timedelta) -> None:
        self.holder = holder
        self._term = term
        self._token = uuid4().hex  # not part of any result, so it need not be repeatable
        _alive[self._token] = self

    def acquire(self, connection: Connection, at: datetime) -> None:
        """Take the lease.

        Raises
        ------
        LeaseHeldError
            If somebody who lives has it.
        """
        one_at_a_time(connection)
        current = read_lease(connection, lock=True)
        mine = {
            "token": self._token,
            "holder": self.holder,
            "host": _host(),
            "pid": os.getpid(),
            "process_started": _started(os.getpid()),
            "acquired_at": at,
            "expires_at": at + self._term,
        }
        if current is None:
            connection.execute(insert(LEASES), [{"name": _NAME, "wrote_at": None, **mine}])
            return
        if current.token != self._token and not current.is_free(at):
            raise LeaseHeldError(
                f"The ledger {connection.engine.url.render_as_string()} is in use by {current.holder} "
                f"(process {current.pid} on {current.host.partition('/')[0]}) since "
                f"{current.acquired_at:%Y-%m-%d %H:%M:%S}, and until {current.expires_at:%Y-%m-%d %H:%M:%S} "
                "ICT unless it renews. Stop that one, wait until then, or open the ledger with "
                "read_only=True.",
                holder=current.holder,
                expires_at=current.expires_at,
            )
        connection.execute(update(LEASES).where(LEASES.c.name == _NAME).values(**mine))

    def renew(self, connection: Connection, at: datetime, *, writes: bool) -> None:
        """Renew the lease, and with `writes` note that the ledger goes on to this instant.

        Raises
        ------
        LeaseLostError
            If somebody else has it, or it was released.
        """
        values = {
            "at_name": _NAME,
            "at_token": self._token,
            "expires_at": market_time_text(at + self._term),
            "wrote_at": market_time_text(at),
        }
        if (_WRITE if writes else _RENEW)(connection, [values]) == 1:
            return
        current = read_lease(connection)
        holder = current.holder if current is not None and current.token else None
        raise LeaseLostError(
            f"{self.holder} may not write the ledger {connection.engine.url.render_as_string()} any more: "
            + (f"{holder} took it over" if holder else "its lease was released")
            + f" before {market_time_text(at)}. Nothing of this was written. Stop this orchestrator; its "
            "state may be behind the ledger.",
            holder=holder,
        )

    def release(self, connection: Connection) -> None:
        """Give the lease back, if it is still ours."""
        connection.execute(
            update(LEASES).where(LEASES.c.name == _NAME, LEASES.c.token == self._token).values(token="")
        )


# The leases that this process may still use; a ledger that was dropped is no longer among them.
_alive: WeakValueDictionary[str, Lease] = WeakValueDictionary()


def read_lease(connection: Connection, *, lock: bool = False) -> LeaseHolder | None:
    """Return who has or had the lease, None in a new ledger; with `lock` nobody changes it meanwhile."""
    query = select(LEASES).where(LEASES.c.name == _NAME)
    if lock and connection.dialect.name == "postgresql":
        query = query.with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    return LeaseHolder(**{name: value for name, value in row.items() if name != "name"})


def _host() -> str:
    """Return the machine, this run of it, and its process namespace, in which process ids have a meaning."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return "/".join(parts)


def _started(pid: int) -> str:
    """Return when a process began; empty where there is none of this id."""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""


def _is_started(pid: int, started: str) -> bool:
    """Return whether a process lives and is the one that began then, and not a later one of the same id."""
    found = _started(pid)
    # The system counts from its boot, whose time moves a little when the machine's clock is corrected.
    return bool(found and started) and abs(float(found) - float(started)) <= _CLOCK_CORRECTION_S
