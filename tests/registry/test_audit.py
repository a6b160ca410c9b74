"""Audits: a sound export is verified; whatever is changed in it, or signed twice, is found."""

import os
import random
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from registry.audit import Audit, audit_export
from registry.canonical import b64url_encode
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.entries import open_entry
from registry.errors import TooLargeError
from registry.export import DirectoryFiles, write_export
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.merkle import EMPTY_ROOT, hash_leaf, root_of
from registry.store.memory import MemoryStore
from registry.tiles import implied_files
from registry.verdicts import Verdict
from tests.builders import ORIGIN, World, key_of
from tests.logs import LOG_KEY, Forger, MemoryFiles, audit, export, note_of, story

SMALL, TWO_LEVELS = 5, 280
SMALL_FILES = sorted(("checkpoint", *implied_files(SMALL)))
TWO_LEVELS_FILES = sorted(("checkpoint", *implied_files(TWO_LEVELS)))
SAMPLE = 150
"""Places at which a file too large for all of them is changed."""


@cache
def small() -> MemoryFiles:
    """Exports the first five entries of the story."""
    return export(story().entries[:5])


@cache
def two_levels() -> MemoryFiles:
    """Exports a log with full tiles and bundles: 256 entries fill one of each."""
    rulebook = Rulebook()
    world = World(MemoryStore(rulebook.tables), rulebook).cast()
    names = [name for name in world.accounts for _ in range(40)]
    world.submit(*(world.sign(n, "mandate.grant", {"account": world.accounts[n]}) for n in names))
    assert world.store.size() == TWO_LEVELS
    return export(world.entries())


def places(data: bytes) -> list[int]:
    """Chooses where to change a file: everywhere in a small one."""
    if len(data) <= 8_000:
        return list(range(len(data)))
    return sample(data, SAMPLE)


def sample(data: bytes, count: int) -> list[int]:
    """Chooses some places, always the same ones."""
    chance = random.Random(len(data))  # noqa: S311
    return sorted(chance.sample(range(len(data)), min(len(data), count)))


def assert_found(found: Audit, *verdicts: Verdict, names: str = "") -> None:
    """Checks verdict and that a finding says where."""
    assert found.verdict in verdicts, found.findings
    assert found.findings
    said = " ".join(f"{finding.where} {finding.reason}" for finding in found.findings)
    assert names in said


class TestSoundExports:
    def test_the_story_is_verified_with_its_digest(self) -> None:
        found = audit(export(story().entries))
        assert (found.findings, found.verdict) == ([], Verdict.VERIFIED)
        assert found.digest == story().world.digest()
        assert found.size == len(story().entries)
        assert found.statements == sum(bool(open_entry(e).statement) for e in story().entries)
        assert found.root == b64url_encode(root_of(map(hash_leaf, story().entries)))

    @pytest.mark.parametrize("size", [0, 1, 2, 40, 67])
    def test_every_beginning_of_a_log_is_a_sound_log(self, size: int) -> None:
        assert audit(export(story().entries[:size])).findings == []

    def test_a_log_with_full_tiles_is_verified(self) -> None:
        assert audit(two_levels()).findings == []

    def test_progress_ends_with_all_entries(self, tmp_path: Path) -> None:
        entries = story().entries
        write_export(tmp_path / "export", note=note_of(entries), entries=entries)
        told: list[tuple[int, int]] = []
        audit_export(
            DirectoryFiles(tmp_path / "export"),
            origin=ORIGIN,
            key=LOG_KEY.public,
            rulebook=Rulebook(),
            progress=lambda done, total: told.append((done, total)),
        )
        assert told[-1] == (len(entries), len(entries))

    def test_cosignatures_beside_the_log_are_none_of_the_auditors_business(self) -> None:
        files = small().changed("cosignatures/witness.example", b"anything")
        assert audit(files).findings == []


