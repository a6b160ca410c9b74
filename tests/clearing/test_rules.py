"""Adopting a plan and confirming its instructions: refusals in their order, then effects."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from clearing.errors import (
    AlreadyPlannedError,
    AmountDiffersError,
    InstructionNotFoundError,
    NothingDueError,
    OutOfOrderError,
    PayDayNotBegunError,
    PlanDiffersError,
)
from clearing.kinds import KINDS, TABLES
from clearing.model import INSTRUCTIONS, RUNS, InstructionRecord, Run
from clearing.outcomes import InstructionPosted, LotDischarged
from clearing.plan import compile_plan
from clearing.rules.plans import body_of
from registry.canonical import Json
from registry.effects import Seal, format_effects
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import InvariantBrokenError, RefusalError
from registry.ids import Sid
from registry.model import TABLES as REGISTRY_TABLES
from registry.model import VOUCHERS
from registry.refusals import BeyondCalendarError, NotBankError
from registry.state import replay_digest
from registry.statements import Kind
from registry.tables import Minor, Table, replace
from tests.clearing.world import DUE_ON, PAY_TIME, POLICY, World, gv01, sid

KIND: Mapping[str, Kind[Any]] = {kind.name: kind for kind in KINDS}
PLAN, REPORT, CLOSE = (KIND[f"clearing.{name}"] for name in ("plan", "report", "close"))


def stated(world: World) -> dict[str, Json]:
    """Returns the body that the operator signs."""
    return body_of(world.plan()).model_dump(mode="json")


def adopt(world: World) -> Sid:
    """Adopts the plan of the due date."""
    return world.enter(PLAN, stated(world), by="operator")


def instructions(world: World, plan: Sid) -> tuple[InstructionRecord, ...]:
    """Returns the instructions of an adopted plan, by number."""
    return world.rows.where(INSTRUCTIONS, "plan", plan)


def said(
    world: World, plan: Sid, n: int, *, status: str = "posted", amount: int = 0
) -> dict[str, Json]:
    """Returns what a bank says of an instruction."""
    record = world.rows.get(INSTRUCTIONS, plan, n)
    wanted = str(amount or (record.amount if record else 1))
    item: dict[str, Json] = {"instruction": n, "amount": wanted, "status": status}
    return {**item, "reason": "AC06"} if status in ("rejected", "returned") else item


def confirm(
    world: World,
    plan: Sid,
    *numbers: int,
    by: str = "bank",
    amount: int = 0,
    status: str = "posted",
    time: int = PAY_TIME,
) -> None:
    """Has a bank report instructions."""
    items: list[Json] = [said(world, plan, n, status=status, amount=amount) for n in numbers]
    name = f"{by} {numbers} {amount} {status} {world.index}"
    world.enter(REPORT, {"items": items}, by=by, re=plan, name=name, time=time)


def run_of(world: World, plan: Sid) -> Run:
    """Returns an adopted plan's run."""
    run = world.rows.get(RUNS, plan)
    assert run is not None
    return run


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


