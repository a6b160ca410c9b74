"""Every member of every effect that a log can have: a lie in it is named by its entry.

The story's entries are judged one by one, and before each of them stands its twin with
one member of one effect changed, with an effect left out, or with one told twice. The
keeper of the database and the log key could seal each of them. Which effects there are is
asked of the program, so that a new one without a lie fails here.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from registry.effects import Effect
from registry.engine import Sealed
from registry.errors import EntryInvalidError
from registry.merkle import MemoryHashes, hash_leaf, root_at
from registry.replay import Replay
from tests.builders import ORIGIN, World
from tests.golden import story
from tests.scenario import attempt, good

Entry = dict[str, Any]

BESIDES = (
    "exposure.limit",
    "issuance.resume",
    "limit.allocate",
    "voucher.accede",
    "voucher.agree-void",
    "voucher.refuse",
)
"""Kinds that bring about what the story does not tell."""


def _other(value: Any) -> Any:
    """Returns another value of the same form."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value.isdecimal():
            return str(int(value) + 1)
        case str():
            return value[:-1] + ("A" if value[-1:] != "A" else "B")
        case list():
            return value[:-1] if value else ["A"]
        case dict():
            first = min(value)
            return {**value, first: _other(value[first])}
        case _:
            raise AssertionError(value)


def _lies(entry: Entry) -> Iterator[tuple[str, Entry]]:
    """Yields an entry with one lie each, and the effect that it is told in."""
    said = entry["effects"]
    for place, change in enumerate(said["changes"]):
        name = change["effect"]
        for member in change:
            yield name, _with(entry, place, [{**change, member: _other(change[member])}])
        yield name, _with(entry, place, [])
        yield name, _with(entry, place, [change, change])
    for which in ("cleared", "set"):
        for place, deadline in enumerate(said["deadlines"][which]):
            told = said["deadlines"][which]
            lies: list[list[Entry]] = [
                [],
                *([{**deadline, key: _other(deadline[key])}] for key in deadline),
            ]
            for lie in lies:
                made = [*told[:place], *lie, *told[place + 1 :]]
                deadlines = {**said["deadlines"], which: made}
                yield (
                    f"deadline-{which}",
                    {**entry, "effects": {**said, "deadlines": deadlines}},
                )


def _with(entry: Entry, place: int, changes: list[Any]) -> Entry:
    said = entry["effects"]
    told = [*said["changes"][:place], *changes, *said["changes"][place + 1 :]]
    return {**entry, "effects": {**said, "changes": told}}


def _jcs(entry: Entry) -> bytes:
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _judge(world: World, *, since: int = 0) -> set[str]:
    """Judges a log with a lie before every truth; returns the effects that were lied about."""
    hashes, found = MemoryHashes(), set()
    replay = Replay(
        world.rulebook, origin=ORIGIN, root_at=lambda size: root_at(hashes, size) if size else b""
    )
    for index, data in enumerate(world.entries()):
        for name, lie in _lies(json.loads(data)) if index >= since else ():
            with pytest.raises(EntryInvalidError) as caught:
                replay.feed(_jcs(lie))
            assert caught.value.facts["index"] == index
            found.add(name)
        replay.feed(data)
        hashes.append(hash_leaf(data))
    return found


def _effects(base: type[Effect] = Effect) -> Iterator[str]:
    for effect in base.__subclasses__():
        # A class that others derive from is no effect itself.
        if effect.__subclasses__():
            yield from _effects(effect)
        elif effect.__module__.partition(".")[0] != "tests":
            yield effect.effect


def test_the_auditor_names_the_entry_of_every_lie_in_every_effect() -> None:
    found = _judge(story().world)
    for kind in BESIDES:
        world, draft = good(kind)
        before = world.store.size() - 3
        assert isinstance(attempt(world, draft), Sealed)
        found |= _judge(world, since=before)
    assert found == set(_effects())
