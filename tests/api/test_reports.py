"""Reports: figures by hand, checks that fail on a planted fault, and who may ask."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from api.client import RefusedError
from api.comparing import compare
from api.files import unpack_zip
from api.visibility import changes_of
from registry.canonical import Json
from registry.proofs import verify_snapshot
from tests.api.local import street
from tests.api.served import DIGEST, Street
from tests.builders import ORIGIN, instant, key_of

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A ledger of each test's own."""
    with street(tmp_path_factory.mktemp("town")) as made:
        yield made


def report(town: Street, name: str, *, by: str = "auditor", **params: Any) -> dict[str, Any]:
    return dict(town.client.get(f"/v1/reports/{name}", by=town.ids[by], **params))


def agrees(found: dict[str, Any]) -> bool:
    assert found["checks"]
    return all(check["agrees"] for check in found["checks"])


def move_to(town: Street, day: str) -> None:
    time = instant(date.fromisoformat(day))
    town.do("operator", "clock.set", {"time": time})
    town.client._clock = lambda: time


def accepted(town: Street, by: str = "core", **changes: Json) -> str:
    own: dict[str, Json] = {"account": town.accounts[by], "mandate": town.mandates[by]}
    voucher = town.do(by, "voucher.issue", town.issue_body(**{**own, **changes})).sid
    payee: dict[str, Json] = {"account": town.accounts["s1"], "collection_route": True}
    town.do("s1", "voucher.accept", payee, re=voucher)
    return voucher


def financed(town: Street, lot: str, amount: int, *, by: str) -> str:
    body = town.offer_body(lot, amount, "factor", purpose="finance", terms=DIGEST)
    offer = town.do(by, "transfer.offer", body).sid
    town.accept("factor", offer)
    return offer


def clear(town: Street, due_on: str) -> str:
    """Adopts a due date's plan; nothing of it is confirmed."""
    body = town.client.get(f"/v1/clearing/proposals/{due_on}", by=town.ids["operator"])
    return town.do("operator", "clearing.plan", body).sid


class TestOutstanding:
    def test_fr_06_debtors_and_groups_stand_against_their_limits(self, town: Street) -> None:
        limit: dict[str, Json] = {"party": town.ids["core"], "amount": "1200", "basis": FILE}
        town.do("registrar", "limit.set", limit)
        accepted(town, face="700")
        town.do("core", "voucher.issue", town.issue_body(face="300"))
        accepted(town, by="s2", face="50")
        first, second = sorted((town.ids["core"], town.ids["s2"]))
        pair: dict[str, Json] = {"first": first, "second": second, "basis": "control"}
        town.do("registrar", "affiliation.declare", {**pair, "evidence": FILE})
        found = report(town, "outstanding")
        group, core, s2 = found["data"]
        assert (group["of"], group["outstanding"]) == ("group", "1050")
        assert (core["name"], core["outstanding"], core["limit"], core["used"]) == (
            "core",
            "1000",
            "1200",
            "83.33",
        )
        assert s2["outstanding"] == "50"
        assert "limit" not in s2
        assert found["totals"] == {"debtors": 2, "outstanding": "1050"}
        # The second check but one: 700 and 50 are effective, 300 is not accepted yet.
        assert [check["here"] for check in found["checks"]] == ["1050", "0", "750"]
        assert agrees(found)

    def test_an_older_size_tells_what_was_then(self, town: Street) -> None:
        accepted(town, face="700")
        size = town.client.get("/v1/ledger")["size"]
        accepted(town, face="300")
        assert report(town, "outstanding", as_of=size)["totals"]["outstanding"] == "700"
        assert agrees(report(town, "outstanding", as_of=size))
        assert report(town, "outstanding")["totals"]["outstanding"] == "1000"


class TestOverdue:
    def test_tr_07_days_past_the_pay_date_fall_into_buckets(self, town: Street) -> None:
        # Due on a Saturday: paid, and late, from Monday the 22nd on.
        accepted(town, due_on="2025-12-20", face="700")
        accepted(town, due_on="2026-01-19", face="30")
        asked = {
            "2025-12-22": {},
            "2025-12-23": {"1-30": "700"},
            "2026-01-20": {"1-30": "730"},
            "2026-01-22": {"1-30": "30", "31-60": "700"},
            "2026-04-30": {">90": "730"},
        }
        for day, expected in asked.items():
            move_to(town, day)
            found = report(town, "overdue")
            assert agrees(found)
            told = {
                name: amount
                for row in found["data"]
                for name, amount in row.items()
                if name[0] in "136>" and amount != "0"
            }
            assert told == expected


