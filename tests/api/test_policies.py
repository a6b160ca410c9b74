"""Policies and calendars over the application: whoever is admitted reads them."""

import pytest

from api.client import RefusedError
from registry.canonical import Json
from tests.api.served import Street


def test_the_policy_in_force_is_shown_with_its_rules(town: Street) -> None:
    found = town.client.get("/v1/policies/current", by=town.ids["s1"])
    assert found["policy"] == town.client.get("/v1/ledger")["policy"]
    assert (found["name"], found["version"], found["in_force"]) == ("plain", 1, True)
    assert found["rules"] == {"pay_day": {"calendar": "tests"}}


def test_an_announced_policy_is_listed_and_not_in_force(town: Street) -> None:
    body: dict[str, Json] = {
        "name": "six-months",
        "version": 1,
        "rules": {"tenor": {"hard_months": 6}},
    }
    made = town.do("operator", "policy.publish", body).sid
    rows = {row["policy"]: row for row in town.client.pages("/v1/policies", by=town.ids["s1"])}
    assert not rows[made]["in_force"]
    assert sum(row["in_force"] for row in rows.values()) == 1
    named = [*town.client.pages("/v1/policies", by=town.ids["s1"], name="six-months")]
    assert [row["policy"] for row in named] == [made]
    shown = town.client.get(f"/v1/policies/{made}", by=town.ids["s1"])
    assert shown["rules"] == body["rules"]


def test_calendars_are_shown_in_their_newest_version_or_as_of_then(town: Street) -> None:
    size = town.client.get("/v1/ledger")["size"]
    body: dict[str, Json] = {
        "name": "tests",
        "first": "2025-01-01",
        "last": "2027-12-31",
        "holidays": [],
        "workdays": [],
    }
    town.do("operator", "calendar.publish", body)
    by = town.ids["s1"]
    assert town.client.get("/v1/calendars/tests", by=by)["last"] == "2027-12-31"
    before = town.client.get("/v1/calendars/tests", by=by, as_of=size)
    assert (before["last"], before["version"]) == ("2026-12-31", 1)
    names = [row["name"] for row in town.client.pages("/v1/calendars", by=by)]
    assert names == ["tests"]


@pytest.mark.parametrize("path", ["/v1/policies/none", "/v1/calendars/none"])
def test_what_is_not_published_is_not_found(town: Street, path: str) -> None:
    with pytest.raises(RefusedError) as refused:
        town.client.get(path, by=town.ids["s1"])
    assert (refused.value.status, refused.value.code) == (404, "not-found")
