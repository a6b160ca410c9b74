"""What time alone brings about: every deadline has its entry, in order, before all else."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.batch import Batch
from registry.effects import DeadlineSet, Seal
from registry.entries import open_entry
from registry.errors import EntryInvalidError, RegistryError
from registry.model import DEADLINES, OFFERS, TABLES, Deadline
from registry.refusals import AnswerMissingError, VoucherStatusError
from registry.rights import CANCELLED_AT_ONCE
from registry.state import MemoryRows
from registry.store.memory import MemoryStore
from tests.builders import World, instant, key_of
from tests.scenario import (
    RULEBOOK,
    Draft,
    attempt,
    cast_world,
    good,
    key_add,
    lots_of,
    replayed,
    verify_everything,
)


def sealed_since(world: World, size: int) -> list[tuple[str, Any]]:
    """Returns the kind and the due deadline of the entries from an index on."""
    opened = (open_entry(data) for data in world.entries()[size:])
    return [(entry.kind, entry.effects.get("due")) for entry in opened]


def start(day: str) -> int:
    return instant(date.fromisoformat(day), hour=0)


def end(day: str) -> int:
    return start(day) + 86_400_000


def busy_world() -> tuple[World, list[tuple[int, str, str]]]:
    """Returns a world with many deadlines, and those in their documented order."""
    world = cast_world()
    for due_on in ("2025-07-20", "2025-08-01", "2025-07-20"):
        lot = f"{world.issue(due_on=due_on)}.0"
        for until in ("2025-07-05", "2025-07-05", "2025-07-19", "2025-07-12"):
            body = world.offer_body(lot, 1_000, "s2", accept_by=until)
            lot = f"{world.do('s1', 'transfer.offer', body).sid}.1"
    for until in ("2025-07-05", "2025-07-19", "2025-07-12", "2025-07-12"):
        body = world.issue_body(accept_by=until, due_on="2025-09-01")
        world.do("core", "voucher.issue", body)
    rows = [(row.at, row.kind, row.id) for row in world.store.select(DEADLINES)]
    assert len(rows) == 18
    return world, sorted(rows)


@pytest.mark.parametrize("until", ["2025-07-06", "2025-07-13", "2025-07-20", "2025-12-31"])
def test_a_clock_that_jumps_over_many_seals_each_in_order(until: str) -> None:
    world, deadlines = busy_world()
    size = world.store.size()
    world.advance(start(until))
    # Whatever comes next, the deadlines come first.
    made = world.do("s1", "mandate.grant", {"account": world.accounts["s1"]})
    passed = [row for row in deadlines if row[0] <= start(until)]
    states = sum(kind == "day.cut-off" for _, kind, _ in passed)
    assert sealed_since(world, size) == [
        ("clock.set", None),
        *((kind, {"at": at, "id": name}) for at, kind, name in passed),
        *[("state", None)] * states,
        ("mandate.grant", None),
    ]
    assert made.index == world.store.size() - 1
    left = sorted((row.at, row.kind, row.id) for row in world.store.select(DEADLINES))
    assert left == deadlines[len(passed) :]
    verify_everything(world)


def test_jumping_at_once_or_step_by_step_ends_in_the_same_lots() -> None:
    ends = []
    for steps in (["2025-12-31"], ["2025-07-06", "2025-07-13", "2025-07-20", "2025-12-31"]):
        world, _ = busy_world()
        for step in steps:
            world.advance(start(step))
            world.engine.submit([])
        verify_everything(world)
        lots = lots_of(world).values()
        ends.append(sorted((lot.lot, lot.amount, lot.status) for lot in lots))
    assert ends[0] == ends[1]
    assert {status for _, _, status in ends[0]} == {"free"}


@pytest.mark.parametrize("kind", ["transfer.accept", "transfer.reject", "transfer.withdraw"])
def test_an_offer_expires_at_the_exact_instant(kind: str) -> None:
    for late in (0, 1):
        world, draft = good(kind)
        size = world.store.size()
        world.advance(end("2025-12-01") - 1 + late)
        world.time = end("2025-12-01") - 1 + late
        if late:
            assert isinstance(attempt(world, draft), AnswerMissingError)
            assert ("transfer.expire", {"at": end("2025-12-01"), "id": draft.re}) in sealed_since(
                world, size
            )
        else:
            assert not isinstance(attempt(world, draft), RegistryError)
            assert "transfer.expire" not in dict(sealed_since(world, size))
        verify_everything(world)


@pytest.mark.parametrize("kind", ["voucher.accept", "voucher.refuse", "voucher.withdraw"])
def test_a_voucher_expires_at_the_exact_instant(kind: str) -> None:
    for late in (0, 1):
        world, draft = good(kind)
        world.advance(end("2025-07-10") - 1 + late)
        world.time = end("2025-07-10") - 1 + late
        outcome = attempt(world, draft)
        assert isinstance(outcome, VoucherStatusError) == bool(late)
        assert isinstance(outcome, RegistryError) == bool(late)
        verify_everything(world)


def test_a_met_deadline_never_comes() -> None:
    world, draft = good("transfer.accept")
    assert not isinstance(attempt(world, draft), RegistryError)
    size = world.store.size()
    world.advance(start("2026-06-01"))
    world.engine.submit([])
    assert [kind for kind, _ in sealed_since(world, size)] == ["clock.set", "day.cut-off", "state"]


def test_offers_end_before_their_vouchers_due_date_begins() -> None:
    world = cast_world()
    lot = f"{world.issue(due_on='2025-12-02')}.0"
    offer = world.do("s1", "transfer.offer", world.offer_body(lot, 5, "s2")).sid
    size = world.store.size()
    world.advance(start("2025-12-02"))
    world.engine.submit([])
    at = start("2025-12-02")
    assert sealed_since(world, size) == [
        ("clock.set", None),
        ("day.cut-off", {"at": at, "id": "2025-12-02"}),
        ("transfer.expire", {"at": at, "id": offer}),
        ("state", None),
    ]
    verify_everything(world)


# --- Revocation ---------------------------------------------------------------------------


def world_with_offers(count: int) -> tuple[World, list[str]]:
    """Returns a world with open offers signed by one key of s1, and one more by another."""
    world = cast_world()
    attempt(world, key_add(world, by="s1"))
    lot = f"{world.issue()}.0"
    offers: list[str] = []
    for number in range(count + 1):
        draft = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 5, "s2"))
        draft.key = key_of("further") if number else world.keys["s1"]
        made = attempt(world, draft)
        assert not isinstance(made, RegistryError)
        offers.append(made.sid)
        lot = f"{made.sid}.1"
    return world, offers


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_revocation_cancels_the_keys_offers_by_id_directly_after(count: int) -> None:
    world, (kept, *offers) = world_with_offers(count)
    size, at = world.store.size(), world.time
    revoke = world.sign("s1", "key.revoke", {"kid": key_of("further").public.kid})
    other = world.sign("s1", "mandate.grant", {"account": world.accounts["s1"]})
    # In one batch with what comes after, nothing steps between.
    assert not any(isinstance(outcome, RegistryError) for outcome in world.submit(revoke, other))
    assert sealed_since(world, size) == [
        ("key.revoke", None),
        *(("transfer.cancel", {"at": at, "id": offer}) for offer in sorted(offers)),
        ("mandate.grant", None),
    ]
    assert [row.offer for row in world.store.select(OFFERS)] == [kept]
    lots = lots_of(world)
    assert {lots[f"{offer}.0"].status for offer in offers} <= {"free"}
    verify_everything(world)


def test_a_revocation_of_more_offers_than_fit_an_entry_ends_them_all_in_order() -> None:
    world, (_, *offers) = world_with_offers(CANCELLED_AT_ONCE + 2)
    size, at = world.store.size(), world.time
    kid = key_of("further").public.kid
    world.do("s1", "key.revoke", {"kid": kid})
    cancelled = [("transfer.cancel", {"at": at, "id": offer}) for offer in sorted(offers)]
    more = ("transfer.cancel-more", {"at": at, "id": kid})
    first, rest = cancelled[:CANCELLED_AT_ONCE], cancelled[CANCELLED_AT_ONCE:]
    assert sealed_since(world, size) == [("key.revoke", None), *first, more, *rest]
    verify_everything(world)


def test_a_revocation_cancels_offers_of_the_same_batch() -> None:
    world, _ = world_with_offers(0)
    (lot,) = (name for name in lots_of(world) if name.endswith(".1"))
    offer = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 5, "s2"))
    offer.key = key_of("further")
    revoke = Draft(by="s1", kind="key.revoke", body={"kid": key_of("further").public.kid})
    made, _revoked = world.submit(offer.sign(world), revoke.sign(world))
    assert not isinstance(made, RegistryError)
    assert lots_of(world)[f"{made.sid}.0"].status == "free"
    verify_everything(world)


def test_a_vehicles_offers_end_with_its_trustees_key() -> None:
    world = cast_world()
    first = world.transfer(f"{world.issue()}.0", 5, by="s1", to="factor", purpose="finance")
    second = world.transfer(f"{first}.2", 5, by="factor", to="trustee#T1", purpose="securitise")
    world.admit("trustee#T2", "vehicle")
    offer = world.offer(f"{second}.2", 5, by="trustee#T1", to="trustee#T2", purpose="securitise")
    world.do("trustee", "key.revoke", {"kid": key_of("trustee").public.kid})
    world.engine.submit([])
    assert lots_of(world)[f"{offer}.0"].status == "free"
    verify_everything(world)


# --- The log that leaves a deadline out ---------------------------------------------------


class _Forgetful(MemoryStore):
    """A store that finds no deadline."""

    def due(self, *, until: int, limit: int) -> tuple[Deadline, ...]:
        return super().due(until=until, limit=limit)[:0]


def test_an_auditor_refuses_a_log_without_a_deadlines_entry() -> None:
    world = World(_Forgetful(TABLES), RULEBOOK).cast()
    world.offer(f"{world.issue()}.0", 5, by="s1", to="s2")
    world.advance(start("2025-12-05"))
    world.do("s1", "mandate.grant", {"account": world.accounts["s1"]})
    with pytest.raises(EntryInvalidError, match=r"transfer\.expire .* should stand here"):
        replayed(world)


@given(
    st.lists(
        st.builds(
            DeadlineSet,
            at=st.integers(0, 3),
            kind=st.sampled_from(["day.cut-off", "transfer.cancel", "transfer.expire"]),
            id=st.sampled_from("abAB-_"),
        ),
        max_size=30,
        unique=True,
    )
)
def test_deadlines_come_by_instant_then_kind_then_id(effects: list[DeadlineSet]) -> None:
    rows, seal = MemoryRows(TABLES), Seal(index=0, time=0, leaf_hash=b"", statement="")
    batch = Batch(MemoryRows(TABLES).fetch, TABLES, index=0)
    for effect in effects:
        effect.fold(rows, seal)
        effect.fold(batch, seal)
    expected = sorted({(effect.at, effect.kind, effect.id) for effect in effects})
    for key in (key for key in expected if key[0] <= 2):
        due = rows.due(until=2)
        assert due == batch.due(lambda **_: (), until=2, limit=10)
        assert due is not None
        assert (due.at, due.kind, due.id) == key
        rows.delete(DEADLINES, *key)
        batch.delete(DEADLINES, *key)
    assert rows.due(until=2) is batch.due(lambda **_: (), until=2, limit=10) is None


def test_every_day_of_a_quarter_can_have_its_cut_off() -> None:
    world = cast_world()
    days = [date(2025, 9, 1) + timedelta(days=n) for n in range(90)]
    for day in days:
        world.issue(due_on=day.isoformat(), face="1")
    size = world.store.size()
    world.advance(instant(days[-1]))
    world.engine.submit([])
    kinds = [kind for kind, _ in sealed_since(world, size)]
    assert kinds == ["clock.set", *["day.cut-off"] * 90, *["state"] * 90]
    verify_everything(world)
