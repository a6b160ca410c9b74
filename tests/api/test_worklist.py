"""What each reads every morning: piles by role, exact counts, nobody else's names."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from api.morning.worklist import FINDERS
from api.words import FACTS, NOTES, PILES
from registry.canonical import Json
from registry.model import Role
from tests.api.local import street
from tests.api.served import DIGEST, Street
from tests.api.test_maturity import adopt, gv01, report
from tests.builders import ORIGIN, admission, instant, key_of, possession_proof
from tests.dealings import PAID, SIGNED, apply_body, early_body, quote_body, receipt

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}
RULING: dict[str, Json] = {"authority": "重庆市大渡口区人民法院", "number": DIGEST, "order": FILE}


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """A ledger of each test's own: what waits depends on the day."""
    with street(tmp_path_factory.mktemp("town")) as made:
        yield made


def piles(town: Street, by: str) -> dict[str, dict[str, Any]]:
    return {pile["kind"]: pile for pile in town.client.worklist(town.ids[by])["piles"]}


def move_to(town: Street, day: str) -> None:
    """Moves the manual clock to nine in the morning of a day."""
    time = instant(date.fromisoformat(day))
    town.do("operator", "clock.set", {"time": time})
    town.client._clock = lambda: time


def issued(town: Street, **changes: Json) -> str:
    """Issues a voucher, not yet accepted."""
    return town.do("core", "voucher.issue", town.issue_body(**changes)).sid


def accepted(town: Street, **changes: Json) -> str:
    voucher = issued(town, **changes)
    payee: dict[str, Json] = {"account": town.accounts["s1"], "collection_route": True}
    town.do("s1", "voucher.accept", payee, re=voucher)
    return voucher


