"""Readings: everything honest is read ahead, and nothing is believed because it was read."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec
import pytest

from registry.canonical import b64url_encode
from registry.entries import open_entry
from registry.errors import EntryInvalidError
from registry.ids import Kid
from registry.merkle import hash_leaf, root_of
from registry.readings import BundleReader, Claim, ClaimedKeys, Reading, find_claims
from registry.replay import Replay
from registry.rules.accounts import MandateGranted
from registry.signing import PrivateKey, PublicKey
from registry.statements import admit
from registry.tiles import format_bundle
from registry.verdicts import Verdict
from tests.builders import ORIGIN, World, key_of
from tests.logs import Draft, Forger, audit, export, story
from tests.watched import RULEBOOK

KINDS = RULEBOOK.kinds


def read(entries: Iterable[bytes]) -> list[Reading | None]:
    """Reads entries as one bundle, under the keys that they claim."""
    data = list(entries)
    claims = [claim for entry in data for claim in find_claims(entry)]
    return list(BundleReader(KINDS, ORIGIN).read(data, claims).readings)


def replay_until(at: int) -> Replay:
    """Replays the story up to an entry."""
    replay = Replay(RULEBOOK, origin=ORIGIN, root_at=lambda _size: b"")
    for entry in story().entries[:at]:
        replay.feed(entry)
    return replay


def feed(replay: Replay, data: bytes, reading: Reading | None) -> None:
    replay.feed_read(data, leaf_hash=hash_leaf(data), reading=reading)


def refusal(at: int, data: bytes, reading: Reading | None) -> str:
    """Feeds an entry with a reading after the story's first; returns why it is refused."""
    with pytest.raises(EntryInvalidError) as caught:
        feed(replay_until(at), data, reading)
    assert caught.value.facts["index"] == at
    return str(caught.value.facts["reason"])


class TestHonestLogs:
    def test_every_entry_is_read_under_the_keys_that_the_log_claims(self) -> None:
        readings = read(story().entries)
        assert None not in readings
        for data, reading in zip(story().entries, readings, strict=True):
            entry = open_entry(data)
            assert reading is not None
            assert (reading.time, reading.kind) == (entry.time, entry.kind)
            assert (reading.statement.text if reading.statement else "") == entry.statement
            in_body = bool(entry.statement) and KINDS[entry.kind].key_in_body
            assert (reading.key is not None) == (bool(entry.statement) and not in_body)

    def test_an_honest_reading_is_used_and_saves_opening_the_entry(self) -> None:
        replay = Replay(RULEBOOK, origin=ORIGIN, root_at=lambda _size: b"")
        replay._judge = None  # type: ignore[method-assign,assignment]
        for data, reading in zip(story().entries, read(story().entries), strict=True):
            feed(replay, data, reading)
        assert replay.digest() == story().world.digest()

    def test_claims_are_found_in_the_bundles_bytes(self) -> None:
        claims = find_claims(format_bundle(story().entries))
        keys = story().world.rulebook.tables
        kids = {row.kid for row in replay_until(len(story().entries)).rows.select(keys[1])}
        assert {claim.kid for claim in claims} == kids

    def test_hashes_are_those_of_the_entries(self) -> None:
        entries = story().entries[:9]
        reading = BundleReader(KINDS, ORIGIN).read(entries, ())
        hashes = [hash_leaf(entry) for entry in entries]
        assert reading.root == root_of(hashes)
        assert [reading.leaf_hash(place) for place in range(9)] == hashes


class OneKey:
    """A directory that knows one key by any name."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key

    def find(self, kid: Kid) -> PublicKey | None:  # noqa: ARG002 (the port's)
        return self._key


def draft_by(forger: Forger, world: World, key: PrivateKey, *, time: int) -> Draft:
    """Drafts a mandate of s2 under a key that need not be in the forger's state."""
    body = {"account": world.accounts["s2"]}
    now, world.time = world.time, time
    text = world.sign("s2", "mandate.grant", dict(body), key=key)
    world.time = now
    statement = admit(text, kinds=KINDS, origin=ORIGIN, keys=OneKey(key.public))
    honest = forger.decided(
        world.sign("s2", "mandate.grant", dict(body)), time=time, only_kind=True
    )
    signed = replace(honest, statement=statement, text=text)
    return signed.swapped(MandateGranted, mandate=statement.sid)


