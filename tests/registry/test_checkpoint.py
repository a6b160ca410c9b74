"""Signed notes and checkpoints: what is signed, and what is refused."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from registry import checkpoint as module
from registry.checkpoint import (
    NOTE_SIZE_MAX,
    Checkpoint,
    format_checkpoint,
    format_verifier_key,
    note_bytes,
    open_checkpoint,
    parse_checkpoint,
    parse_verifier_key,
    sign_checkpoint,
    split_note,
)
from registry.errors import MalformedError, NoteFailedError
from registry.ids import Origin
from registry.merkle import EMPTY_ROOT, TreeHead, hash_leaf, root_of
from registry.signing import PrivateKey, verify

VECTORS = Path(__file__).parents[1] / "vectors" / "checkpoint"
ORIGIN = Origin("sandbox.registry.example/demo")
KEY = PrivateKey.from_seed(bytes(range(32)))
GOOD = Checkpoint(ORIGIN, 4, root_of(map(hash_leaf, (b"one", b"two", b"three", b"four"))))
NOTE = sign_checkpoint(GOOD, KEY)


def load(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


def vectors() -> list[Any]:
    paths = sorted(VECTORS.glob("*.json"))
    assert paths
    return [pytest.param(load(path.stem), id=path.stem) for path in paths]


class TestNote:
    @pytest.mark.parametrize("vector", vectors())
    def test_vectors(self, vector: Any) -> None:
        origin, key = parse_verifier_key(vector["input"]["verifier_key"])
        if "want" in vector:
            checkpoint = open_checkpoint(vector["input"]["note"], origin=origin, key=key)
            want = vector["want"]
            assert checkpoint == Checkpoint(
                Origin(want["origin"]), want["size"], bytes.fromhex(want["root"])
            )
            return
        with pytest.raises(NoteFailedError) as caught:
            open_checkpoint(vector["input"]["note"], origin=origin, key=key)
        assert str(caught.value) == vector["want_error"]

    def test_signing_gives_the_pinned_note(self) -> None:
        assert load("good")["input"]["note"] == NOTE

    def test_docstring_shows_this_note(self) -> None:
        shown = (module.__doc__ or "").replace("\n    ", "\n")
        assert NOTE in shown

    def test_what_is_signed_is_the_three_lines(self) -> None:
        assert note_bytes(GOOD) == format_checkpoint(GOOD).encode()
        text, (line,) = split_note(NOTE)
        assert text == format_checkpoint(GOOD)
        assert line.name == ORIGIN
        verify(KEY.public, signature=line.signature, message=note_bytes(GOOD), what="note")

    def test_another_implementation_verifies_alike(self) -> None:
        """A published note by the reference implementation."""
        vector = load("published-note")
        name, key = parse_verifier_key(vector["input"]["verifier_key"])
        text, (line,) = split_note(vector["input"]["note"])
        assert line.name == name
        verify(key, signature=line.signature, message=text.encode(), what="note")

    def test_text_may_hold_blank_lines(self) -> None:
        text, (line,) = split_note("one\n\ntwo\n\n\n\u2014 w AAAAAAA=\n")
        assert text == "one\n\ntwo\n\n"
        assert (line.name, line.key_id, line.signature) == ("w", bytes(4), bytes(1))

    def test_sixteen_signatures_are_read(self) -> None:
        line = f"\u2014 w.example {base64.b64encode(bytes(5000)).decode()}\n"
        assert open_checkpoint(NOTE + line * 16, origin=ORIGIN, key=KEY.public) == GOOD

    def test_refuses_a_note_above_the_limit(self) -> None:
        line = "\u2014 w.example AAAAAAA=\n"
        note = NOTE + line * (NOTE_SIZE_MAX // len(line.encode()) + 1)
        with pytest.raises(NoteFailedError, match="the limit is 131072"):
            open_checkpoint(note, origin=ORIGIN, key=KEY.public)

    def test_refuses_what_is_not_utf_8(self) -> None:
        with pytest.raises(NoteFailedError, match="not UTF-8"):
            open_checkpoint(NOTE.replace("demo", "\ud800"), origin=ORIGIN, key=KEY.public)

    @given(data=st.data())
    def test_any_changed_character_of_text_or_line_is_refused(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(NOTE) - 1))
        character = data.draw(st.characters(min_codepoint=10, max_codepoint=126))
        assume(NOTE[place] != character)
        changed = NOTE[:place] + character + NOTE[place + 1 :]
        with pytest.raises(NoteFailedError):
            open_checkpoint(changed, origin=ORIGIN, key=KEY.public)

    @given(st.text())
    def test_made_up_notes_are_refused(self, note: str) -> None:
        with pytest.raises(NoteFailedError):
            open_checkpoint(note, origin=ORIGIN, key=KEY.public)


class TestCheckpoint:
    def test_head_leaves_out_the_name(self) -> None:
        assert GOOD.head == TreeHead(4, GOOD.root)

    @given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
    def test_round_trips(self, size: int, root: bytes) -> None:
        checkpoint = Checkpoint(ORIGIN, size, root if size else EMPTY_ROOT)
        assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint

    @given(st.text(alphabet="a/.\n0123456789AQ=\u2014 ", max_size=90))
    def test_reads_only_what_it_writes(self, text: str) -> None:
        try:
            checkpoint = parse_checkpoint(text)
        except NoteFailedError:
            return
        assert format_checkpoint(checkpoint) == text


class TestVerifierKey:
    @pytest.mark.parametrize(
        "text",
        [
            format_verifier_key(ORIGIN, KEY.public),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        ],
    )
    def test_round_trips(self, text: str) -> None:
        origin, key = parse_verifier_key(text)
        assert format_verifier_key(origin, key) == text

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("PeterNeumann+c74f20a3", "name+id+key"),
            ("Peter Neumann+c74f20a3+ARpc", "origin"),
            ("PeterNeumann+c74f20a3+ARpc2Q", "not base64"),
            (
                "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "not of this name and key",
            ),
            (
                "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "not of this name and key",
            ),
            (
                "PeterNewmann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "not of this name and key",
            ),
            (
                "PeterNeumann+c74f20a3+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
                "type of signature is unknown",
            ),
            ("PeterNeumann+c74f20a3+", "type of signature is unknown"),
            ("PeterNeumann+c74f20a3+ARpc2QcU", "has 5 bytes"),
        ],
        ids=[
            "no-key",
            "space-in-name",
            "truncated",
            "wrong-id",
            "upper-case-id",
            "wrong-name",
            "cosignature-type",
            "empty-key",
            "short-key",
        ],
    )
    def test_refuses_what_does_not_fit(self, text: str, reason: str) -> None:
        with pytest.raises(MalformedError) as caught:
            parse_verifier_key(text)
        assert reason in str(caught.value)
