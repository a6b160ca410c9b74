"""The clearing day through the interface: lists that debtors approve, and what they hold back."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.client import RefusedError
from api.rail import BankTeller
from registry.canonical import Json
from registry.ids import Sid
from tests.api.local import street
from tests.api.served import Street
from tests.api.test_maturity import DUE_ON, adopt, get, gv01, move_to, report, rows
from tests.builders import ORIGIN, key_of

DAY: dict[str, Json] = {
    "approve": True, "calendar": "tests", "chain_minutes": 60, "cut_off": "16:30",
    "day_end": "17:00", "funding": "09:30", "hop_minutes": 20, "reminders": [7, 3, 1],
    "rounds": ["10:00", "15:00"],
}  # fmt: skip


def keep_days(town: Street, **changes: Any) -> None:
    """Publishes a policy with a clearing day, in force from the next morning on."""
    merged: dict[str, Any] = {**DAY, **changes}
    rule: dict[str, Json] = {name: value for name, value in merged.items() if value is not None}
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
    assert (row["plan"], row["waiting"]) == (plan, 1)
    town.do("core", "clearing.approve", body, re=plan)
    assert held(town, plan) == []
    assert [row["n"] for row in rows(town, plan) if row["ready"]] == [0]
    with pytest.raises(RefusedError) as nothing:
        get(town, f"/v1/clearing/runs/{plan}/list", by="core")
    assert nothing.value.code == "not-found"
    # Nobody else sees what a debtor pays.
    assert list(town.client.pages("/v1/clearing/lists", by=town.ids["s1"])) == []


def test_a_bank_that_asks_is_handed_nothing_of_a_list_that_is_not_approved(town: Street) -> None:
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    teller = BankTeller(
        town.client, town.ids["bank"], origin=ORIGIN, key=key_of("bank"), seed="a morning"
    )
    now = int(get(town, "/v1/ledger", by="operator")["time"])
    assert teller.report(Sid(plan), now=now) == (0, 0)
    body: Any = get(town, f"/v1/clearing/runs/{plan}/list", by="core")
    town.do("core", "clearing.approve", body, re=plan)
    assert teller.report(Sid(plan), now=now) == (5, 1)


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


# --- What each reads in the morning -----------------------------------------------------


def pile(town: Street, name: str, kind: str) -> dict[str, Any]:
    """Returns a pile of somebody's worklist; nothing if it is not there."""
    found = town.client.get("/v1/worklist", by=town.ids[name])["piles"]
    return next((dict(each) for each in found if each["kind"] == kind), {})


@pytest.mark.parametrize(
    ("day", "is_told"),
    [
        # Seven, three and one working day before Friday the 19th.
        ("2025-12-09", False), ("2025-12-10", True), ("2025-12-11", False),
        ("2025-12-15", False), ("2025-12-16", True), ("2025-12-17", False),
        ("2025-12-18", True), (DUE_ON, True), ("2025-12-20", False),
    ],
)  # fmt: skip
def test_a_debtor_is_reminded_on_its_days(town: Street, day: str, is_told: bool) -> None:
    gv01(town, route="tiered")
    move_to(town, day)
    assert bool(pile(town, "core", "money-to-have")) is is_told
    assert bool(pile(town, "operator", "all-money-to-have")) is is_told
    assert not pile(town, "s1", "money-to-have")


def test_what_the_bank_has_said_of_the_money_stands_beside(town: Street) -> None:
    gv01(town, route="direct")
    move_to(town, DUE_ON, hour=9)
    found = pile(town, "core", "money-to-have")
    account = town.accounts["core"]
    line = {"id": account, "amount": "100000000", "on": DUE_ON}
    assert (found["lines"], found["amount"]) == ([line], "100000000")
    for amount, note in (
        ("99999999", "short"), ("100000000", "stated"), ("0", "nothing-there")
    ):  # fmt: skip
        town.do("bank", "clearing.fund", {"account": account, "amount": amount})
        found = pile(town, "core", "money-to-have")
        assert (found["lines"], found["stated"]) == ([{**line, "note": note}], amount)
        (all_of_it,) = pile(town, "operator", "all-money-to-have")["lines"]
        assert all_of_it == {**line, "note": note, "party": town.ids["core"]}
    # It is told, and stops nothing: there is nothing to divide, and the due date has its plan.
    assert not pile(town, "operator", "funds-to-divide")
    adopt(town)


def test_a_list_waits_for_its_debtor_and_its_bank_sees_that_it_does(town: Street) -> None:
    gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    line = {"id": plan, "count": 4, "amount": "100000000", "on": DUE_ON}
    assert pile(town, "core", "lists-to-approve")["lines"] == [line]
    core = {"party": town.ids["core"]}
    assert pile(town, "operator", "all-lists-to-approve")["lines"] == [{**line, **core}]
    (debit,) = pile(town, "bank", "debits")["lines"]
    assert debit == {**line, **core, "note": "not-approved"}
    body: Any = get(town, f"/v1/clearing/runs/{plan}/list", by="core")
    town.do("core", "clearing.approve", body, re=plan)
    assert not pile(town, "core", "lists-to-approve")
    assert not pile(town, "operator", "all-lists-to-approve")
    assert pile(town, "bank", "debits")["lines"] == [{**line, **core}]


