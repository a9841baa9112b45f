"""What holds a virtual clock: executor work, threads with a token, child processes, sockets."""

import asyncio
import concurrent.futures
import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from aiohttp import ClientSession, ClientTimeout, web

from vnquant.errors import DeadlockError, StateError
from vnquant.runtime import VirtualTimeLoop, hold_clock, now, run_virtual
from vnquant.runtime.clock import monotonic_s


def _work(seconds: float, value: int = 0) -> int:
    time.sleep(seconds)
    return value


# Executor work


def test_the_clock_stands_while_a_thread_works():
    async def main() -> tuple[int, float]:
        async with asyncio.timeout(0.01):
            value = await asyncio.to_thread(_work, 0.05, 7)
        return value, asyncio.get_running_loop().time()

    assert run_virtual(main()) == (7, 0)


def test_the_clock_stands_while_an_own_executor_works():
    async def main() -> tuple[int, float]:
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            async with asyncio.timeout(0.01):
                value = await loop.run_in_executor(pool, _work, 0.05, 7)
        return value, loop.time()

    assert run_virtual(main()) == (7, 0)


def test_threads_work_side_by_side_and_answer_in_the_order_of_their_start():
    async def main() -> list[int]:
        done: list[int] = []

        async def job(number: int) -> None:
            done.append(await asyncio.to_thread(_work, 0.1 - 0.02 * number, number))

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(job(number))
        return done

    began = monotonic_s()
    assert run_virtual(main()) == [0, 1, 2, 3]
    assert monotonic_s() - began < 0.25  # 0.28 s one after the other


def test_an_exception_in_a_thread_comes_out_of_the_await():
    def fail() -> None:
        raise KeyError("in the thread")

    async def main() -> None:
        with pytest.raises(KeyError, match="in the thread"):
            await asyncio.to_thread(fail)

    run_virtual(main())


def test_a_cancelled_job_no_longer_holds_the_clock():
    release = threading.Event()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        job = asyncio.create_task(asyncio.to_thread(release.wait, 5))
        await asyncio.sleep(0)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        began = monotonic_s()
        await asyncio.sleep(3600)
        assert monotonic_s() - began < 2
        release.set()
        return loop.time()

    assert run_virtual(main()) == 3600


def test_a_thread_that_needs_the_loop_to_go_on_does_not_hang_younger_jobs(monkeypatch):
    monkeypatch.setattr("vnquant.runtime.jobs.Jobs.__init__.__defaults__", (0.05,))
    bell = threading.Event()

    async def main() -> float:
        old = asyncio.create_task(asyncio.to_thread(bell.wait, 5))
        await asyncio.sleep(0)
        await asyncio.to_thread(_work, 0)
        bell.set()
        assert await old
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 0


def test_a_slow_thread_delays_the_others_only_once(monkeypatch):
    monkeypatch.setattr("vnquant.runtime.jobs.Jobs.__init__.__defaults__", (0.1,))
    bell = threading.Event()

    async def main() -> float:
        slow = asyncio.create_task(asyncio.to_thread(bell.wait, 5))
        await asyncio.sleep(0)
        began = monotonic_s()
        for number in range(20):
            assert await asyncio.to_thread(_work, 0, number) == number
        taken = monotonic_s() - began
        bell.set()
        await slow
        return taken

    assert 0.1 <= run_virtual(main()) < 1  # 2 s if each of them waited


def test_a_loop_that_spins_until_a_thread_is_done_gets_its_result(monkeypatch):
    monkeypatch.setattr("vnquant.runtime.jobs.Jobs.__init__.__defaults__", (0.05,))

    async def main() -> int:
        job = asyncio.create_task(asyncio.to_thread(_work, 0.01, 7))
        while not job.done():  # noqa: ASYNC110 - the impolite loop under test
            await asyncio.sleep(0)
        return job.result()

    assert run_virtual(main()) == 7


def test_market_time_is_the_same_in_a_worker_thread():
    async def main() -> None:
        await asyncio.sleep(90)
        assert await asyncio.to_thread(now) == now()

    run_virtual(main())


# Foreign threads and their token


def test_a_foreign_thread_with_a_token_answers_before_the_clock_moves():
    async def main() -> tuple[list[str], float]:
        loop, heard, bell = asyncio.get_running_loop(), [], asyncio.Event()

        def work(hold) -> None:
            time.sleep(0.05)
            loop.call_soon_threadsafe(heard.append, "first")
            loop.call_soon_threadsafe(bell.set)
            hold.release()
            hold.release()

        thread = threading.Thread(target=work, args=(hold_clock("feed"),))
        thread.start()
        async with asyncio.timeout(1):
            await bell.wait()
        thread.join()
        return heard, loop.time()

    assert run_virtual(main()) == (["first"], 0)


