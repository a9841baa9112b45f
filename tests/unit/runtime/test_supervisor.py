import asyncio
import contextlib
import logging
import math
import random
from datetime import datetime, timedelta

import pytest

from vnquant.errors import ParameterError, StateError
from vnquant.runtime import (
    ICT,
    ComponentState,
    RestartPolicy,
    Severity,
    SupervisionKind,
    Supervisor,
    beat,
    current_component,
    now,
)
from vnquant.runtime.restart import RestartState

pytestmark = pytest.mark.virtual(start="2025-06-02 10:00")

START = datetime(2025, 6, 2, 10, 0, tzinfo=ICT)
STEADY = RestartPolicy(first_delay_s=1, jitter=0)


class Events(list):
    """Collects supervision events."""

    def kinds(self, component=None):
        return [e.kind.value for e in self if component in (None, e.component)]


class Recorder:
    """Makes components that note their start and end."""

    def __init__(self):
        self.log = []

    def __call__(self, name, *, unwind_s=0.0):
        async def run():
            self.log.append(f"+{name}")
            try:
                await asyncio.sleep(1e6)
            finally:
                self.log.append(f"-{name}")

        async def slow():
            try:
                await run()
            except asyncio.CancelledError:
                await asyncio.sleep(unwind_s)
                self.log.append(f"-{name} unwound")
                raise

        return slow if unwind_s else run


async def fail():
    raise ConnectionError("exchange down")


async def idle():
    await asyncio.sleep(1e6)


async def test_components_run_as_named_tasks_until_the_stop():
    recorder = Recorder()
    async with Supervisor() as supervisor:
        supervisor.add("scanner", recorder("scanner"))
        supervisor.add("health", recorder("health"))
        await asyncio.sleep(1)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert {"supervisor", "scanner", "health"} <= names
        assert {s.state for s in supervisor.status().values()} == {ComponentState.RUNNING}
    assert recorder.log == ["+scanner", "+health", "-scanner", "-health"]
    assert {s.state for s in supervisor.status().values()} == {ComponentState.STOPPED}
    assert not supervisor.running


async def test_a_failing_component_is_restarted_after_growing_pauses_and_disturbs_no_other():
    starts, events = [], Events()

    async def scanner():
        starts.append((now() - START).total_seconds())
        await fail()

    async with Supervisor(on_event=events.append, policy=STEADY) as supervisor:
        supervisor.add("scanner", scanner)
        supervisor.add("health", idle)
        await asyncio.sleep(10)
        status = supervisor.status()
    assert starts == [0, 1, 3, 7]
    assert status["scanner"].state is ComponentState.BACKOFF
    assert status["scanner"].restarts == 3
    assert status["scanner"].last_error == "ConnectionError: exchange down"
    assert (status["health"].state, status["health"].restarts) == (ComponentState.RUNNING, 0)
    assert events.kinds("scanner") == ["started", "failed"] * 4 + ["stopped"]


async def test_too_many_failures_in_the_window_open_the_breaker_with_one_critical_event():
    events = Events()
    policy = RestartPolicy(first_delay_s=1, jitter=0, max_failures=3, window_s=60)
    async with Supervisor(on_event=events.append, policy=policy) as supervisor:
        supervisor.add("scanner", fail)
        await asyncio.sleep(3600)
        assert supervisor.status()["scanner"].state is ComponentState.BROKEN
    critical = [event for event in events if event.severity is Severity.CRITICAL]
    assert [event.kind for event in critical] == [SupervisionKind.BROKEN]
    assert critical[0].at == START + timedelta(seconds=3)
    assert "scanner failed 3 times within 60 s" in critical[0].message
    assert "exchange down" in critical[0].message


async def test_failures_further_apart_than_the_window_never_open_the_breaker():
    async def scanner():
        await asyncio.sleep(31)
        await fail()

    policy = RestartPolicy(first_delay_s=1, jitter=0, max_failures=3, window_s=60)
    async with Supervisor(policy=policy) as supervisor:
        supervisor.add("scanner", scanner)
        await asyncio.sleep(3600)
        assert supervisor.status()["scanner"].restarts > 100


async def test_an_open_breaker_with_a_cooldown_tries_again():
    healthy = asyncio.Event()

    async def scanner():
        if not healthy.is_set():
            await fail()
        await idle()

    policy = RestartPolicy(first_delay_s=0, max_failures=2, cooldown_s=900)
    async with Supervisor(policy=policy) as supervisor:
        supervisor.add("scanner", scanner)
        await asyncio.sleep(890)
        assert supervisor.status()["scanner"].state is ComponentState.BROKEN
        healthy.set()
        await asyncio.sleep(20)
        assert supervisor.status()["scanner"].state is ComponentState.RUNNING