def test_sd_22_what_is_on_its_way_for_too_long_is_told(town: Street) -> None:
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1", "s2")

    def told(minutes: int) -> dict[str, int]:
        moment = int(get(town, "/v1/ledger", by="operator")["time"]) + minutes * 60_000
        town.do("operator", "clock.set", {"time": moment})
        town.client._clock = lambda: moment
        lines = pile(town, "operator", "all-late").get("lines", [])
        mine = pile(town, "bank", "payments-late").get("lines", [])
        assert [each["count"] for each in lines] == [each["count"] for each in mine]
        return {each["note"]: each["count"] for each in lines}

    assert told(20) == {}
    # Two hops wait on S2's account: S3's, and the factor's on the trust's way.
    assert told(1) == {"late-hop": 2}
    assert told(39) == {"late-hop": 2}
    # After the hour S3 and the trust are late, whoever has the money.
    assert told(1) == {"late-chain": 2, "late-hop": 1}
    found = get(town, f"/v1/clearing/runs/{plan}/exposure", by="auditor")
    assert (found["chain_ms"], found["hop_ms"]) == (3_600_000, 1_200_000)
    assert len(found["late_hops"]) == 2


# --- The custodian's list ---------------------------------------------------------------


def test_sd_26_the_list_of_debits_is_the_sum_of_the_lots_that_are_due(town: Street) -> None:
    lots = gv01(town, route="tiered")
    found = get(town, f"/v1/clearing/debits/{DUE_ON}", by="operator")
    (debit,) = found["debits"]
    assert (debit["debtor"], debit["bank"]) == (town.ids["core"], town.ids["bank"])
    assert (debit["account"], debit["mandate"]) == (town.accounts["core"], town.mandates["core"])
    live = [town.client.get(f"/v1/lots/{lot}", by=town.ids["auditor"]) for lot in lots.values()]
    assert int(found["amount"]) == sum(int(lot["amount"]) for lot in live) == 100_000_000
    assert (debit["vouchers"], debit["lots"], debit["withheld"]) == (1, 4, "0")
    assert get(town, f"/v1/clearing/debits/{DUE_ON}", by="bank") == found
    assert get(town, f"/v1/clearing/debits/{DUE_ON}", by="core") == found
    # A holder sees none of it; nothing is due on another day.
    assert get(town, f"/v1/clearing/debits/{DUE_ON}", by="s1")["debits"] == []
    assert get(town, "/v1/clearing/debits/2025-12-20", by="operator")["amount"] == "0"
    with pytest.raises(RefusedError):
        get(town, "/v1/clearing/debits/tomorrow", by="operator")


def test_what_came_from_the_cut_off_on_is_shown_to_count_for_the_next_day(town: Street) -> None:
    lots = gv01(town, route="direct")
    move_to(town, DUE_ON)
    plan = adopt(town)
    report(town, plan, "posted", "s1")
    move_to(town, DUE_ON, hour=17)
    report(town, plan, "posted", "s2")
    counted = {
        name: get(town, f"/v1/clearing/lots/{lots[name]}", by=name)["ways"][0]["hops"][0].get(
            "counts_on"
        )
        for name in ("s1", "s2")
    }
    # Friday after 16:30 is Monday.
    assert counted == {"s1": None, "s2": "2025-12-22"}


def test_what_has_left_the_debtor_is_not_asked_of_it_again(town: Street) -> None:
    """Money on its way is no money to have there, and no debit to make."""
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    plan = adopt(town)

    def pile(kind: str, by: str) -> Any:
        piles = get(town, "/v1/worklist", by=by)["piles"]
        return next((each["amount"] for each in piles if each["kind"] == kind), None)

    assert pile("money-to-have", "core") == pile("debits", "bank") == "100000000"
    report(town, plan, "posted", "s1")
    assert pile("money-to-have", "core") is None
    assert pile("all-money-to-have", "operator") is None
    assert pile("debits", "bank") is None
    report(town, plan, "posted", "s2")
    assert pile("money-to-have", "core") is None
    piles = get(town, "/v1/worklist", by="core")["piles"]
    (today,) = (each for each in piles if each["kind"] == "owed-today")
    assert {name: today[name] for name in ("amount", "may_be_debited", "on_the_way")} == {
        "amount": "45000000", "may_be_debited": "0", "on_the_way": "45000000"
    }  # fmt: skip


def test_money_that_was_divided_and_is_on_its_way_is_not_asked_again(town: Street) -> None:
    gv01(town, route="tiered")
    move_to(town, DUE_ON)
    body: dict[str, Json] = {"account": town.accounts["core"], "amount": "80000000"}
    fund = town.do("bank", "clearing.fund", body).sid
    body = get(town, f"/v1/clearing/funds/{fund}/proposal", by="operator")
    plan = town.do("operator", "clearing.apportion", body, re=fund).sid
    report(town, plan, "posted", "s1")
    piles = get(town, "/v1/worklist", by="core")["piles"]
    (today,) = (each for each in piles if each["kind"] == "owed-today")
    assert (today["amount"], today["may_be_debited"]) == ("68000000", "20000000")
    assert today["on_the_way"] == "48000000"