class TestHoldersAndDebtors:
    def test_nothing_waits_on_a_new_ledger(self, town: Street) -> None:
        for name in ("operator", "core", "s1", "factor", "bank", "trustee", "auditor"):
            assert piles(town, name) == {}

    def test_a_voucher_waits_for_its_creditor_and_at_its_debtor(self, town: Street) -> None:
        first = issued(town, face="100000000")
        issued(town, face="50000000")
        waiting = piles(town, "s1")["vouchers-to-accept"]
        assert (waiting["count"], waiting["amount"]) == (2, "150000000")
        line = next(line for line in waiting["lines"] if line["id"] == first)
        assert (line["party"], line["amount"], line["on"]) == (
            town.ids["core"],
            "100000000",
            "2025-07-10",
        )
        assert piles(town, "core")["not-yet-accepted"]["count"] == 2
        assert piles(town, "s2") == {}

    def test_an_offer_waits_for_its_assignee_alone(self, town: Street) -> None:
        voucher = accepted(town)
        body = town.offer_body(f"{voucher}.0", 250, "s2")
        offer = town.do("s1", "transfer.offer", body).sid
        (line,) = piles(town, "s2")["offers-to-answer"]["lines"]
        assert (line["id"], line["amount"], line["about"]) == (offer, "250", "settle")
        assert "offers-to-answer" not in piles(town, "s1")
        assert piles(town, "operator")["all-unanswered"]["count"] == 1

    def test_a_financing_waits_for_whoever_has_the_next_word(self, town: Street) -> None:
        lot = f"{accepted(town)}.0"
        body = apply_body(town, lot)
        made = town.do("s1", "financing.apply", body).sid
        (line,) = piles(town, "factor")["financings-to-quote"]["lines"]
        assert (line["id"], line["party"], line["about"]) == (made, town.ids["s1"], "forward")
        town.do("factor", "financing.quote", quote_body(town), re=made)
        assert "financings-to-quote" not in piles(town, "factor")
        assert piles(town, "s1")["financings-to-sign"]["count"] == 1
        town.do("s1", "financing.contract", SIGNED, re=made)
        assert "financings-to-sign" not in piles(town, "s1")
        assert piles(town, "factor")["financings-to-fulfil"]["lines"][0]["id"] == made
        town.do("factor", "financing.pay", PAID, re=made)
        assert "financings-to-fulfil" not in piles(town, "factor")
        assert piles(town, "s1")["financings-to-receive"]["amount"] == body["amount"]
        town.do("s1", "financing.receive", receipt(), re=made)
        assert not {kind for name in ("s1", "factor") for kind in piles(town, name)} & {
            "financings-to-receive", "financings-to-fulfil",
        }  # fmt: skip

    def test_an_early_payment_waits_for_the_holder(self, town: Street) -> None:
        lot = f"{accepted(town)}.0"
        offer = town.do("core", "early.offer", early_body(lot)).sid
        (line,) = piles(town, "s1")["early-to-answer"]["lines"]
        assert (line["id"], line["party"], line.get("note", "")) == (offer, town.ids["core"], "")
        town.do("s1", "early.consent", {}, re=offer)
        (line,) = piles(town, "s1")["early-to-answer"]["lines"]
        assert line["note"] == "agreed"
        town.do("s1", "early.receive", receipt(), re=offer)
        assert "early-to-answer" not in piles(town, "s1")

    def test_fr_11_a_notice_is_late_after_three_working_days(self, town: Street) -> None:
        voucher = accepted(town)
        town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        # 2025-07-01 is a Tuesday: three working days before Friday begin on it, and not later.
        for day, late in (("2025-07-02", 0), ("2025-07-04", 0), ("2025-07-07", 1)):
            move_to(town, day)
            pile = piles(town, "core")["notices-to-acknowledge"]
            assert (pile["count"], pile["amount"], pile.get("late", 0)) == (1, "600", late)
        assert piles(town, "s2")["not-yet-acknowledged"]["amount"] == "600"
        assert piles(town, "operator")["all-unacknowledged"]["count"] == 1
        notice = pile["lines"][0]["id"]
        town.do("core", "notice.acknowledge", {"notices": [notice]})
        assert "notices-to-acknowledge" not in piles(town, "core")
        assert "not-yet-acknowledged" not in piles(town, "s2")
        assert "all-unacknowledged" not in piles(town, "operator")

    def test_what_is_due_is_soon_then_today_then_overdue(self, town: Street) -> None:
        # A Saturday: it is paid on Monday the 22nd.
        accepted(town, due_on="2025-12-20", face="70000")
        asked = {
            "2025-12-18": None,
            "2025-12-19": ("owed-soon", "paid-soon", "matures-soon"),
            "2025-12-21": ("owed-soon", "paid-soon", "matures-soon"),
            "2025-12-22": ("owed-today", "paid-today", "matures-today"),
            "2025-12-23": ("overdue", "unpaid", "all-overdue"),
        }
        of_time = {kind for kinds in asked.values() if kinds for kind in kinds}
        for day, kinds in asked.items():
            move_to(town, day)
            for name, at in (("core", 0), ("s1", 1), ("operator", 2)):
                found = piles(town, name)
                assert set(found) & of_time == ({kinds[at]} if kinds else set())
                if kinds:
                    assert found[kinds[at]]["amount"] == "70000"

    def test_funding_is_what_may_be_debited(self, town: Street) -> None:
        accepted(town, due_on="2025-12-19", face="70000")
        move_to(town, "2025-12-19")
        assert piles(town, "core")["owed-today"]["may_be_debited"] == "70000"
        town.do("bank", "account.freeze", RULING, re=town.accounts["core"])
        pile = piles(town, "core")["owed-today"]
        assert (pile["may_be_debited"], pile["lines"][0]["note"]) == ("0", "no-debit")
        assert piles(town, "operator")["matures-today"]["may_be_debited"] == "0"
        assert piles(town, "bank")["frozen-accounts"]["count"] == 1

    def test_fr_06_a_debtor_reads_that_its_limit_is_near(self, town: Street) -> None:
        limit: dict[str, Json] = {"party": town.ids["core"], "amount": "1000", "basis": FILE}
        town.do("registrar", "limit.set", limit)
        accepted(town, face="899")
        assert "near-limit" not in piles(town, "core")
        accepted(town, face="1")
        pile = piles(town, "core")["near-limit"]
        assert (pile["amount"], pile["limit"], pile["lines"][0]["note"]) == (
            "900",
            "1000",
            "near-limit",
        )
        accepted(town, face="100")
        for name, kind in (("core", "near-limit"), ("operator", "all-limits")):
            assert piles(town, name)[kind]["lines"][0]["note"] == "at-limit"

    def test_rg_09_an_overdue_debtor_is_to_be_stopped_until_it_is(self, town: Street) -> None:
        accepted(town, due_on="2025-12-19", face="70000")
        move_to(town, "2025-12-22")
        (line,) = piles(town, "registrar")["to-stop"]["lines"]
        assert (line["party"], line["amount"]) == (town.ids["core"], "70000")
        stop: dict[str, Json] = {"party": town.ids["core"], "reason": "overdue", "evidence": FILE}
        town.do("registrar", "issuance.stop", stop)
        assert "to-stop" not in piles(town, "registrar")
        assert piles(town, "core")["stopped"]["lines"][0]["about"] == "overdue"

    def test_a_dispute_waits_for_the_original_creditor(self, town: Street) -> None:
        voucher = accepted(town)
        body: dict[str, Json] = {"amount": "12000000", "terms": DIGEST}
        dispute = town.do("core", "dispute.raise", body, re=voucher).sid
        assert piles(town, "s1")["disputes-to-answer"]["lines"][0]["id"] == dispute
        town.do("s1", "dispute.answer", {"terms": DIGEST}, re=dispute)
        assert "disputes-to-answer" not in piles(town, "s1")

    def test_pf_01_a_voiding_waits_for_whoever_holds_all(self, town: Street) -> None:
        voucher = accepted(town)
        went = town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        voiding = town.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
        # Two hold parts: neither can agree, and so nothing waits for either.
        assert not any("voidings-to-answer" in piles(town, name) for name in ("s1", "s2", "core"))
        town.transfer(f"{went}.2", 600, by="s2", to="s1")
        pile = piles(town, "s1")["voidings-to-answer"]
        (line,) = pile["lines"]
        assert (line["id"], line["party"]) == (voiding, town.ids["core"])
        assert pile["amount"] == line["amount"] == "100000000"
        assert not any("voidings-to-answer" in piles(town, name) for name in ("s2", "core"))
        other = accepted(town)
        town.do("core", "voucher.void", {"ground": FILE}, re=other)
        assert piles(town, "s1")["voidings-to-answer"]["count"] == 2
        # Half of it is another's: nobody can agree any more.
        town.transfer(f"{other}.0", 600, by="s1", to="s2")
        assert piles(town, "s1")["voidings-to-answer"]["count"] == 1

    def test_a_co_debtor_may_be_refused_and_a_notice_revoked(self, town: Street) -> None:
        """RG-23 and RG-19: what waits for the creditor, and for the assignee."""
        voucher = accepted(town)
        joining: dict[str, Json] = {
            "scope": "full", "addressee": "holders", "resolution": FILE, "refuse_by": "2025-07-20"
        }  # fmt: skip
        joined = town.do("s3", "voucher.accede", joining, re=voucher).sid
        (line,) = piles(town, "s1")["accessions-to-refuse"]["lines"]
        assert (line["id"], line["party"], line["on"]) == (joined, town.ids["s3"], "2025-07-20")
        offer = town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        # Two hold parts now: neither alone is the creditor of all.
        assert not any("accessions-to-refuse" in piles(town, name) for name in ("s1", "s2"))
        body: dict[str, Json] = {"notice": f"{offer}.2!0", "ground": FILE}
        wish = town.do("s1", "notice.revoke", body).sid
        (line,) = piles(town, "s2")["revocations-to-agree"]["lines"]
        assert (line["id"], line["party"], line["amount"]) == (wish, town.ids["s1"], "600")
        assert "revocations-to-agree" not in piles(town, "s1")
        town.do("s2", "notice.agree-revoke", {}, re=wish)
        assert "revocations-to-agree" not in piles(town, "s2")

    def test_a_pledge_waits_to_be_registered_and_a_freeze_is_shown(self, town: Street) -> None:
        voucher = accepted(town, due_on="2025-12-19")
        body: dict[str, Json] = {
            "lot": f"{voucher}.0",
            "amount": "60000000",
            "pledgee": town.ids["factor"],
            "secured": "50000000",
            "account": town.accounts["factor"],
            "register_by": "2025-07-15",
            "terms": DIGEST,
        }
        pledge = town.do("s1", "pledge.create", body).sid
        (line,) = piles(town, "factor")["pledges-to-register"]["lines"]
        assert (line["id"], line["on"]) == (pledge, "2025-07-15")
        town.do("registrar", "lot.freeze", {**RULING, "lot": f"{pledge}.1"})
        assert piles(town, "registrar")["court-orders"]["lines"][0]["id"] == "frozen"
        move_to(town, "2025-12-19")
        notes = {line.get("note") for line in piles(town, "s1")["paid-today"]["lines"]}
        assert notes == {"frozen", None}

    def test_a_statement_waits_for_a_second_person(self, town: Street) -> None:
        for person, duty in (("ma", "maker"), ("chen", "checker")):
            key = key_of(f"s1 {person}")
            proof = possession_proof(key, origin=ORIGIN, party=town.ids["s1"])
            body: dict[str, Json] = {
                "key": dict(key.public.jwk()),
                "use": "sign",
                "proof": proof,
                "hand": {"person": person, "duty": duty},
            }
            town.do("s1", "key.add", body)
        rule: dict[str, Json] = {"kind": "transfer.offer", "approvals": 1, "final": False}
        town.do("s1", "party.policy", {"hours": 24, "rules": [rule]})
        offer = town.offer_body(f"{accepted(town)}.0", 100, "s2")
        text = town.sign("s1", "transfer.offer", offer, key=key_of("s1 ma"))
        made = town.client.submit(text)
        (line,) = piles(town, "s1")["approvals"]["lines"]
        assert (line["id"], line["about"], line["amount"]) == (made.sid, "transfer.offer", "100")
        (line,) = piles(town, "operator")["all-approvals"]["lines"]
        assert line == {"id": "transfer.offer", "count": 1}

    def test_who_asked_twice_to_be_admitted_waits_until_it_is(self, town: Street) -> None:
        town.name("new", 905)
        body: dict[str, Json] = {"name": "新供应商", "key": dict(key_of("new").public.jwk())}
        asked = [town.do("new", "party.register", body).sid for _ in range(2)]
        assert piles(town, "registrar")["to-admit"]["count"] == 2
        town.do("registrar", "party.admit", admission("participant"), re=asked[0])
        assert "to-admit" not in piles(town, "registrar")


