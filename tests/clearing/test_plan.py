"""The plan of a due date: its day, its bytes, and its checks of itself."""

import dataclasses
import json
import random
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.direct import route_direct
from clearing.plan import (
    PLAN_DOMAIN,
    compile_plan,
    format_plan,
    pay_date,
    plan_digest,
    route_voucher,
    verify_outcome,
)
from clearing.routes import Places, RoutedStep
from clearing.rules.plans import find_due, pay_calendar
from clearing.tiered import route_tiered
from registry.canonical import b64url_encode, format_json, sha256
from registry.errors import InvariantBrokenError
from registry.model import Lot, Mandate, Route, Voucher
from registry.refusals import BeyondCalendarError
from tests.builders import CN_LEGAL
from tests.clearing.world import DUE_ON, PAY_ON, World, gv01, ledger, net_by_account, party_id, sid

GOLDEN = "_RnzkgUmVtve12VKFaEIfh_VvnSiX4RUlry2mQOVGyM"


class TestPayDate:
    def test_rolls_to_the_next_working_day_of_the_calendar_that_the_policy_names(self) -> None:
        calendar = pay_calendar(World().rows, ledger())
        assert calendar == CN_LEGAL
        assert pay_date(DUE_ON, calendar) == PAY_ON
        assert pay_date(date(2026, 2, 28), calendar) == date(2026, 2, 28)  # a worked Saturday
        assert pay_date(date(2026, 2, 16), calendar) == date(2026, 2, 24)  # Spring Festival

    def test_is_refused_beyond_the_calendar(self) -> None:
        with pytest.raises(BeyondCalendarError):
            pay_date(date(2027, 1, 4), CN_LEGAL)

    def test_does_not_roll_without_such_a_rule(self) -> None:
        assert pay_date(date(2026, 2, 16), None) == date(2026, 2, 16)


class TestBytes:
    def test_are_canonical_and_hold_every_field_of_every_instruction(self) -> None:
        world = World()
        gv01(world)
        plan = world.plan()
        data = format_plan(plan)
        parsed = json.loads(data)
        assert format_json(parsed) == data
        assert [item["n"] for item in parsed["instructions"]] == [0, 1, 2, 3, 4]
        for change in (
            {"voucher": sid("x")}, {"payer_account": sid("x")}, {"payer": party_id("x")},
            {"payee_account": sid("x")}, {"payee": party_id("x")}, {"bank": party_id("x")},
            {"amount": "1"}, {"authority": sid("x")}, {"lots": ()}, {"after": (0, 1)},
            {"remittance": "x"}, {"n": 9}, {"route": Route.DIRECT},
        ):  # fmt: skip
            (first, *others) = plan.instructions
            changed = msgspec.structs.replace(first, **change)
            other = dataclasses.replace(plan, instructions=(changed, *others))
            assert plan_digest(other) != plan_digest(plan), change

    def test_digest_is_of_domain_zero_and_bytes(self) -> None:
        world = World()
        gv01(world)
        data = format_plan(world.plan())
        assert PLAN_DOMAIN == b"tallystick-plan/1"
        assert plan_digest(world.plan()) == b64url_encode(sha256(PLAN_DOMAIN + b"\x00" + data))

    def test_golden_digest(self) -> None:
        world = World()
        gv01(world)
        assert plan_digest(world.plan()) == GOLDEN

    @given(st.randoms(use_true_random=False))
    def test_do_not_depend_on_the_order_of_rows(self, chance: random.Random) -> None:
        world = World()
        gv01(world)
        _, rest = world.split(world.issue("second", face=7, to="S3", route=Route.DIRECT), 2)
        world.assign(rest, to="S1", amount=3)
        _, rest = world.split(world.issue("third", face=7, to="S1"), 2)
        _, rest = world.split(rest, 2)
        world.assign(world.assign(rest, to="S2", amount=2)[0], to="S3", consent=False)
        world.mandate("S2", 1)
        due = find_due(world.rows, DUE_ON)
        lots, vouchers = list(due.lots), list(due.vouchers)
        mandates, places = list(due.mandates), list(due.places.items())
        for rows in (lots, vouchers, mandates, places):
            chance.shuffle(rows)
        plan = compile_plan(
            due_on=DUE_ON,
            pay_on=PAY_ON,
            lots=lots,
            vouchers=vouchers,
            mandates=mandates,
            places=dict(places),
        )
        assert format_plan(plan) == format_plan(world.plan())


