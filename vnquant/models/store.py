"""Models: the store. Trains a model once for its data, features and parameters, and keeps it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Protocol

from vnquant.errors import ModelError
from vnquant.features import FeatureSet
from vnquant.market.panel import BarPanel
from vnquant.models.config import ModelConfig
from vnquant.models.fingerprint import model_fingerprint
from vnquant.models.forecast import ForecastModel
from vnquant.models.job import pack_job
from vnquant.models.predictor import Predictor
from vnquant.models.process import train_in_process

__all__ = ("ModelStore", "training_cutoff")

logger = logging.getLogger(__name__)

# A model takes some 3 MB and is replaced once a month.
_KEPT = 24


class SessionCalendar(Protocol):
    """What the training cut-off needs of a trading calendar."""

    def previous_session(self, day: date, /) -> date:
        """Return the last session before a day."""
        ...


class ModelStore:
    """Models in a directory, one file each, named by fingerprint.

    Parameters
    ----------
    directory : path
        Created when the first model is stored. It holds the user's own models: custom predictors are
        pickles, so do not point it at files from elsewhere.
    timeout_s : float
        Longest a training may take.
    """

    def __init__(self, directory: str | os.PathLike[str], *, timeout_s: float = 900.0) -> None:
        self.directory = Path(directory)
        self.timeout_s = timeout_s
        self._training = asyncio.Lock()

    async def load_or_train(
        self,
        panel: BarPanel,
        config: ModelConfig | None = None,
        *,
        predictor: Predictor | None = None,
        features: FeatureSet | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> ForecastModel:
        """Return the model of a panel: from the directory if it is there, else trained and stored.

        Training runs in a process of its own with `config.threads` threads; cancelling this call kills it.

        Raises
        ------
        ModelError
            If the history is too short or the predictor fails.
        """
        blank = ForecastModel(config, predictor=predictor, features=features)
        # Two calls for one model train it once; the second then finds the file.
        async with self._training:
            fingerprint = await asyncio.to_thread(
                model_fingerprint, panel, blank.config, blank.predictor, blank.features
            )
            found = await asyncio.to_thread(self._read, fingerprint, blank.features)
            if found is not None:
                if progress is not None:
                    progress(1.0, "loaded")
                return found
            job = await asyncio.to_thread(pack_job, panel, blank.config, blank.predictor, blank.features)
            data = await train_in_process(job, progress=progress, timeout_s=self.timeout_s)
            return await asyncio.to_thread(self._store, data, blank.features)

    def path_of(self, fingerprint: str) -> Path:
        """Return where the model of a fingerprint is kept."""
        return self.directory / f"{fingerprint}.model"

    def _read(self, fingerprint: str, features: FeatureSet) -> ForecastModel | None:
        path = self.path_of(fingerprint)
        try:
            model = ForecastModel.from_bytes(path.read_bytes(), features=features)
        except FileNotFoundError:
            return None
        except (ModelError, OSError) as exc:
            logger.warning("Stored model %s cannot be read and is trained anew: %s", path.name, exc)
            return None
        if model.fingerprint != fingerprint:
            logger.warning("Stored model %s is another one and is trained anew", path.name)
            return None
        return model

    def _store(self, data: bytes, features: FeatureSet) -> ForecastModel:
        model = ForecastModel.from_bytes(data, features=features)
        self.directory.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=self.directory, suffix=".draft")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(draft).replace(self.path_of(model.fingerprint))
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        self._forget_oldest()
        return model

    def _forget_oldest(self) -> None:
        by_age = sorted(self.directory.glob("*.model"), key=lambda p: p.stat().st_mtime, reverse=True)
        for path in by_age[_KEPT:]:
            with contextlib.suppress(OSError):
                path.unlink()


def training_cutoff(as_of: date, calendar: SessionCalendar | None = None) -> date:
    """Return the last session of the calendar month before `as_of`: what a model used in this month has seen.

    So one model serves a month, whichever day it is asked for, and a replay of the month trains once.
    """
    if calendar is None:
        from vnquant.market.calendar import default_calendar

        calendar = default_calendar()
    first = date(as_of.year, as_of.month, 1)
    return calendar.previous_session(first)