class TestAttacks:
    def test_a_wrong_key_claimed_in_effects_does_not_make_a_reading(self) -> None:
        thief, at = key_of("thief"), story().index("notice.acknowledge")
        entry = open_entry(story().entries[at])
        statement = read(story().entries)[at]
        assert statement is not None
        assert statement.statement is not None
        kid = statement.statement.kid
        # The victim's kid, the thief's key, the thief's signature over the victim's header.
        signed = entry.statement.rpartition(".")[0]
        forged = f"{signed}.{b64url_encode(thief.sign(signed.encode()))}"
        reader = BundleReader(KINDS, ORIGIN)
        lied = story().entries[at].replace(entry.statement.encode(), forged.encode())
        x = b64url_encode(thief.public.raw)
        claims = (Claim(kid, "Ed25519", x), *find_claims(format_bundle(story().entries)))
        (reading,) = reader.read([lied], claims).readings
        assert reading is None
        assert "bad-signature" in refusal(at, lied, reading)

    def test_a_reading_under_a_wrong_key_counts_for_nothing(self) -> None:
        at = story().index("notice.acknowledge")
        reading = read(story().entries)[at]
        assert reading is not None
        entry = open_entry(story().entries[at])
        head, _, tail = entry.statement.rpartition(".")
        forged = f"{head}.{'B' if tail[0] == 'A' else 'A'}{tail[1:]}"
        lied = story().entries[at].replace(entry.statement.encode(), forged.encode())
        assert reading.statement is not None
        said = reading._replace(
            statement=msgspec.structs.replace(reading.statement, text=forged),
            key=key_of("thief").public,
        )
        assert "bad-signature" in refusal(at, lied, said)
        # The same, had it said no key at all.
        assert "bad-signature" in refusal(at, lied, said._replace(key=None))

    def test_a_key_that_is_added_later_signs_nothing_before(self) -> None:
        at = story().index("key.add") - 3
        time = open_entry(story().entries[at]).time

        def lie(forger: Forger, draft: Draft) -> Iterable[Draft]:
            return [draft_by(forger, story().world, key_of("s2, second"), time=time), draft]

        entries = Forger(RULEBOOK).rewrite(story().entries, at=at, lie=lie)
        # The claim stands in the same bundle, so the signature is verified ahead …
        assert read(entries)[at] is not None
        found = audit(export(entries), rulebook=RULEBOOK)
        # … and the state does not know the key yet.
        assert found.verdict is Verdict.INVALID
        assert [finding.where for finding in found.findings] == [f"entry {at}"]
        assert "key-unknown" in found.findings[0].reason

    def test_a_key_that_is_never_added_signs_nothing(self) -> None:
        at = story().index("key.add") - 3
        time, thief = open_entry(story().entries[at]).time, key_of("thief")

        def lie(forger: Forger, draft: Draft) -> Iterable[Draft]:
            return [draft_by(forger, story().world, thief, time=time), draft]

        entries = Forger(RULEBOOK).rewrite(story().entries, at=at, lie=lie)
        claim = Claim(thief.public.kid, "Ed25519", b64url_encode(thief.public.raw))
        reader = BundleReader(KINDS, ORIGIN)
        (reading,) = reader.read([entries[at]], (claim,)).readings
        assert reading is not None
        assert "key-unknown" in refusal(at, entries[at], reading)

    @pytest.mark.parametrize("other", [-1, 1, 5])
    def test_the_reading_of_another_entry_changes_no_verdict(self, other: int) -> None:
        readings = read(story().entries)
        at = story().index("transfer.reject")
        replay = replay_until(at)
        feed(replay, story().entries[at], readings[at + other])
        assert replay.size == at + 1
        lied = story().entries[at].replace(b'"end":"rejected"', b'"end":"withdrawn"')
        assert lied != story().entries[at]
        expected = refusal(at, lied, None)
        assert "effects" in expected
        assert refusal(at, lied, readings[at + other]) == expected
        assert refusal(at, lied, readings[at]) == expected

    def test_a_reading_with_another_time_changes_no_verdict(self) -> None:
        at = story().index("transfer.reject")
        reading = read(story().entries)[at]
        assert reading is not None
        replay = replay_until(at)
        feed(replay, story().entries[at], reading._replace(time=reading.time + 1))
        feed(replay, story().entries[at + 1], None)

    def test_an_entry_in_another_spelling_is_not_saved_by_its_reading(self) -> None:
        at = story().index("transfer.reject")
        reading = read(story().entries)[at]
        spaced = story().entries[at].replace(b'"v":1}', b'"v": 1}')
        assert "not-canonical" in refusal(at, spaced, reading)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff",
            b"null",
            b"[" * 60_000,
            b'{"effects":' * 5_000,
            b'{"effects":'
            + b"[" * 20_000
            + b"]" * 20_000
            + b',"kind":"a","statements":[],"time":1}',
            b'{"kind":"a","statements":["\\ud800.a.b"],"time":1}',
            '{"kind":"a","statements":["é.é.é"],"time":1}'.encode(),
            b'{"kind":"a","statements":["..","..",".."],"time":1.5}',
            b'{"kind":"a","statements":[""],"time":1}',
        ],
    )
    def test_what_is_no_entry_is_judged_by_whoever_opens_it(self, data: bytes) -> None:
        assert read([data]) in ([None], [Reading(1, "a", None, None)])
        assert refusal(3, data, *read([data])).startswith(("malformed", "not-canonical"))

    @pytest.mark.parametrize("x", ["A" * 43, "_" * 43, b64url_encode(bytes(31)) + "="])
    def test_a_claim_of_no_key_is_no_key(self, x: str) -> None:
        keys = ClaimedKeys()
        keys.learn([Claim("K" * 43, "Ed25519", x), Claim("L" * 43, "none", "A" * 43)])
        assert keys.find(Kid("K" * 43)) is None
        assert keys.find(Kid("L" * 43)) is None
