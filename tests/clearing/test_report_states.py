"""States and statements of clearing: what a bank may say of an instruction, wherever it is."""

import pytest

from clearing.model import INSTRUCTIONS
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.state import replay_digest
from registry.tables import replace
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.world import World

PLACES = ("pending", "accepted", "posted", "rejected", "returned", "expired", "replaced")
WORDS = ("accepted", "posted", "rejected", "returned")
TOLD: dict[str, set[str]] = {
    "pending": {"accepted", "posted", "rejected"},
    "accepted": {"posted", "rejected"},
    "posted": {"returned"},
    "rejected": {"posted"},
    "returned": set(),
    "expired": {"posted"},
    "replaced": {"posted"},
}
"""By where an instruction is: what a bank may say of it."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("word", WORDS)
def test_what_may_be_said_of_an_instruction_wherever_it_is(place: str, word: str) -> None:
    world = World()
    world.issue("v", face=5, to="S1")
    plan = adopt(world)
    if place in ("posted", "returned"):
        confirm(world, plan, 0)
    record = instructions(world, plan)[0]
    world.rows.put(INSTRUCTIONS, replace(record, status=place))
    if word in TOLD[place]:
        confirm(world, plan, 0, status=word)
        assert instructions(world, plan)[0].status == word
        return
    before = replay_digest(world.rows.tables, world.rows.select)
    with pytest.raises(MoveNotAllowedError) as refused:
        confirm(world, plan, 0, status=word)
    assert (refused.value.facts["status"], refused.value.facts["to"]) == (place, word)
    assert replay_digest(world.rows.tables, world.rows.select) == before