class TestPlan:
    def test_is_adopted_as_computed(self, world: World) -> None:
        computed, body = world.plan().instructions, stated(world)
        plan = adopt(world)
        assert run_of(world, plan) == Run(
            plan=plan,
            due_on="2026-03-01",
            pay_on="2026-03-02",
            digest=str(body["digest"]),
            certificate=str(body["certificate"]),
            instructions=5,
            vouchers=1,
            total=Minor(100_000_000),
            gross=Minor(225_000_000),
            withheld=Minor(0),
            posted=0,
            ended=0,
            status="planned",
            policy=POLICY,
        )
        records = instructions(world, plan)
        assert [(r.n, r.amount, r.lots, r.bank) for r in records] == [
            (i.n, i.amount_minor, i.lots, i.bank) for i in computed
        ]
        assert [r.after for r in records] == [tuple(map(str, i.after)) for i in computed]
        assert {r.status for r in records} == {"pending"}
        assert {r.remittance for r in records} == {"GV-01"}

    def test_leaves_the_lots_alone_and_its_entry_small(self, world: World) -> None:
        before = world.lots()
        _, effects = world.decide(PLAN, stated(world), by="operator")
        adopt(world)
        assert world.lots() == before
        assert len(format_effects(effects)) < 1000

    def test_refuses_in_the_documented_order(self) -> None:
        """Each case cures the fault that was refused, and has all those after it."""
        world = World(due_on=DUE_ON + timedelta(days=330))
        late = {**stated_of_nothing(), "due_on": world.due_on.isoformat()}
        too_early = PAY_TIME - 1

        with pytest.raises(NothingDueError):
            world.decide(PLAN, late, by="operator", time=too_early)
        world.issue("v", face=5, to="S1")
        with pytest.raises(BeyondCalendarError):
            world.decide(PLAN, late, by="operator", time=too_early)

        world = World()
        gv01(world)
        body = {**stated_of_nothing(), "due_on": DUE_ON.isoformat()}
        with pytest.raises(PayDayNotBegunError) as early:
            world.decide(PLAN, body, by="operator", time=too_early)
        assert early.value.facts == {
            "due_on": "2026-03-01",
            "pay_on": "2026-03-02",
            "begins": PAY_TIME,
            "now": PAY_TIME - 1,
        }
        right = stated(world)
        for what in (
            *("pay_on", "vouchers", "instructions", "total", "gross", "withheld"),
            *("digest", "certificate"),
        ):
            with pytest.raises(PlanDiffersError) as differs:
                world.decide(PLAN, body, by="operator")
            assert differs.value.facts == {
                "what": what,
                "stated": str(body[what]),
                "computed": str(right[what]),
            }
            body[what] = right[what]
        plan = world.enter(PLAN, body, by="operator")
        with pytest.raises(AlreadyPlannedError) as again:
            world.decide(PLAN, {**body, "gross": "1"}, by="operator", time=0, name="again")
        assert again.value.facts == {"due_on": "2026-03-01", "plan": plan}

    def test_is_adopted_from_the_first_instant_of_the_pay_date(self, world: World) -> None:
        assert world.enter(PLAN, stated(world), by="operator", time=PAY_TIME)

    def test_refuses_the_digest_from_before_a_mandate(self, world: World) -> None:
        old = stated(world)
        world.mandate("S2", 1, name="later")
        assert stated(world) == old  # the account into which S2 is paid comes first
        world.assign(world.issue("w", face=9, to="S2"), to="F")
        old = stated(world)
        earlier = min(world.mandate("S2", 1, name=str(n)) for n in range(20))
        assert earlier < world.mandate("S2")
        with pytest.raises(PlanDiffersError):
            world.decide(PLAN, old, by="operator")

    def test_fold_refuses_a_state_from_which_it_does_not_follow(self, world: World) -> None:
        _, effects = world.decide(PLAN, stated(world), by="operator")
        world.issue("more", face=1, to="S1")
        (adopted,) = (replace(effect, decided=None) for effect in effects)
        seal = Seal(index=1, time=PAY_TIME, leaf_hash=bytes(32), statement="")
        with pytest.raises(InvariantBrokenError, match="does not follow"):
            adopted.fold(world.rows, seal)

    def test_is_compiled_once_to_be_adopted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body, compiled = stated(world), []

        def counted(**how: Any) -> Any:
            compiled.append(how["due_on"])
            return compile_plan(**how)

        monkeypatch.setattr("clearing.rules.plans.compile_plan", counted)
        plan = world.enter(PLAN, body, by="operator")
        assert len(compiled) == 1
        assert run_of(world, plan).instructions == len(instructions(world, plan)) == 5

    def test_each_due_date_has_its_own_run(self, world: World) -> None:
        adopt(world)
        world.due_on = DUE_ON - timedelta(days=2)
        world.issue("earlier", face=3, to="S3")
        body = {**stated(world), "pay_on": "2026-02-27"}
        with pytest.raises(PlanDiffersError):
            world.decide(PLAN, {**body, "pay_on": "2026-03-02"}, by="operator", name="second")
        with pytest.raises(PlanDiffersError) as differs:
            world.decide(PLAN, body, by="operator", name="second")
        body["digest"] = differs.value.facts["computed"]
        world.enter(PLAN, body, by="operator", name="second")
        assert len(world.rows.where(RUNS, "due_on", "2026-02-27")) == 1