def test_a_foreign_thread_without_a_token_is_jumped_over():
    """The limit that the token is for."""
    release = threading.Event()

    async def main() -> float:
        loop, bell = asyncio.get_running_loop(), asyncio.Event()

        def work() -> None:
            release.wait(5)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(bell.set)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(60):
                    await bell.wait()
        finally:
            release.set()
            thread.join()
        return loop.time()

    assert run_virtual(main()) == 60


def test_a_token_taken_in_many_threads_at_once_loses_no_call():
    async def main() -> tuple[int, float]:
        loop, calls = asyncio.get_running_loop(), []

        def work(hold) -> None:
            with hold:
                for number in range(200):
                    loop.call_soon_threadsafe(calls.append, number)

        threads = [threading.Thread(target=work, args=(hold_clock(),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        loop.call_later(1, calls.append, "timer")
        await asyncio.sleep(2)
        for thread in threads:
            thread.join()
        return len(calls), calls.index("timer")

    assert run_virtual(main()) == (1601, 1600)


def test_a_release_wakes_a_standing_loop():
    async def main() -> float:
        threading.Timer(0.05, hold_clock("silent worker").release).start()
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    began = monotonic_s()
    assert run_virtual(main()) == 1
    assert 0.05 <= monotonic_s() - began < 5


def test_a_call_that_comes_in_while_the_loop_looks_around_is_run_before_the_jump():
    async def main() -> list[float]:
        loop, seen = asyncio.get_running_loop(), []
        poll, left = loop._poll, [1]

        def poll_and_be_called(timeout: float | None):
            if left and not loop._ready:
                left.clear()
                loop._ready.append(asyncio.Handle(lambda: seen.append(loop.time()), (), loop))
                return []
            return poll(timeout)

        ours, theirs = socket.socketpair()
        with ours, theirs:
            loop.add_reader(ours, lambda: None)  # a descriptor makes the loop look each time
            loop._poll = poll_and_be_called
            await asyncio.sleep(60)
            loop.remove_reader(ours)
        return seen

    assert run_virtual(main()) == [0]


def test_with_hold_clock_time_stands_until_the_end_of_the_block():
    async def main() -> tuple[float, float]:
        loop, answer = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def reply() -> None:
            loop.call_soon_threadsafe(answer.set_result, "row")

        loop.call_later(1, lambda: None)
        with hold_clock("database"):
            threading.Timer(0.05, reply).start()
            assert await answer == "row"
        during = loop.time()
        await asyncio.sleep(1)
        return during, loop.time()

    assert run_virtual(main()) == (0, 1)


async def test_on_a_real_loop_a_token_does_nothing():
    hold = hold_clock("live")
    assert not hold.is_holding
    hold.release()


def test_without_a_loop_a_token_is_refused_with_the_way_out():
    with pytest.raises(StateError, match="pass it to the thread"):
        hold_clock()


def test_a_token_outlives_its_loop_without_harm():
    loop = VirtualTimeLoop()
    hold = loop.hold_clock("left over")
    assert any("left over" in holder and __file__ in holder for holder in loop.holders())
    loop.close()
    hold.release()
    assert loop.holders() == ()


def test_a_clock_that_stands_for_long_says_who_holds_it(caplog, monkeypatch):
    monkeypatch.setattr("vnquant.runtime.virtual_loop._LONG_HOLD_S", 0.02)

    async def main() -> None:
        loop, hold = asyncio.get_running_loop(), hold_clock("slow ledger")
        threading.Timer(0.1, hold.release).start()
        await asyncio.sleep(1)
        assert loop.time() == 1

    with caplog.at_level(logging.WARNING):
        run_virtual(main())
    assert "slow ledger" in caplog.text
    assert "test_virtual_outside.py" in caplog.text


# Child processes


def test_a_child_process_holds_the_clock():
    async def main() -> tuple[bytes, float]:
        code = "import time; time.sleep(0.1); print('done')"
        async with asyncio.timeout(0.01):
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
            out, _ = await child.communicate()
        silent = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
        await silent.wait()
        return out.strip(), asyncio.get_running_loop().time()

    assert run_virtual(main()) == (b"done", 0)


# Sockets with both ends on the loop


@contextlib.asynccontextmanager
async def _server(handler):
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def test_an_aiohttp_server_and_its_client_share_the_loop():
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(2)
        return web.Response(text="x" * 300_000)

    async def main() -> list[float]:
        loop, times = asyncio.get_running_loop(), []
        async with _server(slow) as url, ClientSession(timeout=ClientTimeout(total=30)) as session:
            for _ in range(3):
                async with session.get(url) as answer:
                    assert len(await answer.text()) == 300_000
                times.append(loop.time())
        return times

    assert run_virtual(main()) == [2, 4, 6]


def test_many_requests_at_once_take_as_long_as_the_slowest():
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(float(request.query["s"]))
        return web.Response(text="ok")

    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with _server(slow) as url, ClientSession(timeout=ClientTimeout(total=30)) as session:

            async def get(seconds: int) -> str:
                async with session.get(url, params={"s": seconds}) as answer:
                    return await answer.text()

            assert await asyncio.gather(*(get(1 + n % 20) for n in range(60))) == ["ok"] * 60
            return loop.time()

    assert run_virtual(main()) == 20


def test_a_hanging_handler_runs_into_the_clients_virtual_timeout():
    async def hang(request: web.Request) -> web.Response:
        await asyncio.sleep(86_400)
        return web.Response()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        async with _server(hang) as url, ClientSession(timeout=ClientTimeout(total=30)) as session:
            with pytest.raises(TimeoutError):
                await session.get(url)
            return loop.time()

    began = monotonic_s()
    assert run_virtual(main()) == 30
    assert monotonic_s() - began < 2


def test_raw_sockets_of_the_loop_do_not_hold_it():
    async def main() -> tuple[bytes, float]:
        loop, (left, right) = asyncio.get_running_loop(), socket.socketpair()
        with left, right:
            left.setblocking(False)
            right.setblocking(False)

            async def answer() -> None:
                await asyncio.sleep(3600)
                await loop.sock_sendall(right, b"late")

            async with asyncio.TaskGroup() as group:
                group.create_task(answer())
                return await loop.sock_recv(left, 100), loop.time()

    assert run_virtual(main()) == (b"late", 3600)


# Sockets that reach outside the loop

_PEER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
while data := connection.recv(1000):
    time.sleep(float(data))
    connection.sendall(b"ans")
    time.sleep(0.03)
    connection.sendall(b"wer")
"""


@pytest.fixture
def peer_port():
    """A server in another process: answers each number after so many real seconds, in two segments."""
    with subprocess.Popen([sys.executable, "-c", _PEER], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def test_a_request_to_another_process_holds_the_clock_until_its_answer(peer_port):
    async def main() -> list[float]:
        loop, times = asyncio.get_running_loop(), []
        reader, writer = await asyncio.open_connection("127.0.0.1", peer_port)
        for _ in range(3):
            async with asyncio.timeout(0.01):
                writer.write(b"0.05")
                assert await reader.readexactly(6) == b"answer"
            times.append(loop.time())
            await asyncio.sleep(60)  # an idle connection does not hold
        writer.close()
        await writer.wait_closed()
        return times

    began = monotonic_s()
    with asyncio.Runner(loop_factory=partial(VirtualTimeLoop, settle_s=0.2)) as runner:
        assert runner.run(main()) == [0, 60, 120]
    assert monotonic_s() - began < 2


def test_raw_socket_calls_to_another_process_hold_the_clock(peer_port):
    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            async with asyncio.timeout(0.01):
                await loop.sock_connect(sock, ("127.0.0.1", peer_port))
                await loop.sock_sendall(sock, b"0.05")
                return await loop.sock_recv(sock, 100), loop.time()

    assert run_virtual(main()) == (b"ans", 0)


def test_a_silent_peer_is_given_up_after_the_patience_and_the_timeout_fires(peer_port, caplog):
    async def main() -> float:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", peer_port)
        writer.write(b"30")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await reader.read(100)
        writer.close()
        return loop.time()

    with caplog.at_level(logging.WARNING):
        assert run_virtual(main(), patience_s=0.1) == 5
    assert f"127.0.0.1 port {peer_port}" in caplog.text
    assert caplog.text.count("silent") == 1


def test_a_server_with_nothing_else_to_do_waits_for_its_clients():
    """A listening socket is something to wait for: no deadlock, and no time passes."""
    port: concurrent.futures.Future[int] = concurrent.futures.Future()

    def ask() -> bytes:
        time.sleep(0.05)
        with socket.create_connection(("127.0.0.1", port.result(5))) as connection:
            connection.sendall(b"hello")
            return connection.recv(100)

    async def main() -> float:
        done = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.read(100)).upper())
            await writer.drain()
            writer.close()
            done.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port.set_result(server.sockets[0].getsockname()[1])
            await done.wait()
        return asyncio.get_running_loop().time()

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask)
        assert run_virtual(main()) == 0
        assert answer.result(5) == b"HELLO"


def test_a_connection_with_both_ends_here_is_no_reason_to_wait():
    async def main() -> None:
        accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.put_nowait(writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        server.close()  # nobody else can come any more
        other = await accepted.get()
        try:
            await reader.read(1)
        finally:
            writer.close()
            other.close()

    with pytest.raises(DeadlockError, match="read"):
        run_virtual(main())
