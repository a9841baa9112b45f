"""A loop whose time is virtual, and a transport that answers from a script: no sockets, no waiting."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from vnquant.sources import Response


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer when nothing is ready."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self._virtual = start
        self._clock_resolution = 1e-6
        real_select = self._selector.select

        def select(timeout=None):
            events = real_select(0)
            if not events and timeout:
                self._virtual += timeout
            return events

        self._selector.select = select

    def time(self) -> float:
        return self._virtual


class ScriptedTransport:
    """Answers the n-th request with `script(n, url, params)`: a Response, an exception, or a coroutine."""

    def __init__(self, script: Callable[[int, str, Mapping[str, str]], Any]) -> None:
        self.script = script
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.cancelled = 0
        self.closed = False

    async def get(self, url: str, params: Mapping[str, str]) -> Response:
        self.asked.append((asyncio.get_running_loop().time(), url, dict(params)))
        try:
            answer = self.script(len(self.asked) - 1, url, params)
            if asyncio.iscoroutine(answer):
                answer = await answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True

    @property
    def times(self) -> list[float]:
        return [when for when, _, _ in self.asked]


@pytest.fixture
def run_virtual() -> Callable[..., Any]:
    """Run a coroutine to its end in virtual time, and check that it leaves no task."""

    def run(main: Awaitable[Any], *, start: float = 0.0) -> Any:
        async def checked() -> Any:
            result = await main
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left
            return result

        with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
            return runner.run(checked())

    return run


@pytest.fixture
def transport_of() -> Callable[..., ScriptedTransport]:
    return ScriptedTransport


@pytest.fixture
def answer() -> Callable[..., Response]:
    def make(body: bytes = b"{}", status: int = 200, **headers: str) -> Response:
        return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)

    return make
