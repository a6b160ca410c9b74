"""Who is paid is the owner of the account: the holder, a pledgee, or a court (notes 8, 11, 12)."""

import pytest

from clearing.model import (
    BALANCES,
    OBLIGATIONS,
    InstructionRecord,
    InstructionStatus,
)
from clearing.plan import format_plan
from registry.burdens import FREEZES, PLEDGES, Freeze, FreezeStatus, Pledge, PledgeStatus
from registry.canonical import Json
from registry.ids import Kid, LotId, PartyId, Sid
from registry.model import ACCOUNTS, LOTS, Account, Route
from registry.tables import replace
from tests.clearing.test_funds import divide, say
from tests.clearing.test_rules import KIND, adopt, confirm, instructions
from tests.clearing.world import World, gv01, sid

ROUTES = [Route.DIRECT, Route.TIERED]


@pytest.fixture(params=ROUTES)
def world(request: pytest.FixtureRequest) -> World:
    """The tree of GV-01 on either route, due and not planned."""
    world = World()
    gv01(world, route=request.param)
    return world


def lot_of(world: World, name: str) -> LotId:
    """Returns a holder's one lot."""
    (lot,) = (lot for lot in world.lots() if lot.holder == world.party(name))
    return lot.lot


def pledge(world: World, lot: LotId, *, to: str) -> Sid:
    """Pledges a lot, registered, into the pledgee's account."""
    row, made = world.lot(lot), sid(f"pledge {lot}")
    account = world.account(to)
    pledged = Pledge(
        pledge=made, lot=lot, voucher=row.voucher, pledgor=row.holder, pledgee=world.party(to),
        amount=row.amount, secured=row.amount, account=account, own_account=row.account,
        own_route=row.collection_route, register_by=0, kid=Kid("k"),
        status=PledgeStatus.REGISTERED,
    )  # fmt: skip
    world.rows.put(PLEDGES, pledged)
    redirected = replace(row, account=account, collection_route=False, burdens=(*row.burdens, made))
    world.rows.put(LOTS, redirected)
    return made


def freeze(world: World, lot: LotId, *, status: str, name: str = "") -> Sid:
    """Freezes a lot; what is ordered paid names the court's account."""
    row, made = world.lot(lot), sid(f"freeze {lot} {name}")
    account: Sid | None = None
    if status in (FreezeStatus.ORDERED, FreezeStatus.PAYABLE):
        account = sid(f"court {lot}")
        court = Account(
            account=account, owner=world.party("registrar"), bank=world.party("bank"),
            account_kind="court", digest="x", verified=True,
        )  # fmt: skip
        world.rows.put(ACCOUNTS, court)
    frozen = Freeze(
        freeze=made, lot=lot, voucher=row.voucher, holder=row.holder, authority="court",
        number="x", order="x", status=status, payee_account=account,
    )  # fmt: skip
    world.rows.put(FREEZES, frozen)
    world.rows.put(LOTS, replace(row, burdens=(*row.burdens, made)))
    return made


def to(world: World, plan: Sid, name: str) -> InstructionRecord:
    """Returns the instruction that pays a party."""
    (found,) = (row for row in instructions(world, plan) if row.payee == world.party(name))
    return found


def move(world: World, plan: Sid) -> None:
    """Has the bank post what it can, in order."""
    for row in instructions(world, plan):
        if row.status == InstructionStatus.PENDING:
            confirm(world, plan, row.n)


def claims(world: World, holder: PartyId) -> int:
    """Returns what clearing has left on a holder's account of claims."""
    row = world.rows.get(BALANCES, f"claims:{holder}")
    return 0 if row is None else row.amount


class TestPledged:
    def test_the_pledgee_is_paid_and_the_holder_is_discharged(self, world: World) -> None:
        lot = lot_of(world, "S3")
        pledge(world, lot, to="bank of S3")
        plan = adopt(world)
        row = to(world, plan, "bank of S3")
        assert (row.holder, row.creditor) == (world.party("S3"), world.party("S3"))
        assert (row.route, row.amount, row.lots) == (Route.DIRECT, 25_000_000, (lot,))
        assert row.payee_account == world.account("bank of S3")
        assert world.party("S3") not in {each.payee for each in instructions(world, plan)}
        move(world, plan)
        assert world.lots() == ()
        assert claims(world, world.party("S3")) == -25_000_000
        assert claims(world, world.party("bank of S3")) == 0
        assert not list(world.rows.select(OBLIGATIONS))

    def test_the_plan_says_whose_the_lots_are_only_where_another_is_paid(
        self, world: World
    ) -> None:
        assert b"holder" not in format_plan(world.plan())
        pledge(world, lot_of(world, "S3"), to="bank of S3")
        assert format_plan(world.plan()).count(b'"holder"') == 1

    def test_what_came_back_is_owed_again_to_the_holder(self, world: World) -> None:
        pledge(world, lot_of(world, "S3"), to="bank of S3")
        plan = adopt(world)
        move(world, plan)
        row = to(world, plan, "bank of S3")
        confirm(world, plan, row.n, status="returned")
        (owed,) = world.rows.select(OBLIGATIONS)
        assert (owed.sort, owed.owed_to, owed.account) == (
            "again", world.party("S3"), world.account("bank of S3"),
        )  # fmt: skip
        own: dict[str, Json] = {"instruction": row.n, "sort": "again"}
        world.enter(KIND["clearing.top-up"], own, by="operator", re=plan)
        added = instructions(world, plan)[-1]
        assert (added.payee, added.holder) == (world.party("bank of S3"), world.party("S3"))
        confirm(world, plan, added.n)
        assert claims(world, world.party("S3")) == -25_000_000
        assert claims(world, world.party("bank of S3")) == 0

    def test_two_holders_with_one_pledgee_are_paid_apart(self, world: World) -> None:
        """Attribution: each instruction discharges one holder's lots."""
        for name in ("S2", "S3"):
            pledge(world, lot_of(world, name), to="bank of both")
        plan = adopt(world)
        both = [row for row in instructions(world, plan) if row.holder]
        assert {(row.holder, row.amount) for row in both} == {
            (world.party("S2"), 15_000_000), (world.party("S3"), 25_000_000),
        }  # fmt: skip
        move(world, plan)
        assert world.lots() == ()

    def test_a_pledge_released_after_the_plan_leaves_it_as_it_is(self, world: World) -> None:
        lot = lot_of(world, "S3")
        made = pledge(world, lot, to="bank of S3")
        plan = adopt(world)
        row = world.lot(lot)
        world.rows.put(LOTS, replace(row, burdens=(), account=world.account("S3")))
        ended = world.rows.get(PLEDGES, made)
        assert ended is not None
        world.rows.put(PLEDGES, replace(ended, status=PledgeStatus.RELEASED))
        move(world, plan)
        assert world.lots() == ()


