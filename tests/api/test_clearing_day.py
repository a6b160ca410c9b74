"""The clearing day through the interface: lists that debtors approve, and what they hold back."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.client import RefusedError
from registry.canonical import Json
from tests.api.local import street
from tests.api.served import Street
from tests.api.test_maturity import DUE_ON, adopt, get, gv01, move_to, report, rows

DAY: dict[str, Json] = {
    "approve": True, "calendar": "tests", "chain_minutes": 60, "cut_off": "16:30",
    "day_end": "17:00", "funding": "09:30", "hop_minutes": 20, "reminders": [7, 3, 1],
    "rounds": ["10:00", "15:00"],
}  # fmt: skip


def keep_days(town: Street, **changes: "Json | None") -> None:
    """Publishes a policy with a clearing day, in force from the next morning on."""
    rule = {name: value for name, value in {**DAY, **changes}.items() if value is not None}
    rules: dict[str, Json] = {
        "clearing_day": rule,
        "pay_day": {"calendar": "tests"},
        "relayed_evidence": True,
        "top_up": {"calendar": "tests", "due_after": 2, "unpaid_after": 1},
    }
    policy: dict[str, Json] = {"name": "plain", "version": 2, "effective_on": "2025-07-02"}
    town.do("operator", "policy.publish", {**policy, "rules": rules})
    move_to(town, "2025-07-02")


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A ledger of each test's own, under a policy with a clearing day."""
    with street(tmp_path_factory.mktemp("town")) as made:
        keep_days(made)
        yield made


def held(town: Street, plan: str) -> list[int]:
    """Returns what waits for its debtor's approval."""
    return [row["n"] for row in rows(town, plan) if row["held"]]


def test_what_a_debtor_has_not_approved_is_not_ready_to_be_sent(town: Street) -> None:
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    assert held(town, plan) == [0]
    assert not any(row["ready"] for row in rows(town, plan))
    body: Any = get(town, f"/v1/clearing/runs/{plan}/list", by="core")
    assert body == {
        "account": town.accounts["core"], "amount": "100000000", "instructions": 1
    }  # fmt: skip
    (row,) = town.client.pages("/v1/clearing/lists", by=town.ids["core"])
    assert (row["plan"], row["approved"]) == (plan, 0)
    town.do("core", "clearing.approve", body, re=plan)
    assert held(town, plan) == []
    assert [row["n"] for row in rows(town, plan) if row["ready"]] == [0]
    with pytest.raises(RefusedError) as nothing:
        get(town, f"/v1/clearing/runs/{plan}/list", by="core")
    assert nothing.value.code == "not-found"
    # Nobody else sees what a debtor pays.
    assert list(town.client.pages("/v1/clearing/lists", by=town.ids["s1"])) == []


def test_a_banks_word_stands_without_an_approval(town: Street) -> None:
    gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    assert held(town, plan) == [0, 1, 2, 3]
    report(town, plan, "posted", "s1")
    assert len(held(town, plan)) == 3


def test_the_day_is_not_closed_before_it_is_over(town: Street) -> None:
    gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    body = get(town, f"/v1/clearing/runs/{plan}/close", by="operator")
    with pytest.raises(RefusedError) as early:
        town.do("operator", "clearing.close", body, re=plan)
    assert early.value.code == "day-not-over"
    assert "2025-12-19" in early.value.problem["detail"]
    move_to(town, DUE_ON, hour=17)
    town.do("operator", "clearing.close", body, re=plan)
