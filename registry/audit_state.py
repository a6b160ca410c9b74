"""Where an audit ended, in a file: what the next audit needs to go on from there.

The file is lines of text, so it is written and read as a stream:

    {"note":…,"previous":…,"program":…,"statements":…,"time":…,"v":…}
    ledger                            each table's name, then its live rows in key order:
    {"calendar":"CN-2025-2026", …}    the very bytes that the replay digest hashes
    …
    bucket-histories                  those that have grown since rows had all of them
    {"grown":true,"row":{"bucket":…}} grown: since the newest request for a state entry
    owed-states                       those asked for and not sealed yet, the oldest first,
    {"state":{…},"time":…}            with the time of the request; behind each, as they
    {"bucket":…}                      were then, the histories that had grown
    statement-ids                     what statements were named that have not all expired
    486021 91310000MA00001041 0197c3a0-…

Its digest is the SHA-256 of the file. Rows say nothing about where they come from, so a
state is as good as the digest that the auditor kept: without it, none is loaded.
"""

import hashlib
import os
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar, get_type_hints

import msgspec

from registry.canonical import b64url_decode, b64url_encode, format_json, parse_object
from registry.checkpoint import Checkpoint, open_checkpoint
from registry.commitments import StateCommitted
from registry.errors import MalformedError, RegistryError
from registry.histories import rows_of
from registry.ids import Origin
from registry.kinds import Rulebook
from registry.lasting import ReplayedRows
from registry.model import History
from registry.replay import Owed, Past, Replay
from registry.signing import PublicKey
from registry.tables import Record, Table, to_json

FORMAT: Final = "tallystick-audit-state/1"
HISTORIES: Final = "bucket-histories"
OWED: Final = "owed-states"
IDS: Final = "statement-ids"
"""Stand behind all rows, in this order; no table has a hyphen in its name."""

LINE_MAX: Final = 1 << 20
HEAD: Final = frozenset({"note", "previous", "program", "statements", "time", "v"})

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """Where an audit ended.

    Attributes:
        note: The checkpoint that it ended at, as signed.
        checkpoint: The same, opened.
        replay: The state, and what else a replay remembers.
    """

    note: str
    checkpoint: Checkpoint
    replay: Replay


def program_digest(rulebook: Rulebook) -> str:
    """Hashes the program that judges: the source of every package with a rule in it.

    A state is what that program made of the log. Another one may judge otherwise, be it
    only because a fault has been mended, and then has to begin at genesis.
    """
    rules = {kind.decide.__module__.partition(".")[0] for kind in rulebook.kinds.values()}
    digest = hashlib.sha256()
    for package in sorted({*rules, "registry"}):
        root = Path(import_module(package).__path__[0])
        for path in sorted(root.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root.parent).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


# --- Writing ------------------------------------------------------------------------


def save_state(path: Path, saved: SavedState, *, rulebook: Rulebook) -> str:
    """Writes a state to a file, complete or not at all, for its owner's eyes only.

    Returns:
        The file's SHA-256 in hex, without which it cannot be loaded.

    Raises:
        OSError: It cannot be written.
    """
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for line in _lines(saved, rulebook):
                digest.update(line + b"\n")
                file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return digest.hexdigest()


def _lines(saved: SavedState, rulebook: Rulebook) -> Iterator[bytes]:
    """Yields the lines of the file."""
    past = saved.replay.past
    yield format_json(
        {
            "note": b64url_encode(saved.note.encode()),
            "previous": b64url_encode(past.previous),
            "program": program_digest(rulebook),
            "statements": past.statements,
            "time": past.time,
            "v": FORMAT,
        }
    )
    for table in rulebook.tables:
        yield table.name.encode()
        for row in saved.replay.rows.select(table):
            yield format_json(to_json(row))
    yield HISTORIES.encode()
    histories = saved.replay.histories
    for row in rows_of(histories.known):
        grown = (row.family, row.bucket) in histories.grown
        yield format_json({"grown": grown, "row": to_json(row)})
    yield OWED.encode()
    for owed in past.owed:
        yield format_json({"state": to_json(owed.state), "time": owed.time})
        for row in owed.state.histories:
            yield format_json(to_json(row))
    yield IDS.encode()
    for hour in sorted(past.ids):
        for name in sorted(past.ids[hour]):
            yield f"{hour} {name}".encode()


# --- Reading ------------------------------------------------------------------------