class TestBanksAndTrustees:
    def test_a_batch_is_confirmed_and_what_a_vehicle_misses_arrives(self, town: Street) -> None:
        voucher = accepted(town, due_on="2025-12-19", face="1000")
        financed = town.do(
            "s1",
            "transfer.offer",
            town.offer_body(f"{voucher}.0", 400, "factor", purpose="finance", terms=DIGEST),
        ).sid
        town.accept("factor", financed)
        sold = town.do(
            "factor",
            "transfer.offer",
            town.offer_body(
                f"{financed}.2",
                400,
                "trustee#T1",
                purpose="securitise",
                form="sale-to-plan",
                terms=DIGEST,
            ),
        ).sid
        town.accept("trustee#T1", sold)
        move_to(town, "2025-12-19")
        held = piles(town, "trustee")
        assert held["paid-today"]["amount"] == "400"
        body = town.client.get("/v1/clearing/proposals/2025-12-19", by=town.ids["operator"])
        plan = town.do("operator", "clearing.plan", body).sid
        pile = piles(town, "trustee")["received"]
        assert (pile["amount"], pile["received"], pile["missing"]) == ("400", "0", "400")
        assert piles(town, "operator")["matures-today"]["lines"][0]["note"] == "planned"
        assert (piles(town, "bank")["batches"]["count"]) == 2
        rows = town.client.pages("/v1/clearing/instructions", by=town.ids["bank"], plan=plan)
        mine = next(row for row in rows if row["amount"] == "400")
        item: dict[str, Json] = {
            "instruction": mine["n"],
            "amount": "400",
            "status": "posted",
        }
        town.do("bank", "clearing.report", {"items": [item]}, re=plan)
        pile = piles(town, "trustee")["received"]
        assert (pile["amount"], pile["received"], pile["missing"]) == ("400", "400", "0")
        assert piles(town, "bank")["batches"]["amount"] == "600"

    def test_what_went_wrong_waits_for_its_bank_and_who_owes_because_of_it(
        self, town: Street
    ) -> None:
        gv01(town, route="tiered", top_up=True)
        move_to(town, "2025-12-19")
        plan = adopt(town)
        report(town, plan, "posted", "s1", "s2")
        report(town, plan, "rejected", "s3")
        pile = piles(town, "bank")["payments-refused"]
        assert (pile["count"], pile["amount"]) == (1, "25000000")
        assert pile["lines"][0]["note"] == "rejected"
        (line,) = piles(town, "operator")["all-refused"]["lines"]
        assert (line["id"], line["party"], line["count"]) == (plan, town.ids["bank"], 1)
        town.do("operator", "clearing.close", {"expired": 0, "stuck": 3}, re=plan)
        for name, kind in (("bank", "payments-stuck"), ("operator", "all-stuck")):
            pile = piles(town, name)[kind]
            assert (pile["count"], pile["amount"]) == (3, "65000000")
        assert "payments-refused" not in piles(town, "bank")

    def test_what_is_owed_waits_for_both_sides(self, town: Street) -> None:
        gv01(town, route="direct")
        move_to(town, "2025-12-19")
        plan = adopt(town)
        report(town, plan, "posted")
        report(town, plan, "returned", "trustee#T1")
        for name, kind in (("core", "to-pay"), ("trustee", "to-receive")):
            (line,) = piles(town, name)[f"obligations-{kind}"]["lines"]
            assert (line["id"], line["about"], line["amount"]) == (plan, "again", "20000000")
        (line,) = piles(town, "operator")["all-obligations"]["lines"]
        assert line == {"id": "again", "about": "again", "count": 1, "amount": "20000000"}
        assert "obligations-to-pay" not in piles(town, "s1")

    def test_money_waits_to_be_divided(self, town: Street) -> None:
        gv01(town, route="direct")
        move_to(town, "2025-12-19")
        body: dict[str, Json] = {"account": town.accounts["core"], "amount": "70000001"}
        fund = town.do("bank", "clearing.fund", body).sid
        (line,) = piles(town, "operator")["funds-to-divide"]["lines"]
        assert (line["id"], line["party"], line["amount"]) == (fund, town.ids["core"], "70000001")
        found = town.client.get(f"/v1/clearing/funds/{fund}/proposal", by=town.ids["operator"])
        town.do("operator", "clearing.apportion", found, re=fund)
        assert "funds-to-divide" not in piles(town, "operator")

    def test_an_account_waits_for_its_bank(self, town: Street) -> None:
        body: dict[str, Json] = {
            "bank": town.ids["bank"], "account_kind": "settlement", "terms": DIGEST,
        }  # fmt: skip
        account = town.do("s2", "account.register", body).sid
        (line,) = piles(town, "bank")["accounts-to-verify"]["lines"]
        assert (line["id"], line["party"]) == (account, town.ids["s2"])


class TestWhoSeesWhat:
    def test_the_operator_reads_counts_and_no_holder(self, town: Street) -> None:
        voucher = accepted(town, due_on="2025-12-19")
        town.transfer(f"{voucher}.0", 600, by="s1", to="s2")
        issued(town)
        move_to(town, "2025-12-22")
        for name in ("operator", "auditor", "registrar"):
            found = town.client.worklist(town.ids[name])
            text = json.dumps(found["piles"])
            assert found["piles"]
            assert not any(town.ids[holder] in text for holder in ("s1", "s2", "s3"))


def test_every_pile_and_note_has_words_in_both_languages() -> None:
    for table in (PILES, FACTS, NOTES):
        assert all(zh and en for zh, en in table.values())
    assert set(FINDERS) == set(Role)
    assert len({finder for finders in FINDERS.values() for finder in finders}) == len(PILES)
