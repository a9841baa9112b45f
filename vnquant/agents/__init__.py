"""Agents: opinions about stocks, from five specialists and their Chief; vectorised, causal, explained."""

from __future__ import annotations

from vnquant.agents.analyst import AnalystAgent
from vnquant.agents.base import Agent
from vnquant.agents.bear import BearAgent
from vnquant.agents.bull import BullAgent
from vnquant.agents.chief import ChiefAgent, default_agents
from vnquant.agents.discussion import Opportunity, discuss_opportunity
from vnquant.agents.parameters import Parameter, ParameterValue, parameter
from vnquant.agents.risk_doctor import RiskDoctorAgent
from vnquant.agents.scores import Note, Part, Scores
from vnquant.agents.scout import ScoutAgent
from vnquant.agents.signals import AgentSignal, StockData

__all__ = (
    "Agent",
    "AgentSignal",
    "AnalystAgent",
    "BearAgent",
    "BullAgent",
    "ChiefAgent",
    "Note",
    "Opportunity",
    "Parameter",
    "ParameterValue",
    "Part",
    "RiskDoctorAgent",
    "Scores",
    "ScoutAgent",
    "StockData",
    "default_agents",
    "discuss_opportunity",
    "parameter",
)
