"""The whole program's rulebook: the kinds, effects and tables of registry and clearing."""

import clearing.kinds
import registry.kinds
from registry.kinds import Rulebook
from registry.model import TABLES

RULEBOOK = Rulebook(
    (*registry.kinds.KINDS, *clearing.kinds.KINDS),
    (*registry.kinds.TIMED, *clearing.kinds.TIMED),
    (*TABLES, *clearing.kinds.TABLES),
)
"""What engine, auditor and stores are handed."""
