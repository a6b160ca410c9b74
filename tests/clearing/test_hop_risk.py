"""Who bears the way (reference note 19): with `holder` the debt travels with the money."""

import pytest

from clearing.errors import OutOfOrderError
from clearing.model import HOPS, OBLIGATIONS
from clearing.rules.closings import find_left
from registry.credit import DEBTORS, STOPS
from registry.ids import PartyId, Sid
from tests.clearing.carried import hold_risk, verify_carried
from tests.clearing.reconciled import Reconciled
from tests.clearing.test_attacks_walk import Walk
from tests.clearing.test_broken_hops import reroute, top_up, verify_everything
from tests.clearing.test_journal import check, journal_of, needs_hledger
from tests.clearing.test_reports import close, to
from tests.clearing.test_rules import (
    PLAN,
    REPORT,
    adopt,
    confirm,
    instructions,
    run_of,
    said,
    stated,
)
from tests.clearing.world import World, gv01

FACE = 100_000_000


@pytest.fixture
def world() -> World:
    """GV-01, whose holders bear the risk of the way."""
    made = World()
    gv01(made)
    hold_risk(made)
    return made


def say(world: World, plan: Sid, n: int, status: str) -> None:
    item = said(world, plan, n, status=status)
    world.enter(REPORT, {"items": [item]}, by="bank", re=plan, name=f"{status} {n} {world.index}")
    verify_carried(world)
    verify_everything(world, FACE)


def owed_by(world: World) -> dict[PartyId, int]:
    """Returns who owes how much, the debtor included."""
    found = {row.party: int(row.amount) for row in world.rows.select(HOPS)}
    for debtor in world.rows.select(DEBTORS):
        if debtor.outstanding:
            found[debtor.party] = debtor.outstanding
    return found


def test_the_debt_travels_hop_by_hop(world: World) -> None:
    c, s1, s2, f = (world.party(name) for name in ("C", "S1", "S2", "F"))
    plan = adopt(world)
    assert owed_by(world) == {c: 100_000_000}
    say(world, plan, 0, "posted")
    assert owed_by(world) == {s1: 60_000_000}
    say(world, plan, 1, "posted")
    assert owed_by(world) == {s2: 45_000_000}
    say(world, plan, to(world, plan, "F").n, "posted")
    assert owed_by(world) == {s2: 25_000_000, f: 20_000_000}
    say(world, plan, to(world, plan, "S3").n, "posted")
    say(world, plan, to(world, plan, "T#trust").n, "posted")
    assert owed_by(world) == {}


def test_a_debtor_that_has_paid_owes_nothing_and_is_not_stopped(world: World) -> None:
    plan = adopt(world)
    say(world, plan, 0, "posted")
    left = find_left(world.rows, run_of(world, plan))
    assert left.overdue == ()
    close(world, plan, expired=len(left.expired), stuck=len(left.stuck))
    assert not list(world.rows.select(STOPS))
    assert world.party("C") not in owed_by(world)
    verify_carried(world)


def test_where_the_debtor_bears_it_nothing_travels() -> None:
    world = World()
    gv01(world)
    plan = adopt(world)
    confirm(world, plan, 0)
    assert owed_by(world) == {world.party("C"): 60_000_000}


def test_what_comes_back_is_owed_by_who_has_the_money_and_paid_with_it(world: World) -> None:
    s2, s3 = world.party("S2"), world.party("S3")
    plan = adopt(world)
    hop = to(world, plan, "S3").n
    for n in (0, 1, hop):
        say(world, plan, n, "posted")
    say(world, plan, hop, "returned")
    (again,) = world.rows.select(OBLIGATIONS)
    assert (again.owed_by, again.owed_to, again.amount) == (s2, s3, 25_000_000)
    assert owed_by(world) == {s2: 45_000_000}
    top_up(world, plan, hop, sort="again")
    own = instructions(world, plan)[-1]
    assert (own.payer, own.payer_account) == (s2, world.account("S2"))
    assert own.authority == instructions(world, plan)[hop].authority
    # A bank does not carry it out: it is owed as before, and nobody is late but S2.
    say(world, plan, own.n, "rejected")
    with pytest.raises(OutOfOrderError, match="own"):
        reroute(world, plan, own.n)
    top_up(world, plan, hop, sort="again")
    say(world, plan, instructions(world, plan)[-1].n, "posted")
    assert owed_by(world) == {s2: 20_000_000}


