"""Exports: exactly the implied files, complete or not at all, and hostile directories."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from registry.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from registry.errors import (
    MalformedError,
    MissingFileError,
    NoteFailedError,
    ProofFailedError,
    TooLargeError,
)
from registry.export import FILE_SIZE_MAX, DirectoryFiles, verify_files, write_export
from registry.ids import Origin
from registry.merkle import (
    TreeHead,
    hash_leaf,
    prove_inclusion,
    root_at,
    root_of,
    verify_inclusion,
)
from registry.signing import PrivateKey
from registry.tiles import TileHashes, entries_path, implied_files, parse_bundle

ORIGIN = Origin("sandbox.registry.example/demo")
KEY = PrivateKey.from_seed(bytes(range(32)))


def entries_of(size: int) -> list[bytes]:
    return [b'{"index":%d}' % n for n in range(size)]


def note_of(entries: list[bytes]) -> str:
    root = root_of(map(hash_leaf, entries))
    return sign_checkpoint(Checkpoint(ORIGIN, len(entries), root), KEY)


def export(directory: Path, size: int) -> DirectoryFiles:
    entries = entries_of(size)
    assert write_export(directory, note=note_of(entries), entries=iter(entries)) == size
    return DirectoryFiles(directory)


def digest(files: DirectoryFiles) -> str:
    outputs = sha256()
    for name in sorted(files.names()):
        data = files.read(name)
        outputs.update(f"{name}\0{len(data)}\0".encode() + data)
    return outputs.hexdigest()


class TestWriteExport:
    @pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, 700])
    def test_writes_exactly_the_implied_files(self, tmp_path: Path, size: int) -> None:
        files = export(tmp_path / "export", size)
        assert files.names() == {"checkpoint", *implied_files(size)}
        verify_files(files, size=size)
        assert [path.name for path in tmp_path.iterdir()] == ["export"]

    def test_a_third_level_appears_at_65536(self, tmp_path: Path) -> None:
        files = export(tmp_path / "export", 65537)
        assert files.names() == {"checkpoint", *implied_files(65537)}
        head = open_checkpoint(
            files.read("checkpoint").decode(), origin=ORIGIN, key=KEY.public
        ).head
        assert root_at(TileHashes(files.read, head.size), head.size) == head.root
        assert digest(files) == "9f255a56bd53eb5ff24e0b5787c1fa0b119fbe46e5081e27ef3963288e13c77a"

    @pytest.mark.parametrize("size", [1, 300])
    def test_files_prove_every_entry(self, tmp_path: Path, size: int) -> None:
        files = export(tmp_path / "export", size)
        note = files.read("checkpoint").decode()
        head = open_checkpoint(note, origin=ORIGIN, key=KEY.public).head
        hashes = TileHashes(files.read, head.size)
        for first in range(0, size, 256):
            count = min(256, size - first)
            bundle = files.read(entries_path(first // 256, count))
            for index, entry in enumerate(parse_bundle(bundle, count=count), start=first):
                path = prove_inclusion(hashes, index=index, size=size)
                leaf_hash = hash_leaf(entry)
                verify_inclusion(path, leaf_hash=leaf_hash, leaf_index=index, head=head)

    def test_same_log_gives_same_bytes(self, tmp_path: Path) -> None:
        assert digest(export(tmp_path / "one", 300)) == digest(export(tmp_path / "two", 300))

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ("missing", "2 entries are not the checkpoint's tree of 3"),
            ("extra", "more entries than the checkpoint's 3"),
            ("swapped", "3 entries are not the checkpoint's tree of 3"),
        ],
    )
    def test_refuses_other_entries_and_leaves_nothing(
        self, tmp_path: Path, change: str, reason: str
    ) -> None:
        good = entries_of(3)
        changed = {
            "missing": good[:2],
            "extra": [*good, b"extra"],
            "swapped": [good[1], good[0], good[2]],
        }
        with pytest.raises(ProofFailedError, match=reason):
            write_export(tmp_path / "export", note=note_of(good), entries=changed[change])
        assert list(tmp_path.iterdir()) == []

    def test_leaves_nothing_when_reading_entries_fails(self, tmp_path: Path) -> None:
        def failing() -> Iterator[bytes]:
            yield from entries_of(300)
            raise OSError("the disk is gone")

        with pytest.raises(OSError, match="the disk is gone"):
            write_export(tmp_path / "export", note=note_of(entries_of(301)), entries=failing())
        assert list(tmp_path.iterdir()) == []

    def test_refuses_lines_of_others_in_the_note(self, tmp_path: Path) -> None:
        note = note_of([]) + "\u2014 witness.example AAAAAAA=\n"
        with pytest.raises(NoteFailedError, match="has 1 line, this has 2"):
            write_export(tmp_path / "export", note=note, entries=[])

    def test_refuses_a_directory_that_exists(self, tmp_path: Path) -> None:
        with pytest.raises(FileExistsError):
            write_export(tmp_path, note=note_of([]), entries=[])

    def test_directory_is_readable_by_others(self, tmp_path: Path) -> None:
        export(tmp_path / "export", 1)
        assert (tmp_path / "export").stat().st_mode & 0o777 == 0o755


class Named(DirectoryFiles):
    """Files of which only the names matter."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(Path("nowhere"))
        self._names = names

    def walk(self) -> Iterator[str]:
        return iter(sorted(self._names))


