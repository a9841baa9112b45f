"""Lab agent: whose lab it is, by name, instance or class; never by a class that was defined again since."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping

from vnquant.agents import Agent
from vnquant.agents.presets import current_class
from vnquant.errors import InputError, ParameterError

__all__ = ("chosen_agent",)


def chosen_agent(agent: str | Agent | type[Agent], agents: Mapping[str, Agent]) -> tuple[str, Agent]:
    """Return the name that an agent goes by, and the agent itself in the newest definition of its class.

    Parameters
    ----------
    agent : str, Agent or Agent class
        A class stands for its default setting.
    agents : mapping of str to Agent
        Those of the workbench.

    Raises
    ------
    InputError
        If no agent has this name, or it is something else.
    """
    if isinstance(agent, str):
        if agent not in agents:
            near = difflib.get_close_matches(agent, agents, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise InputError(
                f"No agent is called {agent!r}.{hint} Known: {', '.join(agents)}. Add your own with "
                f"bench.agents[{agent!r}] = YourAgent()."
            )
        return agent, _up_to_date(agents[agent])
    if isinstance(agent, Agent):
        return agent.name, _up_to_date(agent)
    if inspect.isclass(agent) and issubclass(agent, Agent):
        kind = current_class(agent)
        return kind.name, kind()
    raise InputError(
        f"A lab is of an agent, not of a {type(agent).__name__}: give a name such as 'bull', "
        "an agent, or its class."
    )


def _up_to_date(agent: Agent) -> Agent:
    """Return the agent, made again where its class was defined again since; what still fits is kept."""
    kind = current_class(type(agent))
    if kind is type(agent):
        return agent
    declared = {one.name: one for one in kind.declared()}
    kept = {}
    for name, value in agent.parameters.items():
        if name in declared:
            try:
                kept[name] = declared[name].check(value, owner=kind.__name__)
            except ParameterError:
                continue  # its bounds are others now; the new default stands
    try:
        return kind(**kept)
    except ParameterError:
        return kind()