class TestChangedFiles:
    @pytest.mark.parametrize("path", SMALL_FILES)
    def test_any_changed_byte_of_a_small_export_is_found(self, path: str) -> None:
        data = small().files[path]
        for place in places(data):
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 8
            found = audit(small().changed(path, bytes(flipped)))
            assert_found(found, Verdict.INVALID, Verdict.INCOMPLETE)
            where = found.findings[0].where
            assert where.startswith(path) or ("entries" in path and ", entry " in where), place

    @pytest.mark.parametrize("path", TWO_LEVELS_FILES)
    def test_a_changed_byte_of_a_log_with_full_tiles_is_found(self, path: str) -> None:
        data = two_levels().files[path]
        for place in sample(data, 12):
            flipped = bytearray(data)
            flipped[place] ^= 0x80
            found = audit(two_levels().changed(path, bytes(flipped)))
            assert_found(found, Verdict.INVALID)

    def test_a_changed_entry_is_named(self) -> None:
        path = next(path for path in small().files if "entries" in path)
        data = small().files[path]
        third = data.index(b'"index":3') + 8
        found = audit(small().changed(path, data[:third] + b"4" + data[third + 1 :]))
        assert_found(found, Verdict.INVALID, names="entry 3")

    def test_what_the_checkpoint_does_not_commit_to_is_not_judged(self) -> None:
        at = 3
        entries = list(story().entries[:5])
        entries[at] = entries[at].replace(b'"index":3', b'"index":4')
        files = {**export(entries).files, "checkpoint": small().files["checkpoint"]}
        for changed in (files, {**files, "tile/0/000.p/5": small().files["tile/0/000.p/5"]}):
            found = audit(MemoryFiles(changed))
            assert len(found.findings) == 1
            assert found.findings[0].where != f"entry {at}"
            assert found.digest == ""

    def test_a_wrong_tile_of_a_sound_log_is_the_only_finding(self) -> None:
        data = bytearray(small().files["tile/0/000.p/5"])
        data[4 * 32] ^= 1
        found = audit(small().changed("tile/0/000.p/5", bytes(data)))
        assert (len(found.findings), found.digest) == (1, "")

    def test_a_changed_tile_is_named(self) -> None:
        data = bytearray(small().files["tile/0/000.p/5"])
        data[4 * 32] ^= 1
        found = audit(small().changed("tile/0/000.p/5", bytes(data)))
        assert_found(found, Verdict.INVALID, names="tile/0/000.p/5, entry 4")

    @pytest.mark.parametrize("path", SMALL_FILES)
    @pytest.mark.parametrize("change", ["emptied", "truncated", "extended", "doubled"])
    def test_a_file_of_another_length_is_found(self, path: str, change: str) -> None:
        data = small().files[path]
        changed = {
            "emptied": b"",
            "truncated": data[:-1],
            "extended": data + b"\n",
            "doubled": data + data,
        }
        found = audit(small().changed(path, changed[change]))
        assert_found(found, Verdict.INVALID, names=path.removesuffix(".p/5"))

    @pytest.mark.parametrize("path", TWO_LEVELS_FILES)
    def test_a_deleted_file_makes_it_incomplete(self, path: str) -> None:
        files = MemoryFiles({n: d for n, d in two_levels().files.items() if n != path})
        assert_found(audit(files), Verdict.INCOMPLETE, names=path)

    @pytest.mark.parametrize(
        "name",
        ["README", "tile/0/000", "tile/0/000.p/4", "tile/1/000.p/1", "tile/entries/001.p/1",
         "tile/0/000.p/5~", "checkpoint.old", "tile/00/000.p/5"],
    )  # fmt: skip
    def test_an_added_file_is_found(self, name: str) -> None:
        found = audit(small().changed(name, small().files["tile/0/000.p/5"]))
        assert_found(found, Verdict.INVALID, names=name)

    def test_swapped_files_are_found(self) -> None:
        names = sorted(two_levels().files)
        for first, second in pairwise(names):
            files = dict(two_levels().files)
            files[first], files[second] = files[second], files[first]
            assert_found(audit(MemoryFiles(files)), Verdict.INVALID)

    def test_swapped_entries_are_found(self) -> None:
        entries = list(story().entries[:5])
        entries[3], entries[4] = entries[4], entries[3]
        files = {**export(entries).files, "checkpoint": small().files["checkpoint"]}
        assert_found(audit(MemoryFiles(files)), Verdict.INVALID, names="checkpoint")

    def test_a_tile_larger_than_any_tile_is_a_finding_and_not_an_exception(
        self, tmp_path: Path
    ) -> None:
        entries = story().entries[:5]
        write_export(tmp_path / "export", note=note_of(entries), entries=entries)
        os.truncate(tmp_path / "export/tile/0/000.p/5", 20_000_000)
        files = DirectoryFiles(tmp_path / "export")
        with pytest.raises(TooLargeError):
            files.read("tile/0/000.p/5")
        assert_found(audit(files), Verdict.INVALID, names="tile/0/000.p/5")

    @pytest.mark.parametrize("path", SMALL_FILES)
    def test_a_symbolic_link_is_found_though_it_leads_to_the_right_bytes(
        self, tmp_path: Path, path: str
    ) -> None:
        entries = story().entries[:5]
        write_export(tmp_path / "export", note=note_of(entries), entries=entries)
        target = tmp_path / "export" / path
        target.rename(tmp_path / "elsewhere")
        target.symlink_to(tmp_path / "elsewhere")
        found = audit(DirectoryFiles(tmp_path / "export"))
        assert_found(found, Verdict.INVALID, names=path)