def test_a_hop_that_comes_back_brings_the_debt_back_with_the_money(world: World) -> None:
    s1 = world.party("S1")
    plan = adopt(world)
    say(world, plan, 0, "posted")
    say(world, plan, 1, "posted")
    say(world, plan, 1, "returned")
    # What S2 was paid of its own, and what was to go on.
    assert owed_by(world) == {s1: 60_000_000}
    reroute(world, plan, 1)
    verify_carried(world)
    sent = [row for row in instructions(world, plan) if row.instead == 1]
    # S2's own 150,000.00 stay with S1, who owes them once more; nothing goes to the debtor.
    assert sorted(row.amount for row in sent) == [20_000_000, 25_000_000]
    top_up(world, plan, 1, sort="again")
    for row in instructions(world, plan)[5:]:
        say(world, plan, row.n, "posted")
    assert owed_by(world) == {}
    assert all(row.status == "met" for row in world.rows.select(OBLIGATIONS))


def test_the_debtors_payment_that_comes_back_makes_it_the_debtor_again(world: World) -> None:
    plan = adopt(world)
    say(world, plan, 0, "posted")
    say(world, plan, 0, "returned")
    assert owed_by(world) == {world.party("C"): 100_000_000}


def test_what_is_frozen_goes_back_to_the_debtor_and_its_debt_too(world: World) -> None:
    c, s1 = world.party("C"), world.party("S1")
    plan = adopt(world)
    say(world, plan, 0, "posted")
    (lot,) = [lot for lot in world.lots() if lot.holder == world.party("S3")]
    walk = Walk(world, _Choose(lot))  # type: ignore[arg-type]
    walk.freeze()
    reroute(world, plan, 1)
    assert owed_by(world) == {s1: 35_000_000, c: 25_000_000}
    verify_carried(world)


class _Choose:
    """Chance that always picks one lot."""

    def __init__(self, lot: object) -> None:
        self.lot = lot

    def choice(self, _: object) -> object:
        return self.lot


def test_money_against_a_freeze_makes_the_debtor_owe_it_again(world: World) -> None:
    c = world.party("C")
    plan = adopt(world)
    for n in (0, 1):
        say(world, plan, n, "posted")
    (lot,) = [lot for lot in world.lots() if lot.holder == world.party("S3")]
    Walk(world, _Choose(lot)).freeze()  # type: ignore[arg-type]
    say(world, plan, to(world, plan, "S3").n, "posted")
    assert owed_by(world) == {world.party("S2"): 20_000_000, c: 25_000_000}


def test_late_money_of_another_plan_ends_what_somebody_else_owes(world: World) -> None:
    """The first plan's payment expires, a second is under way, and then both come."""
    first = adopt(world)
    left = find_left(world.rows, run_of(world, first))
    close(world, first, expired=len(left.expired), stuck=len(left.stuck))
    second = world.enter(PLAN, stated(world), by="operator", name="second")
    say(world, second, 0, "posted")
    assert owed_by(world) == {world.party("S1"): 60_000_000}
    for n in range(5):
        say(world, first, n, "posted")
    assert owed_by(world) == {}


@needs_hledger
def test_the_journal_shows_whose_liability_it_is(world: World) -> None:
    plan = adopt(world)
    hop = to(world, plan, "S3").n
    for n in (0, 1, hop):
        say(world, plan, n, "posted")
    say(world, plan, hop, "returned")
    text = journal_of(world)
    assert check(text) == ""
    assert f"Liabilities:Hops:{world.party('S2')}" in text


def test_scheduled_is_what_came_and_what_somebody_still_owes(world: World) -> None:
    books = Reconciled(world)
    plan = adopt(world)
    hop = to(world, plan, "S3").n
    for n in (0, 1, hop):
        say(world, plan, n, "posted")
    say(world, plan, hop, "returned")
    found = books.now()
    assert found.differences == ()
    assert sum(line.short_minor for line in found.lines) == sum(owed_by(world).values())