class TestSplitting:
    def test_rg_06_lots_are_counted_by_assignments_tier_and_parts(self, town: Street) -> None:
        voucher = accepted(town, face="1000")
        passed = town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        financed(town, f"{passed}.2", 200, by="s2")
        accepted(town, face="70")
        found = report(town, "splitting")
        told = {(row["by"], row["value"]): (row["number"], row["amount"]) for row in found["data"]}
        assert told == {
            ("assignments", 0): (2, "470"),
            ("assignments", 1): (1, "400"),
            ("assignments", 2): (1, "200"),
            ("parts", 1): (1, "70"),
            ("parts", 3): (1, "1000"),
            ("tier", 1): (2, "470"),
            ("tier", 2): (2, "600"),
        }
        assert found["totals"] == {
            "lots": 4, "vouchers": 2, "amount": "1070", "smallest_amount": "70",
        }  # fmt: skip
        assert agrees(found)

    def test_fr_11_notices_without_acknowledgement_by_recipient(self, town: Street) -> None:
        voucher = accepted(town, face="1000")
        first = town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        move_to(town, "2025-07-07")
        town.transfer(f"{first}.2", 100, by="s2", to="s3")
        found = report(town, "unacknowledged")
        (row,) = found["data"]
        assert (row["name"], row["notices"], row["amount"], row["late"], row["oldest"]) == (
            "core", 2, "700", 1, "2025-07-01",
        )  # fmt: skip
        assert agrees(found)
        notices: list[Json] = [f"{first}.2!0"]
        town.do("core", "notice.acknowledge", {"notices": notices})
        assert report(town, "unacknowledged")["totals"] == {
            "notices": 1, "amount": "100", "late": 0,
        }  # fmt: skip


def a_day(town: Street) -> None:
    """A day before, on which 500 are issued, and a day on which everything happens."""
    before = accepted(town, face="500", due_on="2025-07-31")
    offer = town.do("s1", "transfer.offer", town.offer_body(
        f"{before}.0", 120, "factor", purpose="finance", terms=DIGEST, accept_by="2025-07-20")
    ).sid  # fmt: skip
    move_to(town, "2025-07-02")
    town.accept("factor", offer)
    voucher = accepted(town, face="1000")
    town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
    town.do("core", "voucher.issue", town.issue_body(face="9"))
    held = accepted(town, face="40")
    proposed = town.do("core", "voucher.void", {"ground": FILE}, re=held)
    town.do("s1", "voucher.agree-void", {"lots": [f"{held}.0"]}, re=proposed.sid)


