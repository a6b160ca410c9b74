"""Offline verification: every way to leave out, add, alter, swap or garble is found."""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from registry.canonical import (
    Json,
    format_json,
    parse_object,
)
from registry.entries import open_entry
from registry.errors import MalformedError, NoteFailedError, ProofFailedError
from registry.ids import Origin
from registry.proofs import Holding
from tests.builders import key_of
from tests.logs import note_of, story
from tests.snapshots import (
    TYPED,
    indexed,
    lot_proof,
    lots_of,
    other_entry,
    snapshot,
    verified,
    verified_lot,
    with_lots,
    with_proof,
    with_record,
)

SAMPLE = 250


class TestLots:
    def test_the_good_ones_verify(self) -> None:
        for name in ("s2", "voucher"):
            assert verified(snapshot(name)).count == len(lots_of(snapshot(name))) >= 3
            assert indexed(snapshot(name)) == snapshot(name)

    @pytest.mark.parametrize("name", ["s2", "voucher"])
    def test_leaving_out_any_lot_is_found(self, name: str) -> None:
        lots = lots_of(snapshot(name))
        for at in range(len(lots)):
            with pytest.raises(ProofFailedError, match="not all of the bucket's"):
                verified(with_lots(snapshot(name), lots[:at] + lots[at + 1 :]))

    @pytest.mark.parametrize("name", ["s2", "voucher"])
    def test_a_lot_twice_is_found(self, name: str) -> None:
        lots = lots_of(snapshot(name))
        for at in range(len(lots)):
            with pytest.raises(ProofFailedError, match="leaf order"):
                verified(with_lots(snapshot(name), [*lots[: at + 1], *lots[at:]]))

    @pytest.mark.parametrize("name", ["s2", "voucher"])
    def test_lots_in_another_order_are_found(self, name: str) -> None:
        lots = lots_of(snapshot(name))
        for at in range(len(lots) - 1):
            swapped = [*lots[:at], lots[at + 1], lots[at], *lots[at + 2 :]]
            with pytest.raises(ProofFailedError, match="leaf order"):
                verified(with_lots(snapshot(name), swapped))

    def test_another_buckets_lots_are_found(self) -> None:
        for mine, others in (("s2", "s1"), ("voucher", "other")):
            with pytest.raises(ProofFailedError, match="belongs to another bucket"):
                verified(with_lots(snapshot(mine), lots_of(snapshot(others))))
            more = sorted(
                lots_of(snapshot(mine)) + lots_of(snapshot(others)),
                key=lambda lot: lot["record"]["born"],
            )
            with pytest.raises(ProofFailedError, match="belongs to another bucket"):
                verified(with_lots(snapshot(mine), more))

    def test_lots_of_an_earlier_state_are_found(self) -> None:
        with pytest.raises(ProofFailedError, match="not all of the bucket's"):
            verified(with_lots(snapshot("s2", 1), lots_of(snapshot("s2", 0))))

    def test_lots_of_a_later_state_are_found(self) -> None:
        with pytest.raises(ProofFailedError, match="a later state"):
            verified(with_lots(snapshot("s2", 0), lots_of(snapshot("s2", 1))))

    @pytest.mark.parametrize(
        ("part", "member", "value"),
        [
            ("opening", "holder", "91310000MA0000001A"),
            ("opening", "salt", "A" * 22),
            ("record", "amount", "1"),
            ("record", "born", 3),
            ("record", "detail", "A" * 43),
            ("record", "holder", "A" * 43),
            ("record", "lot", "A" * 43 + ".0"),
            ("record", "voucher", "A" * 43),
            ("facts", "acknowledged", 1),
            ("facts", "assignments", 0),
            ("facts", "burdens", ["pledge"]),
            ("facts", "due_on", "2025-12-18"),
            ("facts", "payee", "B" * 43),
            ("facts", "recourse", True),
            ("facts", "status", "offered"),
            ("facts", "tier", 9),
        ],
    )
    def test_any_altered_member_is_found(self, part: str, member: str, value: Json) -> None:
        for at in range(len(lots_of(snapshot()))):
            lots = lots_of(snapshot())
            target = lots[at]["opening"]["facts"] if part == "facts" else lots[at][part]
            assert format_json(target[member]) != format_json(value)
            target[member] = value
            with pytest.raises((ProofFailedError, MalformedError)):
                verified(with_lots(snapshot(), lots))

    def test_an_amount_moved_from_one_lot_to_another_is_found(self) -> None:
        lots = lots_of(snapshot())
        for first, second in ((0, 1), (1, 0), (1, 2)):
            moved = lots_of(snapshot())
            moved[first]["record"]["amount"] = str(int(lots[first]["record"]["amount"]) + 1)
            moved[second]["record"]["amount"] = str(int(lots[second]["record"]["amount"]) - 1)
            with pytest.raises(ProofFailedError):
                verified(with_lots(snapshot(), moved))

    @pytest.mark.parametrize("amount", ["0", "-5", "00", "1_0", " 1", "\u0661", "1.0", "9" * 30, 5])
    def test_an_amount_that_is_none_is_refused(self, amount: Json) -> None:
        lots = lots_of(snapshot())
        lots[0]["record"]["amount"] = amount
        data = b"".join(format_json(lot) + b"\n" for lot in lots)
        with pytest.raises(TYPED):
            verified({**snapshot(), "lots.ndjson": data})


