"""Claims: what is folded from them is what is decided, and who believes a lie hides none."""

from collections.abc import Sequence
from typing import Any

import pytest

from registry.assignment import LotAssigned
from registry.audit_tree import AuditedTree
from registry.audit_workers import (
    ALL,
    Answer,
    Fault,
    Judge,
    Share,
    bundles_from,
    first_fault,
    read_bundle,
)
from registry.canonical import format_json
from registry.claims import read_claim
from registry.effects import Effect
from registry.entries import open_entry
from registry.errors import InvariantBrokenError
from registry.kinds import Rulebook
from registry.replay import Replay
from registry.tables import to_json
from tests.builders import ORIGIN
from tests.lies import LIES
from tests.logs import Forger, export, story

SHARES = [(2, 1), (2, 3), (3, 2), (5, 1)]


def lied(name: str) -> list[bytes]:
    """Seals the story again with a lie in it."""
    kind, number, change = LIES[name]
    at = story().index(kind, number)
    return Forger(Rulebook()).rewrite(story().entries, at=at, lie=lambda _f, d: [change(d)])


def judge(entries: Sequence[bytes], share: Share) -> Judge:
    """Has a log judged by one judge."""
    files = export(entries)
    tree = AuditedTree(files, len(entries))
    one = Judge(Replay(Rulebook(), origin=ORIGIN, root_at=tree.root_at), tree, share)
    for index in bundles_from(0, size=len(entries)):
        one.feed(index, read_bundle(files, index, size=len(entries)))
    return one


def judged(entries: Sequence[bytes], *, of: int, block: int) -> Fault | None:
    """Has a log judged by several, each for its share."""
    judges = [judge(entries, Share(number, of, block)) for number in range(of)]
    return first_fault([each.answer(b"") for each in judges])


class Recorded(Replay):
    """Remembers what it has applied last."""

    def _adopt(self, leaf_hash: bytes, **what: Any) -> None:
        self.adopted = what
        super()._adopt(leaf_hash, **what)


def told(effects: Sequence[Effect]) -> list[bytes]:
    """Tells effects in any order."""
    return sorted(format_json(to_json(each)) for each in effects)


class Follower(Share):
    """Judges nothing that can be followed."""

    def has(self, entry: int) -> bool:  # noqa: ARG002 (any)
        return False


class TestHonestLogs:
    def test_what_is_claimed_is_what_is_decided(self) -> None:
        replay = Recorded(Rulebook(), origin=ORIGIN, root_at=lambda _size: b"")
        seen = set[str]()
        for data in story().entries:
            replay.feed(data)
            claim, meant = read_claim(data), replay.adopted
            if claim is None:
                assert not open_entry(data).statement
                continue
            assert (claim.time, claim.statement) == (meant["time"], meant["statement"])
            assert sorted(claim.touches) == sorted(meant["touches"])
            assert told(claim.effects) == told(meant["effects"])
            seen |= {each.effect for each in claim.effects}
        assert len(seen) > 20

    def test_who_follows_everything_has_the_state_of_who_judges_everything(self) -> None:
        assert judge(story().entries, Follower()).replay.digest() == story().world.digest()

    @pytest.mark.parametrize(("of", "block"), SHARES)
    def test_every_judge_ends_with_the_same_state_and_no_fault(self, of: int, block: int) -> None:
        for number in range(of):
            one = judge(story().entries, Share(number, of, block))
            assert (one.fault, one.lost_at) == (None, None)
            assert one.replay.digest() == story().world.digest()

    @pytest.mark.parametrize(("of", "block"), SHARES)
    def test_every_entry_is_in_one_share(self, of: int, block: int) -> None:
        shares = [Share(number, of, block) for number in range(of)]
        assert all(sum(share.has(entry) for share in shares) == 1 for entry in range(1_000))


