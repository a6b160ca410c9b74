"""Snapshots as they are taken: complete, as of the state entry, the same bytes every time."""

import base64
import re

import pytest

from registry.commitments import FAMILIES
from registry.entries import open_entry
from registry.errors import NoteFailedError
from registry.model import BUCKETS, LOTS
from registry.proofs import FILES, committed_state, verify_lot_proof, verify_snapshot
from registry.refusals import LotNotFoundError, SnapshotUnknownError
from registry.snapshots import take_lot_proof, take_snapshot
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


def unfolded(data: bytes) -> bytes:
    """Returns bytes with all base64url in them opened, and what is in that, to the bottom."""
    pieces = [piece for piece in re.findall(rb"[A-Za-z0-9_-]{20,}", data) if len(piece) % 4 != 1]
    opened = [base64.urlsafe_b64decode(piece + b"=" * (-len(piece) % 4)) for piece in pieces]
    return b"\n".join([data, *(unfolded(each) for each in opened)])
