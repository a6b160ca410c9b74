"""Clearing's part of the rulebook: its kinds and tables, to be added to the registry's."""

from typing import Any

from clearing.model import TABLES
from clearing.rules import (
    aggregations,
    closings,
    covenants,
    funds,
    lists,
    plans,
    reports,
    reroutes,
    sends,
)
from registry.statements import Kind, TimedKind

KINDS: tuple[Kind[Any], ...] = (
    *plans.KINDS,
    *funds.KINDS,
    *aggregations.KINDS,
    *sends.KINDS,
    *lists.KINDS,
    *reports.KINDS,
    *reroutes.KINDS,
    *closings.KINDS,
)
TIMED: tuple[TimedKind, ...] = (*covenants.TIMED, *closings.TIMED)

__all__ = ["KINDS", "TABLES", "TIMED"]
