"""Affiliations: explicit pairs, by the registrar's word."""

from typing import Any

import pytest

from registry.errors import MalformedError
from registry.people import AFFILIATIONS
from registry.people_refusals import AlreadyAffiliatedError
from registry.refusals import AnswerMissingError
from registry.rules.affiliations import KINDS
from tests.builders import World, uscc
from tests.faults import cases, fault, verify_refused, verify_rows
from tests.scenario import GOOD, Draft, attempt, cast_world, refusal, verify_everything
from tests.staffed import FILE


def _turned_round(_world: World, draft: Draft) -> None:
    draft.body["first"], draft.body["second"] = draft.body["second"], draft.body["first"]


def _itself(_world: World, draft: Draft) -> None:
    draft.body["second"] = draft.body["first"]


def _a_vehicle(world: World, draft: Draft) -> None:
    first, second = sorted((world.ids["s1"], world.ids["trustee#T1"]))
    draft.body |= {"first": first, "second": second}


def _declared_before(world: World, draft: Draft) -> None:
    world.do("registrar", "affiliation.declare", draft.body)


FAULTS = {
    "affiliation.declare": (
        fault(MalformedError, "the wrong way round", _turned_round, "pair"),
        fault(MalformedError, "itself", _itself, "pair"),
        fault(MalformedError, "a vehicle", _a_vehicle, "pair"),
        fault(AlreadyAffiliatedError, "declared before", _declared_before, "pair"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    verify_rows(KINDS, FAULTS)


def test_a_pair_stands_until_it_is_ended_and_can_be_declared_again() -> None:
    world = cast_world()
    for _ in range(2):
        made = attempt(world, GOOD["affiliation.declare"](world))
        assert not isinstance(made, Exception)
        (row,) = world.store.select(AFFILIATIONS)
        assert (row.affiliation, row.basis, row.evidence) == (made.sid, "control", FILE["digest"])
        end = Draft(by="registrar", kind="affiliation.end", body={"evidence": FILE}, re=made.sid)
        assert not isinstance(attempt(world, end), Exception)
        assert list(world.store.select(AFFILIATIONS)) == []
        assert isinstance(refusal(world, end), AnswerMissingError)
    verify_everything(world)


def test_a_parent_that_takes_no_part_can_stand_in_a_pair() -> None:
    world = cast_world()
    first, second = sorted((world.ids["s1"], uscc(999)))
    body: dict[str, Any] = {"first": first, "second": second, "basis": "control", "evidence": FILE}
    world.do("registrar", "affiliation.declare", body)
    verify_everything(world)
