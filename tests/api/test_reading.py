"""Reading over the application: who sees what, as of when."""

from typing import Any

import pytest

from api.client import RefusedError
from registry.canonical import Json, b64url_encode
from registry.signing import jws_id
from tests.api.local import Local, code_of, raw
from tests.api.served import DIGEST, Street


class TestReading:
    def test_a_party_sees_its_own_lots_and_no_other(self, town: Street) -> None:
        lot = f"{town.issue()}.0"
        assert town.client.get(f"/v1/lots/{lot}", by=town.ids["s1"])["amount"] == "100000000"
        for other in ("s2", "factor", "bank", "operator", "core"):
            with pytest.raises(RefusedError) as refused:
                town.client.get(f"/v1/lots/{lot}", by=town.ids[other])
            assert (refused.value.status, refused.value.code) == (404, "not-found")
        assert town.client.get(f"/v1/lots/{lot}", by=town.ids["auditor"])["lot"] == lot

    def test_no_assignee_sees_another(self, town: Street) -> None:
        voucher = town.issue()
        first = town.transfer(f"{voucher}.0", 10, by="s1", to="s2")
        second = town.transfer(f"{first}.1", 20, by="s1", to="s3")
        pages = town.client.pages("/v1/lots", by=town.ids["s2"], voucher=voucher)
        assert [lot["lot"] for lot in pages] == [f"{first}.2"]
        for path in (f"/v1/lots/{second}.2", f"/v1/statements/{second}"):
            with pytest.raises(RefusedError) as refused:
                town.client.get(path, by=town.ids["s2"])
            assert refused.value.status == 404

    def test_an_acknowledgement_of_many_notices_shows_no_assignee_another(
        self, town: Street
    ) -> None:
        voucher = town.issue()
        first = town.transfer(f"{voucher}.0", 10, by="s1", to="s2")
        second = town.transfer(f"{first}.1", 20, by="s1", to="s3")
        notices = sorted(f"{sid}.2!0" for sid in (first, second))
        said = town.do("core", "notice.acknowledge", {"notices": [*notices]}).sid
        with pytest.raises(RefusedError):
            town.client.get(f"/v1/statements/{said}", by=town.ids["s2"])
        assert town.client.get(f"/v1/lots/{first}.2", by=town.ids["s2"])["acknowledged"]

    def test_a_consumed_lot_is_seen_as_of_then_by_who_held_it(self, town: Street) -> None:
        voucher = town.issue()
        size = town.client.get("/v1/ledger")["size"]
        town.transfer(f"{voucher}.0", 10, by="s1", to="s2")
        path = f"/v1/lots/{voucher}.0"
        assert town.client.get(path, by=town.ids["s1"], as_of=size)["lot"] == f"{voucher}.0"
        for by, as_of in (("s1", size + 2), ("s2", size)):
            with pytest.raises(RefusedError):
                town.client.get(path, by=town.ids[by], as_of=as_of)

    def test_a_voucher_is_seen_by_whoever_owes_holds_or_has_held_it(self, town: Street) -> None:
        voucher = town.issue()
        town.transfer(f"{voucher}.0", 100_000_000, by="s1", to="s2")
        for name in ("core", "s1", "s2", "auditor"):
            found = town.client.get(f"/v1/vouchers/{voucher}", by=town.ids[name])
            assert found["voucher"] == voucher
            assert "lot_salt" not in found
        for name in ("s3", "factor", "operator"):
            with pytest.raises(RefusedError):
                town.client.get(f"/v1/vouchers/{voucher}", by=town.ids[name])

    def test_a_voucher_is_seen_by_whoever_secures_it(self, town: Street) -> None:
        voucher = town.issue()
        with pytest.raises(RefusedError, match="not-found"):
            town.client.get(f"/v1/vouchers/{voucher}", by=town.ids["s3"])
        body: dict[str, Json] = {
            "right": "shortfall",
            "cap": "100",
            "document": {"digest": voucher, "name": "letter.pdf"},
            "promise": {"addressee": "holders", "trigger": "due"},
        }
        town.do("s3", "accessory.attach", body, re=voucher)
        assert town.client.get(f"/v1/vouchers/{voucher}", by=town.ids["s3"])["face"] == "100000000"

    def test_vouchers_of_a_debtor_are_listed_to_the_debtor(self, town: Street) -> None:
        voucher = town.issue()
        core, s3 = town.ids["core"], town.ids["s3"]
        mine = [v["voucher"] for v in town.client.pages("/v1/vouchers", by=core, debtor=core)]
        assert voucher in mine
        others = [v["voucher"] for v in town.client.pages("/v1/vouchers", by=s3, debtor=core)]
        assert voucher not in others

    def test_offers_are_seen_by_both_sides(self, town: Street) -> None:
        body = town.offer_body(f"{town.issue()}.0", 5, "s2")
        offer = town.do("s1", "transfer.offer", body).sid
        for name, sees in (("s1", True), ("s2", True), ("s3", False), ("core", False)):
            found = [o["offer"] for o in town.client.pages("/v1/offers", by=town.ids[name])]
            assert (offer in found) is sees
        to_s2 = town.client.pages("/v1/offers", by=town.ids["s2"], assignee=town.ids["s2"])
        assert offer in [row["offer"] for row in to_s2]

    def test_a_standing_consent_is_seen_by_its_party_and_nobody_else(self, town: Street) -> None:
        consent: dict[str, Any] = {
            "purpose": "finance",
            "assignors": [town.ids["s1"]],
            "account": town.accounts["factor"],
            "collection_route": True,
        }
        granted = town.do("factor", "consent.grant", consent)
        for name in ("factor", "s1", "s2", "core", "bank", "operator", "auditor"):
            by, sees = town.ids[name], name in ("factor", "auditor")
            found = [row["consent"] for row in town.client.pages("/v1/consents", by=by)]
            assert (granted.sid in found) is sees
            assert (town.client.statement(granted.sid, by=by) is not None) is sees
        # The assignor sees what became of its offer, and whose word made it so.
        body = town.offer_body(f"{town.issue()}.0", 5, "factor", purpose="finance", terms=DIGEST)
        offer = town.do("s1", "transfer.offer", body)
        for name, sees in (("s1", True), ("factor", True), ("s2", False), ("core", False)):
            seen = town.client.statement(offer.sid, by=town.ids[name])
            assert (seen is not None) is sees
            if seen is not None:
                assert seen.effects["changes"][0]["consent"] == granted.sid
        town.do("factor", "consent.withdraw", {}, re=granted.sid)
        assert list(town.client.pages("/v1/consents", by=town.ids["factor"])) == []

    def test_notices_are_in_the_recipient_s_inbox(self, town: Street) -> None:
        offer = town.transfer(f"{town.issue()}.0", 5, by="s1", to="s2")
        core, s1 = town.ids["core"], town.ids["s1"]
        inbox = town.client.pages("/v1/notices", by=core, acknowledged="false", limit=1000)
        assert f"{offer}.2!0" in [notice["notice"] for notice in inbox]
        assert list(town.client.pages("/v1/notices", by=s1, recipient=core)) == []

    def test_a_bank_sees_the_accounts_that_it_keeps(self, town: Street) -> None:
        kept = list(town.client.pages("/v1/accounts", by=town.ids["bank"]))
        assert {row["account"] for row in kept} >= set(town.accounts.values())
        mine = list(town.client.pages("/v1/accounts", by=town.ids["s1"]))
        assert [row["account"] for row in mine] == [town.accounts["s1"]]

    def test_a_trustee_sees_what_its_vehicle_has(self, town: Street) -> None:
        found = town.client.pages("/v1/accounts", by=town.ids["trustee"])
        assert [row["account"] for row in found] == [town.accounts["trustee#T1"]]

    def test_a_statement_resolves_an_unknown_outcome(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        sid = jws_id(text.encode())
        assert town.client.statement(sid, by=town.ids["core"]) is None
        sealed = town.client.submit(text)
        found = town.client.statement(sid, by=town.ids["core"])
        assert found is not None
        assert (found.index, found.leaf_hash) == (sealed.index, sealed.leaf_hash)
        assert town.client.statement(sid, by=town.ids["s1"]) is not None
        assert town.client.statement(sid, by=town.ids["s2"]) is None

    def test_pages_are_pinned_to_the_size_of_the_first(self, town: Street) -> None:
        core = town.ids["core"]
        for _ in range(5):
            town.issue()
        first = town.client.get("/v1/vouchers", by=core, limit=2)
        assert (len(first["data"]), first["has_more"]) == (2, True)
        town.issue()
        again = town.client.get("/v1/vouchers", by=core, limit=2, cursor=first["next"])
        assert again["as_of"] == first["as_of"]
        all_of = [v["voucher"] for v in town.client.pages("/v1/vouchers", by=core, limit=3)]
        assert len(all_of) == len(set(all_of))
        assert all_of == sorted(all_of)

    def test_refuses_a_cursor_of_another_list(self, town: Street) -> None:
        core = town.ids["core"]
        town.issue()
        cursor = town.client.get("/v1/vouchers", by=core, limit=1)["next"]
        for params in ({"debtor": core}, {"as_of": 3}):
            with pytest.raises(RefusedError) as refused:
                town.client.get("/v1/vouchers", by=core, cursor=cursor, **params)
            assert refused.value.code == "cursor-invalid"
        for odd in ("x", cursor[:-2], b64url_encode(b"{}")):
            with pytest.raises(RefusedError) as refused:
                town.client.get("/v1/vouchers", by=core, cursor=odd)
            assert refused.value.code == "cursor-invalid"

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("/v1/vouchers?colour=red", "parameter-unknown"),
            ("/v1/lots?debtor=x", "parameter-unknown"),
            ("/livez?x=1", "parameter-unknown"),
            ("/v1/vouchers?limit=101", "request-invalid"),
            ("/v1/vouchers?limit=0", "request-invalid"),
            ("/v1/vouchers?limit=1&limit=2", "request-invalid"),
            ("/v1/vouchers?as_of=999999", "request-invalid"),
            ("/v1/vouchers?as_of=2025-13-01", "request-invalid"),
            ("/v1/vouchers?as_of=-1", "request-invalid"),
        ],
    )
    def test_refuses_filters_that_there_are_not(self, town: Street, path: str, code: str) -> None:
        headers = town.client._authorisation(town.ids["auditor"])
        assert code_of(raw(town, "GET", path, headers=headers)) == (400, code)

    def test_a_date_is_told_as_of_its_start(self, town: Street) -> None:
        auditor = town.ids["auditor"]
        town.issue()
        before = town.client.get("/v1/vouchers", by=auditor, as_of="2025-07-01")
        after = town.client.get("/v1/vouchers", by=auditor, as_of="2025-07-02")
        assert (before["data"], before["as_of"]) == ([], 0)
        assert after["data"]

    def test_reading_needs_a_token(self, town: Street) -> None:
        response = raw(town, "GET", "/v1/lots")
        assert code_of(response) == (401, "token-missing")
        assert response.headers["www-authenticate"].startswith("Bearer")

    def test_refuses_a_token_by_a_signing_key(self, town: Street) -> None:
        client = town.client
        s1 = town.ids["s1"]
        kept = client.read_keys[s1]
        client.read_keys[s1] = client.keys[s1]
        client._tokens.clear()
        try:
            with pytest.raises(RefusedError) as refused:
                client.get("/v1/lots", by=s1)
        finally:
            client.read_keys[s1] = kept
            client._tokens.clear()
        assert (refused.value.status, refused.value.code) == (401, "token-refused")

    @pytest.mark.parametrize(
        ("method", "path", "expected"),
        [
            ("GET", "/nothing", (404, "route-not-found")),
            ("DELETE", "/v1/lots", (405, "method-not-allowed")),
            ("POST", "/v1/no/such-kind", (404, "route-not-found")),
        ],
    )
    def test_unknown_paths_are_problems_too(
        self, town: Street, method: str, path: str, expected: tuple[int, str]
    ) -> None:
        assert code_of(raw(town, method, path)) == expected

    def test_a_bug_says_nothing_about_itself(
        self, town: Street, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        transport = town.client._http._transport
        assert isinstance(transport, Local)

        def fail() -> int:
            raise ValueError("secret")

        monkeypatch.setattr(transport.app.state.service.store, "size", fail)
        response = raw(town, "GET", "/v1/ledger")
        assert code_of(response) == (500, "internal")
        assert "secret" not in response.text