class TestTheCourt:
    def test_is_paid_what_it_ordered_and_others_stay_withheld(self, world: World) -> None:
        paid, kept = lot_of(world, "S3"), lot_of(world, "S2")
        freeze(world, paid, status=FreezeStatus.PAYABLE)
        freeze(world, kept, status=FreezeStatus.FROZEN)
        plan = adopt(world)
        row = to(world, plan, "registrar")
        assert (row.holder, row.amount, row.route) == (
            world.party("S3"), 25_000_000, Route.DIRECT,
        )  # fmt: skip
        assert row.payee_account == sid(f"court {paid}")
        move(world, plan)
        assert [lot.lot for lot in world.lots()] == [kept]
        assert claims(world, world.party("S3")) == -25_000_000
        assert not list(world.rows.select(OBLIGATIONS))

    def test_waits_as_long_as_the_debtor_may_object(self, world: World) -> None:
        lot = lot_of(world, "S3")
        freeze(world, lot, status=FreezeStatus.ORDERED)
        assert [each.lot for each in world.plan().totals.withheld] == [lot]

    def test_that_comes_later_waits(self, world: World) -> None:
        lot = lot_of(world, "S3")
        freeze(world, lot, status=FreezeStatus.PAYABLE)
        freeze(world, lot, status=FreezeStatus.FROZEN, name="second")
        plan = adopt(world)
        move(world, plan)
        assert lot not in {each.lot for each in world.lots()}

    def test_that_orders_after_the_plan_is_not_paid_by_it(self, world: World) -> None:
        """The money goes to the holder's account, against the freeze, and is owed back."""
        lot = lot_of(world, "S3")
        plan = adopt(world)
        freeze(world, lot, status=FreezeStatus.PAYABLE)
        move(world, plan)
        assert [each.lot for each in world.lots()] == [lot]
        (owed,) = world.rows.select(OBLIGATIONS)
        assert (owed.sort, owed.owed_by) == ("return", world.party("S3"))

    def test_that_lifts_its_freeze_after_the_plan_has_discharged_the_debtor(
        self, world: World
    ) -> None:
        lot = lot_of(world, "S3")
        made = freeze(world, lot, status=FreezeStatus.PAYABLE)
        plan = adopt(world)
        row = world.rows.get(FREEZES, made)
        assert row is not None
        world.rows.put(FREEZES, replace(row, status=FreezeStatus.LIFTED))
        world.rows.put(LOTS, replace(world.lot(lot), burdens=()))
        move(world, plan)
        assert lot not in {each.lot for each in world.lots()}

    def test_comes_before_a_pledgee(self, world: World) -> None:
        """The registrar records the court's order, and the court has seen the pledge."""
        lot = lot_of(world, "S3")
        pledge(world, lot, to="bank of S3")
        freeze(world, lot, status=FreezeStatus.PAYABLE)
        plan = adopt(world)
        assert to(world, plan, "registrar").holder == world.party("S3")

    def test_is_paid_in_part_where_money_is_short_and_the_order_goes_on(self, world: World) -> None:
        lot = lot_of(world, "S3")
        made = freeze(world, lot, status=FreezeStatus.PAYABLE)
        plan = divide(world, say(world, 50_000_000))
        move(world, plan)
        row = world.rows.get(FREEZES, made)
        assert row is not None
        rest = world.lot(row.lot)
        assert (rest.amount, rest.burdens) == (12_500_000, (made,))
        second = divide(world, say(world, 50_000_000))
        assert to(world, second, "registrar").lots == (rest.lot,)
        move(world, second)
        assert world.lots() == ()

    def test_gets_what_a_broken_hop_was_to_bring(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        s1, s2 = (to(world, plan, name) for name in ("S1", "S2"))
        lot = lot_of(world, "S3")
        confirm(world, plan, s1.n)
        freeze(world, lot, status=FreezeStatus.PAYABLE)
        other: dict[str, Json] = {"instruction": s2.n, "ground": "frozen"}
        world.enter(KIND["clearing.reroute"], other, by="operator", re=plan)
        row = to(world, plan, "registrar")
        assert (row.payer, row.holder, row.amount) == (
            world.party("S1"), world.party("S3"), 25_000_000,
        )  # fmt: skip
        confirm(world, plan, row.n)
        assert lot not in {each.lot for each in world.lots()}