class TestProof:
    @pytest.mark.parametrize(
        "changes",
        [
            {"sum": "1"},
            {"count": 1},
            {"bucket": "91310000MA0000001A"},
            {"ordinal": 0},
            {"root": "A" * 43},
            {"salt": "A" * 22},
            {"history": {"root": "A" * 43, "size": 1}},
            {"family": "voucher"},
            {"family": "other"},
            {"more": 1},
        ],
    )
    def test_an_altered_bucket_record_is_found(self, changes: dict[str, Json]) -> None:
        with pytest.raises((ProofFailedError, MalformedError)):
            verified(with_record(snapshot(), **changes))

    def test_a_bucket_that_hides_its_loss_is_found(self) -> None:
        """The voucher's record is lowered to what is shown; the family's root knows better."""
        lots = lots_of(snapshot("voucher"))[1:]
        with pytest.raises(ProofFailedError):
            verified(with_record(with_lots(snapshot("voucher"), lots), count=len(lots)))

    @pytest.mark.parametrize("part", ["bucket", "founding", "state"])
    @pytest.mark.parametrize("change", ["dropped", "doubled", "reversed", "emptied", "flipped"])
    def test_an_altered_path_is_found(self, part: str, change: str) -> None:
        def spoil(proof: Any) -> None:
            path = proof[part]["path"]
            assert len(path) > 1
            proof[part]["path"] = {
                "dropped": path[1:],
                "doubled": [path[0], *path],
                "reversed": path[::-1],
                "emptied": [],
                "flipped": [*path[:-1], "A" * 43],
            }[change]

        with pytest.raises(ProofFailedError):
            verified(with_proof(snapshot(), spoil))

    def test_the_state_of_another_time_is_found(self) -> None:
        earlier = json.loads(snapshot("s2", 0)["proof.json"])
        with pytest.raises(ProofFailedError):
            verified(with_proof(snapshot(), lambda p: p.update(state=earlier["state"])))

    @pytest.mark.parametrize("kind", ["clock.set", "snapshot.request", "day.cut-off"])
    def test_an_entry_that_is_no_state_is_found(self, kind: str) -> None:
        def swap(proof: Any) -> None:
            proof["state"] = other_entry(story().index(kind))

        with pytest.raises(ProofFailedError, match="is no state entry"):
            verified(with_proof(snapshot(), swap))

    def test_the_ordinal_entry_of_another_party_is_found(self) -> None:
        own = json.loads(snapshot()["proof.json"])["founding"]["index"]
        founding = ("party.admit", "voucher.accept", "genesis")
        for at, data in enumerate(story().entries):
            if open_entry(data).kind in founding and at != own:
                other = {"founding": other_entry(at)}
                with pytest.raises(ProofFailedError, match="does not give the bucket its ordinal"):
                    verified(with_proof(snapshot(), partial(dict.update, **other)))

    def test_the_index_beside_an_entry_must_be_its_own(self) -> None:
        def shift(proof: Any) -> None:
            proof["state"]["index"] += 1

        with pytest.raises(ProofFailedError, match="its index says"):
            verified(with_proof(snapshot(), shift))

    @pytest.mark.parametrize("part", ["bucket", "founding", "state", ""])
    def test_a_superfluous_member_is_refused(self, part: str) -> None:
        def add(proof: Any) -> None:
            (proof[part] if part else proof)["note"] = "hello"

        with pytest.raises(MalformedError):
            verified(with_proof(snapshot(), add))

    @pytest.mark.parametrize("version", [0, 2, True, "1"])
    def test_another_version_is_refused(self, version: Json) -> None:
        with pytest.raises(MalformedError):
            verified(with_proof(snapshot(), lambda proof: proof.update(v=version)))


