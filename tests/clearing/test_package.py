"""The clearing package: streamed from a store, the same bytes as the plan, and checked."""

import hashlib
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from clearing.due import Share, stream_due
from clearing.model import BALANCES
from clearing.package import FILES, Package, verify_package, write_package
from clearing.plan import PLAN_DOMAIN, Due, format_plan, plan_digest, route_batches
from clearing.routes import Instruction, instruct
from clearing.rulebook import RULEBOOK
from clearing.rules.plans import plan_due
from clearing.totals import Totals
from registry.batch import Batch, Change
from registry.canonical import b64url_encode, format_json, parse_json
from registry.errors import HeadMovedError, InvariantBrokenError, ProofFailedError
from registry.model import LOTS
from registry.ports import Commit, LedgerStore
from registry.store.memory import MemoryStore
from registry.store.sql import SqlStore
from tests.clearing.strategies import worlds
from tests.clearing.test_rules import adopt, confirm, instructions
from tests.clearing.world import DUE_ON, PAY_ON, World, gv01
from tests.clearing_scale import Scale, build
from tests.registry.store.parts import entry


def stored(world: World) -> LedgerStore:
    """Puts a world's rows into a store."""
    store = MemoryStore(RULEBOOK.tables)
    return filled(store, world)


def filled(store: LedgerStore, world: World) -> LedgerStore:
    changes = [
        Change(index=0, table=table, key=table.key_of(row), row=row)
        for table in RULEBOOK.tables
        for row in world.rows.select(table)
    ]
    commit = Commit(entries=[entry(0)], changes=changes, tiles=())
    store.append(commit, expected_size=0, epoch=store.acquire())
    return store


def grow(store: LedgerStore) -> None:
    """Adds an entry that changes nothing."""
    size = store.size()
    commit = Commit(entries=[entry(size)], changes=(), tiles=())
    store.append(commit, expected_size=size, epoch=store.acquire())


def written(directory: Path, store: LedgerStore) -> Package:
    return write_package(directory, stream_due(store, DUE_ON), due_on=DUE_ON, pay_on=PAY_ON)


def verified(directory: Path, store: LedgerStore) -> Package:
    return verify_package(directory, stream_due(store, DUE_ON), due_on=DUE_ON, pay_on=PAY_ON)


def lines(path: Path) -> list[Any]:
    """Reads lines that must be canonical."""
    return [parse_json(line, what="line") for line in path.read_bytes().splitlines()]


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