def stated_of_nothing() -> dict[str, Json]:
    """Returns a body in which everything is wrong."""
    return {
        "due_on": "2026-03-01",
        "pay_on": "2026-03-01",
        "digest": sid("nothing"),
        "certificate": sid("nothing"),
        "instructions": 77,
        "vouchers": 77,
        "total": "77",
        "gross": "77",
        "withheld": "77",
    }


class TestPosting:
    def test_refuses_in_the_documented_order(self, world: World) -> None:
        plan = adopt(world)
        records = instructions(world, plan)
        last = next(r for r in records if r.payee == world.party("S3"))
        world.rows.put(INSTRUCTIONS, replace(last, status="posted"))

        def refused(error: type[RefusalError], n: int, by: str, amount: int) -> RefusalError:
            before = replay_digest((*REGISTRY_TABLES, *TABLES), world.rows.select)
            with pytest.raises(error) as caught:
                confirm(world, plan, n, by=by, amount=amount)
            assert replay_digest((*REGISTRY_TABLES, *TABLES), world.rows.select) == before
            return caught.value

        wrong = last.amount + 1
        assert refused(InstructionNotFoundError, 5, "bank 2", wrong).facts["instruction"] == 5
        assert refused(NotBankError, last.n, "bank 2", wrong).facts["party"]
        assert refused(MoveNotAllowedError, last.n, "bank", wrong).facts == {
            "of": f"{plan}/{last.n}",
            "status": "posted",
            "to": "posted",
        }
        world.rows.put(INSTRUCTIONS, last)
        assert refused(AmountDiffersError, last.n, "bank", wrong).facts == {
            "instruction": last.n,
            "instructed": str(last.amount),
            "reported": str(wrong),
        }
        assert refused(OutOfOrderError, last.n, "bank", last.amount).facts == {
            "instruction": last.n,
            "earlier": last.after[0],
            "status": "pending",
        }
        refused(AmountDiffersError, last.n, "bank", last.amount - 1)
        for n in (0, int(last.after[0]), last.n):
            confirm(world, plan, n)

    def test_refuses_another_plans_instruction(self, world: World) -> None:
        adopt(world)
        with pytest.raises(InstructionNotFoundError):
            confirm(world, sid("no plan"), 0)

    def test_the_bank_of_the_payee_confirms_not_that_of_the_payer(self) -> None:
        world = World()
        world.account("C", bank="debtor's bank")
        world.account("S1", bank="holder's bank")
        world.issue("v", face=5, to="S1")
        plan = adopt(world)
        with pytest.raises(NotBankError):
            confirm(world, plan, 0, by="debtor's bank")
        confirm(world, plan, 0, by="holder's bank")

    def test_discharges_what_the_payee_holds_when_it_is_credited(self, world: World) -> None:
        plan = adopt(world)
        first = instructions(world, plan)[0]
        confirm(world, plan, 0)
        voucher = world.rows.get(VOUCHERS, first.voucher)
        assert voucher is not None
        # S1 keeps 400,000.00 of the 1,000,000.00 that it got: only that is discharged.
        assert (voucher.discharged, voucher.status) == (40_000_000, "active")
        assert sum(lot.amount for lot in world.lots()) == 60_000_000
        assert run_of(world, plan).posted == 1

    def test_settles_the_voucher_and_clears_the_run_with_the_last(self, world: World) -> None:
        plan = adopt(world)
        for record in instructions(world, plan):
            assert run_of(world, plan).status == "planned"
            confirm(world, plan, record.n)
        voucher = world.rows.get(VOUCHERS, sid("GV-01"))
        assert voucher is not None
        assert (voucher.discharged, voucher.status) == (voucher.face, "settled")
        assert run_of(world, plan).status == "cleared"
        assert world.lots() == ()
        with pytest.raises(NothingDueError):
            world.decide(PLAN, stated_of_nothing(), by="operator", name="again")

    def test_what_was_cancelled_of_a_voucher_need_not_be_paid(self) -> None:
        world = World()
        world.issue("v", face=5, to="S1")
        voucher = world.rows.get(VOUCHERS, sid("v"))
        assert voucher is not None
        world.rows.put(VOUCHERS, replace(voucher, face=Minor(9), cancelled=Minor(4)))
        confirm(world, adopt(world), 0)
        voucher = world.rows.get(VOUCHERS, sid("v"))
        assert voucher is not None
        assert (voucher.discharged, voucher.status) == (5, "settled")

    @pytest.mark.parametrize("table", [VOUCHERS, INSTRUCTIONS])
    def test_stops_on_a_state_that_has_lost_rows(self, world: World, table: Table[Any]) -> None:
        plan = adopt(world)
        last = next(r for r in instructions(world, plan) if r.payee == world.party("S3"))
        confirm(world, plan, 0)
        confirm(world, plan, int(last.after[0]))
        key = {"voucher": (last.voucher,), "instruction": (plan, 1)}[table.name]
        world.rows.delete(table, *key)
        with pytest.raises(InvariantBrokenError):
            confirm(world, plan, last.n)

    def test_touches_the_voucher_at_each_hop_and_holders_who_are_paid(self, world: World) -> None:
        plan = adopt(world)
        for record in instructions(world, plan):
            body: dict[str, Json] = {"items": [said(world, plan, record.n)]}
            _, effects = world.decide(REPORT, body, by="bank", re=plan)
            posted, *discharged = effects
            assert isinstance(posted, InstructionPosted)
            assert all(isinstance(effect, LotDischarged) for effect in discharged)
            assert [effect.touched()[1] for effect in discharged] == [
                ("holder", record.payee) for _ in record.lots
            ]
            confirm(world, plan, record.n)

    def test_a_full_instruction_fits_an_entry(self) -> None:
        world = World()
        rest = world.issue("v", face=10**15 - 1, to="T#" + "x" * 32)
        for _ in range(127):
            _, rest = world.split(rest, 10**12)
        plan = adopt(world)
        record = instructions(world, plan)[0]
        assert len(record.lots) == 128
        body: dict[str, Json] = {"items": [said(world, plan, 0)]}
        _, effects = world.decide(REPORT, body, by="bank", re=plan)
        assert len(effects) == 129
        # The limit of an entry is 65,535 bytes; its statement has some 700.
        assert len(format_effects(effects)) < 50_000

    def test_fold_refuses_to_discharge_twice(self, world: World) -> None:
        plan = adopt(world)
        body: dict[str, Json] = {"items": [said(world, plan, 0)]}
        _, effects = world.decide(REPORT, body, by="bank", re=plan)
        seal = Seal(index=1, time=PAY_TIME, leaf_hash=bytes(32), statement="")
        discharged = next(effect for effect in effects if isinstance(effect, LotDischarged))
        discharged.fold(world.rows, seal)
        with pytest.raises(InvariantBrokenError):
            discharged.fold(world.rows, seal)
        posted = effects[0]
        assert isinstance(posted, InstructionPosted)
        with pytest.raises(InvariantBrokenError):
            replace(posted, amount=Minor(1)).fold(world.rows, seal)