class TestFiles:
    @pytest.mark.parametrize("name", sorted(snapshot()))
    def test_a_missing_file_is_refused(self, name: str) -> None:
        files = {n: d for n, d in snapshot().items() if n != name}
        with pytest.raises(MalformedError, match="missing or superfluous"):
            verified(files)

    def test_an_extra_file_is_refused(self) -> None:
        with pytest.raises(MalformedError, match="missing or superfluous"):
            verified({**snapshot(), "lots.csv": b""})

    @pytest.mark.parametrize("name", sorted(snapshot()))
    def test_any_flipped_byte_is_found(self, name: str) -> None:
        data = snapshot("trustee#T1")[name]
        places = range(len(data))
        chosen = random.Random(name).sample(places, min(SAMPLE, len(data)))  # noqa: S311
        for place in chosen:
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 8
            with pytest.raises(TYPED):
                verified({**snapshot("trustee#T1"), name: bytes(flipped)})

    @pytest.mark.parametrize("member", ["at", "bucket", "count", "family", "files", "sum", "v"])
    def test_an_altered_manifest_is_found(self, member: str) -> None:
        manifest = parse_object(snapshot()["manifest.json"][:-1], what="manifest")
        values: list[Json] = [True, 1, "1", {}, [], "s1"]
        for value in values:
            changed = format_json({**manifest, member: value}) + b"\n"
            if changed != snapshot()["manifest.json"]:
                with pytest.raises(TYPED):
                    verified({**snapshot(), "manifest.json": changed})
        less = {name: value for name, value in manifest.items() if name != member}
        with pytest.raises(TYPED):
            verified({**snapshot(), "manifest.json": format_json(less) + b"\n"})

    def test_a_checkpoint_older_than_the_state_entry_is_found(self) -> None:
        older = note_of(story().entries[: story().index("state", 1)])
        with pytest.raises(ProofFailedError):
            verified(indexed({**snapshot(), "checkpoint": older.encode()}))

    def test_a_checkpoint_of_a_fork_is_found(self) -> None:
        fork = note_of([*story().entries[:-1], b"another entry"])
        with pytest.raises(ProofFailedError):
            verified(indexed({**snapshot(), "checkpoint": fork.encode()}))

    def test_a_checkpoint_by_another_key_or_of_another_log_is_found(self) -> None:
        entries = story().entries
        for note in (
            note_of(entries, key=key_of("other")),
            note_of(entries, origin=Origin("sandbox.example/other")),
        ):
            with pytest.raises(NoteFailedError):
                verified(indexed({**snapshot(), "checkpoint": note.encode()}))

    def test_a_cosigned_checkpoint_is_welcome(self) -> None:
        note = snapshot()["checkpoint"] + "\u2014 witness.example AAAAAAAA\n".encode()
        assert verified(indexed({**snapshot(), "checkpoint": note})).count

    def test_bytes_that_are_no_text_are_refused_wherever_they_stand(self) -> None:
        note = snapshot()["checkpoint"] + b"\xe2\x80\x94 witness\xff AAAAAAAA\n"
        with pytest.raises(TYPED):
            verified(indexed({**snapshot(), "checkpoint": note}))