class TestAttacks:
    @pytest.mark.parametrize("name", LIES)
    def test_judges_of_shares_find_what_one_judge_finds(self, name: str) -> None:
        entries = lied(name)
        alone = judge(entries, ALL).fault
        assert alone is not None
        for of, block in SHARES[:2]:
            assert judged(entries, of=of, block=block) == alone

    def test_a_lie_in_one_share_on_which_another_share_depends_is_found_where_it_stands(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world, at = story().world, story().index("transfer.accept")
        forger = Forger(Rulebook())
        for data in story().entries[:at]:
            draft = forger.draft_of(open_entry(data))
            assert draft is not None
            forger.seal(draft)
        honest = forger.draft_of(open_entry(story().entries[at]))
        assert honest is not None
        # The lot that s2 has accepted comes into a thief's hands, who passes it on: by all that
        # is claimed rightly so.
        forger.seal(honest.swapped(LotAssigned, assignee=world.ids["s3"]))
        assigned = next(each for each in honest.effects if isinstance(each, LotAssigned))
        monkeypatch.setattr(world, "time", honest.time)
        body = world.offer_body(f"{assigned.offer}.2", 1, "s1")
        text = world.sign("s3", "transfer.offer", body)
        forger.seal(forger.decided(text, time=honest.time))
        alone = judge(forger.entries, ALL).fault
        assert alone is not None
        assert alone.entry == at
        believers = [judge(forger.entries, Share(number, 2, 1)) for number in (0, 1)]
        owner, other = believers[at % 2], believers[1 - at % 2]
        # Whoever judges the entry that depends on the lie believes it, and finds nothing wrong.
        assert (other.fault, other.lost_at, other.replay.size) == (None, None, at + 2)
        assert owner.fault == alone
        assert first_fault([each.answer(b"") for each in believers]) == alone

    def test_a_statement_told_again_in_another_share_is_found(self) -> None:
        at = story().index("mandate.grant")
        forger = Forger(Rulebook())
        entries = forger.rewrite(story().entries, at=at, lie=lambda _f, draft: [draft, draft])
        alone = judge(entries, ALL).fault
        assert alone is not None
        assert alone.entry == at + 1
        assert "stands in an earlier entry" in alone.reason
        assert judged(entries, of=2, block=1) == alone

    def test_a_judge_that_has_believed_a_lie_may_find_more_and_the_first_counts(self) -> None:
        entries = lied("a lot in another holder's hands")
        at = story().index("transfer.accept")
        # What follows is what follows from the truth.
        entries[at + 1 :] = story().entries[at + 1 :]
        believers = [judge(entries, Share(number, 2, 1)) for number in (0, 1)]
        faults = [each.fault for each in believers]
        assert faults[at % 2] == judge(entries, ALL).fault
        assert faults[1 - at % 2] is not None
        first = first_fault([each.answer(b"") for each in believers])
        assert first is not None
        assert first.entry == at

    def test_a_lie_that_nobody_can_fold_is_named_by_whoever_judges_it(self) -> None:
        entries, at = lied("a notice twice"), story().index("transfer.accept")
        believers = [judge(entries, Share(number, 2, 1)) for number in (0, 1)]
        owner, other = believers[at % 2], believers[1 - at % 2]
        assert (other.fault, other.lost_at) == (None, at)
        first = first_fault([each.answer(b"") for each in believers])
        assert first == owner.fault == judge(entries, ALL).fault

    @pytest.mark.parametrize("fault", [None, Fault(8, "too late to be the reason")])
    def test_a_judge_that_is_lost_with_nobody_to_blame_is_no_verdict(
        self, fault: Fault | None
    ) -> None:
        with pytest.raises(InvariantBrokenError, match="entry 7"):
            first_fault([Answer(b"", fault, None), Answer(b"", None, 7)])
        assert first_fault([Answer(b"", Fault(7, "why"), None), Answer(b"", None, 7)]) is not None

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff",
            b"null",
            b"[" * 60_000,
            b'{"effects":' * 5_000,
            b'{"effects":{},"statements":[],"time":1}',
        ],
    )
    def test_what_is_no_entry_is_judged_by_all(self, data: bytes) -> None:
        assert read_claim(data) is None
        entries = [*story().entries[:4], data]
        for share in (ALL, Share(0, 2, 1), Share(1, 2, 1)):
            fault = judge(entries, share).fault
            assert fault is not None
            assert fault.entry == 4
            assert fault.reason.startswith(("malformed", "not-canonical"))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b'"effect":"voucher-issued"', b'"effect":"voucher-denied"'),
            (b'"effect":"voucher-issued"', b'"effect":"state-committed"'),
            (b'"face":"', b'"fact":"'),
            (b'"face":"', b'"face":"x'),
            (b'"statements":["', b'"statements":["","'),
            (b'"statements":["', b'"statements":["."],"rest":["'),
            (b'"time":', b'"time":1.5,"item":'),
        ],
    )
    def test_a_claim_that_does_not_say_all_is_judged_by_all(self, old: bytes, new: bytes) -> None:
        data = story().entries[story().index("voucher.issue")]
        assert old in data
        assert read_claim(data) is not None
        assert read_claim(data.replace(old, new, 1)) is None

    def test_a_deadline_cleared_and_set_again_is_judged_by_all(self) -> None:
        data = story().entries[story().index("transfer.offer")]
        deadlines = open_entry(data).effects["deadlines"]
        assert isinstance(deadlines, dict)
        there = format_json(deadlines["set"])
        twice = data.replace(b'"cleared":[]', b'"cleared":' + there, 1)
        assert twice != data
        assert read_claim(twice) is None
