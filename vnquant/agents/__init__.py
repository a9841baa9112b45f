"""Agents: opinions about stocks, from five specialists and their Chief; vectorised, causal, explained."""

from __future__ import annotations

from vnquant.agents.analyst import AnalystAgent
from vnquant.agents.base import Agent
from vnquant.agents.bear import BearAgent
from vnquant.agents.bull import BullAgent
from vnquant.agents.chief import ChiefAgent, default_agents
from vnquant.agents.discussion import Opportunity, discuss_opportunity
from vnquant.agents.hearing import Hearing
from vnquant.agents.levels import Levels, known_swings
from vnquant.agents.moment import Moment
from vnquant.agents.parameters import Parameter, ParameterValue, parameter
from vnquant.agents.presets import load_preset, save_preset
from vnquant.agents.risk_doctor import RiskDoctorAgent
from vnquant.agents.scores import Note, Part, Scores
from vnquant.agents.scout import ScoutAgent
from vnquant.agents.session import SessionScores
from vnquant.agents.signals import AgentSignal, StockData
from vnquant.agents.study import StudyPanel

__all__ = (
    "Agent",
    "AgentSignal",
    "AnalystAgent",
    "BearAgent",
    "BullAgent",
    "ChiefAgent",
    "Hearing",
    "Levels",
    "Moment",
    "Note",
    "Opportunity",
    "Parameter",
    "ParameterValue",
    "Part",
    "RiskDoctorAgent",
    "Scores",
    "ScoutAgent",
    "SessionScores",
    "StockData",
    "StudyPanel",
    "default_agents",
    "discuss_opportunity",
    "known_swings",
    "load_preset",
    "parameter",
    "save_preset",
)
