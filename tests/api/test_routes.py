"""The application over a ledger in memory: what is written, what is refused, what is seen."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.client import RefusedError
from registry.canonical import b64url_decode, b64url_encode, format_json, salted_digest
from registry.checkpoint import open_checkpoint, parse_verifier_key
from registry.merkle import TreeHead, verify_inclusion
from registry.proofs import verify_lot_proof, verify_snapshot
from registry.signing import detach, jws_id, split_jws
from registry.tiles import parse_bundle
from tests.api.local import Local, client_of, local_service, street
from tests.api.served import DIGEST, Street
from tests.builders import ORIGIN, key_of

LOG_KEY = key_of("log").public


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with street(tmp_path_factory.mktemp("town")) as made:
        yield made


def raw(town: Street, method: str, path: str, **request: Any) -> httpx.Response:
    """Sends a request as it is, without the client's care."""
    return town.client._http.request(method, path, **request)


def post(town: Street, text: str, *, path: str = "", **request: Any) -> httpx.Response:
    """Posts a statement to the path of its kind, or to another."""
    jws = split_jws(text, what="statement")
    kind = json.loads(jws.header)["typ"][3:-4]
    headers = {"JWS-Signature": detach(text), **request.pop("headers", {})}
    path = path or f"/v1/{kind.replace('.', '/')}"
    return raw(town, "POST", path, content=jws.payload, headers=headers, **request)


def code_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


