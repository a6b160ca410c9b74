"""Clearing's part of the rulebook: its kinds and tables, to be added to the registry's."""

from typing import Any

from clearing.model import TABLES
from clearing.rules import confirmations, plans
from registry.statements import Kind, TimedKind

KINDS: tuple[Kind[Any], ...] = (*plans.KINDS, *confirmations.KINDS)
TIMED: tuple[TimedKind, ...] = ()

__all__ = ["KINDS", "TABLES", "TIMED"]
