"""Presets: agents' parameters in a file that people read and edit, checked at the door when it is loaded.

A preset is TOML, one table an agent, one line a parameter with its unit, bounds and meaning::

    vnquant_agents = 1

    [agents.bull]
    momentum_days = 30        # bars, 5 to 120, default 20: days of the momentum return

Parameters that are left out keep their defaults. A file never names code to import: it is for the agents of
VN-Quant and for those classes of your own that are defined when it is loaded.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import json
import os
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vnquant.agents.base import Agent
from vnquant.agents.chief import ChiefAgent, default_agents
from vnquant.agents.parameters import Parameter, ParameterValue
from vnquant.errors import ParameterError, PresetError

__all__ = ("current_class", "load_preset", "save_preset")

_VERSION = 1
_LARGEST_BYTES = 1_000_000  # a hundred agents take some 100 kB; more is not a preset
_HEAD = """\
# Agents of VN-Quant. Open a workbench with them:
#     bench = await Workbench.open(agents={name})
vnquant_agents = {version}
"""


def load_preset(path: str | Path, *, classes: Iterable[type[Agent]] = ()) -> tuple[Agent, ...]:
    """Return the agents of a preset, in the order of the file. Reads a file: call it off the loop.

    Parameters
    ----------
    path : str or Path
    classes : iterable of Agent classes, optional
        Your own agents; by default also those that are defined by now are found by their `name`.

    Raises
    ------
    PresetError
        If the file cannot be read, is no preset, names an agent that is not defined here, or gives a
        parameter that its agent refuses.
    """
    file = Path(path)
    tables = _tables(file)
    known = _known_classes(classes)
    return tuple(_agent(file, name, table, known) for name, table in tables.items())


def save_preset(path: str | Path, *agents: Agent) -> Path:
    """Write agents into a preset; those that the file held already stay. Writes a file: call it off the loop.

    The file is replaced in one step, so a reader never sees half of it.

    Raises
    ------
    PresetError
        If the file exists and is no preset, cannot be written, or holds an agent that is not defined here.
    """
    file = Path(path)
    if not agents:
        raise PresetError(f"{file}: no agent to save; give at least one.", path=str(file))
    for agent in agents:
        if isinstance(agent, ChiefAgent):
            raise PresetError(
                f"{file}: a preset holds agents, and the Chief is none: give Workbench.open(chief=...).",
                path=str(file),
                agent=agent.name,
            )
    held = load_preset(file) if file.exists() else ()
    merged = {agent.name: agent for agent in (*held, *agents)}
    text = "\n".join(
        [_HEAD.format(name=_text(file.name), version=_VERSION), *map(_table_of, merged.values())]
    )
    try:
        _replace(file, text)
    except OSError as exc:
        raise PresetError(
            f"{file} cannot be written: {exc.strerror or exc}. Choose a folder that exists and that you may "
            "write to.",
            path=str(file),
        ) from exc
    return file


def current_class(kind: type[Agent]) -> type[Agent]:
    """Return the class that goes by this one's name now, which is another after its cell was run again."""
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    is_agent = inspect.isclass(found) and issubclass(found, Agent) and not inspect.isabstract(found)
    return found if is_agent else kind


# -- reading ----------------------------------------------------------------------------------------------


def _tables(file: Path) -> Mapping[str, Any]:
    """Return the agents' tables of a file, having checked all that surrounds them."""
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise PresetError(f"{file} is too large to be a preset of agents.", path=str(file))
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise PresetError(
            f"There is no preset {file}. Save one in an agent's lab, or with save_preset(path, agent).",
            path=str(file),
        ) from exc
    except OSError as exc:
        raise PresetError(f"{file} cannot be read: {exc.strerror or exc}.", path=str(file)) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise PresetError(
            f"{file} is not TOML, which a preset is: {exc}. Mend that place, or save the preset again.",
            path=str(file),
        ) from exc
    version = content.pop("vnquant_agents", None)
    if isinstance(version, bool) or version != _VERSION:
        raise PresetError(
            f"{file} is no preset that this VN-Quant knows: it needs the line `vnquant_agents = {_VERSION}`, "
            f"and has {'none' if version is None else version!r}.",
            path=str(file),
        )
    tables = content.pop("agents", None)
    if content or not isinstance(tables, dict) or not tables:
        told = f"not {', '.join(map(repr, content))}" if content else "one at least"
        raise PresetError(
            f"{file}: a preset holds tables [agents.NAME] and nothing else, {told}.", path=str(file)
        )
    return tables


def _agent(file: Path, name: str, table: Any, known: Mapping[str, type[Agent]]) -> Agent:
    if not isinstance(table, dict):
        raise PresetError(
            f"{file}: agents.{name} is {table!r:.40}; write a table [agents.{name}] of parameters.",
            path=str(file),
            agent=name,
        )
    kind = known.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise PresetError(
            f"{file}: no agent is called {name!r} here.{hint} Known: {', '.join(known)}. If it is your own, "
            "run the cell that defines its class first.",
            path=str(file),
            agent=name,
        )
    try:
        return kind(**table)
    except ParameterError as exc:
        raise PresetError(f"{file}: [agents.{name}]: {exc}", path=str(file), agent=name) from exc


def _known_classes(given: Iterable[type[Agent]]) -> dict[str, type[Agent]]:
    """Return the classes by the names of their agents: the five, those defined here, those given."""
    found: dict[str, type[Agent]] = {agent.name: type(agent) for agent in default_agents()}
    built_in = set(found)
    for kind in _subclasses(Agent):  # type: ignore[type-abstract]
        # A class that was defined again lives on for a while, but does not go by its name any more.
        if kind.name not in built_in and current_class(kind) is kind:
            found[kind.name] = kind
    return found | {kind.name: kind for kind in given}


def _subclasses(kind: type[Agent]) -> Iterator[type[Agent]]:
    for child in kind.__subclasses__():
        if not inspect.isabstract(child) and not issubclass(child, ChiefAgent):
            yield child
        yield from _subclasses(child)


# -- writing ----------------------------------------------------------------------------------------------


def _table_of(agent: Agent) -> str:
    lines = [f"[agents.{_key(agent.name)}]"]
    settings = [(_assignment(one, agent.parameters[one.name]), _meaning(one)) for one in agent.declared()]
    width = max((len(code) for code, _ in settings), default=0)
    lines += [f"{code:<{width}}  # {meaning}" for code, meaning in settings]
    return "\n".join(lines) + "\n"


def _assignment(one: Parameter, value: ParameterValue) -> str:
    return f"{_key(one.name)} = {_value(value)}"


def _meaning(one: Parameter) -> str:
    unit = [one.unit] if one.unit else []
    bounds = [f"{one.low:g} to {one.high:g}"] if one.low is not None and one.high is not None else []
    choices = ["one of " + ", ".join(one.choices)] if one.choices else []
    told = ", ".join([*unit, *bounds, *choices, f"default {_value(one.default)}"])
    # A comment ends with its line, whatever a help text holds.
    return re.sub(r"[\x00-\x1f\x7f]+", " ", f"{told}: {one.help}" if one.help else told)


def _value(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    """Return a TOML string: JSON's escapes are TOML's too, but for the one character it leaves alone."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _replace(file: Path, text: str) -> None:
    """Write a file in one step."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        with contextlib.suppress(FileNotFoundError):
            draft.chmod(file.stat().st_mode)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
