"""Opening: what `Workbench.open` returns before it is awaited, entered, or opened for a script."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnquant.sync import SyncWorkbench
    from vnquant.workbench import Workbench

__all__ = ("Opening",)


class Opening:
    """What `Workbench.open` returns: await it, enter it, or call `.sync()` in a script without a loop."""

    def __init__(self, opening: Callable[[], Coroutine[Any, Any, Workbench]]) -> None:
        self._opening = opening
        self._bench: Workbench | None = None

    def __await__(self) -> Generator[Any, None, Workbench]:
        return self._opening().__await__()

    async def __aenter__(self) -> Workbench:
        self._bench = await self
        return self._bench

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bench is not None:
            await self._bench.close()

    def sync(self) -> SyncWorkbench:
        """Open the workbench on a loop of its own, for scripts; close it with `.close()` or `with`."""
        from vnquant.sync import open_sync

        return open_sync(self._opening)