class TestPlantedFaults:
    """The planner's own checks are not decoration."""

    def rows(self) -> tuple[Voucher, tuple[Lot, ...], dict[str, list[Mandate]]]:
        world = World()
        gv01(world)
        due = find_due(world.rows, DUE_ON)
        mandates = {str(mandate.owner): [mandate] for mandate in due.mandates}
        return due.vouchers[0], due.lots, mandates

    def places(self) -> Places:
        world = World()
        gv01(world)
        return find_due(world.rows, DUE_ON).places

    def verify(self, steps: list[RoutedStep]) -> None:
        voucher, lots, _ = self.rows()
        verify_outcome(steps, voucher, lots, self.places())

    def test_sound_routes_pass(self) -> None:
        self.verify(route_tiered(*self.rows()))
        self.verify(route_direct(*self.rows()))

    @pytest.mark.parametrize("place", range(5))
    def test_a_fen_too_much_on_any_hop_is_found(self, place: int) -> None:
        steps = route_tiered(*self.rows())
        steps[place] = msgspec.structs.replace(
            steps[place], amount_minor=steps[place].amount_minor + 1
        )
        with pytest.raises(InvariantBrokenError, match="different amounts"):
            self.verify(steps)

    @pytest.mark.parametrize("place", range(5))
    def test_a_missing_hop_is_found(self, place: int) -> None:
        steps = route_tiered(*self.rows())
        del steps[place]
        with pytest.raises(InvariantBrokenError, match=r"different|before it has come|drawn from"):
            self.verify(steps)

    def test_the_right_amount_to_the_wrong_party_is_found(self) -> None:
        steps = route_direct(*self.rows())
        steps[0] = msgspec.structs.replace(steps[0], payee=steps[1].payee)
        with pytest.raises(InvariantBrokenError, match="to another account"):
            self.verify(steps)

    def test_the_right_amount_to_another_account_of_the_party_is_found(self) -> None:
        steps = route_direct(*self.rows())
        steps[0] = msgspec.structs.replace(steps[0], payee_account=steps[1].payee_account)
        with pytest.raises(InvariantBrokenError, match="to another account"):
            self.verify(steps)

    @pytest.mark.parametrize("field", ["payer", "payer_account"])
    def test_money_of_somebody_else_is_found(self, field: str) -> None:
        for route in (route_direct, route_tiered):
            steps = route(*self.rows())
            steps[-1] = msgspec.structs.replace(steps[-1], **{field: sid("somebody else's")})
            with pytest.raises(InvariantBrokenError, match="drawn from"):
                self.verify(steps)

    def test_money_that_goes_round_is_found(self) -> None:
        """Two parties fund each other: every account is left with what it should be."""
        steps = route_direct(*self.rows())
        there = msgspec.structs.replace(
            steps[0], payer=steps[1].payee, payer_account=steps[1].payee_account, held=[],
            amount_minor=1, funded_by=len(steps) + 1,
        )  # fmt: skip
        back = msgspec.structs.replace(
            steps[1], payer=steps[0].payee, payer_account=steps[0].payee_account, held=[],
            amount_minor=1, funded_by=len(steps),
        )  # fmt: skip
        assert net_by_account([*steps, there, back]) == net_by_account(steps)
        with pytest.raises(InvariantBrokenError, match="before it has come"):
            self.verify([*steps, there, back])

    def test_a_lot_whose_face_only_passes_is_found(self) -> None:
        steps = route_tiered(*self.rows())
        place = next(place for place, step in enumerate(steps) if step.held)
        steps[place] = msgspec.structs.replace(steps[place], held=[])
        with pytest.raises(InvariantBrokenError, match="different lots"):
            self.verify(steps)

    def test_a_lot_paid_twice_is_found(self) -> None:
        steps = route_direct(*self.rows())
        with pytest.raises(InvariantBrokenError, match="twice"):
            self.verify(steps + steps)
        # The money of one lot goes under the name of another, which is discharged twice.
        again = steps[0].held[0]
        steps[1] = msgspec.structs.replace(steps[1], held=[*steps[1].held, again])
        with pytest.raises(InvariantBrokenError, match="twice"):
            self.verify(steps)

    def test_a_provider_at_fault_is_found(self) -> None:
        def astray(*rows: Any) -> list[RoutedStep]:
            return route_tiered(*rows)[:-1]

        with pytest.raises(InvariantBrokenError, match="different lots"):
            route_voucher(*self.rows(), self.places(), providers={Route.TIERED: astray})

    def test_a_lot_that_was_forgotten_is_found(self) -> None:
        voucher, lots, mandates = self.rows()
        with pytest.raises(InvariantBrokenError, match="held of"):
            route_voucher(voucher, lots[1:], mandates, self.places())

    def test_a_lot_without_its_voucher_is_found(self) -> None:
        world = World()
        gv01(world)
        due = find_due(world.rows, DUE_ON)
        with pytest.raises(InvariantBrokenError, match="no voucher"):
            compile_plan(
                due_on=DUE_ON, pay_on=PAY_ON, lots=due.lots, vouchers=(), mandates=(), places={}
            )