async def test_restart_brings_back_what_was_given_up_and_renews_what_runs():
    recorder, broken = Recorder(), [True]

    async def scanner():
        if broken.pop():
            await fail()
        await recorder("scanner")()

    async with Supervisor(policy=RestartPolicy(max_failures=1)) as supervisor:
        supervisor.add("scanner", scanner)
        await asyncio.sleep(1)
        assert supervisor.status()["scanner"].state is ComponentState.BROKEN
        broken.extend([False, False])
        supervisor.restart("scanner")
        await asyncio.sleep(1)
        supervisor.restart("scanner")
        await asyncio.sleep(1)
        status = supervisor.status()["scanner"]
        assert (status.state, status.restarts) == (ComponentState.RUNNING, 2)
    assert recorder.log == ["+scanner", "-scanner", "+scanner", "-scanner"]


async def test_a_component_that_returns_is_finished_and_its_name_can_be_used_again():
    done = []

    async def once():
        done.append(now())

    async with Supervisor() as supervisor:
        supervisor.add("import", once)
        await asyncio.sleep(1)
        assert supervisor.status()["import"].state is ComponentState.FINISHED
        supervisor.add("import", once)
        await asyncio.sleep(1)
    assert len(done) == 2


async def test_components_start_after_and_stop_before_what_they_depend_on():
    recorder = Recorder()
    supervisor = Supervisor()
    supervisor.add("ledger", recorder("ledger", unwind_s=1))
    supervisor.add("prices", recorder("prices", unwind_s=1))
    supervisor.add("broker", recorder("broker", unwind_s=1), after=("ledger", "prices"))
    supervisor.add("scanner", recorder("scanner"), after=("broker",))
    async with supervisor:
        await asyncio.sleep(1)
    started, ended = (
        recorder.log[:4],
        [line for line in recorder.log if line.endswith(("unwound", "-scanner"))],
    )
    assert started.index("+broker") > max(started.index("+ledger"), started.index("+prices"))
    assert started[-1] == "+scanner"
    assert ended == ["-scanner", "-broker unwound", "-ledger unwound", "-prices unwound"]
    assert now() == START + timedelta(seconds=3)


async def test_a_component_with_a_heartbeat_is_up_once_it_has_beaten():
    recorder = Recorder()

    async def prices():
        await asyncio.sleep(20)
        beat()
        await idle()

    async with Supervisor() as supervisor:
        supervisor.add("prices", prices, heartbeat_s=30)
        supervisor.add("scanner", recorder("scanner"), after=("prices",))
        await asyncio.sleep(19)
        assert supervisor.status()["scanner"].state is ComponentState.WAITING
        await asyncio.sleep(2)
        assert supervisor.status()["scanner"].state is ComponentState.RUNNING


async def test_a_restart_waits_for_a_dependency_that_is_down():
    async def fail_after_ten():
        await asyncio.sleep(10)
        await fail()

    async with Supervisor() as supervisor:
        slow = RestartPolicy(first_delay_s=100, max_delay_s=100, jitter=0)
        supervisor.add("prices", fail_after_ten, policy=slow)
        supervisor.add("broker", fail_after_ten, policy=STEADY, after=("prices",))
        await asyncio.sleep(105)
        assert supervisor.status()["broker"].state is ComponentState.WAITING
        await asyncio.sleep(10)
        assert supervisor.status()["broker"].state is ComponentState.RUNNING


async def test_a_child_that_outlives_its_run_cannot_set_the_next_runs_watchdog_off():
    async def stray():
        await asyncio.sleep(1)
        beat()
        await asyncio.sleep(1000)

    async with asyncio.TaskGroup() as tasks, Supervisor(policy=STEADY) as supervisor:
        strays = []

        async def scanner():
            if not strays:
                strays.append(tasks.create_task(stray()))
                await fail()
            while True:
                beat()
                await asyncio.sleep(10)

        supervisor.add("scanner", scanner, heartbeat_s=30)
        await asyncio.sleep(200)
        assert supervisor.status()["scanner"].restarts == 1
        strays[0].cancel()


async def test_the_watchdog_restarts_a_component_that_stops_beating():
    events, starts = Events(), []

    async def scanner():
        starts.append((now() - START).total_seconds())
        for _ in range(3):
            beat()
            await asyncio.sleep(20)
        await asyncio.Event().wait()

    async with Supervisor(on_event=events.append, policy=STEADY) as supervisor:
        supervisor.add("scanner", scanner, heartbeat_s=30)
        await asyncio.sleep(100)
        status = supervisor.status()["scanner"]
    assert starts == [0, 40 + 30 + 1]
    assert status.last_error == "StateError: no heartbeat for 30 s, so it was cancelled"
    assert events.kinds("scanner")[:4] == ["started", "stalled", "failed", "started"]
    assert "awaiting Event.wait" in next(e.message for e in events if e.kind is SupervisionKind.STALLED)


