"""What a signer who means no good, or bad luck, could do to money on its way: each found once."""

from graphlib import TopologicalSorter

import pytest

from clearing.covenant import TOP_UP
from clearing.errors import NothingOwedError, OutOfOrderError
from clearing.journal import format_journal
from clearing.kinds import TIMED
from clearing.model import (
    BALANCES,
    INSTRUCTION_MOVES,
    INSTRUCTIONS,
    OBLIGATIONS,
    ORDERS,
    InstructionStatus,
)
from clearing.reporting import EXPIRED_MAX
from clearing.routes import LOTS_MAX
from clearing.rules.closings import find_left
from registry.burdens import FREEZES, PLEDGES, FreezeStatus, Pledge, PledgeStatus
from registry.effects import Due, format_effects
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.entries import ENTRY_MAX
from registry.ids import Kid, LotId, Sid
from registry.model import DEADLINES, LOTS, Route
from registry.pledged import PledgeEnd, PledgeEnded, named
from registry.statements import Now
from registry.tables import Minor, replace
from tests.clearing.test_broken_hops import DAY, pass_time, promise, reroute, top_up, verify_books
from tests.clearing.test_funds import divide, pay_all, say
from tests.clearing.test_journal import check, needs_hledger
from tests.clearing.test_reports import close, owed, to
from tests.clearing.test_rules import PLAN, adopt, confirm, instructions, run_of, stated
from tests.clearing.test_withheld import freeze, held_by
from tests.clearing.world import OFFSET, PAY_TIME, World, gv01, ledger, sid
from tests.declared import View


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned; its debtor has promised to top up."""
    world = World()
    gv01(world)
    promise(world)
    return world


def lift(world: World, lot: LotId) -> None:
    """Lifts the freezes of a lot, as the registry does."""
    for row in world.rows.where(FREEZES, "lot", lot):
        world.rows.put(FREEZES, replace(row, status=FreezeStatus.LIFTED))
    world.rows.put(LOTS, replace(world.lot(lot), burdens=()))


def end_day(world: World, plan: Sid) -> None:
    """Closes the day of a run."""
    left = find_left(world.rows, run_of(world, plan))
    close(world, plan, expired=len(left.expired), stuck=len(left.stuck))


def plan_more(world: World) -> Sid:
    """Adopts a further plan of the due date."""
    return world.enter(PLAN, stated(world), by="operator", name=f"plan {world.index}")


class TestPaidTwice:
    def test_one_report_of_both_ways_of_the_same_lots(self, world: World) -> None:
        """It would have ended a lot twice, and stopped whoever decides."""
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        confirm(world, plan, *range(len(instructions(world, plan)))[1:])
        assert world.lots() == ()
        assert sum(row.amount for row in owed(world)) == 60_000_000
        verify_books(world)

    def test_one_report_of_the_debtors_own_payment_and_what_was_stuck(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2)
        pass_time(world, PAY_TIME + 2 * DAY)
        trust = to(world, plan, "T#trust")
        top_up(world, plan, trust.n)
        confirm(world, plan, trust.n, 5)
        assert {row.sort: row.status for row in owed(world)} == {"top-up": "met", "return": "due"}

    def test_a_top_up_of_what_came_another_way(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1)
        pass_time(world, PAY_TIME + 2 * DAY)
        factor = to(world, plan, "F")
        reroute(world, plan, factor.n)
        confirm(world, plan, 5)
        assert [row.status for row in owed(world)] == ["met"]
        with pytest.raises(MoveNotAllowedError):
            top_up(world, plan, to(world, plan, "T#trust").n)

    def test_a_top_up_of_what_a_further_plan_is_to_pay(self, world: World) -> None:
        plan = adopt(world)
        pass_time(world, PAY_TIME + 2 * DAY)
        end_day(world, plan)
        further = plan_more(world)
        trust = to(world, plan, "T#trust")
        with pytest.raises(NothingOwedError):
            top_up(world, plan, trust.n)
        confirm(world, further, 0, 1, 2, 3, 4)
        assert {row.status for row in owed(world)} == {"met"}

    def test_a_top_up_beside_the_debtors_own_first_payment(self) -> None:
        world = World()
        gv01(world, route=Route.DIRECT)
        promise(world)
        plan = adopt(world)
        pass_time(world, PAY_TIME + 2 * DAY)
        trust = to(world, plan, "T#trust")
        with pytest.raises(NothingOwedError):
            top_up(world, plan, trust.n)
        end_day(world, plan)
        top_up(world, plan, trust.n)

    def test_a_top_up_of_what_is_frozen_by_now(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        pass_time(world, PAY_TIME + 2 * DAY)
        lot = held_by(world, "T#trust")
        freeze(world, lot)
        trust = to(world, plan, "T#trust")
        with pytest.raises(NothingOwedError):
            top_up(world, plan, trust.n)
        lift(world, lot)
        top_up(world, plan, trust.n)

    def test_a_payment_anew_that_was_refused_and_is_carried_out_late(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2, 3, 4)
        confirm(world, plan, 4, status="returned")
        for own in (5, 6):
            top_up(world, plan, 4, sort="again")
            confirm(world, plan, own, status="rejected" if own == 5 else "posted")
        confirm(world, plan, 5)
        assert [(row.sort, row.status, row.n) for row in owed(world)] == [
            ("again", "met", 4), ("return", "due", 5)
        ]  # fmt: skip
        verify_books(world)


class TestBoundForEver:
    def test_a_lot_that_was_frozen_only_while_its_money_came(self, world: World) -> None:
        plan = adopt(world)
        lot = held_by(world, "S3")
        freeze(world, lot)
        confirm(world, plan, 0, 1, 2, 3, 4)
        lift(world, lot)
        further = plan_more(world)
        assert [row.lots for row in instructions(world, further) if row.lots] == [(lot,)]

    @pytest.mark.parametrize("first", ["rejected", "closed", "returned"])
    def test_a_hop_that_its_bank_refused_before_the_debtor_did_not_pay(
        self, world: World, first: str
    ) -> None:
        plan = adopt(world)
        if first == "returned":
            confirm(world, plan, 0)
        confirm(world, plan, 1, status="rejected")
        if first == "closed":
            end_day(world, plan)
        else:
            confirm(world, plan, 0, status=first)
        assert list(world.rows.select(ORDERS)) == []

    def test_a_hop_that_came_back_has_another_way_once(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1)
        confirm(world, plan, 1, status="returned")
        reroute(world, plan, 1)
        assert instructions(world, plan)[1].status == "redirected"
        with pytest.raises(MoveNotAllowedError):
            reroute(world, plan, 1)
        with pytest.raises(MoveNotAllowedError):
            confirm(world, plan, 1)
        added = [row for row in instructions(world, plan) if row.instead == 1]
        # What had discharged S2's own lot is owed to it again; the money goes back.
        assert {row.payee: row.amount for row in added} == {
            world.party("S3"): 25_000_000,
            world.party("T#trust"): 20_000_000,
            world.party("C"): 15_000_000,
        }
        confirm(world, plan, *(row.n for row in added))
        assert world.lots() == ()
        assert [(row.sort, row.amount) for row in owed(world)] == [("again", 15_000_000)]
        rows = instructions(world, plan)
        assert run_of(world, plan).ended == sum(row.status != "posted" for row in rows)

    def test_what_the_debtor_got_back_after_the_day_was_closed(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        end_day(world, plan)
        confirm(world, plan, 0, status="returned")
        assert list(world.rows.select(ORDERS)) == []
        assert sum(row.kept for row in instructions(world, plan_more(world))) == 60_000_000

    def test_money_that_came_when_the_hops_behind_it_had_expired(self, world: World) -> None:
        plan = adopt(world)
        end_day(world, plan)
        confirm(world, plan, 0)
        with pytest.raises(OutOfOrderError):
            reroute(world, plan, 2)
        reroute(world, plan, 1)
        (back,) = [row for row in instructions(world, plan) if row.instead == 1]
        assert (back.payee, back.amount, back.lots) == (world.party("C"), 60_000_000, ())
        assert run_of(world, plan).ended == 4

    @pytest.mark.parametrize("end", ["rejected", "expired"])
    @pytest.mark.parametrize("sort", ["top-up", "again"])
    def test_a_payment_of_the_debtors_own_that_was_not_made(
        self, world: World, sort: str, end: str
    ) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, 1, 2)
        trust = to(world, plan, "T#trust")
        if sort == "again":
            confirm(world, plan, trust.n)
            confirm(world, plan, trust.n, status="returned")
        else:
            pass_time(world, PAY_TIME + 2 * DAY)
        end_day(world, plan)
        top_up(world, plan, trust.n, sort=sort)
        if end == "rejected":
            confirm(world, plan, 5, status="rejected")
        else:
            end_day(world, plan)
        assert [row.status for row in owed(world)] == ["due"]
        top_up(world, plan, trust.n, sort=sort)
        confirm(world, plan, 6)
        assert [row.status for row in owed(world)] == ["met"]
        verify_books(world)

    def test_a_day_that_is_closed_twice_for_nothing(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        end_day(world, plan)
        with pytest.raises(MoveNotAllowedError):
            end_day(world, plan)

    def test_the_rest_of_a_pledged_lot_is_free_when_the_pledge_ends(self, world: World) -> None:
        lot = held_by(world, "S3")
        row, made = world.lot(lot), sid("pledge")
        pledge = Pledge(
            pledge=made, lot=lot, voucher=row.voucher, pledgor=row.holder,
            pledgee=world.party("bank"), amount=row.amount, secured=Minor(1),
            account=world.account("bank"), own_account=row.account, own_route=True,
            register_by=0, kid=Kid("k"), status=PledgeStatus.REGISTERED,
        )  # fmt: skip
        world.rows.put(PLEDGES, pledge)
        pledged = replace(row, burdens=(made,), account=pledge.account, collection_route=False)
        world.rows.put(LOTS, pledged)
        pay_all(world, divide(world, say(world, 70_000_001)))
        rest = held_by(world, "S3")
        standing = world.rows.get(PLEDGES, made)
        assert standing is not None
        assert (standing.lot, world.lot(rest).burdens) == (rest, (made,))
        ended = PledgeEnded(**named(standing), end=PledgeEnd.RELEASED)
        ended.fold(world.rows, None)  # type: ignore[arg-type]
        assert (world.lot(rest).burdens, world.lot(rest).account) == ((), row.account)


class TestForEver:
    """A bank that says the same again and again, or takes back what it said."""

    def test_no_instruction_comes_back_to_where_it_was(self) -> None:
        """But for what is sent again, which is the operator's choice and moves nothing."""
        moves = {status: to - {InstructionStatus.SENT} for status, to in INSTRUCTION_MOVES.items()}
        order = [*TopologicalSorter(moves).static_order()]
        assert {*order} == {*InstructionStatus}

    @pytest.mark.parametrize("word", ["accepted", "posted", "rejected"])
    def test_the_third_message_of_the_same_changes_nothing(self, world: World, word: str) -> None:
        plan = adopt(world)
        confirm(world, plan, 0, status=word)
        before = [*instructions(world, plan)]
        for _ in range(2):
            with pytest.raises(MoveNotAllowedError):
                confirm(world, plan, 0, status=word)
        assert [*instructions(world, plan)] == before

    def test_what_came_back_is_not_posted_and_returned_for_ever(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        confirm(world, plan, 0, status="returned")
        for word in ("posted", "returned", "rejected", "accepted"):
            with pytest.raises(MoveNotAllowedError):
                confirm(world, plan, 0, status=word)

    def test_what_comes_along_a_replaced_way_is_sent_back_once(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        confirm(world, plan, 1)
        reroute(world, plan, 2)
        for word in ("posted", "returned", "rejected"):
            with pytest.raises(MoveNotAllowedError):
                confirm(world, plan, 2, status=word)
        with pytest.raises(MoveNotAllowedError):
            reroute(world, plan, 2)


class TestTooLarge:
    def split(self, world: World, voucher: str, to: str, count: int) -> None:
        """Issues a voucher of which a party holds so many lots."""
        lot = world.issue(voucher, face=1000, to="S1", route=Route.TIERED)
        lot, _ = world.assign(lot, to=to)
        for _ in range(count - 1):
            _, lot = world.split(lot, 1)

    def test_what_is_found_owed_at_once_fits_an_entry(self) -> None:
        """One entry of 32 instructions of 128 lots would have stopped the writer for good."""
        world = World()
        for number in range(6):
            self.split(world, f"v{number}", "T#trust", LOTS_MAX)
        promise(world)
        adopt(world)
        timed = next(each for each in TIMED if each.name == TOP_UP)
        entries = 0
        while rows := list(world.rows.select(DEADLINES)):
            due = Due(at=rows[0].at, kind=rows[0].kind, id=rows[0].id)
            now = Now(index=world.index, time=due.at, ledger=ledger())
            effects = timed.decide(View(world.rows, timed.reads(due, now)), due, now)
            assert len(format_effects(effects)) < ENTRY_MAX / 1.5
            pass_time(world, due.at)
            entries += 1
        assert entries == 2
        assert sum(len(row.lots) for row in world.rows.select(OBLIGATIONS)) == 6 * LOTS_MAX

    def test_what_the_debtor_got_back_can_be_told_however_many_wait_for_it(self) -> None:
        world = World()
        for name in ("S1", "S2"):
            world.mandate(name)
        lot, _ = world.assign(world.issue("v", face=1000, to="S1"), to="S2")
        for number in range(EXPIRED_MAX + 5):
            _, rest = world.assign(lot, to=f"H{number}", amount=1)
            assert rest is not None
            lot = rest
        plan = adopt(world)
        confirm(world, plan, 0)
        end_day(world, plan)
        confirm(world, plan, 0, status="returned")
        assert len(list(world.rows.select(ORDERS))) > 0
        end_day(world, plan)
        assert list(world.rows.select(ORDERS)) == []

    def test_another_way_has_no_more_lots_to_an_instruction_than_any(self) -> None:
        world = World()
        world.mandate("S1")
        self.split(world, "v", "S2", 300)
        lot = next(lot for lot in world.lots() if lot.amount == 1)
        world.assign(lot.lot, to="S3")
        world.mandate("S2")
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        added = [row for row in instructions(world, plan) if row.instead == 1]
        assert max(len(row.lots) for row in added) <= LOTS_MAX


class TestThePromise:
    def test_is_not_lost_by_closing_the_day_before_it_is_due(self, world: World) -> None:
        plan = adopt(world)
        end_day(world, plan)
        pass_time(world, PAY_TIME + 2 * DAY)
        assert [(row.sort, row.amount) for row in owed(world)] == [("top-up", 20_000_000)]


@needs_hledger
def test_the_journal_knows_all_that_moves_money(world: World) -> None:
    plan = adopt(world)
    confirm(world, plan, 0, 1, 2, 3, 4)
    confirm(world, plan, 4, status="returned")
    top_up(world, plan, 4, sort="again")
    confirm(world, plan, 5)
    other = World()
    gv01(other)
    pay_all(other, divide(other, say(other, 70_000_001)))
    for told in (world, other):
        text = format_journal(told.entries, offset_minutes=OFFSET, currency="CNY")
        assert check(text) == ""
        left = {row.account: row.amount for row in told.rows.select(BALANCES)}
        claims = -sum(amount for name, amount in left.items() if name.startswith("claims"))
        assert text.count(" pay ") == sum(
            row.status in ("posted", "returned") for row in told.rows.select(INSTRUCTIONS)
        )
        unpaid = sum(lot.amount for lot in told.lots())
        assert claims == 100_000_000 - unpaid
        assert f"= {'-' if unpaid else ''}{unpaid // 100}.{unpaid % 100:02} CNY" in text
