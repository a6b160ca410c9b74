"""Writing over the application: what is sealed, what is refused, and how."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from api.bulk import CHUNK_LINES
from api.intake import Intake
from registry.canonical import b64url_decode, b64url_encode, format_json
from registry.checkpoint import open_checkpoint
from registry.merkle import verify_inclusion
from registry.signing import detach, jws_id, split_jws
from registry.statements import Unverified
from registry.writer import Writer, WriterBusyError
from tests.api.local import client_of, code_of, local_service, post, raw, street
from tests.api.served import Street
from tests.builders import ORIGIN, admission, key_of

LOG_KEY = key_of("log").public


@pytest.fixture(scope="module", params=[True, False], ids=["shortcut", "routes"])
def town(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Street]:
    """Opens a ledger whose writes go past the framework's routing, or through it."""
    with street(tmp_path_factory.mktemp("town"), shortcut=request.param) as made:
        yield made


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

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [("wait=soon", "wait"), ("wait=", "wait"), ("until=1", "until"), ("%77ait=x", "wait")],
    )
    def test_refuses_a_wish_that_it_does_not_know(
        self, town: Street, query: str, parameter: str
    ) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        response = post(town, text, path=f"/v1/voucher/issue?{query}")
        assert response.status_code == 400
        assert response.json()["errors"][0]["parameter"] == parameter

    def test_refuses_a_wish_that_stands_twice(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        path = "/v1/voucher/issue?wait=checkpoint&wait=checkpoint"
        assert code_of(post(town, text, path=path)) == (400, "request-invalid")

    def test_bulk_has_no_parameters(self, town: Street) -> None:
        response = raw(town, "POST", "/v1/statements?wait=checkpoint", content=b"x")
        assert code_of(response) == (400, "parameter-unknown")

    def test_answers_only_posts_there(self, town: Street) -> None:
        assert code_of(raw(town, "PUT", "/v1/voucher/issue")) == (405, "method-not-allowed")

    def test_says_what_is_wrong_with_the_signature_before_the_path(self, town: Street) -> None:
        text = town.sign("core", "voucher.issue", town.issue_body())
        forged = text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "BBBA")
        assert code_of(post(town, forged, path="/v1/transfer/offer")) == (401, "bad-signature")

    def test_says_of_a_bug_only_that_it_is_one(
        self, town: Street, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_self: Intake, _statement: Unverified) -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(Intake, "seal", fail)
        response = post(town, town.sign("core", "voucher.issue", town.issue_body()))
        assert code_of(response) == (500, "internal")
        assert "secret" not in response.text

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
            assert isinstance(writer, Writer)
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
            assert isinstance(service.writer, Writer)
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
                admission("participant"),
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

    def test_a_key_made_known_counts_behind_a_stranger_s_line(self, tmp_path: Path) -> None:
        with local_service(tmp_path) as service, client_of(service) as client:
            empty = Street(client)
            texts = [empty.genesis(), empty.read_key("registrar")]
            body: dict[str, Any] = {"account": "A" * 43}
            texts.insert(1, empty.sign("operator", "mandate.grant", body, key=key_of("x")))
            results = client.submit_many(texts)
            codes = [result.problem.get("code") for result in results]
            assert codes == [None, "key-unknown", None]

    def test_many_lines_stay_in_order_over_several_commits(self, town: Street) -> None:
        lot = f"{town.issue()}.0"
        texts = []
        for _ in range(3 * CHUNK_LINES + 7):
            texts.append(town.sign("s1", "transfer.offer", town.offer_body(lot, 1, "s2")))
            lot = jws_id(texts[-1].encode()) + ".1"
        results = town.client.submit_many(texts)
        assert {result.status for result in results} == {201}
        indexes = [result.index for result in results]
        assert indexes == sorted(indexes)

    def test_refuses_a_bulk_request_beyond_what_the_writer_takes(self, town: Street) -> None:
        ledger: Any = town.client._http._transport
        intake = ledger.app.state.intake
        with ExitStack() as held:
            for _ in range(8):
                held.enter_context(intake.bulk_room())
            response = raw(town, "POST", "/v1/statements", content=b"x")
            assert code_of(response) == (503, "writer-busy")
            assert response.headers["retry-after"] == "1"
        assert raw(town, "POST", "/v1/statements", content=b"x").status_code == 200

    def test_after_a_failure_no_later_line_is_tried(
        self, town: Street, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        submit, sizes = Writer.submit, []

        def fail_second(self: Writer, statements: Any) -> Any:
            sizes.append(len(statements))
            if len(sizes) == 2:
                raise WriterBusyError(waiting=1, limit=1)
            return submit(self, statements)

        texts = [town.sign("core", "voucher.issue", town.issue_body()) for _ in range(4)]
        stranger = town.sign("core", "voucher.issue", town.issue_body(), key=key_of("stranger"))
        monkeypatch.setattr(Writer, "submit", fail_second)
        # A line with an unknown key ends a commit.
        results = town.client.submit_many([texts[0], stranger, texts[1], stranger, *texts[2:]])
        monkeypatch.undo()
        codes = [result.problem.get("code") for result in results]
        assert codes == [None, "key-unknown", "writer-busy", "key-unknown", *["writer-busy"] * 2]
        assert len(sizes) == 2

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