async def test_an_announced_absence_is_no_silence_and_can_be_taken_back():
    events = Events()

    async def scanner():
        beat(idle_s=3600)
        await asyncio.sleep(3600)
        beat(idle_s=math.inf)
        await asyncio.sleep(86_400)
        beat()
        await idle()

    async with Supervisor(on_event=events.append) as supervisor:
        supervisor.add("scanner", scanner, heartbeat_s=30)
        await asyncio.sleep(3600 + 86_400 + 29)
        assert events.kinds() == ["started"]
        await asyncio.sleep(2)
        assert "stalled" in events.kinds()


async def test_a_beat_from_a_child_task_counts_for_its_component():
    async def scanner():
        async def child():
            while True:
                beat()
                assert current_component() == "scanner"
                await asyncio.sleep(20)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(child())

    async with Supervisor() as supervisor:
        supervisor.add("scanner", scanner, heartbeat_s=30)
        await asyncio.sleep(110)
        status = supervisor.status()["scanner"]
    assert status.restarts == 0
    assert status.last_beat == START + timedelta(seconds=100)
    assert status.beat_age_s == pytest.approx(10)
    assert current_component() is None
    beat()


async def test_a_component_that_ignores_its_cancellation_is_reported_and_not_doubled():
    events, running, release = Events(), [0], asyncio.Event()

    async def stubborn():
        running[0] += 1
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    supervisor = Supervisor(on_event=events.append)
    supervisor.add("stubborn", stubborn, heartbeat_s=30)
    await supervisor.start()
    await asyncio.sleep(200)
    assert running == [1]
    stuck = [event for event in events if event.kind is SupervisionKind.STUCK]
    assert [event.severity for event in stuck] == [Severity.CRITICAL]
    began = now()
    with pytest.raises(StateError, match=r"1 component\(s\) ignore .*'stubborn'.*Event.wait"):
        await supervisor.stop(deadline_s=5)
    assert now() - began == timedelta(seconds=6)
    release.set()
    await asyncio.sleep(1)
    assert not supervisor.running


async def test_past_its_deadline_the_stop_waits_neither_for_the_order_nor_for_tidying_up():
    recorder = Recorder()
    supervisor = Supervisor()
    supervisor.add("ledger", recorder("ledger"))
    supervisor.add("broker", recorder("broker", unwind_s=5.5), after=("ledger",))
    await supervisor.start()
    await asyncio.sleep(1)
    await supervisor.stop(deadline_s=5)
    assert recorder.log == ["+ledger", "+broker", "-broker", "-ledger"]
    assert now() == START + timedelta(seconds=6)


async def test_stop_is_idempotent_and_immediate_in_each_state():
    gate = asyncio.Event()
    supervisor = Supervisor(policy=RestartPolicy(max_failures=2, first_delay_s=3600, max_delay_s=3600))
    await supervisor.stop()
    supervisor.add("in backoff", fail)
    supervisor.add("broken", fail, policy=RestartPolicy(max_failures=1))
    supervisor.add("silent", gate.wait, heartbeat_s=1000)
    supervisor.add("waiting", idle, after=("silent",))
    await supervisor.start()
    await asyncio.sleep(10)
    states = [status.state for status in supervisor.status().values()]
    assert states == ["backoff", "broken", "running", "waiting"]
    began = now()
    await asyncio.gather(supervisor.stop(), supervisor.stop())
    await supervisor.stop()
    assert now() == began
    assert {status.state for status in supervisor.status().values()} == {ComponentState.STOPPED}
    with pytest.raises(StateError, match="make a new one"):
        await supervisor.start()


async def test_a_stop_before_the_first_step_leaves_everything_stopped():
    supervisor = Supervisor()
    supervisor.add("scanner", idle)
    await supervisor.start()
    await supervisor.stop()
    assert supervisor.status()["scanner"].state is ComponentState.STOPPED


