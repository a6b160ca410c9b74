"""Clearing's part of the rulebook: its kinds and tables, to be added to the registry's."""

from typing import Any

from clearing.handed import AGGREGATIONS, DEBIT_LISTS, JOINT_PAYMENTS
from clearing.model import (
    BALANCES,
    FUNDS,
    HOPS,
    INSTRUCTIONS,
    OBLIGATIONS,
    ORDERS,
    RUNS,
)
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
    *lists.KINDS,
    *aggregations.KINDS,
    *sends.KINDS,
    *reports.KINDS,
    *reroutes.KINDS,
    *closings.KINDS,
)
TIMED: tuple[TimedKind, ...] = (*covenants.TIMED, *closings.TIMED)

TABLES = (
    FUNDS,
    RUNS,
    INSTRUCTIONS,
    DEBIT_LISTS,
    AGGREGATIONS,
    JOINT_PAYMENTS,
    ORDERS,
    OBLIGATIONS,
    HOPS,
    BALANCES,
)
"""Clearing's tables, in the order in which batches read them and digests hash them."""
