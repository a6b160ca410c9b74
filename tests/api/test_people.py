"""People over the application: what waits, who sees it, what is flagged."""

from typing import Any

import pytest

from api.client import RefusedError
from registry.canonical import Json
from tests.api.served import DIGEST, Street
from tests.builders import ORIGIN, key_of, possession_proof

HANDS: dict[str, dict[str, Json]] = {
    "ma": {"person": "ma", "duty": "maker"},
    "chen": {"person": "chen", "duty": "checker", "limit": "50"},
}
FILE: dict[str, Json] = {"digest": DIGEST, "name": "evidence.pdf"}


def staffed(town: Street, name: str, *kinds: str) -> None:
    """Gives a party a maker and a checker, whom these kinds need."""
    for person, hand in HANDS.items():
        key = key_of(f"{name} {person}")
        proof = possession_proof(key, origin=ORIGIN, party=town.ids[name])
        body: dict[str, Json] = {"key": dict(key.public.jwk()), "use": "sign", "proof": proof}
        town.do(name, "key.add", {**body, "hand": hand})
    rules: list[Json] = [{"kind": kind, "approvals": 1, "final": False} for kind in sorted(kinds)]
    town.do(name, "party.policy", {"hours": 24, "rules": rules})


def by(town: Street, name: str, person: str, kind: str, body: Any = None, re: str = "") -> str:
    """Signs as a party's person."""
    key = key_of(f"{name} {person}")
    return town.sign(name, kind, body or {}, re=re or None, key=key)


class TestPeople:
    def test_a_statement_waits_is_listed_and_approved(self, town: Street) -> None:
        town.admit("p1", "participant")
        staffed(town, "p1", "account.register")
        body = {"bank": town.ids["bank"], "account_kind": "settlement", "terms": DIGEST}
        text = by(town, "p1", "ma", "account.register", body)
        made = town.client.submit(text)
        assert (made.status, made.approval) == (201, {"status": "pending"})
        (row,) = town.client.pages("/v1/pending", by=town.ids["p1"])
        assert (row["statement"], row["kind"], row["person"]) == (
            made.sid,
            "account.register",
            "ma",
        )
        assert (row["body"], row["approved_by"]) == (body, [])
        assert "text" not in row
        for other in ("s1", "bank", "operator", "registrar"):
            assert list(town.client.pages("/v1/pending", by=town.ids[other])) == []
        again = town.client.submit(text)
        assert (again.status, again.approval) == (200, {"status": "pending"})
        done = town.client.submit(by(town, "p1", "chen", "approve", re=made.sid))
        assert [c["effect"] for c in done.effects["changes"]] == [
            "statement-approved",
            "account-registered",
        ]
        after = town.client.submit(text)
        assert after.approval == {"status": "approved", "index": done.index}
        (line,) = town.client.submit_many([text])
        assert (line.status, line.approval) == (200, after.approval)
        # The bank keeps the account, so it sees both the statement and its approval.
        for sid in (made.sid, done.sid):
            found = town.client.get(f"/v1/statements/{sid}", by=town.ids["bank"])
            assert found["sid"] == sid
        read = town.client.get(f"/v1/statements/{made.sid}", by=town.ids["p1"])
        assert read["approval"] == after.approval
        with pytest.raises(RefusedError):
            town.client.get(f"/v1/statements/{done.sid}", by=town.ids["s3"])

    def test_maker_is_checker_is_forbidden(self, town: Street) -> None:
        town.admit("p2", "participant")
        staffed(town, "p2", "account.register")
        body = {"bank": town.ids["bank"], "account_kind": "settlement", "terms": DIGEST}
        made = town.client.submit(by(town, "p2", "ma", "account.register", body))
        with pytest.raises(RefusedError) as refused:
            town.client.submit(by(town, "p2", "ma", "approve", re=made.sid))
        assert (refused.value.status, refused.value.code) == (403, "duty-missing")

    def test_a_lot_of_an_offer_that_waited_is_found_as_of_then(self, town: Street) -> None:
        town.admit("p3", "participant")
        town.bank_account("p3")
        offer = town.transfer(f"{town.issue()}.0", 40, by="s1", to="p3")
        staffed(town, "p3", "transfer.offer")
        body = town.offer_body(f"{offer}.2", 10, "s2")
        made = town.client.submit(by(town, "p3", "ma", "transfer.offer", body))
        done = town.client.submit(by(town, "p3", "chen", "approve", re=made.sid))
        path, as_of = f"/v1/lots/{made.sid}.0", done.index + 1
        assert town.client.get(path, by=town.ids["p3"], as_of=as_of)["amount"] == "10"
        found = town.client.get(f"/v1/statements/{made.sid}", by=town.ids["s2"])
        assert found["approval"]["status"] == "approved"

    def test_a_statement_by_a_suspect_key_is_flagged_and_stands(self, town: Street) -> None:
        town.admit("p4", "participant")
        body: dict[str, Json] = {
            "bank": town.ids["bank"], "account_kind": "settlement", "terms": DIGEST,
        }  # fmt: skip
        before = town.do("p4", "account.register", body)
        after = town.do("p4", "account.register", body)
        kid = key_of("p4").public.kid
        ended = town.do("p4", "key.revoke", {"kid": kid, "suspect_from": after.index})
        read = town.client.get(f"/v1/statements/{after.sid}", by=town.ids["bank"])
        assert read["suspect"] == {
            "kid": kid, "suspect_from": after.index, "revoked": ended.index,
        }  # fmt: skip
        clean = town.client.get(f"/v1/statements/{before.sid}", by=town.ids["bank"])
        assert "suspect" not in clean

    def test_who_acts_in_a_party_is_its_own_affair(self, town: Street) -> None:
        town.admit("p5", "participant")
        staffed(town, "p5", "account.register")
        path = f"/v1/parties/{town.ids['p5']}"
        for name in ("p5", "auditor", "registrar"):
            found = town.client.get(path, by=town.ids[name])
            assert {key.get("person") for key in found["keys"]} == {None, "ma", "chen"}
            assert found["evidence"] == [DIGEST]
        found = town.client.get(path, by=town.ids["s1"])
        assert found["binding"] == "in-person"
        hidden = {"evidence", "manual_review", "policy", "person", "duty", "limit"}
        assert not hidden & {*found, *(name for key in found["keys"] for name in key)}

    def test_affiliations_are_for_whoever_counts_with_them(self, town: Street) -> None:
        first, second = sorted((town.ids["s1"], town.ids["s2"]))
        body: dict[str, Json] = {"first": first, "second": second, "basis": "control"}
        town.do("registrar", "affiliation.declare", {**body, "evidence": FILE})
        for name, count in (("factor", 1), ("s1", 1), ("s3", 0), ("auditor", 1)):
            found = list(town.client.pages("/v1/affiliations", by=town.ids[name]))
            assert len(found) == count
        assert list(town.client.pages("/v1/affiliations", by=town.ids["factor"], party=second))
