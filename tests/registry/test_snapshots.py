"""Snapshots as they are taken: complete, as of the state entry, the same bytes every time."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from registry.commitments import FAMILIES
from registry.entries import open_entry
from registry.errors import InvariantBrokenError, NoteFailedError
from registry.leaves import parts_in_order
from registry.model import BUCKETS, HISTORIES, LOTS
from registry.proofs import FILES, committed_state, verify_lot_proof, verify_snapshot
from registry.refusals import LotNotFoundError, SnapshotUnknownError
from registry.snapshots import Prover, take_lot_proof, take_snapshot
from registry.tables import Table, replace
from tests.builders import ORIGIN
from tests.logs import LOG_KEY, note_of, story
from tests.watched import WatchedStore, cast, engine_on, planned, store_of

STATES = (0, 1)


def note() -> str:
    return note_of(story().entries)


def state_index(number: int) -> int:
    return story().index("state", number)


def committed_at(number: int) -> int:
    at = committed_state(open_entry(story().entries[state_index(number)]))["at"]
    assert isinstance(at, int)
    return at


def taken(family: str, bucket: str, *, state: int = 1, note_text: str = "") -> dict[str, bytes]:
    return take_snapshot(
        story().world.store,
        note=note_text or note(),
        state_index=state_index(state),
        family=family,
        bucket=bucket,
    )


def buckets(number: int) -> list[tuple[str, str]]:
    """Lists the buckets that a state entry commits to."""
    rows = story().world.store.select(BUCKETS, as_of=committed_at(number))
    return [(row.family, row.bucket) for row in rows if row.ordinal is not None]


class TestTaking:
    @pytest.mark.parametrize("number", STATES)
    def test_every_bucket_of_every_state_verifies_and_shows_its_live_lots(
        self, number: int
    ) -> None:
        store, at = story().world.store, committed_at(number)
        totals = dict.fromkeys(FAMILIES, 0)
        for family, bucket in buckets(number):
            files = taken(family, bucket, state=number)
            assert tuple(sorted(files)) == FILES
            holding = verify_snapshot(files, origin=ORIGIN, key=LOG_KEY.public)
            live = list(store.select(LOTS, field=family, value=bucket, as_of=at))
            assert {lot["record"]["lot"]: (lot["record"]["amount"], lot["opening"]["holder"])
                    for lot in holding.lots} == {
                lot.lot: (str(lot.amount), lot.holder) for lot in live}  # fmt: skip
            assert (holding.family, holding.bucket, holding.at) == (family, bucket, at)
            assert (holding.count, holding.total) == (len(live), sum(lot.amount for lot in live))
            assert holding.size == len(story().entries)
            totals[family] += holding.total
        committed = committed_state(open_entry(story().entries[state_index(number)]))
        assert {family: str(total) for family, total in totals.items()} == {
            family: committed[family]["total"] for family in FAMILIES
        }

    @pytest.mark.parametrize("number", STATES)
    def test_every_lot_has_a_proof_that_shows_no_other_holder(self, number: int) -> None:
        world = story().world
        live = list(world.store.select(LOTS, as_of=committed_at(number)))
        assert len(live) > 5
        for lot in live:
            data = take_lot_proof(
                world.store, note=note(), state_index=state_index(number), lot=lot.lot
            )
            holding = verify_lot_proof(data, origin=ORIGIN, key=LOG_KEY.public)
            assert (holding.family, holding.bucket) == ("holder", lot.holder)
            assert (holding.count, holding.total) == (1, lot.amount)
            assert holding.lots[0]["record"]["lot"] == lot.lot
            assert len(data) < 16_000
            shown = unfolded(data)
            others = {each.holder for each in live} - {lot.holder}
            assert lot.holder.encode() in shown
            assert not [other for other in others if other.encode() in shown]
            assert not [
                each.lot for each in live if each.lot != lot.lot and each.lot.encode() in shown
            ]

    def test_same_input_gives_the_same_bytes(self) -> None:
        whole = store_of(cast()).copy()
        engine_on(whole).submit(planned())
        again = WatchedStore(cast().rulebook.tables)
        for commit in whole.commits:
            again.append(commit, expected_size=again.size(), epoch=again.acquire())
        entries = list(whole.entries(0, whole.size()))
        signed = note_of(entries)
        index = max(at for at, data in enumerate(entries) if open_entry(data).kind == "state")
        for family, bucket in (("holder", cast().ids["s1"]), ("holder", cast().ids["core"])):
            one, two = (
                take_snapshot(store, note=signed, state_index=index, family=family, bucket=bucket)
                for store in (whole, again)
            )
            assert one == two

    def test_a_snapshot_is_as_of_the_state_entry_whatever_happened_since(self) -> None:
        store = store_of(cast()).copy()
        engine = engine_on(store)
        engine.submit(planned()[:5])
        engine.submit([])
        entries = list(store.entries(0, store.size()))
        index = len(entries) - 1
        assert open_entry(entries[index]).kind == "state"
        signed = note_of(entries)
        how = {"note": signed, "state_index": index, "family": "holder", "bucket": cast().ids["s1"]}
        before = take_snapshot(store, **how)  # type: ignore[arg-type]
        engine.submit(planned()[5:])
        assert store.size() > len(entries)
        assert take_snapshot(store, **how) == before  # type: ignore[arg-type]
        # A newer checkpoint covers more and shows the same lots, as of the same entry.
        newer = take_snapshot(
            store,
            note=note_of(list(store.entries(0, store.size()))),
            state_index=index,
            family="holder",
            bucket=cast().ids["s1"],
        )
        old = verify_snapshot(before, origin=ORIGIN, key=LOG_KEY.public)
        new = verify_snapshot(newer, origin=ORIGIN, key=LOG_KEY.public)
        assert new.size > old.size
        assert (new.at, new.lots, new.total) == (old.at, old.lots, old.total)
        assert newer["lots.ndjson"] == before["lots.ndjson"]

    def test_a_bucket_without_lots_has_a_snapshot_too(self) -> None:
        files = taken("holder", story().world.ids["registrar"])
        assert files["lots.ndjson"] == b""
        holding = verify_snapshot(files, origin=ORIGIN, key=LOG_KEY.public)
        assert (holding.count, holding.total, holding.lots) == (0, 0, ())


class TestRefusals:
    @pytest.mark.parametrize("index", [-1, 0, 55, 57, 68, 10**9])
    def test_an_entry_that_commits_to_no_state(self, index: int) -> None:
        with pytest.raises(SnapshotUnknownError):
            take_snapshot(
                story().world.store, note=note(), state_index=index, family="holder",
                bucket=story().world.ids["s1"],
            )  # fmt: skip

    def test_a_checkpoint_older_than_the_state_entry(self) -> None:
        older = note_of(story().entries[: state_index(1)])
        with pytest.raises(SnapshotUnknownError):
            taken("holder", story().world.ids["s1"], note_text=older)

    @pytest.mark.parametrize("family", ["holder", "voucher", "other"])
    def test_a_bucket_that_nobody_has(self, family: str) -> None:
        with pytest.raises(SnapshotUnknownError):
            taken(family, "nobody")

    def test_a_voucher_that_never_became_effective(self) -> None:
        with pytest.raises(SnapshotUnknownError):
            taken("voucher", story().names["unanswered"])

    @pytest.mark.parametrize("text", ["", "\n\n", "no note", "a\nb\nc\n\n\u2014 x AAAAAAAA\n"])
    def test_a_note_that_is_no_checkpoint(self, text: str) -> None:
        with pytest.raises(NoteFailedError):
            take_lot_proof(story().world.store, note=text, state_index=state_index(0), lot="x")

    def test_a_lot_that_was_not_live_then(self) -> None:
        world, names = story().world, story().names
        for lot in (f"{names['voucher']}.0", f"{names['expiring']}.2", "nothing"):
            with pytest.raises(LotNotFoundError):
                take_lot_proof(world.store, note=note(), state_index=state_index(1), lot=lot)

    def test_a_lot_that_was_made_after_the_state(self) -> None:
        lot = f"{story().names['expiring']}.1"
        with pytest.raises(LotNotFoundError):
            take_lot_proof(story().world.store, note=note(), state_index=state_index(0), lot=lot)


class Altered(WatchedStore):
    """A store whose rows may say something else than they said; notes what lots are read."""

    lots_read: list[tuple[str, str]]
    alter: Callable[[Table[Any], Any], Any]

    def select(self, table: Table[Any], **how: Any) -> Iterator[Any]:
        if table is LOTS:
            self.lots_read.append((how.get("field", ""), str(how.get("value", ""))))
        return (self.alter(table, row) for row in super().select(table, **how))


def altered(alter: Callable[[Table[Any], Any], Any] = lambda _table, row: row) -> Altered:
    """Returns a store of the story whose rows are altered when they are read."""
    store = copy(story().world.store)
    store.__class__ = Altered
    watched: Any = store
    watched.lots_read, watched.alter = [], alter
    watched.calls, watched.fail_at = 0, -1
    return watched  # type: ignore[no-any-return]


class TestWhatIsRead:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_prover_reads_no_lots_but_those_of_the_bucket(
        self, family: str, tmp_path: Path
    ) -> None:
        store = altered()
        prover = Prover(store, state_index=state_index(1), family=family)
        assert store.lots_read == []
        bucket = story().world.ids["s2"] if family == "holder" else story().names["voucher"]
        prover.write_snapshot(tmp_path / "snapshot", note(), bucket)
        assert store.lots_read == [(family, bucket)]

    def test_the_files_are_those_that_are_taken_in_memory(self, tmp_path: Path) -> None:
        for number, (family, bucket) in enumerate(buckets(1)):
            prover = Prover(story().world.store, state_index=state_index(1), family=family)
            directory = tmp_path / str(number)
            count = prover.write_snapshot(directory, note(), bucket)
            files = {path.name: path.read_bytes() for path in directory.iterdir()}
            assert files == taken(family, bucket)
            assert count == len(files["lots.ndjson"].splitlines())

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_lot_that_was_altered_in_the_database_is_not_given_away(
        self, family: str, tmp_path: Path
    ) -> None:
        bucket = story().world.ids["s2"] if family == "holder" else story().names["voucher"]
        lot = json.loads(taken(family, bucket)["lots.ndjson"].splitlines()[1])["record"]["lot"]

        def alter(table: Table[Any], row: Any) -> Any:
            is_it = table is LOTS and row.lot == lot
            return replace(row, amount=row.amount + 1) if is_it else row

        prover = Prover(altered(alter), state_index=state_index(1), family=family)
        with pytest.raises(InvariantBrokenError, match="the lots of"):
            prover.snapshot(note(), bucket)
        with pytest.raises(InvariantBrokenError, match="the lots of"):
            prover.write_snapshot(tmp_path / "snapshot", note(), bucket)
        assert list(tmp_path.iterdir()) == []
        if family == "holder":
            with pytest.raises(InvariantBrokenError, match="the lots of"):
                prover.lot_proof(note(), lot=lot, holder=bucket)

    @pytest.mark.parametrize("family", FAMILIES)
    def test_a_record_that_was_altered_in_the_database_is_found(self, family: str) -> None:
        named = {bucket for each, bucket in buckets(1) if each == family}
        for victim in named:

            def alter(table: Table[Any], row: Any, victim: str = victim) -> Any:
                is_it = table is HISTORIES and (row.family, row.bucket) == (family, victim)
                changed = {"record": row.record.replace('"sum":"', '"sum":"1')} if is_it else {}
                return replace(row, **changed)

            with pytest.raises(InvariantBrokenError, match=f"{family} is"):
                Prover(altered(alter), state_index=state_index(1), family=family)

    def test_lots_of_one_entry_stay_in_order_wherever_a_thousand_ends(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = {bucket: taken(*bucket)["lots.ndjson"] for bucket in buckets(1)}
        for number in (1, 2, 3):
            monkeypatch.setattr("registry.snapshots.LOTS_AT_ONCE", number)
            for bucket, lines in whole.items():
                assert taken(*bucket)["lots.ndjson"] == lines

    def test_many_lots_of_one_entry_are_put_in_order(self) -> None:
        rows = [(f"s.{n}", born) for born in (1, 2, 3) for n in (10, 9, 2, 0, 1)]
        columns = [(lot, "v", 1, "h", born) for lot, born in rows]
        wanted = sorted((born, int(lot[2:])) for lot, born in rows)
        for size in (1, 2, 5, 7, 100):
            found = [lot for some in parts_in_order(iter(columns), size) for lot in some]
            assert [(lot[4], int(lot[0][2:])) for lot in found] == wanted


def unfolded(data: bytes) -> bytes:
    """Returns bytes with all base64url in them opened, and what is in that, to the bottom."""
    pieces = [piece for piece in re.findall(rb"[A-Za-z0-9_-]{20,}", data) if len(piece) % 4 != 1]
    opened = [base64.urlsafe_b64decode(piece + b"=" * (-len(piece) % 4)) for piece in pieces]
    return b"\n".join([data, *(unfolded(each) for each in opened)])
