"""All that is wrong with a body is told at once, each with what would be right there."""

from typing import Any

import pytest

from clearing.rulebook import RULEBOOK
from registry.errors import MalformedError
from registry.misfits import MISFITS_MAX
from registry.statements import parse_body
from tests.api.served import PROMISES


def refused(kind: str, body: Any) -> MalformedError:
    with pytest.raises(MalformedError) as found:
        parse_body(RULEBOOK.kinds[kind].body, body)
    return found.value


GOOD = {"account": "A" * 43, "collection_route": True}


def test_one_misfit_is_the_sentence_that_it_was() -> None:
    error = refused("transfer.accept", {**GOOD, "collection_route": "yes"})
    assert str(error) == "body/collection_route: Input should be a valid boolean"
    assert error.facts == {
        "what": "body/collection_route",
        "reason": "Input should be a valid boolean",
    }
    (misfit,) = error.misfits
    assert misfit.place == ("body", "collection_route")
    assert misfit.expected == "true or false"


def test_several_are_told_and_the_first_leads() -> None:
    error = refused("transfer.accept", {"account": "x", "collection_route": 1, "more": None})
    assert str(error) == "body/account: not the base64url of 32 bytes (and 2 more)"
    assert [each.place[1] for each in error.misfits] == ["account", "collection_route", "more"]
    assert [each.expected for each in error.misfits] == [
        f'a text such as "{"A" * 43}"',
        "true or false",
        "an object of account, collection_route",
    ]


def test_places_are_found_within_lists_and_objects() -> None:
    body = {"roles": ["king"], "binding": "in-person", "evidence": [{"digest": 1}]}
    found = {each.place: each.expected for each in refused("party.admit", body).misfits}
    assert "participant" in found["body", "roles", "0"]
    assert found["body", "evidence", "0", "digest"] == f'a text such as "{"A" * 43}"'
    assert found["body", "evidence", "0", "name"] == "a text"


def test_a_promise_can_only_be_true_as_json_spells_it() -> None:
    promises = {**dict.fromkeys(PROMISES, True), "no_set_off": False}
    error = refused("voucher.issue", {"promises": promises})
    found = {each.place[1:]: each.expected for each in error.misfits}
    assert found["promises", "no_set_off"] == "true"


def test_no_more_are_told_than_ten_and_all_are_counted() -> None:
    error = refused("transfer.accept", {**GOOD, **{f"m{n}": n for n in range(500)}})
    assert len(error.misfits) == MISFITS_MAX == 10
    assert str(error).endswith("(and 499 more)")


def test_what_was_sent_is_not_sent_back() -> None:
    error = refused("transfer.accept", {**GOOD, "account": "a secret"})
    assert "secret" not in f"{error} {error.misfits}"


@pytest.mark.parametrize("kind", RULEBOOK.kinds)
def test_every_kind_says_what_it_expects(kind: str) -> None:
    fields = RULEBOOK.kinds[kind].body.model_fields
    for misfit in refused(kind, {**dict.fromkeys(fields), "unheard": 1}).misfits:
        assert misfit.expected, misfit


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
def test_what_is_no_object_is_refused(body: object) -> None:
    assert refused("transfer.accept", body).misfits[0].place == ("body",)
