"""Lasting rows: a replay's memory follows live rows, however many notices there have been."""

from collections.abc import Iterator

import pytest

from clearing.rulebook import RULEBOOK
from registry import spool
from registry.errors import InvariantBrokenError
from registry.inboxes import NOTICES
from registry.kinds import Rulebook
from registry.lasting import ReplayedRows
from registry.model import LOTS, VOUCHER_NUMBERS
from registry.replay import Replay
from registry.state import MemoryRows, replay_digest
from registry.store.memory import MemoryStore
from registry.tables import replace
from tests.builders import ORIGIN, World
from tests.logs import story

KEPT = 8
LASTING = [table for table in RULEBOOK.tables if table.lasting]
DAY = 25 * 3_600_000


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "ROWS_IN_MEMORY", KEPT)
    monkeypatch.setattr(spool, "RUNS_A_LEVEL", 3)


def passed_on() -> Iterator[World]:
    """Passes one lot on, again and again, a day between every few transfers."""
    world = World(MemoryStore(Rulebook().tables), Rulebook()).cast()
    lot, holders = f"{world.issue()}.0", ("s1", "s2")
    for number in range(48):
        lot = f"{world.transfer(lot, 100_000_000, by=holders[0], to=holders[1])}.2"
        holders = holders[::-1]
        if number % 6 == 5:
            world.advance(world.time + DAY)
            yield world


class TestMemory:
    def test_it_stays_as_large_as_the_live_rows_while_a_lot_is_passed_on(self) -> None:
        replay = Replay(Rulebook(), origin=ORIGIN, root_at=lambda _size: b"")
        sizes, named, told = list[int](), list[int](), 0
        for world in passed_on():
            for data in list(world.entries())[replay.size :]:
                replay.feed(data)
            live = [t for t in replay.rows.tables if not t.lasting]
            rows = sum(1 for table in live for _ in replay.rows.select(table))
            told = sum(1 for _ in replay.rows.select(NOTICES))
            sizes.append(replay.rows.in_memory)
            named.append(sum(map(len, replay.past.ids.values())))
            assert rows <= sizes[-1] < rows + KEPT * len(LASTING)
            assert replay.digest() == world.digest()
        assert told > 5 * KEPT
        assert max(sizes[1:]) < min(sizes[1:]) + KEPT
        assert max(named[2:]) <= max(named[:2])

    def test_what_is_on_disk_has_the_digest_of_what_is_in_memory(self) -> None:
        rows, plain = ReplayedRows(Rulebook().tables), MemoryRows(Rulebook().tables)
        whole = Replay(Rulebook(), origin=ORIGIN, root_at=lambda _size: b"")
        for data in story().entries:
            whole.feed(data)
        for table in Rulebook().tables:
            for row in whole.rows.select(table):
                rows.put(table, row)
                plain.put(table, row)
        assert replay_digest(Rulebook().tables, rows.select) == whole.digest()
        assert replay_digest(Rulebook().tables, plain.select) == whole.digest()
        assert whole.digest() == story().world.digest()


class TestLastingTables:
    def test_they_are_those_whose_rows_nothing_ends(self) -> None:
        assert [table.name for table in LASTING] == [
            "waited", "withheld", "notice", "voucher_number", "invoice", "instruction",
            "joint_payment",
        ]  # fmt: skip

    def test_a_row_long_on_disk_is_found_and_can_change(self) -> None:
        rows = ReplayedRows(RULEBOOK.tables)
        world = story().world
        first, *others = world.store.select(NOTICES)
        for number in range(10 * KEPT):
            rows.put(NOTICES, replace(others[0], notice=f"{number:03}"))
        rows.put(NOTICES, replace(first, notice="050", acknowledged=True))
        for number in range(10 * KEPT):
            rows.put(NOTICES, replace(others[0], notice=f"{number:03}x"))
        found = rows.get(NOTICES, "050")
        assert found == replace(first, notice="050", acknowledged=True)
        assert rows.get(NOTICES, "050y") is None
        assert sum(1 for _ in rows.select(NOTICES)) == 20 * KEPT

    def test_a_row_that_stands_already_is_not_added_again_soon(self) -> None:
        rows = ReplayedRows(RULEBOOK.tables)
        (notice, *_) = story().world.store.select(NOTICES)
        rows.add(NOTICES, notice)
        with pytest.raises(InvariantBrokenError, match="stands already"):
            rows.add(NOTICES, notice)

    def test_none_of_their_rows_ends(self) -> None:
        with pytest.raises(InvariantBrokenError, match="its table is lasting"):
            ReplayedRows(RULEBOOK.tables).delete(VOUCHER_NUMBERS, "debtor", "number")

    def test_they_are_looked_up_by_their_keys_alone(self) -> None:
        with pytest.raises(InvariantBrokenError, match="not looked up by recipient"):
            ReplayedRows(RULEBOOK.tables).where(NOTICES, "recipient", "anybody")

    def test_others_are_looked_up_as_ever(self) -> None:
        rows = ReplayedRows(RULEBOOK.tables)
        (lot, *_) = story().world.store.select(LOTS)
        rows.add(LOTS, lot)
        assert rows.where(LOTS, "holder", lot.holder) == (lot,)
        rows.delete(LOTS, lot.lot)
        assert rows.where(LOTS, "holder", lot.holder) == ()
