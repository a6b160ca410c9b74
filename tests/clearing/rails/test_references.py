"""Ids at banks: short enough, told apart, and never read as something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.rails.references import (
    find_instruction,
    index_plans,
    instruction_id,
    parse_instruction_id,
    plan_reference,
)
from registry.canonical import b64url_encode
from registry.errors import InvariantBrokenError, MalformedError
from registry.ids import NUMBER_MAX, Sid
from tests.clearing.rails.paper import OTHER_PLAN, PLAN

plans = st.binary(min_size=32, max_size=32).map(lambda data: Sid(b64url_encode(data)))
numbers = st.integers(0, NUMBER_MAX)


class TestInstructionId:
    @given(plans, numbers)
    def test_is_35_capitals_and_digits_and_parses_back(self, plan: Sid, n: int) -> None:
        text = instruction_id(plan, n)
        assert len(text) == 35
        assert text.isascii()
        assert text.isalnum()
        assert text == text.upper()
        assert parse_instruction_id(text) == (plan_reference(plan), n)
        assert find_instruction(text, index_plans([plan])) == (plan, n)

    @given(plans, numbers, st.integers(0, 34), st.sampled_from("ABCXYZ234567"))
    def test_one_changed_character_is_noticed(self, plan: Sid, n: int, at: int, to: str) -> None:
        text = instruction_id(plan, n)
        changed = text[:at] + to + text[at + 1 :]
        if changed != text:
            assert find_instruction(changed, index_plans([plan])) is None

    def test_is_what_it_was(self) -> None:
        assert instruction_id(PLAN, 4) == "MSDZ67LLSYFADEEXMLMRDIZ000000000417"

    @pytest.mark.parametrize("n", [-1, NUMBER_MAX + 1])
    def test_numbers_that_no_instruction_has_are_a_bug(self, n: int) -> None:
        with pytest.raises(InvariantBrokenError):
            instruction_id(PLAN, n)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NOTPROVIDED",
        "INV-1001",
        "A" * 35,
        instruction_id(PLAN, 1).lower(),
        instruction_id(PLAN, 1)[:34],
    ],
)
def test_foreign_ids_are_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_instruction_id(text)
    assert find_instruction(text, index_plans([PLAN])) is None


def test_an_instruction_of_a_plan_that_is_not_asked_for_is_not_found() -> None:
    assert find_instruction(instruction_id(OTHER_PLAN, 1), index_plans([PLAN])) is None


def test_plans_that_could_be_confused_stop_the_index() -> None:
    twin = Sid(b64url_encode(b"\x01" * 31 + b"\x02"))
    with pytest.raises(InvariantBrokenError):
        index_plans([Sid(b64url_encode(b"\x01" * 32)), twin])
    assert index_plans([twin, twin]) == {plan_reference(twin): twin}
