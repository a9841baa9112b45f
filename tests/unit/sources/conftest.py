"""Virtual time, and a transport that answers from a script: no sockets, no waiting."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from vnquant.runtime import VirtualTimeLoop
from vnquant.sources import Response


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
            await asyncio.sleep(start)
            result = await main
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, left
            return result

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
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
