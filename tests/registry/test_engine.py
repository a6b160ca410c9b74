"""The engine: one append per batch, a failing store, restarts, clocks, and two writers."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from registry.audit import Audit
from registry.calendars import DAY_MS
from registry.commitments import Commitments
from registry.engine import CLOCK_BACK_MAX, Engine, Outcome, Sealed
from registry.entries import open_entry
from registry.errors import (
    ClockUnsureError,
    HeadMovedError,
    IdReusedError,
    InvariantBrokenError,
    RegistryError,
    StaleWriterError,
    StorageFailedError,
    StorageUnknownError,
)
from registry.ids import format_uuid7
from registry.kinds import Rulebook
from registry.merkle import hash_leaf, root_of
from registry.model import HISTORIES, STATE_REQUESTS
from registry.proofs import committed_state
from registry.refusals import LotNotFoundError
from registry.replay import STATE_WITHIN
from registry.statements import LIFETIME_MAX, Statement, admit
from registry.store.memory import MemoryStore
from registry.tables import to_json
from tests.builders import ORIGIN, FixedClock, StoredKeys, World, instant
from tests.logs import DUE_ON, audit, export, story
from tests.watched import (
    RULEBOOK,
    Plan,
    SystemWorld,
    WatchedStore,
    cast,
    digest_of,
    engine_on,
    entries_of,
    planned,
    site_of_append,
    store_of,
    two_cut_offs,
    uninterrupted,
)


def audited(entries: Sequence[bytes]) -> Audit:
    found = audit(export(entries))
    assert found.findings == []
    return found


def kinds_of(outcomes: Sequence[Outcome]) -> list[str]:
    return [o.code if isinstance(o, RegistryError) else "sealed" for o in outcomes]


class TestBatches:
    def test_the_plan_holds_what_it_promises(self) -> None:
        store = store_of(cast()).copy()
        outcomes = engine_on(store).submit(planned())
        refused = {5: "answer-missing", 10: "voucher-due"}
        assert kinds_of(outcomes) == [refused.get(number, "sealed") for number in range(12)]
        kinds = [open_entry(data).kind for data in entries_of(store)[cast().store.size() :]]
        assert kinds == [
            "voucher.issue", "voucher.accept", "transfer.offer", "transfer.accept",
            "snapshot.request", "state", "transfer.offer", "voucher.issue", "clock.set",
            "transfer.expire", "voucher.expire", "day.cut-off", "state",
            "mandate.grant", "snapshot.request", "state",
        ]  # fmt: skip
        assert audited(entries_of(store)).digest == digest_of(store) == uninterrupted()[1]

    def test_many_statements_are_one_append(self) -> None:
        store = store_of(cast()).copy()
        world, engine = cast(), engine_on(store)
        plan = Plan(world)
        for _ in range(100):
            plan.sign("s1", "mandate.grant", {"account": world.accounts["s1"]})
        before = len(store.commits)
        outcomes = engine.submit(plan.statements)
        assert kinds_of(outcomes) == ["sealed"] * 100
        assert [len(commit.entries) for commit in store.commits[before:]] == [100]

    def test_batches_of_any_size_give_the_same_bytes(self) -> None:
        statements = planned()
        for size in (1, 2, 3, 7):
            store = store_of(cast()).copy()
            engine = engine_on(store)
            for start in range(0, len(statements), size):
                engine.submit(statements[start : start + size])
            engine.submit([])
            assert (tuple(entries_of(store)), digest_of(store)) == uninterrupted()

    def test_the_head_is_the_root_of_the_stored_entries(self) -> None:
        store = store_of(cast()).copy()
        engine = engine_on(store)
        for statement in planned():
            engine.submit([statement])
            entries = entries_of(store)
            assert engine.head.size == len(entries)
            assert engine.head.root == root_of(map(hash_leaf, entries))
            assert list(store.leaf_hashes(0, len(entries))) == [hash_leaf(e) for e in entries]

    def test_a_repeated_statement_gets_the_first_result(self) -> None:
        store = store_of(cast()).copy()
        engine = engine_on(store)
        first, again = engine.submit([planned()[0], planned()[0]])
        (later,) = engine.submit([planned()[0]])
        assert isinstance(first, Sealed)
        assert isinstance(again, Sealed)
        assert isinstance(later, Sealed)
        assert (first.replayed, again.replayed, later.replayed) == (False, True, True)
        assert (first.index, first.leaf_hash, first.effects_json, first.time) == (
            again.index, again.leaf_hash, again.effects_json, again.time,
        ) == (later.index, later.leaf_hash, later.effects_json, later.time)  # fmt: skip
        assert store.size() == cast().store.size() + 1

    @pytest.mark.parametrize("apart", [False, True])
    def test_an_id_used_for_other_bytes_is_refused(self, apart: bool) -> None:
        world = cast()
        engine = engine_on(store_of(world).copy())
        plan = Plan(world)
        iat = world.time // 1000
        for exp in (iat + 60, iat + 61):
            text = world.sign(
                "s1", "mandate.grant", {"account": world.accounts["s1"]}, exp=exp,
                id=format_uuid7(world.time, bytes(10)),
            )  # fmt: skip
            plan.statements.append(
                admit(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=StoredKeys(world.store))
            )
        if apart:
            outcomes = [engine.submit([statement])[0] for statement in plan.statements]
        else:
            outcomes = engine.submit(plan.statements)
        assert isinstance(outcomes[1], IdReusedError)
        assert outcomes[1].facts["sid"] == plan.statements[0].sid

    def test_a_refused_statement_changes_nothing(self) -> None:
        world, store = cast(), store_of(cast()).copy()
        engine, plan = engine_on(store), Plan(cast())
        plan.sign("s1", "transfer.offer", world.offer_body(f"{'A' * 43}.0", 1, "s2"))
        before = digest_of(store), store.size()
        assert isinstance(engine.submit(plan.statements)[0], LotNotFoundError)
        assert (digest_of(store), store.size()) == before
        assert store.commits == store_of(world).commits


class TestFailingStore:
    def test_whatever_call_fails_the_same_batch_can_be_tried_again(self) -> None:
        """The store fails once, at each of its calls in turn; then the batch comes again."""
        counting = store_of(cast()).copy()
        engine = engine_on(counting)
        start = counting.calls
        engine.submit(planned())
        calls = counting.calls
        assert calls - start > 30
        failed = 0
        for site in range(start, calls):
            store = store_of(cast()).copy()
            engine = engine_on(store)
            store.fail_at = site
            try:
                engine.submit(planned())
            except StorageFailedError:
                failed += 1
                assert engine.head.size == store.size()
                engine.submit(planned())
            entries = tuple(entries_of(store))
            assert entries == uninterrupted()[0], site
            assert digest_of(store) == uninterrupted()[1], site
        assert failed == calls - start

    def test_a_failed_append_leaves_the_engine_as_before(self) -> None:
        store = store_of(cast()).copy()
        engine = engine_on(store)
        before = engine.head, engine.previous, engine.time, engine.tree
        store.fails_to_append = True
        for _ in range(3):
            with pytest.raises(StorageFailedError):
                engine.submit(planned()[:4])
            assert (engine.head, engine.previous, engine.time, engine.tree) == before
        store.fails_to_append = False
        engine.submit(planned()[:4])
        assert entries_of(store) == list(uninterrupted()[0][: store.size()])

    @pytest.mark.parametrize("stored", [False, True])
    def test_an_unknown_outcome_stops_the_engine_and_the_next_one_goes_on(
        self, stored: bool
    ) -> None:
        store = store_of(cast()).copy()
        engine = engine_on(store)
        store.failure = StorageUnknownError(reason="the connection was lost")
        store.calls, store.fail_at = 0, site_of_append()
        store.stores_anyway = stored
        with pytest.raises(StorageUnknownError):
            engine.submit(planned()[:4])
        store.fail_at, store.stores_anyway = -1, False
        with pytest.raises(StorageUnknownError, match="the writer has stopped"):
            engine.submit(planned()[:4])
        outcomes = engine_on(store).submit(planned())
        assert isinstance(outcomes[0], Sealed)
        assert outcomes[0].replayed is stored
        assert tuple(entries_of(store)) == uninterrupted()[0]

    def test_a_broken_invariant_stops_the_engine(self) -> None:
        class Broken(Rulebook):
            def decide(self, *_args: Any, **_named: Any) -> Any:
                raise InvariantBrokenError("a bug")

        engine = Engine(store_of(cast()).copy(), Broken(), FixedClock(), origin=ORIGIN)
        with pytest.raises(InvariantBrokenError):
            engine.submit(planned()[:1])
        with pytest.raises(StorageUnknownError, match="the writer has stopped"):
            engine.submit([])

    def test_the_older_of_two_engines_is_fenced(self) -> None:
        store = store_of(cast()).copy()
        older = engine_on(store)
        newer = engine_on(store)
        for _ in range(2):
            with pytest.raises(StaleWriterError):
                older.submit(planned()[:1])
        assert isinstance(newer.submit(planned()[:1])[0], Sealed)
        with pytest.raises(StaleWriterError):
            older.submit(planned()[1:2])
        newer.submit(planned()[1:])
        assert tuple(entries_of(store)) == uninterrupted()[0]

    def test_a_head_that_moved_under_the_engine_is_refused(self) -> None:
        store = store_of(cast()).copy()
        engine = engine_on(store)
        other = store.copy()
        engine_on(other).submit(planned()[:1])
        MemoryStore.append(
            store, other.commits[-1], expected_size=store.size(), epoch=engine._epoch
        )
        with pytest.raises(HeadMovedError):
            engine.submit(planned()[1:2])


class TestRestarts:
    def test_an_engine_made_anew_before_every_statement_seals_the_same_bytes(self) -> None:
        store = store_of(cast()).copy()
        for statement in planned():
            engine_on(store).submit([statement])
        engine_on(store).submit([])
        assert (tuple(entries_of(store)), digest_of(store)) == uninterrupted()

    @pytest.mark.parametrize(("plan", "owed"), [(planned, 3), (two_cut_offs, 3)])
    def test_a_crash_after_any_commit_changes_nothing(self, plan: Any, owed: int) -> None:
        """Each prefix of the commits is what a crash may leave; the next engine goes on."""
        whole = store_of(cast()).copy()
        engine_on(whole).submit(plan())
        requests = 0
        for kept in range(len(store_of(cast()).commits), len(whole.commits) + 1):
            store = WatchedStore(RULEBOOK.tables)
            for commit in whole.commits[:kept]:
                store.append(commit, expected_size=store.size(), epoch=store.acquire())
            requests += len(list(store.select(STATE_REQUESTS)))
            engine_on(store).submit(plan())
            assert (tuple(entries_of(store)), digest_of(store)) == uninterrupted(plan())
        assert requests == owed

    def test_two_states_owed_at_once_stand_in_the_order_of_their_requests(self) -> None:
        kinds = [open_entry(data).kind for data in uninterrupted(two_cut_offs())[0][-6:]]
        assert kinds == ["day.cut-off", "transfer.expire", "day.cut-off", "state", "state",
                         "mandate.grant"]  # fmt: skip
        audited(uninterrupted(two_cut_offs())[0])

    def test_a_state_is_as_of_its_request_though_the_next_engine_computes_it(self) -> None:
        at = story().index("state", 1)
        committed = committed_state(open_entry(story().entries[at]))["at"]
        select = story().world.store.select
        rows = select(HISTORIES, as_of=at + 1)
        commitments = Commitments.load((row.family, row.record) for row in rows)
        roots = to_json(commitments.roots(at=committed, grown={}))
        assert roots == committed_state(open_entry(story().entries[at]))


class TestClocks:
    @pytest.fixture
    def world(self) -> World:
        return SystemWorld(WatchedStore(RULEBOOK.tables), RULEBOOK).cast()

    def test_entries_bear_the_clocks_time(self, world: World) -> None:
        world.clock.time += 1_234
        sealed = world.do("s1", "mandate.grant", {"account": world.accounts["s1"]})
        assert sealed.time == world.clock.time

    def test_a_small_step_back_does_not_take_the_log_back(self, world: World) -> None:
        before = world.engine.time
        world.clock.time = before - CLOCK_BACK_MAX
        sealed = world.do("s1", "mandate.grant", {"account": world.accounts["s1"]})
        assert sealed.time == before
        audited(world.entries())

    def test_a_clock_that_steps_back_further_stops_writing(self, world: World) -> None:
        size, before = world.store.size(), world.engine.time
        world.clock.time = before - CLOCK_BACK_MAX - 1
        text = world.sign("s1", "mandate.grant", {"account": world.accounts["s1"]})
        with pytest.raises(ClockUnsureError):
            world.submit(text)
        assert world.store.size() == size
        world.clock.time = before
        (outcome,) = world.submit(text)
        assert isinstance(outcome, Sealed)

    def test_deadlines_are_sealed_when_their_time_has_come(self, world: World) -> None:
        voucher = world.issue()
        world.offer(f"{voucher}.0", 5, by="s1", to="s2")
        world.clock.time = world.time = instant(DUE_ON, hour=0) - 1
        world.engine.submit([])
        assert open_entry(world.entries()[-1]).kind == "transfer.expire"
        world.clock.time += 1
        world.engine.submit([])
        last = [open_entry(data) for data in world.entries()[-2:]]
        assert [entry.kind for entry in last] == ["day.cut-off", "state"]
        assert {entry.time for entry in last} == {world.clock.time}
        assert audited(world.entries()).digest == world.digest()

    def test_down_time_between_a_request_and_its_state_does_not_spoil_the_log(
        self, world: World
    ) -> None:
        store = store_of(world)
        voucher = world.issue()
        world.offer(f"{voucher}.0", 5, by="s1", to="s2")
        text = world.sign("trustee#T1", "snapshot.request", {})
        before = len(store.commits)
        world.submit(text)
        assert len(store.commits) == before + 2
        crashed = WatchedStore(RULEBOOK.tables)
        for commit in store.commits[: before + 1]:
            crashed.append(commit, expected_size=crashed.size(), epoch=crashed.acquire())
        # A day later, when a deadline has come, too.
        clock = FixedClock(world.clock.time + STATE_WITHIN + 200 * DAY_MS)
        Engine(crashed, RULEBOOK, clock, origin=ORIGIN).submit([])
        kinds = [open_entry(data).kind for data in entries_of(crashed)[store.size() - 1 :]]
        assert kinds[:3] == ["transfer.expire", "day.cut-off", "state"]
        assert audited(entries_of(crashed)).digest == digest_of(crashed)

    def test_a_refused_genesis_leaves_no_trace_of_its_time(self) -> None:
        far = World(WatchedStore(RULEBOOK.tables), RULEBOOK)
        far.time = instant(date(2099, 1, 1))
        refused = genesis_of(far, exp=far.time // 1000 + LIFETIME_MAX + 1)
        world = SystemWorld(WatchedStore(RULEBOOK.tables), RULEBOOK)
        outcomes = world.engine.submit([refused, genesis_of(world)])
        assert kinds_of(outcomes) == ["lifetime", "sealed"]
        assert open_entry(world.entries()[0]).time == world.clock.time


def genesis_of(world: World, **odd: Any) -> Statement[Any]:
    """Signs a world's genesis and admits it, without submitting it."""
    texts: list[str] = []

    def keep(name: str, kind: str, body: Any) -> None:
        texts.append(world.sign(name, kind, body, **odd))

    world.do = keep  # type: ignore[method-assign, assignment]
    world.open()
    return admit(texts[0], kinds=RULEBOOK.kinds, origin=ORIGIN, keys=StoredKeys(world.store))
