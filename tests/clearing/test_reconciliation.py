"""TR-06: scheduled = received + short + withheld, lot by lot; each planted fault is named."""

from clearing.model import InstructionRecord
from clearing.reconciliation import Difference, Differs, Line, Ways, reconcile
from registry.ids import lot_id
from registry.tables import Minor, replace
from tests.clearing.reconciled import Reconciled
from tests.clearing.test_rules import REPORT, adopt, confirm, instructions, said
from tests.clearing.world import World, gv01, sid


def gv01_planned() -> tuple[World, Reconciled]:
    """GV-01, its plan adopted; the first two of five instructions are posted."""
    world = World()
    gv01(world)
    books = Reconciled(world)
    plan = adopt(world)
    for n in (0, 1):
        confirm(world, plan, n)
    return world, books


def figures(lines: tuple[Line, ...]) -> set[tuple[int, int, int, int]]:
    """Returns the figures of lots."""
    return {
        (line.scheduled_minor, line.received_minor, line.short_minor, line.withheld_minor)
        for line in lines
    }


def test_what_is_on_its_way_is_short_and_lies_with_who_passes_it_on() -> None:
    world, books = gv01_planned()
    found = books.now()
    assert figures(found.lines) == {
        (40_000_000, 40_000_000, 0, 0),
        (15_000_000, 15_000_000, 0, 0),
        (25_000_000, 0, 25_000_000, 0),
        (20_000_000, 0, 20_000_000, 0),
    }
    assert {each.account: each.passing_minor for each in found.accounts} == {
        world.account("C"): 0,
        world.account("S1"): 0,
        world.account("S2"): 45_000_000,
        world.account("S3"): 0,
        world.account("F"): 0,
        world.account("T#trust"): 0,
    }
    assert found.differences == ()


def test_what_came_back_is_short_until_it_is_paid_again() -> None:
    world, books = gv01_planned()
    (plan,) = {row.plan for row in instructions_of(world)}
    confirm(world, plan, 2)
    item = said(world, plan, 2, status="returned")
    world.enter(REPORT, {"items": [item]}, by="bank", re=plan, name="returned")
    line = next(each for each in books.now().lines if each.scheduled_minor == 25_000_000)
    assert (line.received_minor, line.short_minor) == (0, 25_000_000)
    assert books.now().differences == ()


def instructions_of(world: World) -> list[InstructionRecord]:
    """Returns all instructions of a world."""
    return list(Reconciled(world).ways().records)


class TestPlantedFaults:
    """A row that no rule could have left so is found, whichever of the three records it is in."""

    def planted(self, **changes: object) -> tuple[Difference, ...]:
        """Reconciles GV-01 with its second instruction changed."""
        _, books = gv01_planned()
        ways = books.ways()
        records = [replace(row, **changes) if row.n == 1 else row for row in ways.records]
        faulty = Ways(records=records, obligations=(), amounts=ways.amounts)
        return books.now(faulty).differences

    def test_a_lot_gone_without_money(self) -> None:
        differ = self.planted(status="accepted")
        assert {(each.what, each.amount_minor) for each in differ} == {
            # The lot that was discharged, and what S1 has not passed on.
            (Differs.LOT, 15_000_000),
        }

    def test_money_for_a_lot_that_lives(self) -> None:
        _, books = gv01_planned()
        ways = books.ways()
        records = [replace(row, status="posted") for row in ways.records]
        faulty = Ways(records=records, obligations=(), amounts=ways.amounts)
        differ = {(each.what, each.amount_minor) for each in books.now(faulty).differences}
        assert differ == {(Differs.LOT, -25_000_000), (Differs.LOT, -20_000_000)}

    def test_a_fen_too_little_into_the_account(self) -> None:
        differ = self.planted(amount=Minor(14_999_999))
        assert [(each.what, each.amount_minor) for each in differ] == [(Differs.ACCOUNT, -1)]

    def test_a_lot_paid_into_another_account(self) -> None:
        world, _ = gv01_planned()
        differ = self.planted(payee_account=world.account("S3"))
        assert (Differs.ELSEWHERE, 15_000_000) in {
            (each.what, each.amount_minor) for each in differ
        }

    def test_a_lot_that_nobody_has_scheduled(self) -> None:
        _, books = gv01_planned()
        for lot in books.scheduled:
            whole, books.scheduled = books.scheduled, (lot,)
            found = {each.subject for each in books.now().differences}
            assert found == {other.lot for other in whole if other is not lot}
            books.scheduled = whole

    def test_a_payment_of_a_lot_that_nobody_knows(self) -> None:
        unknown = lot_id(sid("nothing"), 0)
        found = {(each.what, each.subject) for each in self.planted(lots=(unknown,), parts=("7",))}
        assert (Differs.UNKNOWN, unknown) in found


def test_nothing_due_is_nothing_to_reconcile() -> None:
    nothing = Ways(records=[], obligations=[], amounts={})
    found = reconcile(nothing, scheduled=(), live=(), frozen=(), left_of={})
    assert (found.lines, found.accounts, found.differences) == ((), (), ())


def test_every_instruction_posted_is_everything_received() -> None:
    world, books = gv01_planned()
    (plan,) = {row.plan for row in instructions_of(world)}
    for row in instructions(world, plan)[2:]:
        confirm(world, plan, row.n)
    assert all(line.received_minor == line.scheduled_minor for line in books.now().lines)
