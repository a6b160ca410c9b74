"""`docs/reference/kinds.md` says what the rulebook says."""

from clearing.rulebook import RULEBOOK
from tests.kinds_page import PAGE, WITHOUT_STATEMENT, effects_by_name, render, seen


def test_the_page_of_kinds_is_what_the_code_makes() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m tests.kinds_page --write"


def test_every_kind_of_entry_was_seen() -> None:
    assert set(WITHOUT_STATEMENT) == {*RULEBOOK.timed, "state"}
    assert set(seen()) == {*RULEBOOK.kinds, *WITHOUT_STATEMENT}


def test_every_effect_was_seen() -> None:
    found = {name for each in seen().values() for name in each.effects}
    deadlines = {"deadline-set", "deadline-cleared"}
    assert found | deadlines == set(effects_by_name())


def test_every_deadline_is_both_set_and_cleared() -> None:
    set_by = {kind for each in seen().values() for kind in each.set}
    cleared_by = {kind for each in seen().values() for kind in each.cleared}
    assert set_by == cleared_by == set(RULEBOOK.timed)