class TestDaily:
    def test_rg_10_the_day_is_told_by_debtor_and_reconciles(self, town: Street) -> None:
        a_day(town)
        found = report(town, "daily", day="2025-07-02")
        told = {row["measure"]: (row["number"], row["amount"]) for row in found["data"]}
        assert told == {
            "opening": (1, "500"),
            "issued": (3, "1049"),
            "effective": (2, "1040"),
            "settle": (1, "600"),
            "finance": (1, "120"),
            "cancelled": (1, "40"),
            "closing": (2, "1500"),
        }
        assert found["checks"][0]["here"] == found["checks"][0]["there"] == "1500"
        assert agrees(found)
        # The days follow one another: what one closes with, the next opens with.
        yesterday = report(town, "daily", day="2025-07-01")
        assert yesterday["totals"]["closing"] == found["totals"]["opening"] == "500"
        entries = [report(town, "daily", day=day)["totals"] for day in ("2025-07-01", "2025-07-02")]
        size = town.client.get("/v1/ledger")["size"]
        assert entries[0]["entries"] + entries[1]["entries"] == size
        assert entries[1]["first_entry"] == entries[0]["entries"]

    def test_what_is_paid_and_overdue_is_told(self, town: Street) -> None:
        accepted(town, face="500", due_on="2025-07-31")
        accepted(town, face="70", due_on="2025-07-30")
        move_to(town, "2025-07-31")
        plan = clear(town, "2025-07-31")
        item: dict[str, Json] = {"instruction": 0, "amount": "500", "status": "posted"}
        town.do("bank", "clearing.report", {"items": [item]}, re=plan)
        found = report(town, "daily", day="2025-07-31")
        told = {row["measure"]: row["amount"] for row in found["data"]}
        assert told == {"opening": "570", "discharged": "500", "closing": "70", "overdue": "70"}
        assert agrees(found)

    def test_what_is_financed_by_contract_and_paid_early_is_told(self, town: Street) -> None:
        lot = f"{accepted(town, face='1000')}.0"
        before = report(town, "daily")["totals"]
        early: dict[str, Json] = {
            "lot": lot,
            "amount": "300",
            "terms": DIGEST,
            "pay_by": "2025-08-01",
        }
        made = town.do("core", "early.offer", early).sid
        town.do("s1", "early.consent", {}, re=made)
        paid = town.do("s1", "early.receive", {"receipt": FILE}, re=made).sid
        asked: dict[str, Json] = {
            "lot": f"{paid}.0",
            "amount": "500",
            "financier": town.ids["factor"],
            "mode": "forward",
            "recourse": False,
            "payment": "cash",
            "account": town.accounts["s1"],
            "close_by": "2025-08-01",
        }
        financing = town.do("s1", "financing.apply", asked).sid
        figures: dict[str, Json] = {"terms": DIGEST, "document": FILE}
        payee: dict[str, Json] = {"account": town.accounts["factor"], "collection_route": True}
        quote = {**figures, **payee, "payment": "cash"}
        town.do("factor", "financing.quote", quote, re=financing)
        town.do("s1", "financing.contract", figures, re=financing)
        town.do("factor", "financing.pay", {"form": "cash", "reference": DIGEST}, re=financing)
        town.do("s1", "financing.receive", {"receipt": FILE}, re=financing)
        found = report(town, "daily")
        gained = {
            name: int(found["totals"][name]) - int(before[name])
            for name in ("extinguished", "finance", "discharged", "closing")
        }
        assert gained == {"extinguished": 300, "finance": 500, "discharged": 0, "closing": -300}
        assert agrees(found)

    def test_a_day_that_forgets_an_effect_does_not_reconcile(
        self, town: Street, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        a_day(town)
        monkeypatch.setattr(
            "api.reports.daily.changes_of",
            lambda entry: (c for c in changes_of(entry) if c["effect"] != "voucher-voided"),
        )
        found = report(town, "daily", day="2025-07-02")
        assert [check["agrees"] for check in found["checks"]] == [False, False]


class TestStatement:
    def test_fr_04_a_debtors_statement_totals_are_the_ledgers(self, town: Street) -> None:
        voucher = accepted(town, face="1000")
        town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        mine = report(town, "statement", by="core")
        (row,) = mine["data"]
        assert (row["side"], row["id"], row["amount"]) == ("owed", voucher, "1000")
        assert mine["totals"] == {"owed": "1000", "held": "0", "lots": 0}
        assert agrees(mine)
        theirs = report(town, "statement", by="s2")
        assert [row["amount"] for row in theirs["data"]] == ["600"]
        assert report(town, "statement", by="s3")["data"] == []

    def test_fr_04_a_statement_is_checked_against_verified_snapshots(self, town: Street) -> None:
        voucher = accepted(town, face="1000")
        town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        town.do("trustee#T1", "snapshot.request", {})
        state = max(town.client.pages("/v1/states", by=town.ids["auditor"]), key=lambda s: s["at"])

        def holding(family: str, bucket: str, by: str) -> Any:
            path = f"/v1/snapshots/{family}/{bucket}/{state['index']}"
            files = unpack_zip(town.client.get_bytes(path, by=town.ids[by]))
            return verify_snapshot(files, origin=ORIGIN, key=key_of("log").public)

        me = town.ids["s2"]
        rows = report(town, "statement", by="s2", as_of=state["at"])["data"]
        held = compare(rows, holding("holder", me, "s2"), party=me)
        assert held is not None
        assert (held.agrees, held.said, held.proved) == (True, 600, 600)
        owed = compare(
            report(town, "statement", by="core", as_of=state["at"])["data"],
            holding("voucher", voucher, "auditor"),
            party=town.ids["core"],
        )
        assert owed is not None
        assert (owed.agrees, owed.proved) == (True, 1000)
        # A statement in which one fen was moved from lot to lot is found out.
        rows[0]["amount"] = "599"
        lied = compare([*rows, {**rows[0], "id": "x.0", "amount": "1"}],
                       holding("holder", me, "s2"), party=me)  # fmt: skip
        assert lied is not None
        assert (lied.agrees, lied.said, len(lied.differ)) == (False, 600, 2)
        assert compare(rows, holding("voucher", voucher, "auditor"), party=me) is None


class TestAlerts:
    def test_fr_05_a_claim_that_returns_to_an_earlier_holder_is_flagged(self, town: Street) -> None:
        voucher = accepted(town, face="1000")
        first = town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        second = town.transfer(f"{first}.2", 500, by="s2", to="s3")
        assert report(town, "alerts")["data"] == []
        third = town.transfer(f"{second}.2", 400, by="s3", to="s1")
        (row,) = report(town, "alerts")["data"]
        assert (row["alert"], row["id"], row["count"]) == ("circle", f"{third}.2", 3)
        assert row["holders"].split(" → ") == [town.ids[n] for n in ("s1", "s2", "s3", "s1")]
        (seen,) = report(town, "alerts", by="operator")["data"]
        assert "holders" not in seen

    def test_rg_06_more_than_five_transfers_of_a_voucher_in_a_day_are_flagged(
        self, town: Street
    ) -> None:
        voucher = accepted(town, face="1000")
        lot = f"{voucher}.0"
        for number in range(6):
            assert report(town, "alerts")["data"] == []
            offer = town.transfer(lot, 10 + number, by="s1", to="s2")
            lot = f"{offer}.1"
        (row,) = report(town, "alerts")["data"]
        assert (row["alert"], row["id"], row["count"]) == ("burst", voucher, 6)

    def test_rg_06_fr_05_the_policy_says_what_is_abnormal(self, town: Street) -> None:
        voucher = accepted(town, face="1000")
        first = town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        second = town.transfer(f"{first}.2", 500, by="s2", to="s3")
        third = town.transfer(f"{second}.2", 400, by="s3", to="s1")
        assert {row["alert"] for row in report(town, "alerts")["data"]} == {"circle"}
        for version, hops in ((2, 2), (3, 3)):
            alerts: dict[str, Json] = {"burst_transfers": 2, "burst_hours": 1, "circle_hops": hops}
            day = f"2025-07-0{version}"
            rules: dict[str, Json] = {"alerts": alerts, "pay_day": {"calendar": "tests"}}
            policy: dict[str, Json] = {"name": "plain", "version": version, "effective_on": day}
            town.do("operator", "policy.publish", {**policy, "rules": rules})
            move_to(town, day)
            # What takes effect is sealed with the next statement.
            accepted(town, face="1")
            found = report(town, "alerts")
            told = {(row["alert"], row["id"]) for row in found["data"]}
            circle = {("circle", f"{third}.2")} if hops == 3 else set()
            assert told == {("burst", voucher)} | circle
            assert found["totals"]["burst_transfers"] == 2
            assert found["totals"]["burst_hours"] == 1


class TestWhoAsks:
    @pytest.mark.parametrize("name", ["outstanding", "overdue", "splitting", "daily", "alerts"])
    def test_a_participant_gets_no_report_about_others(self, town: Street, name: str) -> None:
        for by in ("core", "s1", "factor", "bank", "trustee"):
            with pytest.raises(RefusedError) as refused:
                report(town, name, by=by)
            assert refused.value.code == "operation-not-allowed"

    def test_pages_follow_one_another_as_of_one_size(self, town: Street) -> None:
        for face in ("1", "2", "3"):
            accepted(town, face=face)
        first = report(town, "statement", by="core", limit=2)
        assert (len(first["data"]), first["has_more"], first["next"]) == (2, True, 2)
        accepted(town, face="4")
        rest = report(town, "statement", by="core", limit=2, after=2, as_of=first["as_of"])
        assert (len(rest["data"]), rest["has_more"]) == (1, False)
        assert sum(int(row["amount"]) for row in first["data"] + rest["data"]) == 6
