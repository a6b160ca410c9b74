"""States kept by an audit: a later one goes on from them and finds what a whole one would."""

import hashlib
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import clearing.rulebook
from registry.audit import Audit, audit_export
from registry.audit_state import HISTORIES, SavedState, load_state, program_digest, save_state
from registry.canonical import b64url_encode, format_json, parse_object
from registry.errors import MalformedError
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.signing import PrivateKey
from registry.store.memory import MemoryStore
from registry.verdicts import Verdict
from tests.builders import ORIGIN, World, key_of
from tests.lies import LIES
from tests.logs import LOG_KEY, Forger, MemoryFiles, export, note_of, story
from tests.watched import RULEBOOK


def audit(files: MemoryFiles, saved: SavedState | None = None, held: str | None = None) -> Audit:
    return audit_export(
        files, origin=ORIGIN, key=LOG_KEY.public, rulebook=RULEBOOK, saved=saved, held=held
    )


def keep(path: Path, entries: Sequence[bytes]) -> str:
    """Audits entries and keeps the state; returns its digest."""
    found = audit(export(entries))
    assert found.state is not None, found.findings
    return save_state(path, found.state, rulebook=RULEBOOK)


def load(
    path: Path,
    digest: str,
    *,
    origin: Origin = ORIGIN,
    key: PrivateKey = LOG_KEY,
    rulebook: Rulebook = RULEBOOK,
) -> SavedState:
    return load_state(path, digest=digest, rulebook=rulebook, origin=origin, key=key.public)


