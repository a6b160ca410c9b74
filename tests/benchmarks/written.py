"""Checks what a benchmark has written: fast answers that are wrong are worth nothing.

Every answer must tell of its own statement; afterwards the log must hold exactly what was
sent, chained and signed for, the rows what the transfers leave, and not one fen more or
less. Of a sample the signatures are verified again, as an auditor would.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from api.service import open_store
from clearing.rulebook import RULEBOOK
from registry.checkpoint import open_checkpoint
from registry.entries import open_entry
from registry.inboxes import NOTICES
from registry.logtree import stored_hashes
from registry.merkle import CompactRange, hash_leaf, prove_inclusion, verify_inclusion
from registry.model import LEDGER, LOTS
from registry.ports import LedgerStore
from registry.statements import admit
from registry.store.sql import SqlStore
from registry.tables import Get
from registry.writer import StoredKeys
from tests.benchmarks.load import Answer
from tests.benchmarks.transfers import Transfer, party_id
from tests.benchmarks.workload import Built
from tests.builders import ORIGIN, key_of

SAMPLE: Final = 200


class WrongError(AssertionError):
    """What was measured did not do what it should."""


def verify_answer(transfer: Transfer, answer: Answer) -> None:
    """Checks the answer to one statement.

    Raises:
        WrongError: It is not what must come of the transfer.
    """
    if answer.status != 201:
        raise WrongError(f"status {answer.status}: {answer.body[:300]!r}")
    _verify_result(transfer, json.loads(answer.body))


def verify_bulk_answer(transfers: Sequence[Transfer], answer: Answer) -> None:
    """Checks the answer to many statements, line by line.

    Raises:
        WrongError: A line is not what must come of its transfer.
    """
    lines = answer.body.splitlines()
    if answer.status != 200 or len(lines) != len(transfers):
        raise WrongError(f"status {answer.status}, {len(lines)} lines of {len(transfers)}")
    for transfer, line in zip(transfers, lines, strict=True):
        result = json.loads(line)
        if result["status"] != 201:
            raise WrongError(f"a line of status {result['status']}: {line[:300]!r}")
        _verify_result(transfer, result)


def _verify_result(transfer: Transfer, result: Mapping[str, Any]) -> None:
    """Checks what a result says."""
    moved = result["effects"]["changes"][0]
    notices = [each for each in result["effects"]["changes"] if each["effect"] == "notice-arrived"]
    said = (result["sid"], moved["effect"], moved["amount"], moved["remainder"], moved["assignee"])
    meant = (
        transfer.sid,
        "lot-transferred",
        str(transfer.amount),
        str(transfer.remainder),
        party_id(transfer.assignee),
    )
    if said != meant or len(notices) != 2:
        raise WrongError(f"answered {said} and {len(notices)} notices, meant {meant}")


def verify_written(built: Built, sent: Sequence[Transfer]) -> None:
    """Checks a ledger to which these transfers were sent since it was built.

    Raises:
        WrongError: Something is missing, is there twice, or differs.
    """
    store = open_store(built.database)
    try:
        _verify_log(store, built, sent)
        _verify_rows(store, sent)
        _verify_sample(store, built, sent)
    finally:
        if isinstance(store, SqlStore):
            store.close()


def _verify_log(store: LedgerStore, built: Built, sent: Sequence[Transfer]) -> None:
    """Checks that the log has grown by exactly what was sent, and is chained and signed."""
    size = store.size()
    if size != built.size + len(sent):
        raise WrongError(f"{size} entries, not {built.size} and {len(sent)}")
    indexes = store.find_statements([transfer.sid for transfer in sent])
    if sorted(indexes.values()) != list(range(built.size, size)):
        raise WrongError("a statement is missing from the log, or is there twice")
    tree = CompactRange()
    previous = b""
    for previous in store.leaf_hashes(0, built.size):
        tree.append(previous)
    for data in store.entries(built.size, size):
        entry = open_entry(data)
        if entry.previous != previous:
            raise WrongError(f"entry {entry.index} does not follow the one before")
        previous = hash_leaf(data)
        tree.append(previous)
    note = open_checkpoint(store.note(), origin=ORIGIN, key=key_of("log").public)
    if note.head != tree.head():
        raise WrongError(f"the checkpoint of {note.size} entries is not of the {size} stored")


def _verify_rows(store: LedgerStore, sent: Sequence[Transfer]) -> None:
    """Checks that the rows are what the transfers leave, and that the face is conserved."""
    spent = {transfer.lot for transfer in sent}
    parts: dict[str, tuple[int, str]] = {}
    for transfer in sent:
        parts[f"{transfer.sid}.1"] = transfer.remainder, party_id(transfer.assignor)
        parts[f"{transfer.sid}.2"] = transfer.amount, party_id(transfer.assignee)
    total = 0
    for lot in store.select(LOTS):
        total += lot.amount
        if lot.lot in spent:
            raise WrongError(f"lot {lot.lot} was spent and is live")
        if lot.lot in parts and parts.pop(lot.lot) != (lot.amount, lot.holder):
            raise WrongError(f"lot {lot.lot} has another amount or holder")
    if left := parts.keys() - spent:
        raise WrongError(f"{len(left)} lots are missing, {min(left)} the first")
    ledger = next(store.select(LEDGER))
    if total != ledger.face_total:
        raise WrongError(f"the lots add up to {total}, the vouchers to {ledger.face_total}")
    for some in _chunks([f"{transfer.sid}.2!{r}" for transfer in sent for r in (0, 1)]):
        if None in store.fetch([Get(NOTICES, tuple((name,) for name in some))])[0]:
            raise WrongError("a notice is missing")


def _verify_sample(store: LedgerStore, built: Built, sent: Sequence[Transfer]) -> None:
    """Audits some of the entries: signature, bytes and inclusion in the signed tree."""
    size = store.size()
    head = open_checkpoint(store.note(), origin=ORIGIN, key=key_of("log").public).head
    hashes = stored_hashes(lambda level, index: store.tile(level=level, index=index), size)
    keys = StoredKeys(store)
    texts = {transfer.sid: transfer.text for transfer in sent}
    chosen = random.Random(0).sample(range(built.size, size), min(SAMPLE, len(sent)))  # noqa: S311
    for index in chosen:
        data = next(store.entries(index, index + 1))
        text = open_entry(data).statement
        statement = admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=keys)
        if texts[statement.sid] != text:
            raise WrongError(f"entry {index} holds other bytes than were sent")
        path = prove_inclusion(hashes, index=index, size=size)
        verify_inclusion(path, leaf_hash=hash_leaf(data), leaf_index=index, head=head)


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields names a thousand at a time."""
    for at in range(0, len(names), 1_000):
        yield names[at : at + 1_000]
