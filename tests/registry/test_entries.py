"""Sealed entries: one form, chained by content; and the golden bytes of all vectors."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.canonical import b64url_decode, format_json, parse_object
from registry.entries import BEFORE_FIRST, ENTRY_MAX, Entry, open_entry, seal_entry
from registry.errors import EntryTooLargeError, InputError, MalformedError, NotCanonicalError
from registry.ids import Origin
from registry.kinds import KINDS, Rulebook
from registry.merkle import MemoryHashes, hash_leaf, root_at
from registry.replay import Replay
from registry.signing import PrivateKey, header_bytes, seal_jws
from registry.statements import typ_of

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
ORIGIN = Origin("sandbox.registry.example/vectors")


def vectors(topic: str) -> list[Any]:
    cases = sorted((VECTORS / topic).glob("*.json"))
    return [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in cases]


def entry(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "index": 7,
        "time": 1_751_331_600_000,
        "kind": "state",
        "origin": ORIGIN,
        "previous": BEFORE_FIRST,
        "statement": "",
        "effects_json": b'{"changes":[]}',
    }
    return Entry(**{**values, **changes})


class TestSealing:
    @pytest.mark.parametrize("statement", ["", "a.b.c"])
    def test_what_is_sealed_opens_again(self, statement: str) -> None:
        one = entry(statement=statement)
        assert open_entry(seal_entry(one)) == one

    def test_an_entry_of_the_largest_size_is_sealed_and_one_byte_more_is_not(self) -> None:
        room = ENTRY_MAX - len(seal_entry(entry(effects_json=b'{"x":""}')))
        largest = entry(effects_json=b'{"x":"%b"}' % (b"y" * room))
        assert len(seal_entry(largest)) == ENTRY_MAX
        assert open_entry(seal_entry(largest)) == largest
        with pytest.raises(EntryTooLargeError, match="65536 bytes, the limit is 65535"):
            seal_entry(entry(effects_json=b'{"x":"%b"}' % (b"y" * (room + 1))))

    def test_an_entry_that_is_too_large_is_not_opened(self) -> None:
        room = ENTRY_MAX - len(seal_entry(entry(effects_json=b'{"x":""}')))
        data = seal_entry(entry(effects_json=b'{"x":"%b"}' % (b"y" * room))).replace(
            b'"x":"', b'"x":"y'
        )
        with pytest.raises(MalformedError):
            open_entry(data)

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("effects", []),
            ("effects", "x"),
            ("index", -1),
            ("index", "7"),
            ("kind", 7),
            ("origin", "has space"),
            ("origin", "https://registry.example"),
            ("previous", "A" * 42),
            ("previous", 7),
            ("statements", ["a", "b"]),
            ("statements", [7]),
            ("statements", "a"),
            ("time", -1),
            ("time", "7"),
            ("v", 2),
            ("v", "1"),
            ("more", 1),
        ],
    )
    def test_refuses_another_form(self, member: str, value: Any) -> None:
        raw = parse_object(seal_entry(entry()), what="entry")
        with pytest.raises(MalformedError):
            open_entry(format_json({**raw, member: value}))

    @pytest.mark.parametrize("member", ["effects", "index", "kind", "origin", "previous",
                                        "statements", "time", "v"])  # fmt: skip
    def test_refuses_a_missing_member(self, member: str) -> None:
        raw = parse_object(seal_entry(entry()), what="entry")
        del raw[member]
        with pytest.raises(MalformedError):
            open_entry(format_json(raw))

    def test_refuses_another_spelling(self) -> None:
        for changed in (b" " + seal_entry(entry()), seal_entry(entry()).replace(b":7", b": 7")):
            with pytest.raises(NotCanonicalError):
                open_entry(changed)

    @given(st.binary(max_size=300))
    def test_refuses_any_bytes(self, data: bytes) -> None:
        with pytest.raises(InputError):
            open_entry(data)

    @given(st.data())
    def test_every_member_stands_in_the_leaf(self, data: st.DataObject) -> None:
        """Two entries that differ anywhere have different leaves: nothing is joined by position."""
        text = st.text("ab|,", max_size=4)
        fields = {"kind": text, "statement": text, "index": st.integers(0, 3)}
        draw = st.fixed_dictionaries(fields)
        one, two = entry(**data.draw(draw)), entry(**data.draw(draw))
        assert (one == two) == (hash_leaf(seal_entry(one)) == hash_leaf(seal_entry(two)))


class TestGoldenBytes:
    def test_the_generator_gives_the_files(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tests.vectors.generate", "--check"],
            cwd=VECTORS.parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)

    @pytest.mark.parametrize("case", [c for c in vectors("entries") if c.id != "log"])
    def test_entries(self, case: Any) -> None:
        given, want = dict(case["input"]), case["want"]
        before = given["previous"].encode()
        leaf = hashlib.sha256(b"\x00" + before) if before else hashlib.sha256(b"")
        effects = format_json(given.pop("effects"))
        sealed = seal_entry(entry(**{**given, "effects_json": effects, "previous": leaf.digest()}))
        assert sealed.decode() == want["entry"]
        assert hashlib.sha256(b"\x00" + sealed).hexdigest() == want["leaf_hash"]

    def test_the_log_replays_and_has_its_root(self) -> None:
        (case,) = [case.values[0] for case in vectors("entries") if case.id == "log"]
        assert isinstance(case, dict)
        entries = [text.encode() for text in case["input"]["entries"]]
        hashes = MemoryHashes(hash_leaf(data) for data in entries)
        replay = Replay(Rulebook(), origin=ORIGIN, root_at=lambda size: root_at(hashes, size))
        for data in entries:
            replay.feed(data)
        assert replay.size == case["want"]["size"]
        assert root_at(hashes, replay.size).hex() == case["want"]["root"]

    @pytest.mark.parametrize("case", vectors("statements"))
    def test_statements(self, case: Any) -> None:
        given, want = case["input"], case["want"]
        key = PrivateKey.from_seed(hashlib.sha256(given["seed_of"].encode()).digest())
        payload = format_json(given["payload"])
        typ = typ_of(given["kind"])
        assert payload.decode() == want["payload"]
        header = header_bytes("Ed25519", kid=key.public.kid, typ=typ)
        assert header.decode() == want["header"]
        assert seal_jws(key, typ=typ, payload=payload) == want["jws"]
        # The id by the definition alone: it leaves the signature out.
        head, body, _ = want["jws"].split(".")
        digest = hashlib.sha256(f"{head}.{body}".encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == want["sid"]
        assert b64url_decode(body, what="payload") == payload

    def test_every_kind_has_a_golden_statement(self) -> None:
        assert {path.stem for path in (VECTORS / "statements").glob("*.json")} == {
            kind.name for kind in KINDS
        }
