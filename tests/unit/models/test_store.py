"""The store: trains off the loop, keeps, loads, cancels at once, and says what failed."""

import asyncio
import subprocess
import sys
import threading
from datetime import date

import numpy as np
import psutil
import pytest

from tests.pace import slowness
from vnquant.errors import ModelError
from vnquant.models import LightGBMPredictor, ModelStore, training_cutoff
from vnquant.models.forecast import MODEL_FEATURES
from vnquant.models.job import pack_job

from .conftest import SMALL


def small_predictor() -> LightGBMPredictor:
    return LightGBMPredictor(trees=30, leaves=7, threads=1)


def children() -> list[int]:
    return [p.pid for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]


async def test_model_is_trained_elsewhere_stored_and_then_loaded(tmp_path, planted_panel, fitted_model):
    store = ModelStore(tmp_path / "models")
    panel = planted_panel.rows(slice(0, -30))
    told: list[tuple[float, str]] = []
    model = await store.load_or_train(
        panel, SMALL, predictor=small_predictor(), progress=lambda *step: told.append(step)
    )
    assert model.to_bytes() == fitted_model.to_bytes()
    assert told[0] == (0.0, "starting")
    assert told[-1] == (1.0, "done")
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert [p.name for p in (tmp_path / "models").iterdir()] == [f"{model.fingerprint}.model"]

    told.clear()
    loaded = await store.load_or_train(
        panel, SMALL, predictor=small_predictor(), progress=lambda *step: told.append(step)
    )
    assert told == [(1.0, "loaded")]
    assert loaded.predict(planted_panel) == model.predict(planted_panel)


async def test_damaged_file_is_trained_anew(tmp_path, planted_panel, fitted_model, caplog):
    store = ModelStore(tmp_path)
    path = store.path_of(fitted_model.fingerprint)
    path.write_bytes(fitted_model.to_bytes()[:1000])
    panel = planted_panel.rows(slice(0, -30))
    model = await store.load_or_train(panel, SMALL, predictor=small_predictor())
    assert "trained anew" in caplog.text
    assert path.read_bytes() == model.to_bytes() == fitted_model.to_bytes()


async def test_cancelled_training_ends_its_process_at_once(tmp_path, planted_panel):
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    before = set(children())

    async def train():
        await ModelStore(tmp_path).load_or_train(
            planted_panel, SMALL, predictor=LightGBMPredictor(trees=20_000, threads=1),
            progress=lambda *_: started.set(),
        )  # fmt: skip

    task = asyncio.create_task(train())
    await asyncio.wait_for(started.wait(), 30)
    cancelled_at = loop.time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    took_s = loop.time() - cancelled_at
    assert took_s < 0.5 * slowness()
    assert set(children()) <= before
    assert list(tmp_path.iterdir()) == []


async def test_loop_goes_on_while_a_model_is_trained(tmp_path, planted_panel):
    loop = asyncio.get_running_loop()
    stalls: list[float] = []

    async def beat():
        while True:
            asked = loop.time()
            await asyncio.sleep(0.002)
            stalls.append(loop.time() - asked - 0.002)

    async with asyncio.TaskGroup() as group:
        beating = group.create_task(beat(), name="beat")
        await ModelStore(tmp_path).load_or_train(planted_panel, SMALL, predictor=small_predictor())
        beating.cancel()
    assert len(stalls) > 50
    # The bulk: on a shared machine other processes may hold both cores for a moment.
    assert np.quantile(stalls, 0.9) < 0.020 * slowness()


async def test_predictor_of_the_notebook_goes_along_with_its_code(tmp_path, planted_panel):
    class Mean:
        def fit(self, X, y):
            self.mean_ = float(np.mean(y))
            return self

        def predict(self, X):
            return self.mean_ + 0.1 * np.asarray(X)[:, 4]

    model = await ModelStore(tmp_path).load_or_train(planted_panel, SMALL, predictor=Mean())
    assert model.report.rank_ic.mean > 0.0


async def test_failure_in_the_process_comes_back_with_its_reason(tmp_path, planted_panel):
    class Broken:
        def fit(self, X, y):
            raise ValueError("no convergence")

        def predict(self, X):
            return X

    with pytest.raises(ModelError, match=r"Broken failed in fit: ValueError.*no convergence"):
        await ModelStore(tmp_path).load_or_train(planted_panel, SMALL, predictor=Broken())
    with pytest.raises(ModelError, match="needs at least"):
        await ModelStore(tmp_path).load_or_train(planted_panel.tail(50), SMALL)


async def test_process_that_dies_is_reported(tmp_path, planted_panel):
    class Dying:
        def fit(self, X, y):
            import os

            os._exit(9)

        def predict(self, X):
            return X

    with pytest.raises(ModelError, match="ended without a result"):
        await ModelStore(tmp_path).load_or_train(planted_panel, SMALL, predictor=Dying())


async def test_training_has_a_time_limit(tmp_path, planted_panel):
    with pytest.raises(ModelError, match="did not end within"):
        await ModelStore(tmp_path, timeout_s=0.2).load_or_train(
            planted_panel, SMALL, predictor=small_predictor()
        )


async def test_predictor_that_cannot_travel_is_refused(tmp_path, planted_panel):
    class Holding:
        def __init__(self):
            self.lock = threading.Lock()

        def fit(self, X, y):
            return self

        def predict(self, X):
            return X

    with pytest.raises(ModelError, match="cannot be sent to the training process"):
        await ModelStore(tmp_path).load_or_train(planted_panel, SMALL, predictor=Holding())


def test_training_process_ends_with_its_parent(tmp_path, planted_panel):
    slow = LightGBMPredictor(trees=20_000, threads=1)
    (tmp_path / "job").write_bytes(pack_job(planted_panel, SMALL, slow, MODEL_FEATURES))
    command = [sys.executable, "-m", "vnquant.models.worker", str(tmp_path / "job"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.close()  # what the parent's death does
        assert process.wait(timeout=20) == 3


class Weekdays:
    def previous_session(self, day: date) -> date:
        before = np.busday_offset(np.datetime64(day), -1, roll="forward")
        return before.astype(date)


@pytest.mark.parametrize("day", [date(2025, 6, 2), date(2025, 6, 16), date(2025, 6, 30)])
def test_one_model_serves_a_month(day):
    assert training_cutoff(day, Weekdays()) == date(2025, 5, 30)


def test_cutoff_follows_the_exchanges_calendar():
    assert training_cutoff(date(2025, 2, 10)) == date(2025, 1, 24)  # Tet closed the market from 25 January on
    assert training_cutoff(date(2025, 1, 2)) == date(2024, 12, 31)
