"""Turns: publishers that wait for a place in full subscriptions, first come, first served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnquant.runtime.subscription import Subscription

__all__ = ("PendingPublication", "Turns")


class PendingPublication:
    """An event whose publisher waits until each of `targets` has a place."""

    __slots__ = ("deliver", "done", "refusal", "targets")

    def __init__(self, targets: tuple[Subscription[Any], ...], deliver: Callable[[], None]) -> None:
        self.targets = targets
        self.deliver = deliver
        self.refusal: Exception | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Turns:
    """The lines in front of full subscriptions.

    A publication stands in the line of each of its targets, and is delivered when it is first in all of them
    and each has a place. The one that has waited longest is first in all its lines, so two publications
    never wait for each other.
    """

    def __init__(self) -> None:
        self._pending: dict[PendingPublication, None] = {}

    def __len__(self) -> int:
        return len(self._pending)

    async def wait(self, targets: tuple[Subscription[Any], ...], deliver: Callable[[], None]) -> None:
        """Return when `deliver` was called; if cancelled, it was called or never will be."""
        pending = PendingPublication(targets, deliver)
        self._pending[pending] = None
        for target in targets:
            target.blocked.append(pending)
        try:
            await pending.done
        finally:
            if pending in self._pending:
                self._take_out(pending)
                self.admit(*pending.targets)
        if pending.refusal is not None:
            raise pending.refusal

    def admit(self, *subscriptions: Subscription[Any]) -> None:
        """Deliver what is first in these subscriptions' lines, as far as there are places."""
        to_look_at = list(subscriptions)
        while to_look_at:
            line = to_look_at.pop().blocked
            while line:
                pending = line[0]
                if not pending.done.done():
                    if not _has_its_turn(pending):
                        break
                    pending.deliver()
                    pending.done.set_result(None)
                self._take_out(pending)  # delivered, or cancelled a moment ago
                to_look_at.extend(pending.targets)

    def release(self, subscription: Subscription[Any]) -> None:
        """Let nobody wait any more for this subscription."""
        waiting = tuple(subscription.blocked)
        subscription.blocked.clear()
        for pending in waiting:
            pending.targets = tuple(one for one in pending.targets if one is not subscription)
        for pending in waiting:
            if not pending.targets and not pending.done.done():
                pending.deliver()
                pending.done.set_result(None)
                self._take_out(pending)
            self.admit(*pending.targets)

    def refuse(self, error: Exception) -> None:
        """Raise `error` in every publisher that waits."""
        for pending in tuple(self._pending):
            if not pending.done.done():
                # Not as the future's exception: a publisher cancelled just now would never retrieve it.
                pending.refusal = error
                pending.done.set_result(None)
            self._take_out(pending)

    def _take_out(self, pending: PendingPublication) -> None:
        self._pending.pop(pending, None)
        for target in pending.targets:
            if pending in target.blocked:
                target.blocked.remove(pending)


def _has_its_turn(pending: PendingPublication) -> bool:
    return all(
        target.blocked[0] is pending and len(target.buffer) < target.maxsize for target in pending.targets
    )