class TestWriting:
    def test_a_statement_is_sealed_and_says_what_changed(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        response = post(town, text)
        assert response.status_code == 201
        result = response.json()
        assert result["sid"] == jws_id(text.encode())
        assert response.headers["location"] == f"/v1/statements/{result['sid']}"
        (issued,) = [c for c in result["effects"]["changes"] if c["effect"] == "voucher-issued"]
        assert issued["face"] == "100000000"

    def test_a_replay_gets_the_first_result(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        first, again = post(town, text), post(town, text)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert again.headers["idempotent-replayed"] == "true"
        assert "idempotent-replayed" not in first.headers

    def test_refuses_an_id_with_other_bytes(self, town: Street) -> None:
        client = town.client
        tail, client._tail = client._tail, lambda: bytes(10)
        try:
            texts = [town.sign("core", "voucher.issue", town.issue_body()) for _ in range(2)]
        finally:
            client._tail = tail
        assert post(town, texts[0]).status_code == 201
        assert code_of(post(town, texts[1])) == (422, "id-reused")

    def test_a_receipt_proves_the_entry(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        result = town.client.submit(text, wait=True)
        signed = open_checkpoint(result.receipt["checkpoint"], origin=ORIGIN, key=LOG_KEY)
        verify_inclusion(
            [b64url_decode(node, what="path") for node in result.receipt["path"]],
            leaf_hash=b64url_decode(result.leaf_hash, what="leaf"),
            leaf_index=result.index,
            head=signed.head,
        )

    def test_refuses_a_signature_by_another_party(self, town: Street) -> None:
        body = town.issue_body()
        text = town.sign("core", "voucher.issue", body, key=key_of("s1"))
        assert code_of(post(town, text)) == (403, "key-not-of-party")

    def test_refuses_to_offer_the_lot_of_another(self, town: Street) -> None:
        lot = f"{town.issue()}.0"
        text = town.sign("s2", "transfer.offer", town.offer_body(lot, 1, "s3"))
        assert code_of(post(town, text)) == (403, "not-holder")

    def test_refuses_a_statement_for_another_log(self, town: Street) -> None:
        client = town.client
        client.origin = ORIGIN.replace("tests", "other")  # type: ignore[assignment]
        try:
            text = town.sign("core", "voucher.issue", town.issue_body())
        finally:
            client.origin = ORIGIN
        assert code_of(post(town, text)) == (400, "wrong-audience")

    def test_refuses_a_header_without_an_algorithm(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        header, payload, _ = text.split(".")
        fields = json.loads(b64url_decode(header, what="header"))
        forged = b64url_encode(format_json({**fields, "alg": "none"}))
        assert code_of(post(town, f"{forged}.{payload}.")) == (401, "header-mismatch")

    def test_refuses_a_changed_payload(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        payload = split_jws(text, what="statement").payload
        changed = payload.replace(b'"100000000"', b'"900000000"')
        headers = {"JWS-Signature": detach(text)}
        response = raw(town, "POST", "/v1/voucher/issue", content=changed, headers=headers)
        assert code_of(response) == (401, "bad-signature")

    def test_refuses_a_payload_that_is_spelled_otherwise(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        payload = split_jws(text, what="statement").payload.replace(b'","', b'", "', 1)
        headers = {"JWS-Signature": detach(text)}
        response = raw(town, "POST", "/v1/voucher/issue", content=payload, headers=headers)
        assert code_of(response) == (400, "not-canonical")

    def test_points_at_what_is_wrong_in_the_body(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body(face="0"))
        problem = post(town, text).json()
        assert problem["errors"][0]["pointer"] == "/body/face"

    def test_refuses_a_kind_at_the_path_of_another(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        assert code_of(post(town, text, path="/v1/transfer/offer")) == (400, "wrong-path")

    def test_refuses_a_statement_without_a_signature(self, town: Street) -> None:
        assert code_of(raw(town, "POST", "/v1/voucher/issue", content=b"{}")) == (
            400,
            "request-invalid",
        )

    def test_refuses_a_body_that_is_too_large(self, town: Street) -> None:
        response = raw(
            town,
            "POST",
            "/v1/voucher/issue",
            content=b"x" * 100_000,
            headers={"JWS-Signature": "a..b"},
        )
        assert code_of(response) == (413, "too-large")

    def test_says_titles_in_chinese(self, town: Street) -> None:
        headers = {"Accept-Language": "zh-CN"}
        problem = raw(town, "GET", "/v1/nothing", headers=headers)
        assert problem.headers["content-language"] == "zh"
        assert problem.json()["title"] == "没有这个路径"

    def test_refuses_genesis_with_another_log_key(self, tmp_path: Path) -> None:
        with local_service(tmp_path) as service, client_of(service) as client:
            empty = Street(client)
            text = empty.genesis()
            other = empty.client
            payload = json.loads(split_jws(text, what="statement").payload)
            payload["body"]["log_key"] = dict(key_of("other").public.jwk())
            forged = other.sign("genesis", by=empty.ids["operator"], body=payload["body"])
            assert code_of(post(empty, forged)) == (422, "log-key-differs")
            assert post(empty, text).status_code == 201

    def test_a_full_queue_says_when_to_come_again(self, tmp_path: Path) -> None:
        with local_service(tmp_path, waiting_max=1) as service, client_of(service) as client:
            empty = Street(client)
            text = empty.genesis()
            writer = service.writer
            writer._waiting = 5
            response = post(empty, text)
            assert code_of(response) == (503, "writer-busy")
            assert response.headers["retry-after"] == "1"
            bulk = raw(empty, "POST", "/v1/statements", content=text.encode())
            assert code_of(bulk) == (503, "writer-busy")
            writer._waiting = 0
            assert post(empty, text).status_code == 201

    def test_a_stopped_writer_leaves_reads(self, tmp_path: Path) -> None:
        with local_service(tmp_path) as service, client_of(service) as client:
            empty = Street(client)
            client.submit(empty.genesis())
            service.writer._fail("disk gone")
            assert raw(empty, "GET", "/readyz").status_code == 503
            assert raw(empty, "GET", "/livez").status_code == 200
            assert raw(empty, "GET", "/v1/ledger").json()["origin"] == ORIGIN
            assert code_of(post(empty, empty.read_key("operator"))) == (503, "writer-stopped")


class TestBulk:
    def test_lines_are_sealed_in_order_each_with_its_own_result(self, town: Street) -> None:
        lot = f"{town.issue()}.0"
        texts = []
        for number in range(120):
            text = town.sign("s1", "transfer.offer", town.offer_body(lot, 1, "s2"))
            texts.append(text)
            # Number 61 spends again what number 60 has spent.
            if number != 60:
                last = texts[60] if number == 61 else text
                lot = jws_id(last.encode()) + ".1"
        results = town.client.submit_many(texts)
        assert [r.problem.get("code") for r in results].index("lot-not-found") == 61
        sealed = [r for r in results if not r.problem]
        assert len(sealed) == 119
        assert [r.index for r in sealed] == sorted(r.index for r in sealed)
        assert [r.sid for r in sealed] == [
            jws_id(t.encode()) for n, t in enumerate(texts) if n != 61
        ]

    def test_a_line_may_use_a_key_that_an_earlier_line_makes_known(self, tmp_path: Path) -> None:
        with local_service(tmp_path) as service, client_of(service) as client:
            empty = Street(client)
            party = empty.name("new", 50)
            genesis = empty.genesis()
            body: dict[str, Any] = {"name": "new", "key": dict(key_of("new").public.jwk())}
            register = empty.sign("new", "party.register", body)
            admit = empty.sign(
                "registrar",
                "party.admit",
                {"roles": ["participant"]},
                re=jws_id(register.encode()),
            )
            texts = [genesis, register, admit, empty.read_key("new"), empty.read_key("operator")]
            results = client.submit_many(texts)
            assert [result.status for result in results] == [201] * 5
            assert client.get(f"/v1/parties/{party}", by=party)["roles"] == ["participant"]

    def test_a_bad_line_stops_nobody_else(self, town: Street) -> None:
        texts = [town.sign("core", "voucher.issue", town.issue_body()) for _ in range(2)]
        body = "\n".join([texts[0], "", "nonsense", "é", texts[1]]).encode()
        lines = raw(town, "POST", "/v1/statements", content=body).text.splitlines()
        assert [json.loads(line)["status"] for line in lines] == [201, 400, 400, 400, 201]

    def test_a_stranger_s_key_is_unknown(self, town: Street) -> None:
        good = town.sign("core", "voucher.issue", town.issue_body())
        odd = town.sign("core", "voucher.issue", town.issue_body(), key=key_of("stranger"))
        results = town.client.submit_many([odd, good, odd])
        assert [result.problem.get("code") for result in results] == [
            "key-unknown",
            None,
            "key-unknown",
        ]

    def test_a_replayed_line_gets_the_first_result(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        first, again = town.client.submit_many([text, text])
        assert (first.status, again.status) == (201, 200)
        assert first.index == again.index

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"", (400, "malformed")),
            (b"x\n" * 1_001, (413, "too-large")),
            (b"x" * (4 * 1024 * 1024 + 1), (413, "too-large")),
        ],
    )
    def test_refuses_bodies_that_are_empty_or_too_large(
        self, town: Street, body: bytes, expected: tuple[int, str]
    ) -> None:
        assert code_of(raw(town, "POST", "/v1/statements", content=body)) == expected


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


class TestOpenings:
    def opening(self, price: str) -> tuple[str, str, dict[str, Any]]:
        salt = b64url_encode(price.encode().ljust(16, b"x"))
        terms: dict[str, Any] = {"price": price}
        digest = salted_digest(b64url_decode(salt, what="salt"), terms)
        return digest, salt, terms

    def test_an_opening_is_seen_by_both_sides_of_the_offer_that_names_it(
        self, town: Street
    ) -> None:
        digest, salt, terms = self.opening("97")
        s1, factor, core = town.ids["s1"], town.ids["factor"], town.ids["core"]
        town.client.put_opening(digest, by=s1, salt=salt, terms=terms)
        body = town.offer_body(f"{town.issue()}.0", 5, "factor", purpose="finance", terms=digest)
        offer = town.do("s1", "transfer.offer", body).sid
        path = f"/v1/openings/{digest}"
        assert town.client.get(path, by=s1)["terms"] == terms
        assert town.client.get(path, by=town.ids["auditor"])["terms"] == terms
        assert town.client.get(path, by=factor, statement=offer)["salt"] == salt
        # The debtor must not learn the price, nor a stranger, nor who names no statement.
        for by, params in ((core, {"statement": offer}), (factor, {}), (core, {})):
            with pytest.raises(RefusedError) as refused:
                town.client.get(path, by=by, **params)
            assert refused.value.status == 404

    def test_a_statement_that_does_not_name_it_opens_nothing(self, town: Street) -> None:
        digest, salt, terms = self.opening("96")
        town.client.put_opening(digest, by=town.ids["s1"], salt=salt, terms=terms)
        body = town.offer_body(f"{town.issue()}.0", 5, "factor", purpose="finance", terms=DIGEST)
        offer = town.do("s1", "transfer.offer", body).sid
        with pytest.raises(RefusedError):
            town.client.get(f"/v1/openings/{digest}", by=town.ids["factor"], statement=offer)

    def test_refuses_an_opening_of_another_digest(self, town: Street) -> None:
        _, salt, terms = self.opening("95")
        with pytest.raises(RefusedError) as refused:
            town.client.put_opening(DIGEST, by=town.ids["s1"], salt=salt, terms=terms)
        assert refused.value.code == "opening-differs"


class TestLog:
    def test_the_checkpoint_is_signed_by_the_published_key(self, town: Street) -> None:
        origin, key = parse_verifier_key(raw(town, "GET", "/log/verifier-key").text.strip())
        assert (origin, key) == (ORIGIN, LOG_KEY)
        assert town.client.checkpoint().size > 0

    def test_tiles_are_open_and_bundles_are_for_auditors(self, town: Street) -> None:
        town.client.do("voucher.issue", by=town.ids["core"], body=town.issue_body(), wait=True)
        size = town.client.checkpoint().size
        width = min(size, 256)
        name = "000" if width == 256 else f"000.p/{width}"
        tile = raw(town, "GET", f"/log/tile/0/{name}")
        assert len(tile.content) == width * 32
        assert "immutable" in tile.headers["cache-control"]
        tagged = {"If-None-Match": tile.headers["etag"]}
        assert raw(town, "GET", f"/log/tile/0/{name}", headers=tagged).status_code == 304
        path = f"/log/tile/entries/{name}"
        assert code_of(raw(town, "GET", path)) == (401, "token-missing")
        for by in ("s1", "operator", "trustee"):
            with pytest.raises(RefusedError) as refused:
                town.client.get_bytes(path, by=town.ids[by])
            assert refused.value.code == "operation-not-allowed"
        bundle = town.client.get_bytes(path, by=town.ids["auditor"])
        assert len(parse_bundle(bundle, count=width)) == width

    @pytest.mark.parametrize(
        "path",
        [
            "0/999",
            "0/000.p/256",
            "0/x000/000",
            "9/000",
            "entries",
            "0/../../../etc/passwd",
        ],
    )
    def test_refuses_tiles_that_the_log_has_not(self, town: Street, path: str) -> None:
        assert raw(town, "GET", f"/log/tile/{path}").status_code == 404

    def test_an_inclusion_proof_proves(self, town: Street) -> None:
        checkpoint = town.client.checkpoint()
        proof = town.client.get(f"/v1/log/proof/inclusion/1/{checkpoint.size}")
        verify_inclusion(
            [b64url_decode(node, what="path") for node in proof["path"]],
            leaf_hash=b64url_decode(proof["leaf_hash"], what="leaf"),
            leaf_index=1,
            head=TreeHead(checkpoint.size, checkpoint.root),
        )

    @pytest.mark.parametrize("path", ["inclusion/5/5", "inclusion/0/99999999", "consistency/0/3"])
    def test_refuses_proofs_beyond_the_log(self, town: Street, path: str) -> None:
        assert raw(town, "GET", f"/v1/log/proof/{path}").status_code == 404


class TestSnapshots:
    @pytest.fixture
    def state(self, town: Street) -> int:
        """Asks for a state entry for the vehicle and returns its index."""
        requested = town.do("trustee#T1", "snapshot.request", {})
        states = list(town.client.pages("/v1/states", by=town.ids["trustee"]))
        (state,) = [each for each in states if each["at"] == requested.index + 1]
        return int(state["index"])

    def test_a_trustee_takes_its_vehicle_s_snapshot(self, town: Street, state: int) -> None:
        vehicle = town.ids["trustee#T1"]
        path = f"/v1/snapshots/holder/{vehicle.replace('#', '%23')}/{state}"
        packed = town.client.get_bytes(path, by=town.ids["trustee"])
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        holding = verify_snapshot(files, origin=ORIGIN, key=LOG_KEY)
        assert holding.bucket == vehicle
        for other in ("s1", "operator", "bank"):
            with pytest.raises(RefusedError) as refused:
                town.client.get_bytes(path, by=town.ids[other])
            assert refused.value.status == 404

    def test_a_holder_proves_one_lot(self, town: Street) -> None:
        lot = f"{town.issue()}.0"
        requested = town.do("trustee#T1", "snapshot.request", {})
        path = f"/v1/lots/{lot}/proof/{requested.index + 1}"
        proof = town.client.get_bytes(path, by=town.ids["s1"])
        assert verify_lot_proof(proof, origin=ORIGIN, key=LOG_KEY).bucket == town.ids["s1"]
        with pytest.raises(RefusedError):
            town.client.get_bytes(path, by=town.ids["s2"])

    def test_a_voucher_s_snapshot_is_for_auditors(self, town: Street) -> None:
        voucher = town.issue()
        requested = town.do("trustee#T1", "snapshot.request", {})
        path = f"/v1/snapshots/voucher/{voucher}/{requested.index + 1}"
        assert town.client.get_bytes(path, by=town.ids["auditor"])
        for name in ("core", "s1"):
            with pytest.raises(RefusedError):
                town.client.get_bytes(path, by=town.ids[name])

    def test_refuses_a_snapshot_where_no_state_stands(self, town: Street) -> None:
        path = f"/v1/snapshots/holder/{town.ids['s1']}"
        for index in (0, 10**9, -1):
            with pytest.raises(RefusedError) as refused:
                town.client.get_bytes(f"{path}/{index}", by=town.ids["s1"])
            assert refused.value.status == 404