class TestLotProof:
    def check(self, change: Callable[[Any], None]) -> Holding:
        proof = json.loads(lot_proof())
        change(proof)
        return verified_lot(format_json(proof) + b"\n")

    def test_the_good_one_verifies(self) -> None:
        holding = self.check(lambda _proof: None)
        assert (holding.family, holding.count) == ("holder", 1)
        assert len(json.loads(lot_proof())["lot"]["path"]) >= 2

    def test_any_flipped_byte_is_found(self) -> None:
        data = lot_proof()
        chosen = random.Random(7).sample(range(len(data)), SAMPLE)  # noqa: S311
        for place in chosen:
            flipped = bytearray(data)
            flipped[place] ^= 1 << place % 8
            with pytest.raises(TYPED):
                verified_lot(bytes(flipped))

    def test_sums_moved_along_the_path_are_found(self) -> None:
        """The known attack on trees that hash only the total of both sides."""

        def move(proof: Any, *, by: int) -> None:
            low, high = proof["lot"]["path"][0], proof["lot"]["path"][1]
            low["sum"] = str(int(low["sum"]) + by)
            high["sum"] = str(int(high["sum"]) - by)

        for by in (1, -1, 2):
            with pytest.raises(ProofFailedError):
                self.check(lambda proof, by=by: move(proof, by=by))  # type: ignore[misc]

    def test_a_sibling_that_takes_from_the_sum_is_refused(self) -> None:
        for value in ("-1", "9223372036854775808", "18446744073709551615", "0"):
            with pytest.raises(TYPED):
                self.check(lambda p, v=value: p["lot"]["path"][0].update(sum=v))  # type: ignore[misc]

    @pytest.mark.parametrize("value", ["+1", " 1", "1_0", "\u0661", "01", "", 1, True])
    def test_a_sum_has_one_spelling(self, value: Json) -> None:
        with pytest.raises(MalformedError):
            self.check(lambda proof: proof["lot"]["path"][0].update(sum=value))

    @pytest.mark.parametrize("value", [0, 2, -1, True, "1", 2**53 - 1])
    def test_a_sibling_counts_what_stands_there(self, value: Json) -> None:
        def change(proof: Any) -> None:
            node = next(node for node in proof["lot"]["path"] if node["count"] == 1)
            node["count"] = value

        with pytest.raises((ProofFailedError, MalformedError)):
            self.check(change)

    @pytest.mark.parametrize("by", [-3, -1, 1, 2, 100])
    def test_another_index_is_found(self, by: int) -> None:
        def shift(proof: Any) -> None:
            proof["lot"]["index"] += by

        with pytest.raises(ProofFailedError):
            self.check(shift)

    def test_another_holders_lot_is_found(self) -> None:
        other = lots_of(snapshot("s1"))[0]
        with pytest.raises(ProofFailedError, match="belongs to another bucket"):
            self.check(lambda proof: proof["lot"].update(other))

    def test_another_lot_of_the_same_holder_is_found(self) -> None:
        shown = json.loads(lot_proof())["lot"]["record"]["lot"]
        for other in lots_of(snapshot("s2")):
            if other["record"]["lot"] != shown:
                with pytest.raises(ProofFailedError):
                    self.check(lambda proof, o=other: proof["lot"].update(o))  # type: ignore[misc]

    def test_a_proof_among_a_vouchers_lots_is_refused(self) -> None:
        """It would show the amounts of other holders' lots beside it."""
        voucher = json.loads(snapshot("other")["proof.json"])
        (only,) = lots_of(snapshot("other"))

        def swap(proof: Any) -> None:
            proof.update(voucher)
            proof["lot"] = {**only, "index": 0, "path": []}

        with pytest.raises(ProofFailedError, match="not a voucher's"):
            self.check(swap)