class TestVerifyFiles:
    NAMES = frozenset({"checkpoint", *implied_files(300)})

    def test_cosignatures_are_allowed(self) -> None:
        verify_files(Named(self.NAMES | {"cosignatures/witness.example"}), size=300)

    @pytest.mark.parametrize("name", sorted(NAMES))
    def test_names_the_missing_file(self, name: str) -> None:
        with pytest.raises(MissingFileError) as caught:
            verify_files(Named(self.NAMES - {name}), size=300)
        assert caught.value.facts == {"path": name}

    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("notes.txt", id="stranger"),
            pytest.param("tile/0/001.p/43", id="older-partial-tile"),
            pytest.param("tile/0/000.p/255", id="partial-beside-full"),
            pytest.param("tile/0/002.p/1", id="later-tile"),
            pytest.param("tile/2/000.p/1", id="higher-level"),
            pytest.param("tile/entries/001.p/45", id="later-bundle"),
            pytest.param("Checkpoint", id="other-case"),
            pytest.param("cosignatures", id="file-in-place-of-directory"),
        ],
    )
    def test_refuses_a_superfluous_file(self, name: str) -> None:
        with pytest.raises(MalformedError, match="is no file of a log of 300"):
            verify_files(Named(self.NAMES | {name}), size=300)

    def test_superfluous_is_told_before_missing(self) -> None:
        """Invalid outranks incomplete."""
        with pytest.raises(MalformedError):
            verify_files(Named((self.NAMES - {"checkpoint"}) | {"notes.txt"}), size=300)

    def test_an_immense_size_is_refused_at_once(self) -> None:
        with pytest.raises(MissingFileError):
            verify_files(Named(frozenset({"checkpoint"})), size=2**62)


class TestDirectoryFiles:
    def test_names_the_missing_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        for path in ("checkpoint", "tile/0/000", "file/below"):
            with pytest.raises(MissingFileError) as caught:
                DirectoryFiles(tmp_path).read(path)
            assert str(caught.value) == f"{path} is missing"

    @pytest.mark.parametrize(
        "path", ["", "/etc/hosts", "../outside", "a/../b", "a//b", "./a", "a/"]
    )
    def test_refuses_paths_that_are_not_plain(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "outside").write_bytes(b"secret")
        (tmp_path / "inside").mkdir()
        with pytest.raises(MalformedError, match="not a plain relative path"):
            DirectoryFiles(tmp_path / "inside").read(path)

    def test_refuses_symbolic_links(self, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "file").write_bytes(b"secret")
        for name, target in (("file", "outside/file"), ("directory", "outside")):
            inside = tmp_path / f"with-{name}"
            inside.mkdir()
            (inside / "link").symlink_to(tmp_path / target)
            files = DirectoryFiles(inside)
            with pytest.raises(MalformedError, match="symbolic link"):
                files.names()
            with pytest.raises(MalformedError, match="symbolic link"):
                files.read("link" if name == "file" else "link/file")

    def test_refuses_what_is_no_regular_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(MalformedError, match="not a regular file"):
            DirectoryFiles(tmp_path).names()
        with pytest.raises(MalformedError, match="not a regular file"):
            DirectoryFiles(tmp_path).read("pipe")

    def test_refuses_a_directory_as_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "tile").mkdir()
        assert DirectoryFiles(tmp_path).names() == frozenset()
        with pytest.raises(MalformedError, match="not a regular file"):
            DirectoryFiles(tmp_path).read("tile")

    def test_refuses_a_file_too_large_for_an_export(self, tmp_path: Path) -> None:
        with (tmp_path / "checkpoint").open("wb") as file:
            file.truncate(FILE_SIZE_MAX + 1)
        with pytest.raises(TooLargeError):
            DirectoryFiles(tmp_path).read("checkpoint")

    def test_reads_are_those_of_the_tree_that_was_written(self, tmp_path: Path) -> None:
        files = export(tmp_path / "export", 5)
        head = TreeHead(5, root_of(map(hash_leaf, entries_of(5))))
        assert root_at(TileHashes(files.read, 5), 5) == head.root
