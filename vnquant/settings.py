"""Settings: what the environment decides, as VNQUANT_* variables."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from vnquant.errors import ParameterError

__all__ = ("Settings", "settings")


class Settings(BaseSettings):
    """Defaults of a workbench; each can be given to `Workbench.open` as well.

    Attributes
    ----------
    cache_dir : Path
        Where bars of live sources and trained models are kept (VNQUANT_CACHE_DIR).
    window : int
        Requests in flight at once during a scan (VNQUANT_WINDOW).
    timeout_s : float
        Seconds for one request (VNQUANT_TIMEOUT_S).
    scan_deadline_s : float
        Seconds after which a scan returns what it has (VNQUANT_SCAN_DEADLINE_S).
    requests_per_minute : float or None
        Quota of the live sources, None for no limit (VNQUANT_REQUESTS_PER_MINUTE).
    progress : bool
        Whether long operations show a bar (VNQUANT_PROGRESS).
    """

    model_config = SettingsConfigDict(env_prefix="VNQUANT_", frozen=True)

    cache_dir: Path = Field(default_factory=lambda: user_cache_path("vnquant"))
    window: int = Field(default=20, ge=1, le=200)
    timeout_s: float = Field(default=5.0, gt=0)
    scan_deadline_s: float = Field(default=60.0, gt=0)
    requests_per_minute: float | None = Field(default=None, gt=0)
    progress: bool = True

    def overridden(self, **changes: Any) -> Settings:
        """Return settings with some fields replaced; None leaves a field as it is.

        Raises
        ------
        ParameterError
            If a field does not exist or its value is out of bounds.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        if unknown := sorted(set(given) - set(type(self).model_fields)):
            known = ", ".join(sorted(type(self).model_fields))
            raise ParameterError(f"No setting {', '.join(unknown)}. There are: {known}.", name=unknown[0])
        try:
            return type(self)(**(self.model_dump() | given))
        except ValidationError as exc:
            first = exc.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            told = f"{name} = {given.get(name)!r}: {first['msg']}."
            raise ParameterError(told, name=name, value=given.get(name)) from exc


@cache
def settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
