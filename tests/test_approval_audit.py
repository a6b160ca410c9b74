"""An auditor judges approvals: one that is changed or taken away is named by its entry."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from registry.audit_workers import pickled
from registry.canonical import b64url_encode
from registry.entries import open_entry
from registry.errors import EntryInvalidError
from registry.kinds import Rulebook
from registry.merkle import MemoryHashes, hash_leaf, root_at
from registry.replay import Replay
from tests.builders import ORIGIN, World
from tests.people import approve, done, offer_waits, rule, staffed
from tests.scenario import RULEBOOK, cast_world

Entry = dict[str, Any]


def _approved() -> World:
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2))
    offer = offer_waits(world)
    for person in ("chen", "zhou"):
        done(approve(world, "s1", offer, person=person))
    return world


def _first_wrong(entries: list[bytes], rulebook: Rulebook = RULEBOOK) -> tuple[int, str]:
    """Returns where a replay stops, and why."""
    hashes = MemoryHashes()
    replay = Replay(
        rulebook, origin=ORIGIN, root_at=lambda size: root_at(hashes, size) if size else b""
    )
    for index, data in enumerate(entries):
        try:
            replay.feed(data)
        except EntryInvalidError as error:
            return index, str(error)
        hashes.append(hash_leaf(data))
    return len(entries), ""


def _rewritten(entries: list[bytes], at: int, change: Callable[[Entry], None]) -> list[bytes]:
    """Rewrites an entry, and chains and counts those after it as whoever owns a database can."""
    told = [json.loads(data) for data in entries]
    change(told[at])
    told = [entry for entry in told if entry]
    previous = hash_leaf(entries[at - 1])
    for index in range(at, len(told)):
        told[index] |= {"index": index, "previous": b64url_encode(previous)}
        told_bytes = _jcs(told[index])
        previous = hash_leaf(told_bytes)
    return [_jcs(entry) for entry in told]


def _jcs(entry: Entry) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _another_person(entry: Entry) -> None:
    entry["effects"]["changes"][0]["person"] = "wu"


def _without_waiting(entry: Entry) -> None:
    entry["effects"]["changes"][0]["approvals"] = 1


LIES: dict[str, tuple[int, Callable[[Entry], None], int]] = {
    "an approval is another person's": (-2, _another_person, -2),
    "the last approval is another person's": (-1, _another_person, -1),
    "the statement needed one approval": (-3, _without_waiting, -3),
    # Without the first approval the last one is the first, and brings nothing about.
    "an approval is taken away": (-2, dict.clear, -2),
}


def test_a_judge_in_another_process_decides_what_was_approved_again() -> None:
    # Its kinds have travelled, and are copies: it found the approving entry wrong.
    rulebook: Rulebook = pickle.loads(pickled(RULEBOOK))  # noqa: S301 (our own bytes)
    entries = list(_approved().entries())
    assert _first_wrong(entries, rulebook) == (len(entries), "")


def test_the_whole_log_is_as_it_should_be() -> None:
    entries = list(_approved().entries())
    assert _first_wrong(entries) == (len(entries), "")


@pytest.mark.parametrize("lie", LIES)
def test_a_changed_or_missing_approval_is_named_by_its_entry(lie: str) -> None:
    at, change, wrong = LIES[lie]
    entries = list(_approved().entries())
    place = len(entries) + at
    assert open_entry(entries[place]).kind in ("approve", "transfer.offer")
    index, reason = _first_wrong(_rewritten(entries, place, change))
    assert index == len(entries) + wrong
    assert "effects differ" in reason


def test_a_rulebook_that_has_travelled_to_another_process_judges_approvals_alike() -> None:
    # Its kinds are copies there: no rule may ask whether one of them is the very same object.
    world = _approved()
    travelled = pickle.loads(pickled(RULEBOOK))  # noqa: S301 (our own)
    assert _first_wrong(list(world.entries()), travelled) == (world.store.size(), "")