@pytest.mark.parametrize("turns", range(4))
async def test_a_start_that_is_cancelled_stops_what_it_started(turns):
    before, recorder = asyncio.all_tasks(), Recorder()
    supervisor = Supervisor(policy=STEADY)
    supervisor.add("feed", recorder("feed"))
    supervisor.add("scan", recorder("scan"), after=("feed",))
    starting = asyncio.create_task(supervisor.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    cancelled = starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled() is cancelled
    if not cancelled:
        await supervisor.stop()
    assert asyncio.all_tasks() == before
    assert recorder.log in ([], ["+feed", "-feed"], ["+feed", "+scan", "-scan", "-feed"])


async def test_a_stop_that_comes_together_with_the_watchdog_wins():
    started = []

    async def scanner():
        started.append(1)
        await asyncio.Event().wait()

    supervisor = Supervisor(policy=STEADY)
    supervisor.add("scanner", scanner, heartbeat_s=30)
    await supervisor.start()
    await asyncio.sleep(30)
    await supervisor.stop()
    assert len(started) == 1
    assert supervisor.status()["scanner"].state is ComponentState.STOPPED


async def test_a_cancelled_stop_can_be_called_again():
    recorder = Recorder()
    supervisor = Supervisor()
    supervisor.add("broker", recorder("broker", unwind_s=4))
    await supervisor.start()
    await asyncio.sleep(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await supervisor.stop()
    assert supervisor.running
    await supervisor.stop()
    assert recorder.log[-1] == "-broker unwound"


async def test_cancelling_the_root_stops_every_component():
    recorder = Recorder()
    supervisor = Supervisor(name="root")
    supervisor.add("scanner", recorder("scanner"))
    await supervisor.start()
    await asyncio.sleep(1)
    (root,) = (task for task in asyncio.all_tasks() if task.get_name() == "root")
    root.cancel()
    await asyncio.sleep(1)
    assert recorder.log == ["+scanner", "-scanner"]
    assert not supervisor.running
    await supervisor.stop()


async def test_a_component_cannot_stop_its_own_supervisor():
    supervisor, errors = Supervisor(), []

    async def suicidal():
        try:
            await supervisor.stop()
        except StateError as exc:
            errors.append(str(exc))

    supervisor.add("suicidal", suicidal)
    async with supervisor:
        await asyncio.sleep(1)
    assert "own end" in errors[0]


async def test_a_component_cancelled_from_within_counts_as_failed():
    async def scanner():
        raise asyncio.CancelledError

    async with Supervisor(policy=STEADY) as supervisor:
        supervisor.add("scanner", scanner)
        await asyncio.sleep(0.5)
        status = supervisor.status()["scanner"]
    assert status.state is ComponentState.BACKOFF
    assert "from within" in status.last_error


async def test_a_failing_callback_stops_nothing(caplog):
    def broken(event):
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        async with Supervisor(on_event=broken) as supervisor:
            supervisor.add("scanner", idle)
            await asyncio.sleep(1)
            assert supervisor.status()["scanner"].state is ComponentState.RUNNING
    assert "ZeroDivisionError" in caplog.text


async def test_unusable_components_are_refused():
    supervisor = Supervisor()
    supervisor.add("scanner", idle)
    with pytest.raises(ParameterError, match="already"):
        supervisor.add("scanner", idle)
    with pytest.raises(ParameterError, match="there is 'scanner'"):
        supervisor.add("broker", idle, after=("ledger",))
    with pytest.raises(ParameterError, match="positive"):
        supervisor.add("broker", idle, heartbeat_s=0)
    with pytest.raises(ParameterError, match="max_failures must be at least 1"):
        RestartPolicy(max_failures=0)
    with pytest.raises(StateError, match="cannot be restarted"):
        supervisor.restart("scanner")
    async with supervisor:
        with pytest.raises(StateError, match="running already"):
            await supervisor.start()
    with pytest.raises(StateError, match="too late"):
        supervisor.add("broker", idle)


def pauses(seed, **policy):
    state = RestartState(RestartPolicy(max_failures=1000, **policy), random.Random(seed))
    return [state.failed(float(n)) for n in range(100)]


def test_backoff_is_capped_jittered_and_repeats_with_its_seed():
    plain = pauses(1, jitter=0, first_delay_s=1, max_delay_s=60)
    assert plain[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(plain[6:]) == {60}
    jittered = pauses(1, jitter=0.5, first_delay_s=1, max_delay_s=60)
    assert jittered == pauses(1, jitter=0.5, first_delay_s=1, max_delay_s=60)
    assert jittered != pauses(2, jitter=0.5, first_delay_s=1, max_delay_s=60)
    assert all(full / 2 <= short <= full for full, short in zip(plain, jittered, strict=True))
    assert len(set(jittered)) == len(jittered)


async def test_a_stop_at_any_moment_takes_no_time_and_leaves_no_task():
    rng = random.Random(4)

    async def flaky():
        for _ in range(rng.randrange(4)):
            beat()
            await asyncio.sleep(rng.random() * 20)
        await fail()

    async def parallel():
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(asyncio.sleep(rng.random() * 30))

    async def forgetful():
        beat()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    for _ in range(200):
        supervisor = Supervisor(policy=RestartPolicy(max_failures=3), seed=rng.randrange(1000))
        supervisor.add("flaky", flaky, heartbeat_s=15)
        supervisor.add("parallel", parallel, after=("flaky",))
        supervisor.add("forgetful", forgetful, heartbeat_s=15, after=("parallel",))
        await supervisor.start()
        # Whole numbers meet the timers of watchdogs and pauses.
        await asyncio.sleep(rng.choice([0, 15, 30, rng.random() * 100]))
        began = now()
        await supervisor.stop()
        assert now() == began
        assert asyncio.all_tasks() == before
