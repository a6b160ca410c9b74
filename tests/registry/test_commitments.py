"""Commitments: against a second opinion written from the page alone, and incrementally."""

import base64
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from registry.commitments import (
    FAMILIES,
    Commitments,
    bucket_record,
)
from registry.effects import SALT_BUCKET, SALT_LOT, Touch, derive_salt
from registry.entries import open_entry
from registry.errors import InvariantBrokenError
from registry.histories import Histories
from registry.ids import LotId, Origin
from registry.leaves import (
    LotColumns,
    columns_of,
    fields_of,
    hash_records,
    in_order,
    write_records,
)
from registry.merkle import CompactRange
from registry.model import ACCOUNTS, BUCKETS, LOTS, TABLES, VOUCHERS, Bucket, Lot
from registry.proofs import committed_state, verify_lot_proof, verify_snapshot
from registry.signing import parse_jwk
from registry.state import MemoryRows
from registry.sumtree import EMPTY
from registry.tables import Table, replace
from tests.logs import story

VECTORS = Path(__file__).resolve().parents[1] / "vectors"


def vector(path: str) -> Any:
    return json.loads((VECTORS / path).read_text("utf-8"))


# --- A second opinion: formats.md, "State tree", and no code of the registry ----------


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def jcs(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def split(count: int) -> int:
    """Gives the largest power of two below a count."""
    return 1 << ((count - 1).bit_length() - 1)


def sum_root(leaves: list[tuple[bytes, int, int]]) -> tuple[bytes, int, int]:
    if not leaves:
        return sha(b"\x22"), 0, 0
    if len(leaves) == 1:
        return leaves[0]
    left, right = sum_root(leaves[: split(len(leaves))]), sum_root(leaves[split(len(leaves)) :])
    eight = [n.to_bytes(8, "big") for n in (*left[1:], *right[1:])]
    digest = sha(b"\x21", left[0], eight[0], eight[1], right[0], eight[2], eight[3])
    return digest, left[1] + right[1], left[2] + right[2]


def log_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return sha(b"\x01", log_root(leaves[:at]), log_root(leaves[at:]))


def naive_lot(lot: Lot, payee: str) -> bytes:
    facts = {
        "acknowledged": lot.acknowledged,
        "assignments": len(lot.path) - 1,
        "burdens": [],
        "due_on": lot.due_on,
        "payee": payee,
        "recourse": lot.recourse,
        "status": str(lot.status),
        "tier": lot.tier,
    }
    salt = raw(lot.salt)
    return jcs({
        "amount": str(lot.amount),
        "born": lot.born,
        "detail": text(sha(b"tallystick-detail/1\x00", salt, jcs(facts))),
        "holder": text(sha(b"tallystick-holder/1\x00", salt, lot.holder.encode())),
        "lot": lot.lot,
        "voucher": lot.voucher,
    })  # fmt: skip


def naive_family(family: str, *, at: int) -> dict[str, Any]:
    """Commits to one family of the story as of a size, from rows and entries alone."""
    store, entries = story().world.store, story().entries
    payees = {row.account: row.digest for row in store.select(ACCOUNTS, as_of=at)}
    faces = {str(row.voucher): row for row in store.select(VOUCHERS, as_of=at)}
    buckets = [row for row in store.select(BUCKETS, as_of=at)
               if row.family == family and row.ordinal is not None]  # fmt: skip
    leaves, total = [], 0
    for bucket in sorted(buckets, key=lambda row: row.ordinal or 0):
        live = [lot for lot in store.select(LOTS, as_of=at)
                if bucket.bucket in (lot.holder, lot.voucher)]  # fmt: skip
        live.sort(key=lambda lot: (lot.born, int(lot.lot.rpartition(".")[2])))
        root = sum_root([
            (sha(b"\x20", naive_lot(lot, payees[lot.account])), lot.amount, 1) for lot in live
        ])  # fmt: skip
        history = [sha(b"\x00", data) for data in entries[:at]
                   if bucket.bucket in json.loads(data)["effects"]["touches"][family]]  # fmt: skip
        record = {
            "bucket": bucket.bucket,
            "count": root[2],
            "family": family,
            "history": {"root": text(log_root(history)), "size": len(history)},
            "ordinal": bucket.ordinal,
            "root": text(root[0]),
            "salt": bucket.salt,
            "sum": str(root[1]),
        }
        if family == "voucher":
            row = faces[bucket.bucket]
            record |= {"cancelled": str(row.cancelled), "discharged": str(row.discharged),
                       "face": str(row.face)}  # fmt: skip
        leaves.append(sha(b"\x00", jcs(record)))
        total += root[1]
    return {"buckets": len(leaves), "root": text(log_root(leaves)), "total": str(total)}


class TestSecondOpinion:
    @pytest.mark.parametrize("number", [0, 1])
    @pytest.mark.parametrize("family", FAMILIES)
    def test_state_entries_commit_to_what_the_page_says(self, family: str, number: int) -> None:
        committed = committed_state(open_entry(story().entries[story().index("state", number)]))
        assert naive_family(family, at=committed["at"]) == committed[family]

    def test_salts(self) -> None:
        case = vector("snapshots/lot.json")["input"]
        n = case["n"].to_bytes(4, "big")
        salt = text(sha(b"tallystick-salt/1\x00", n, case["statement"].encode())[:16])
        assert salt == case["salt"]
        assert salt == derive_salt(SALT_LOT, statement=case["statement"], n=case["n"])
        bucket = text(sha(b"tallystick-bucket/1\x00", bytes(4), b"jws")[:16])
        assert bucket == derive_salt(SALT_BUCKET, statement="jws", n=0)


def leaves_of(commitments: Commitments) -> dict[str, list[bytes]]:
    return {
        family: [tree.subtree(0, index) for index in range(tree.size)]
        for family, tree in commitments.trees.items()
    }


def rows_at(size: int) -> MemoryRows:
    rows = MemoryRows(TABLES)
    tables: tuple[Table[Any], ...] = (LOTS, VOUCHERS, ACCOUNTS, BUCKETS)
    for table in tables:
        for row in story().world.store.select(table, as_of=size):
            rows.put(table, row)
    return rows


def histories_at(size: int) -> dict[Touch, CompactRange]:
    histories = Histories(lambda touches: [None] * len(touches))
    histories.read(story().entries[:size])
    return histories.take()


class TestIncrementally:
    def test_touched_buckets_are_all_that_changed_at_every_entry(self) -> None:
        """What an entry does not touch keeps its leaf, or commitments would go stale."""
        kept = Commitments()
        for size, data in enumerate(story().entries, 1):
            touches: Any = open_entry(data).effects["touches"]
            touched = [(family, name) for family in FAMILIES for name in touches[family]]
            rows, histories = rows_at(size), histories_at(size)
            kept.update(rows.fetch, {touch: histories[touch] for touch in touched})
            fresh = Commitments()
            fresh.update(rows.fetch, histories)
            whole = fresh.roots(at=size, grown=histories)
            loaded = Commitments.load((row.family, row.record) for row in whole.histories)
            assert leaves_of(kept) == leaves_of(fresh) == leaves_of(loaded), size
            roots = [each.roots(at=size, grown={}) for each in (kept, fresh, loaded)]
            assert roots[0] == roots[1] == roots[2]

    def test_few_buckets_at_a_time_give_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        store = story().world.store
        rows, histories = rows_at(store.size()), histories_at(store.size())
        whole, parts = Commitments(), Commitments()
        whole.update(rows.fetch, histories)
        monkeypatch.setattr("registry.commitments.BUCKETS_AT_ONCE", 2)
        parts.update(rows.fetch, histories)
        assert parts.roots(at=1, grown={}) == whole.roots(at=1, grown={})

    def test_nothing_is_committed_to_before_genesis(self) -> None:
        roots = Commitments().roots(at=0, grown={})
        assert (roots.holder.buckets, roots.holder.total) == (0, "0")
        assert roots.holder.root == roots.voucher.root == text(sha(b""))


class TestRecords:
    def lot(self) -> Lot:
        return next(iter(story().world.store.select(LOTS)))

    def bucket(self) -> Bucket:
        return next(iter(story().world.store.select(BUCKETS)))

    def test_a_leaf_is_made_from_its_record(self) -> None:
        lot = self.lot()
        columns = columns_of([fields_of(lot)], {lot.account: "payee"})
        (record,) = write_records(columns)
        assert record.encode() == naive_lot(lot, "payee")
        assert hash_records([record]) == [sha(b"\x20", naive_lot(lot, "payee"))]

    def test_leaf_order_is_by_birth_and_number_and_not_by_text(self) -> None:
        lots = [
            replace(self.lot(), born=born, lot=LotId(f"{'A' * 43}.{n}"))
            for born, n in ((9, 10), (10, 0), (9, 2), (9, 1))
        ]
        assert [(lot.born, lot.lot[44:]) for lot in in_order(lots)] == [
            (9, "1"), (9, "2"), (9, "10"), (10, "0")
        ]  # fmt: skip

    def test_a_voucher_that_does_not_add_up_is_a_bug(self) -> None:
        store = story().world.store
        bucket = next(row for row in store.select(BUCKETS) if row.family == "voucher"
                      and row.ordinal is not None)  # fmt: skip
        voucher = next(row for row in store.select(VOUCHERS) if row.voucher == bucket.bucket)
        with pytest.raises(InvariantBrokenError, match="does not add up"):
            bucket_record(bucket, CompactRange(), EMPTY, voucher=voucher)

    def test_a_bucket_without_an_ordinal_has_no_record(self) -> None:
        bucket = replace(self.bucket(), ordinal=None)
        with pytest.raises(InvariantBrokenError, match="has no ordinal"):
            bucket_record(bucket, CompactRange(), EMPTY, voucher=None)

    def test_ordinals_leave_no_gap(self) -> None:
        bucket = replace(self.bucket(), ordinal=1)
        with pytest.raises(InvariantBrokenError, match="ordinal 1 after 0"):
            Commitments().update(
                answering(bucket), {(bucket.family, bucket.bucket): CompactRange()}
            )

    def test_a_touched_bucket_that_nobody_founded_is_a_bug(self) -> None:
        with pytest.raises(InvariantBrokenError, match="touches no known holder nobody"):
            Commitments().update(answering(None), {("holder", "nobody"): CompactRange()})


def answering(bucket: Bucket | None) -> Any:
    """Makes a state of one bucket and nothing else."""

    def fetch(reads: Iterable[Any]) -> list[tuple[Any, ...]]:
        return [(bucket,) if getattr(read, "table", None) is BUCKETS else () for read in reads]

    return fetch


class TestGoldenBytes:
    def test_a_lots_record(self) -> None:
        case = vector("snapshots/lot.json")
        record = json.loads(case["want"]["record"])
        columns = LotColumns(
            lot=[record["lot"]],
            voucher=[record["voucher"]],
            amount=[int(record["amount"])],
            holder=[case["input"]["holder"]],
            born=[record["born"]],
            salt=[case["input"]["salt"]],
            facts=[jcs(case["input"]["facts"]).decode()],
        )
        (written,) = write_records(columns)
        assert written == case["want"]["record"]
        assert hash_records([written])[0].hex() == case["want"]["leaf_hash"]

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_buckets_record(self, family: str) -> None:
        case = vector(f"snapshots/bucket-{family}.json")
        assert jcs(case["input"]).decode() == case["want"]["record"]
        assert sha(b"\x00", case["want"]["record"].encode()).hex() == case["want"]["leaf_hash"]

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_snapshot_verifies(self, family: str) -> None:
        case = vector(f"snapshots/{family}.json")
        given = case["input"]
        holding = verify_snapshot(
            {name: data.encode() for name, data in case["want"].items()},
            origin=Origin(given["origin"]),
            key=parse_jwk(given["key"]),
        )
        assert (holding.family, holding.bucket) == (family, given["bucket"])
        lots = [json.loads(line) for line in case["want"]["lots.ndjson"].splitlines()]
        leaves = [(sha(b"\x20", jcs(lot["record"])), int(lot["record"]["amount"]), 1)
                  for lot in lots]  # fmt: skip
        record = vector(f"snapshots/bucket-{family}.json")["input"]
        root = sum_root(leaves)
        assert (text(root[0]), str(root[1]), root[2]) == (
            record["root"], record["sum"], record["count"]
        )  # fmt: skip

    def test_a_lot_proof_verifies(self) -> None:
        case = vector("snapshots/lot-proof.json")
        holding = verify_lot_proof(
            case["want"]["proof"].encode(),
            origin=Origin(case["input"]["origin"]),
            key=parse_jwk(case["input"]["key"]),
        )
        assert holding.lots[0]["record"]["lot"] == case["input"]["lot"]

    def test_facts_have_these_names_and_no_others(self) -> None:
        lot = next(iter(story().world.store.select(LOTS)))
        columns = columns_of([fields_of(lot)], {lot.account: "x"})
        assert list(json.loads(columns.facts[0])) == [
            "acknowledged", "assignments", "burdens", "due_on", "payee", "recourse", "status",
            "tier",
        ]  # fmt: skip
