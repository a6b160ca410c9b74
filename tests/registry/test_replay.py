"""Replay: it follows an honest log, and stops at the one entry that the rules do not give."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from registry.canonical import b64url_encode
from registry.entries import open_entry
from registry.errors import EntryInvalidError
from registry.kinds import Rulebook
from registry.merkle import MemoryHashes, TreeHead, hash_leaf, root_at
from registry.model import LOTS
from registry.replay import HOUR, IDS_KEPT, STATE_WITHIN, Replay
from registry.state import replay_digest
from registry.statements import CLOCK_SKEW, LIFETIME_MAX
from registry.store.memory import MemoryStore
from registry.verdicts import Verdict
from tests.builders import ORIGIN, World, key_of, possession_proof
from tests.lies import LIES
from tests.logs import Draft, Forger, Lie, audit, export, story
from tests.people import approve, done, offer_waits, rule, staffed
from tests.scenario import GOOD, attempt, cast_world, good
from tests.watched import RULEBOOK, SystemWorld


def replayed(entries: Sequence[bytes]) -> Replay:
    """Feeds entries to a replay; raises at the first that should not be there."""
    hashes = MemoryHashes(map(hash_leaf, entries))
    replay = Replay(Rulebook(), origin=ORIGIN, root_at=lambda size: root_at(hashes, size))
    for entry in entries:
        replay.feed(entry)
    return replay


def forged(at: int, lie: Lie) -> list[bytes]:
    """Seals the story again with a lie at one entry."""
    return Forger(Rulebook()).rewrite(story().entries, at=at, lie=lie)


def digest_of(rows: Mapping[str, list[Any]]) -> str:
    """Returns the replay digest of these rows."""
    return replay_digest(RULEBOOK.tables, lambda table: rows[table.name])


def one(change: Callable[[Draft], Draft]) -> Lie:
    """Makes a lie of one changed draft."""
    return lambda _forger, draft: [change(draft)]


class TestHonestLogs:
    def test_a_replay_ends_where_the_live_state_is(self) -> None:
        replay = replayed(story().entries)
        assert replay.digest() == story().world.digest()
        assert list(replay.rows.select(LOTS)) == list(story().world.store.select(LOTS))

    def test_every_beginning_gives_the_state_as_of_then(self) -> None:
        world = story().world
        replay = Replay(Rulebook(), origin=ORIGIN, root_at=lambda _size: b"")
        for size, entry in enumerate(story().entries, 1):
            replay.feed(entry)
            for table in world.rulebook.tables:
                live = list(world.store.select(table, as_of=size))
                assert list(replay.rows.select(table)) == live, (size, table.name)

    def test_the_digest_covers_every_row_of_every_table(self) -> None:
        world, at = story().world, story().index("day.cut-off") + 1
        tables, seen = world.rulebook.tables, set[str]()
        sizes = (2, 40, story().index("transfer.offer", 3) + 1, at)
        half = staffed(cast_world(), "s1", rule("transfer.offer", 2))
        done(approve(half, "s1", offer_waits(half), person="chen"))
        states = [*((world, size) for size in sizes), (half, half.store.size())]
        for kind in GOOD:
            other, draft = good(kind)
            attempt(other, draft)
            states.append((other, other.store.size()))
        for held, size in states:
            rows = {t.name: list(held.store.select(t, as_of=size)) for t in tables}
            whole = digest_of(rows)
            for name in {name for name, kept in rows.items() if kept} - seen:
                kept = rows[name]
                for less in range(len(kept)):
                    fewer = {**rows, name: kept[:less] + kept[less + 1 :]}
                    assert digest_of(fewer) != whole
                seen.add(name)
        assert seen == {table.name for table in tables}

    def test_an_operator_without_lies_seals_the_same_bytes(self) -> None:
        assert tuple(forged(0, lambda _forger, draft: [draft])) == story().entries


class TestLies:
    @pytest.mark.parametrize("name", LIES)
    def test_an_entry_that_the_rules_do_not_give_is_named(self, name: str) -> None:
        kind, number, change = LIES[name]
        at = story().index(kind, number)
        entries = forged(at, one(change))
        found = audit(export(entries))
        assert found.verdict is Verdict.INVALID
        assert [finding.where for finding in found.findings] == [f"entry {at}"]
        assert found.digest == ""

    def test_what_stands_before_the_lie_is_sound(self) -> None:
        for kind, number, change in LIES.values():
            at = story().index(kind, number)
            assert forged(at, one(change))[:at] == list(story().entries[:at])

    def assert_named(self, entries: Sequence[bytes], at: int, reason: str) -> None:
        found = audit(export(entries))
        assert found.verdict is Verdict.INVALID
        (finding,) = found.findings
        assert finding.where == f"entry {at}"
        assert reason in finding.reason

    # --- Deadlines and states ------------------------------------------------------

    def test_a_missing_deadline_entry_is_named_by_what_stands_in_its_place(self) -> None:
        at = story().index("transfer.expire")
        self.assert_named(forged(at, lambda _f, _d: []), at, "deadline transfer.expire")

    def test_a_missing_cut_off_is_found(self) -> None:
        at = story().index("day.cut-off")
        self.assert_named(forged(at, lambda _f, _d: []), at, "deadline day.cut-off")

    def test_deadlines_in_another_order_are_found(self) -> None:
        first = story().index("transfer.expire")
        held: list[Draft] = []

        def later(_forger: Forger, draft: Draft) -> Iterable[Draft]:
            held.append(draft)
            return []

        forger = Forger(Rulebook())
        forger.rewrite(story().entries[: first + 1], at=first, lie=later)
        due = forger.draft_of(open_entry(story().entries[first + 1]))
        assert due is not None
        forger.seal(due)
        forger.seal(held[0])
        self.assert_named(forger.entries, first, "deadline transfer.expire")

    def test_a_statement_before_a_deadline_that_has_come_is_found(self) -> None:
        at = story().index("transfer.expire")
        self.inserted(at, reason="deadline transfer.expire")

    def test_a_state_entry_that_is_left_out_is_found_once_it_is_late(self) -> None:
        at = story().index("state")
        entries = forged(at, lambda _f, _d: [])
        late = next(
            index
            for index, data in enumerate(entries[at:], at)
            if open_entry(data).statement
            and open_entry(data).time > open_entry(entries[at - 1]).time + STATE_WITHIN
        )
        self.assert_named(entries, late, f"the state entry as of {at} should stand before it")

    def test_a_state_entry_may_stand_later_within_ten_minutes(self) -> None:
        at = story().index("state")
        entries = list(story().entries[: at + 3])
        forger = Forger(Rulebook())
        forger.rewrite(entries, at=at, lie=lambda _f, _d: [])
        owed = forger.draft_of(open_entry(entries[at]))
        assert owed is not None
        forger.seal(owed)
        found = audit(export(forger.entries))
        assert found.findings == []

    def test_a_state_entry_that_nothing_asks_for_is_found(self) -> None:
        at = story().index("state")
        entries = forged(at, lambda _f, draft: [draft, draft])
        self.assert_named(entries, at + 1, "no statement, no deadline and no request")

    # --- Statements -----------------------------------------------------------------

    def test_a_statement_replayed_twice_is_found(self) -> None:
        at = story().index("mandate.grant")

        entries = forged(at, lambda _f, draft: [draft, draft])
        self.assert_named(entries, at + 1, "stands in an earlier entry")

    def test_an_id_used_for_another_statement_is_found(self) -> None:
        at = story().index("mandate.grant")
        world = story().world
        honest = open_entry(story().entries[at])

        def again(forger: Forger, draft: Draft) -> Iterable[Draft]:
            assert draft.statement is not None
            text = world.sign(
                "core", "mandate.grant", {"account": world.accounts["core"]},
                id=draft.statement.id, iat=draft.statement.iat, exp=draft.statement.exp - 1,
            )  # fmt: skip
            return [draft, forger.decided(text, time=honest.time)]

        self.assert_named(forged(at, again), at + 1, "stands in an earlier entry")

    def test_a_statement_with_a_bad_signature_is_found(self) -> None:
        at = story().index("transfer.accept")

        def flipped(draft: Draft) -> Draft:
            head, _, tail = draft.text.rpartition(".")
            text = f"{head}.{'B' if tail[0] == 'A' else 'A'}{tail[1:]}"
            return replace(draft, text=text)

        self.assert_named(forged(at, one(flipped)), at, "bad-signature")

    def inserted(self, at: int, *, reason: str, **signing: Any) -> None:
        """Inserts, before an entry, a mandate that no rule but the named one refuses."""
        world = story().world
        time = open_entry(story().entries[at]).time
        kind_name = signing.pop("kind", "mandate.grant")
        name = signing.pop("name", "s1")
        body = signing.pop("body", {"account": world.accounts.get(name, "")})
        world_time, world.time = world.time, signing.pop("signed_at", time)
        try:
            text = world.sign(name, kind_name, body, **signing)
        finally:
            world.time = world_time

        def lie(forger: Forger, draft: Draft) -> Iterable[Draft]:
            return [forger.decided(text, time=time, only_kind=True), draft]

        self.assert_named(forged(at, lie), at, reason)

    def test_a_statement_by_a_revoked_key_is_found(self) -> None:
        after = range(story().index("key.revoke") + 1, len(story().entries))
        at = next(at for at in after if open_entry(story().entries[at]).statement)
        self.inserted(at, name="s2", key=key_of("s2, second"), reason="key-revoked")

    def test_a_statement_by_another_partys_key_is_found(self) -> None:
        at = story().index("transfer.reject")
        self.inserted(at, name="s1", key=key_of("s2"), reason="key-not-of-party")

    def test_a_statement_sealed_after_its_end_is_found(self) -> None:
        at = story().index("transfer.reject")
        past = open_entry(story().entries[at]).time - 3_601_000
        self.inserted(at, signed_at=past, reason="lifetime")

    def test_a_statement_sealed_before_its_time_is_found(self) -> None:
        at = story().index("transfer.reject")
        ahead = open_entry(story().entries[at]).time + (CLOCK_SKEW + 1) * 1000
        self.inserted(at, signed_at=ahead, reason="lifetime")

    def test_a_statement_that_lives_too_long_is_found(self) -> None:
        at = story().index("transfer.reject")
        iat = open_entry(story().entries[at]).time // 1000
        self.inserted(at, exp=iat + LIFETIME_MAX + 1, reason="lifetime")

    def test_a_statement_by_whom_no_role_allows_it_is_found(self) -> None:
        at = story().index("transfer.reject")
        self.inserted(at, name="registrar", kind="snapshot.request", body={}, reason="role-missing")

    def test_a_statement_whose_signer_saw_another_log_is_found(self) -> None:
        at = story().index("transfer.reject")
        seen = TreeHead(size=9, root=bytes(32))
        self.inserted(at, seen=seen, reason="seen-differs")

    def test_a_statement_whose_signer_saw_what_was_to_come_is_found(self) -> None:
        at = story().index("transfer.reject")
        seen = TreeHead(size=at + 1, root=bytes(32))
        self.inserted(at, seen=seen, reason="seen-differs")

    def test_a_statement_for_another_log_is_found(self) -> None:
        world = story().world
        at = story().index("mandate.grant")
        body = {"account": world.accounts["core"]}
        text = world.sign("core", "mandate.grant", body, aud="sandbox.example/other")
        entries = forged(at, one(lambda draft: replace(draft, text=text)))
        self.assert_named(entries, at, "wrong-audience")

    def test_time_going_back_under_the_system_clock_is_found(self) -> None:
        world = SystemWorld(MemoryStore(RULEBOOK.tables), RULEBOOK).cast()
        world.clock.time += 5
        world.do("s1", "mandate.grant", {"account": world.accounts["s1"]})
        at = world.store.size() - 1
        back = one(lambda draft: replace(draft, time=draft.time - 6))
        self.assert_named(Forger(RULEBOOK).rewrite(world.entries(), at=at, lie=back), at, "before")

    def test_a_statement_left_out_shows_only_to_whom_it_mattered(self) -> None:
        # An operator may leave a statement out before anybody has seen it: there is no rule
        # against refusing. Only a held checkpoint shows it, as a fork.
        at = story().index("notice.acknowledge")
        assert audit(export(forged(at, lambda _f, _d: []))).findings == []


class TestForm:
    def feed_changed(self, at: int, old: bytes, new: bytes) -> str:
        data = story().entries[at]
        assert data.count(old) >= 1
        replay = Replay(Rulebook(), origin=ORIGIN, root_at=lambda _size: b"")
        for entry in story().entries[:at]:
            replay.feed(entry)
        with pytest.raises(EntryInvalidError) as caught:
            replay.feed(data.replace(old, new))
        assert caught.value.facts["index"] == at
        return str(caught.value.facts["reason"])

    def test_true_is_not_the_index_1(self) -> None:
        assert "form" in self.feed_changed(1, b'"index":1,', b'"index":true,')

    def test_false_is_not_the_index_0(self) -> None:
        assert "form" in self.feed_changed(0, b'"index":0,', b'"index":false,')

    def test_another_version_is_refused(self) -> None:
        assert "version" in self.feed_changed(1, b'"v":1}', b'"v":2}')

    def test_true_is_not_version_1(self) -> None:
        assert "form" in self.feed_changed(1, b'"v":1}', b'"v":true}')

    def test_another_logs_entry_is_refused(self) -> None:
        reason = self.feed_changed(1, b'"origin":"sandbox.example/tests"', b'"origin":"x.example"')
        assert "x.example" in reason

    def test_an_empty_statement_is_not_no_statement(self) -> None:
        at = story().index("state")
        assert "form" in self.feed_changed(at, b'"statements":[]', b'"statements":[""]')

    def test_a_log_begins_with_genesis(self) -> None:
        replay = Replay(Rulebook(), origin=ORIGIN, root_at=lambda _size: b"")
        first = open_entry(story().entries[0])
        lied = story().entries[1].replace(b'"index":1,', b'"index":0,')
        lied = lied.replace(
            b64url_encode(hash_leaf(story().entries[0])).encode(),
            b64url_encode(first.previous).encode(),
        )
        with pytest.raises(EntryInvalidError, match="does not begin with genesis"):
            replay.feed(lied)


class TestMemory:
    def test_ids_are_forgotten_once_they_cannot_be_used_again(self) -> None:
        rulebook = Rulebook()
        world = World(MemoryStore(rulebook.tables), rulebook).open()
        start, kept = world.time, 1000 * (IDS_KEPT + HOUR)
        remembered = []
        for step in (1000 * IDS_KEPT - 1000, kept, 2 * kept + 1):
            world.do("registrar", "key.add", possession(world, f"reader until {step}"))
            world.advance(start + step)
            world.do("registrar", "key.add", possession(world, f"reader at {step}"))
            replay = replayed(world.entries())
            remembered.append((replay.statements, sum(map(len, replay.past.ids.values()))))
        assert replay.digest() == world.digest()
        # All, as long as the first could come again; then what was named later.
        assert remembered == [(4, 4), (7, 4), (10, 1)]

    def test_an_id_is_remembered_as_long_as_its_statement_lives(self) -> None:
        assert IDS_KEPT == LIFETIME_MAX + CLOCK_SKEW


def possession(world: World, name: str) -> dict[str, Any]:
    """Returns the body by which the registrar adds a key to read with."""
    key = key_of(name)
    proof = possession_proof(key, origin=ORIGIN, party=world.ids["registrar"])
    return {"key": dict(key.public.jwk()), "use": "read", "proof": proof}