def resumed(path: Path, before: Sequence[bytes], after: Sequence[bytes]) -> Audit:
    """Audits a beginning, keeps the state, and goes on from it with another export."""
    return audit(export(after), load(path, keep(path, before)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def long_log() -> list[bytes]:
    """Returns a log of 275 entries, so that one tile and one bundle are full."""
    world = World(MemoryStore(RULEBOOK.tables), RULEBOOK).cast()
    while world.store.size() < 275:
        world.do("s1", "mandate.grant", {"account": world.accounts["s1"]})
    return list(world.entries())


class TestGoingOn:
    @pytest.mark.parametrize("size", [0, 1, 2, 30, 55, -1, None])
    def test_it_ends_where_a_whole_audit_ends(self, path: Path, size: int | None) -> None:
        entries = story().entries
        found, whole = resumed(path, entries[:size], entries), audit(export(entries))
        assert replace(found, state=None, resumed=0) == replace(whole, state=None)
        assert found.resumed == len(entries[:size])
        assert found.digest == story().world.digest()

    def test_a_state_that_is_owed_is_remembered(self, path: Path) -> None:
        entries = story().entries
        for number in (0, 1):
            at = story().index("state", number)
            saved = load(path, keep(path, entries[:at]))
            assert len(saved.replay.past.owed) == 1
            assert audit(export(entries), saved).findings == []

    @pytest.mark.parametrize("size", [1, 255, 256, 257, 274, 275])
    def test_it_goes_on_within_and_between_bundles(self, path: Path, size: int) -> None:
        entries = long_log()
        found = resumed(path, entries[:size], entries)
        assert (found.findings, found.digest) == ([], audit(export(entries)).digest)

    def test_a_state_kept_twice_is_the_same_file(self, path: Path) -> None:
        entries = story().entries
        assert keep(path, entries) == keep(path, entries)
        found = resumed(path, entries[:40], entries)
        assert found.state is not None
        assert save_state(path, found.state, rulebook=RULEBOOK) == keep(path, entries)

    def test_bundles_before_are_not_read_again(self, path: Path) -> None:
        entries = long_log()
        saved = load(path, keep(path, entries[:256]))
        files = export(entries)
        assert audit(files.changed("tile/entries/000", b"lost"), saved).findings == []


class TestFile:
    def test_its_rows_are_what_the_replay_digest_hashes(self, path: Path) -> None:
        keep(path, story().entries)
        _head, *lines = path.read_bytes().splitlines(keepends=True)
        rows = lines[: lines.index(f"{HISTORIES}\n".encode())]
        digest = hashlib.sha256(b"tallystick-replay/1\x00" + b"".join(rows))
        assert digest.hexdigest() == story().world.digest()

    def test_its_digest_is_its_sha_256(self, path: Path) -> None:
        digest = keep(path, story().entries)
        assert digest == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_only_its_owner_may_read_it(self, path: Path) -> None:
        keep(path, story().entries[:5])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert list(path.parent.iterdir()) == [path]

    def test_one_that_cannot_be_written_leaves_the_old_one(self, path: Path) -> None:
        digest = keep(path, story().entries[:5])
        found = audit(export(story().entries))
        assert found.state is not None
        found.state.replay.past.ids[1] = {"\ud800"}
        with pytest.raises(UnicodeEncodeError):
            save_state(path, found.state, rulebook=RULEBOOK)
        assert list(path.parent.iterdir()) == [path]
        assert load(path, digest).checkpoint.size == 5

    def test_an_audit_that_finds_something_gives_no_state(self) -> None:
        kind, number, change = LIES["another debtor"]
        entries = Forger(RULEBOOK).rewrite(
            story().entries, at=story().index(kind, number), lie=lambda _f, draft: [change(draft)]
        )
        assert audit(export(entries)).state is None


class TestAttacks:
    def assert_refused(self, path: Path, digest: str, *, reason: str, **pinned: object) -> None:
        with pytest.raises(MalformedError) as caught:
            load(path, digest, **pinned)  # type: ignore[arg-type]
        assert caught.value.facts["what"] == "state file"
        assert reason in str(caught.value)

    def test_any_changed_byte_is_found(self, path: Path) -> None:
        digest = keep(path, story().entries[:5])
        data = path.read_bytes()
        for place in range(0, len(data), 97):
            flipped = bytearray(data)
            flipped[place] ^= 1
            path.write_bytes(flipped)
            self.assert_refused(path, digest, reason="the one that you trust is")

    @pytest.mark.parametrize("change", ["emptied", "truncated", "extended"])
    def test_a_file_of_another_length_is_found(self, path: Path, change: str) -> None:
        digest = keep(path, story().entries[:5])
        data = path.read_bytes()
        changed = {"emptied": b"", "truncated": data[:-1], "extended": data + b"1 x y\n"}
        path.write_bytes(changed[change])
        self.assert_refused(path, digest, reason="the one that you trust is")

    def test_a_richer_holder_is_found_though_the_file_was_hashed_again(self, path: Path) -> None:
        digest = keep(path, story().entries)
        data = path.read_bytes()
        assert b'"amount":"60000000"' in data or b'"amount":"' in data
        path.write_bytes(data.replace(b'"amount":"', b'"amount":"9', 1))
        self.assert_refused(path, digest, reason="the one that you trust is")

    def altered(self, path: Path, **changes: str) -> str:
        """Changes the first line, for somebody who trusts the new digest."""
        head, _, rest = path.read_bytes().partition(b"\n")
        members = {**parse_object(head, what="head"), **changes}
        path.write_bytes(format_json(members) + b"\n" + rest)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def test_a_state_of_another_version_of_the_program_is_refused(self, path: Path) -> None:
        keep(path, story().entries)
        self.assert_refused(
            path, self.altered(path, program="0" * 64), reason="another version of the program"
        )

    def test_a_state_of_another_format_is_refused(self, path: Path) -> None:
        keep(path, story().entries)
        self.assert_refused(path, self.altered(path, v="other/2"), reason="first line")

    def test_another_rulebook_is_another_program(self) -> None:
        assert program_digest(Rulebook()) != program_digest(clearing.rulebook.RULEBOOK)

    def test_a_state_of_another_log_is_refused(self, path: Path) -> None:
        digest = keep(path, story().entries)
        other = Origin("sandbox.example/other")
        self.assert_refused(path, digest, reason="another log", origin=other)
        self.assert_refused(path, digest, reason="another log", key=key_of("somebody else"))

    def test_a_state_that_names_a_checkpoint_nobody_signed_is_refused(self, path: Path) -> None:
        keep(path, story().entries)
        note = note_of(story().entries[:9], key=key_of("somebody else"))
        digest = self.altered(path, note=b64url_encode(note.encode()))
        self.assert_refused(path, digest, reason="another log")

    @pytest.mark.parametrize("cut", [1, 2, 40, -1])
    def test_rows_left_out_are_no_state(self, path: Path, cut: int) -> None:
        keep(path, story().entries)
        lines = path.read_bytes().splitlines(keepends=True)
        names = [at for at, line in enumerate(lines) if not line.startswith(b"{")]
        table = names[-2] if cut < 0 else names[min(cut, len(names) - 2)]
        path.write_bytes(b"".join(lines[:table] + lines[table + 1 :]))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.assert_refused(path, digest, reason="")

    def test_money_in_another_spelling_is_refused(self, path: Path) -> None:
        keep(path, story().entries)
        data = path.read_bytes()
        changes = {
            b'"amount":"': (b'"amount":"0', "form of one"),
            b'"born":': (b'"born": ', "canonical form"),
            b'"acknowledged":': (b'"a":1,"acknowledged":', "canonical form"),
        }
        for old, (new, reason) in changes.items():
            assert old in data
            path.write_bytes(data.replace(old, new, 1))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.assert_refused(path, digest, reason=reason)

    def test_a_fork_before_the_state_is_diverged_and_both_notes_are_handed_over(
        self, path: Path
    ) -> None:
        entries = story().entries
        fork = Forger(RULEBOOK).rewrite(entries, at=49, lie=lambda _f, _d: [])
        for size in (50, 55, len(fork)):
            saved = load(path, keep(path, entries[:size]))
            files = export(fork)
            found = audit(files, saved)
            assert found.verdict is Verdict.DIVERGED
            assert found.findings[0].where == "state kept"
            assert found.notes == (note_of(entries[:size]), files.files["checkpoint"].decode())

    def test_a_fork_after_the_state_is_none_of_its_business(self, path: Path) -> None:
        fork = Forger(RULEBOOK).rewrite(story().entries, at=49, lie=lambda _f, _d: [])
        assert resumed(path, story().entries[:49], fork).findings == []

    def test_an_export_shorter_than_the_state_is_incomplete(self, path: Path) -> None:
        entries = story().entries
        found = resumed(path, entries, entries[:-1])
        assert found.verdict is Verdict.INCOMPLETE
        assert "the state kept is of" in found.findings[0].reason

    @pytest.mark.parametrize("tile", ["tile/0/001.p/19", "tile/1/000.p/1", "tile/0/000"])
    @pytest.mark.parametrize("size", [256, 260])
    def test_a_broken_tile_is_invalid_and_no_fork(self, path: Path, tile: str, size: int) -> None:
        entries = long_log()
        saved = load(path, keep(path, entries[:size]))
        files = export(entries)
        data = bytearray(files.files[tile])
        data[0] ^= 1
        found = audit(files.changed(tile, bytes(data)), saved)
        if tile == "tile/0/000":
            # Nothing asked for it.
            assert found.verdict is Verdict.VERIFIED
        else:
            assert found.verdict is Verdict.INVALID
            assert found.notes == ()

    def test_a_root_that_a_signer_saw_is_not_taken_from_unchecked_tiles(self, path: Path) -> None:
        entries = long_log()
        saved = load(path, keep(path, entries[:256]))
        files = export(entries)
        tile = bytes(32) + files.files["tile/0/000"][32:]
        held = note_of(entries[:7])
        found = audit(files.changed("tile/0/000", tile), saved, held=held)
        assert found.verdict is Verdict.INVALID
        assert "the hash that stands above it" in found.findings[0].reason

    @pytest.mark.parametrize(
        "lie", ["another kind", "time going back", "a state with a bucket less"]
    )
    def test_a_lie_after_the_state_is_named(self, path: Path, lie: str) -> None:
        kind, number, change = LIES[lie]
        at = story().index(kind, number)
        entries = Forger(RULEBOOK).rewrite(
            story().entries, at=at, lie=lambda _f, draft: [change(draft)]
        )
        found = resumed(path, entries[:at], entries)
        assert [finding.where for finding in found.findings] == [f"entry {at}"]
        assert found.findings == audit(export(entries)).findings

    def test_a_statement_from_before_the_state_is_not_taken_twice(self, path: Path) -> None:
        at = story().index("mandate.grant")
        entries = Forger(RULEBOOK).rewrite(
            story().entries, at=at, lie=lambda _f, draft: [draft, draft]
        )
        found = resumed(path, entries[: at + 1], entries)
        assert [finding.where for finding in found.findings] == [f"entry {at + 1}"]
        assert "stands in an earlier entry" in found.findings[0].reason

    def test_an_entry_changed_beside_the_edge_is_found(self, path: Path) -> None:
        entries = story().entries
        saved = load(path, keep(path, entries[:40]))
        (name,) = (name for name in export(entries).files if "entries" in name)
        data = export(entries).files[name].replace(b'"index":3,', b'"index":4,', 1)
        found = audit(export(entries).changed(name, data), saved)
        assert found.verdict is Verdict.INVALID
        assert "entry 3" in found.findings[0].where