def load_state(
    path: Path, *, digest: str, rulebook: Rulebook, origin: Origin, key: PublicKey
) -> SavedState:
    """Reads a state from a file.

    Args:
        path: The file.
        digest: Its SHA-256 in hex, as the auditor has kept it.
        rulebook: All kinds and tables.
        origin: The log's name, pinned.
        key: The log key, pinned.

    Raises:
        MalformedError: It is another file than the digest says, of another program, of
            another log, or no such file at all.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest.lower():
            raise _refusal(f"its digest is {found}, and the one that you trust is {digest}")
        file.seek(0)
        lines = iter(lambda: file.readline(LINE_MAX), b"")
        try:
            return _load(lines, rulebook=rulebook, origin=origin, key=key)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, StopIteration) as error:
            raise _refusal(f"it does not have the form of one: {error}") from None


def _refusal(reason: str) -> MalformedError:
    return MalformedError(what="state file", reason=reason)


def _load(
    lines: Iterator[bytes], *, rulebook: Rulebook, origin: Origin, key: PublicKey
) -> SavedState:
    """Reads the lines of a file that the auditor trusts."""
    head: dict[str, Any] = parse_object(next(lines).rstrip(b"\n"), what="state file")
    if set(head) != HEAD or head["v"] != FORMAT:
        raise _refusal("its first line is not that of one")
    if head["program"] != program_digest(rulebook):
        raise _refusal("another version of the program has made it: begin at genesis")
    note = b64url_decode(head["note"], what="note").decode()
    try:
        checkpoint = open_checkpoint(note, origin=origin, key=key)
    except RegistryError as error:
        raise _refusal(f"it is of another log: {error}") from None
    rows = _load_rows(lines, rulebook)
    histories = [*_load_histories(lines)]
    past = Past(
        size=checkpoint.size,
        statements=int(head["statements"]),
        previous=b64url_decode(head["previous"], what="previous", length=32),
        time=int(head["time"]),
        owed=deque(_load_owed(lines)),
        ids=_load_ids(lines),
    )
    replay = Replay(rulebook, origin=origin, root_at=_no_roots, rows=rows, past=past)
    for has_grown, history in histories:
        replay.histories.restore([history], has_grown=has_grown)
    return SavedState(note=note, checkpoint=checkpoint, replay=replay)


def _no_roots(size: int) -> bytes:
    """Stands where the audit puts its tree."""
    raise AssertionError(f"a loaded state was asked for the root at {size}")


def _load_rows(lines: Iterator[bytes], rulebook: Rulebook) -> ReplayedRows:
    """Reads all tables, up to the line behind them."""
    rows = ReplayedRows(rulebook.tables)
    following = [table.name for table in rulebook.tables[1:]] + [HISTORIES]
    if next(lines) != b"%b\n" % rulebook.tables[0].name.encode():
        raise _refusal("its tables are others")
    for table, end in zip(rulebook.tables, following, strict=True):
        for line in lines:
            if line == b"%b\n" % end.encode():
                break
            row = _parse_row(table, line)
            # Printing back shows whatever was read leniently.
            if b"%b\n" % format_json(to_json(row)) != line:
                raise _refusal(f"a row of {table.name} is not in canonical form")
            rows.put(table, row)
        else:
            raise _refusal(f"it ends within table {table.name}")
    return rows


def _parse_row(table: Table[R], line: bytes) -> R:
    """Reads a row: money stands there as text, and an absent optional not at all."""
    members = dict.fromkeys(_fields(table)) | msgspec.json.decode(line, type=dict[str, Any])
    return msgspec.convert(members, type=table.row, strict=False)


@cache
def _fields(table: Table[Any]) -> tuple[str, ...]:
    """Returns the names of a row's fields."""
    return tuple(get_type_hints(table.row))


class _HistoryLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    grown: bool
    row: History


def _load_histories(lines: Iterator[bytes]) -> Iterator[tuple[bool, History]]:
    """Reads histories, up to the line behind them."""
    for line in lines:
        if line == b"%b\n" % OWED.encode():
            return
        read = msgspec.json.decode(line, type=_HistoryLine)
        yield read.grown, read.row
    raise _refusal("it ends within the histories")


def _load_owed(lines: Iterator[bytes]) -> Iterator[Owed]:
    """Reads states that were asked for, up to the line behind them."""
    state: dict[str, Any] = {}
    time, histories = 0, list[History]()
    for line in lines:
        is_end = line == b"%b\n" % IDS.encode()
        members = {} if is_end else msgspec.json.decode(line, type=dict[str, Any])
        if not is_end and "state" not in members:
            histories.append(msgspec.convert(members, History))
            continue
        if state:
            whole = msgspec.convert({**state, "histories": tuple(histories)}, StateCommitted)
            yield Owed(state=whole, time=time)
        if is_end:
            return
        state = {name: each for name, each in members["state"].items() if name != "effect"}
        time, histories = int(members["time"]), []
    raise _refusal("it ends within the states that are owed")


def _load_ids(lines: Iterator[bytes]) -> dict[int, set[str]]:
    """Reads what statements were named."""
    ids: dict[int, set[str]] = {}
    for line in lines:
        hour, _, name = line.decode("ascii").rstrip("\n").partition(" ")
        ids.setdefault(int(hour), set()).add(name)
    return ids
