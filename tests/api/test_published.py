"""What is published over the application: openings, the log, snapshots."""

import asyncio
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from api.client import RefusedError
from api.routes import proofs
from registry.canonical import b64url_decode, b64url_encode, salted_digest
from registry.checkpoint import parse_verifier_key
from registry.merkle import TreeHead, verify_inclusion
from registry.proofs import verify_lot_proof, verify_snapshot
from registry.tiles import parse_bundle
from tests.api.local import code_of, raw
from tests.api.served import DIGEST, Street
from tests.builders import ORIGIN, key_of

LOG_KEY = key_of("log").public


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
        assert town.client.caught_up().size > 0

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

    def test_the_archive_is_the_same_every_time_and_leaves_no_file(
        self, town: Street, state: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        vehicle = town.ids["trustee#T1"].replace("#", "%23")
        path = f"/v1/snapshots/holder/{vehicle}/{state}"
        given = {"Authorization": f"Bearer {town.client.token(town.ids['trustee'])}"}
        answer = raw(town, "GET", path, headers=given)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/zip"
        assert int(answer.headers["content-length"]) == len(answer.content)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        naive = io.BytesIO()
        with zipfile.ZipFile(naive, "w") as archive:
            for name, data in sorted(files.items()):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        assert answer.content == naive.getvalue()
        tagged = {**given, "If-None-Match": f'"x", {answer.headers["etag"]}'}
        again = raw(town, "GET", path, headers=tagged)
        assert (again.status_code, again.content) == (304, b"")
        assert list(tmp_path.iterdir()) == []

    def test_an_archive_is_closed_though_nobody_reads_it_to_the_end(self) -> None:
        file = tempfile.TemporaryFile()  # noqa: SIM115 (closing it is what is tested)
        file.write(b"x" * 3 * proofs.PART_SIZE)
        scope: Any = {"type": "http", "asgi": {"spec_version": "2.4"}, "headers": []}
        archive = proofs.Archive(file=file, size=file.tell(), tag='"x"')
        answer = proofs.ArchiveResponse(Request(scope), archive)
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) == 2:
                raise OSError("the client is gone")

        async def receive() -> Any:
            await asyncio.Event().wait()

        with pytest.raises(ClientDisconnect):
            asyncio.run(answer(scope, receive, send))
        assert file.closed

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