class TestDue:
    @given(worlds())
    @settings(max_examples=30)
    def test_a_stream_gives_the_plan_that_the_rows_give(self, world: World) -> None:
        plan, totals = world.plan(), Totals()
        due, instructions = stream_due(stored(world), DUE_ON), list[Instruction]()
        for voucher, _, steps in chain.from_iterable(route_batches(due, totals)):
            first = len(instructions)
            instructions += instruct(voucher, steps, first=first, places=due.places)
        assert instructions == [*plan.instructions]
        assert totals == plan.totals

    def test_vouchers_out_of_order_are_a_bug(self, world: World) -> None:
        due = stream_due(stored(world), DUE_ON)
        twice = Due(batches=list(due.batches) * 2, mandates=due.mandates, places=due.places)
        with pytest.raises(InvariantBrokenError, match="stands after"):
            list(route_batches(twice, Totals()))

    def test_few_vouchers_at_a_time_give_the_same(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(5):
            world.issue(f"more {number}", face=9, to="S1")
        store = stored(world)
        (whole,) = stream_due(store, DUE_ON).batches
        assert len(whole) == 6
        monkeypatch.setattr("clearing.due.VOUCHERS_AT_ONCE", 2)
        batches = list(stream_due(store, DUE_ON).batches)
        assert [len(batch) for batch in batches] == [2, 2, 2]
        assert [*chain.from_iterable(batches)] == whole

    def test_shares_are_each_voucher_once(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(6):
            world.issue(f"more {number}", face=9, to="S1")
        store = stored(world)
        (whole,) = stream_due(store, DUE_ON).batches
        monkeypatch.setattr("clearing.due.VOUCHERS_AT_ONCE", 2)
        shares = [
            list(stream_due(store, DUE_ON, share=Share(place=place, of=3)).batches)
            for place in range(3)
        ]
        assert [len(share) for share in shares] == [2, 1, 1]
        (first, fourth), (second,), (third,) = shares
        assert [*first, *second, *third, *fourth] == whole

    def test_a_log_that_grows_meanwhile_is_refused(self, world: World) -> None:
        store = stored(world)
        due = stream_due(store, DUE_ON)
        grow(store)
        with pytest.raises(HeadMovedError, match="has 2 entries, expected 1"):
            list(due.batches)


class TestPackage:
    def test_its_plan_is_the_plan_that_is_signed(self, world: World, tmp_path: Path) -> None:
        made = written(tmp_path / "p", stored(world))
        plan = world.plan()
        data = (tmp_path / "p" / "plan.json").read_bytes()
        assert data == format_plan(plan)
        assert made.digest == plan_digest(plan)
        signed = hashlib.sha256(PLAN_DOMAIN + b"\x00" + data).digest()
        assert made.digest == b64url_encode(signed)
        assert made.totals == plan.totals

    def test_its_manifest_has_digests_and_figures(self, world: World, tmp_path: Path) -> None:
        made = written(tmp_path / "p", stored(world))
        assert tuple(sorted(path.name for path in (tmp_path / "p").iterdir())) == FILES
        manifest = json.loads(made.manifest)
        assert format_json(manifest) + b"\n" == made.manifest
        for name in ("accounts.ndjson", "postings.ndjson"):
            digest = hashlib.sha256((tmp_path / "p" / name).read_bytes()).digest()
            assert manifest["files"][name] == b64url_encode(digest)
        assert manifest["files"]["plan.json"] == made.digest
        assert (manifest["instructions"], manifest["lots"], manifest["vouchers"]) == (5, 4, 1)
        assert (manifest["postings"], manifest["gross"]) == (18, "225000000")

    @given(worlds())
    @settings(max_examples=15, deadline=None)
    def test_its_postings_are_what_confirmations_book(self, world: World) -> None:
        """All banks confirm, and the ledger's own balances are those of the package."""
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name) / "p"
            made = written(directory, stored(world))
            booked, left = (
                lines(directory / "postings.ndjson"),
                lines(directory / "accounts.ndjson"),
            )
        balances: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for line in booked:
            balances[line["credit"]][0] += int(line["amount"])
            balances[line["debit"]][1] += int(line["amount"])
        assert made.postings == 2 * len(booked)
        assert [line["account"] for line in left] == sorted(balances)
        plan = adopt(world)
        for record in instructions(world, plan):
            confirm(world, plan, record.n)
        assert {b.account: [b.credited, b.debited] for b in world.rows.select(BALANCES)} == balances
        for line in left:
            assert [int(line["credited"]), int(line["debited"])] == balances[line["account"]]

    def test_is_written_once(self, world: World, tmp_path: Path) -> None:
        written(tmp_path / "p", stored(world))
        with pytest.raises(FileExistsError):
            written(tmp_path / "p", stored(world))

    def test_leaves_nothing_when_it_fails(self, world: World, tmp_path: Path) -> None:
        lot = world.lots()[0]
        world.rows.delete(LOTS, lot.lot)
        with pytest.raises(InvariantBrokenError, match="held of"):
            written(tmp_path / "p", stored(world))
        assert list(tmp_path.iterdir()) == []


def _touch(directory: Path) -> None:
    (directory / "more").touch()


def _lose(directory: Path) -> None:
    (directory / "accounts.ndjson").unlink()


def _flip(name: str) -> Callable[[Path], None]:
    def flip(directory: Path) -> None:
        data = bytearray((directory / name).read_bytes())
        data[len(data) // 2] ^= 1
        (directory / name).write_bytes(data)

    return flip


def _cut(directory: Path) -> None:
    data = (directory / "postings.ndjson").read_bytes()
    (directory / "postings.ndjson").write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])


class TestVerifying:
    def test_the_right_one_is_verified(self, world: World, tmp_path: Path) -> None:
        store = stored(world)
        assert written(tmp_path / "p", store) == verified(tmp_path / "p", store)

    @pytest.mark.parametrize(
        "harm", [_touch, _lose, _cut, *(_flip(name) for name in FILES)],
        ids=["more", "less", "shorter", *FILES],
    )  # fmt: skip
    def test_any_other_is_refused(
        self, world: World, tmp_path: Path, harm: Callable[[Path], None]
    ) -> None:
        store = stored(world)
        written(tmp_path / "p", store)
        harm(tmp_path / "p")
        with pytest.raises(ProofFailedError):
            verified(tmp_path / "p", store)

    def test_that_of_another_state_is_refused(self, world: World, tmp_path: Path) -> None:
        written(tmp_path / "p", stored(world))
        world.issue("more", face=1, to="S1")
        with pytest.raises(ProofFailedError, match=r"manifest\.json"):
            verified(tmp_path / "p", stored(world))


def test_files_and_rows_of_a_database_give_the_same_plan(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path / 'ledger.db'}", RULEBOOK.tables)
    build(store, Scale(lots=1_500, lots_a_voucher=30, parties=40))
    made = written(tmp_path / "p", store)
    rows = Batch(store.fetch, RULEBOOK.tables, index=store.size())
    plan = plan_due(rows, due_on=DUE_ON, pay_on=PAY_ON)
    assert (made.digest, made.totals) == (plan_digest(plan), plan.totals)
    assert made.totals.lots == 1_500
    assert made == verified(tmp_path / "p", store)
    store.close()