class TestNotes:
    def test_a_note_by_another_key_is_invalid(self) -> None:
        note = note_of(story().entries[:5], key=key_of("somebody else"))
        found = audit(small().changed("checkpoint", note.encode()))
        assert_found(found, Verdict.INVALID, names="checkpoint no signature by")

    def test_a_note_of_another_log_by_the_same_key_is_invalid(self) -> None:
        note = note_of(story().entries[:5], origin=Origin("sandbox.example/other"))
        found = audit(small().changed("checkpoint", note.encode()))
        assert_found(found, Verdict.INVALID, names="checkpoint")

    def test_a_sound_log_of_another_name_is_invalid(self) -> None:
        found = audit(small(), origin=Origin("sandbox.example/other"))
        assert_found(found, Verdict.INVALID, names="checkpoint")

    @pytest.mark.parametrize("line", ["another", "the same", "not UTF-8"])
    def test_an_export_carries_the_logs_line_only(self, line: str) -> None:
        note = small().files["checkpoint"]
        added = {
            "another": "\u2014 witness.example AAAAAAAA\n".encode(),
            "the same": note[note.index(b"\n\n") + 2 :],
            "not UTF-8": "\u2014 witness".encode() + b"\xff AAAAAAAA\n",
        }
        found = audit(small().changed("checkpoint", note + added[line]))
        assert_found(found, Verdict.INVALID, names="checkpoint carries other lines")

    def test_an_immense_size_is_refused_at_once(self) -> None:
        note = sign_checkpoint(Checkpoint(ORIGIN, 2**62, EMPTY_ROOT), LOG_KEY)
        found = audit(small().changed("checkpoint", note.encode()))
        assert found.verdict in (Verdict.INVALID, Verdict.INCOMPLETE)

    def test_a_missing_checkpoint_is_incomplete(self) -> None:
        files = MemoryFiles({n: d for n, d in small().files.items() if n != "checkpoint"})
        assert_found(audit(files), Verdict.INCOMPLETE, names="checkpoint")


class TestHeldCheckpoints:
    @pytest.mark.parametrize("size", [0, 1, 5, 40, -1, None])
    def test_an_older_or_equal_one_that_agrees_is_verified(self, size: int | None) -> None:
        entries = story().entries
        assert audit(export(entries), held=note_of(entries[:size])).findings == []

    def test_a_tail_cut_off_and_signed_again_is_incomplete(self) -> None:
        entries = story().entries
        found = audit(export(entries[:-1]), held=note_of(entries))
        whole = len(entries)
        said = f"{whole - 1} entries, and the held checkpoint has {whole}"
        assert_found(found, Verdict.INCOMPLETE, names=said)
        assert found.notes == ()

    @pytest.mark.parametrize("less", [0, 1, 8, 18])
    def test_a_fork_is_diverged_and_both_notes_are_handed_over(self, less: int) -> None:
        entries = story().entries
        held_size = len(entries) - less
        fork = Forger(Rulebook()).rewrite(entries, at=49, lie=lambda _forger, _draft: [])
        assert len(fork) < len(entries)
        files, held = export(fork), note_of(entries[:held_size])
        found = audit(files, held=held)
        if held_size <= len(fork):
            assert_found(found, Verdict.DIVERGED, names="the log has been forked")
            assert found.notes == (held, files.files["checkpoint"].decode())
        else:
            # Shorter than what is held: that alone contradicts nothing.
            assert_found(found, Verdict.INCOMPLETE)

    def test_another_root_at_the_same_size_is_diverged_whatever_else_is_wrong(self) -> None:
        entries = story().entries[:5]
        held = note_of([*entries[:4], b"another entry"])
        for files in (small(), MemoryFiles({"checkpoint": small().files["checkpoint"]})):
            found = audit(files, held=held)
            assert_found(found, Verdict.DIVERGED, names="two roots at size 5")
            assert found.notes == (held, small().files["checkpoint"].decode())

    def test_a_held_note_by_another_key_proves_nothing(self) -> None:
        held = note_of([b"other"], key=key_of("somebody else"))
        assert_found(audit(small(), held=held), Verdict.INVALID, names="held checkpoint")

    def test_an_empty_held_note_is_not_the_same_as_none(self) -> None:
        assert_found(audit(small(), held=""), Verdict.INVALID, names="held checkpoint")

    def test_a_cosigned_held_note_is_welcome(self) -> None:
        held = note_of(story().entries[:3]) + "\u2014 witness.example AAAAAAAA\n"
        assert audit(small(), held=held).findings == []
