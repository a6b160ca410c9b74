"""The simulated bank: what it says, when, and that it never books twice."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from clearing.model import InstructionRecord
from clearing.rails.simulated import SimulatedBank
from registry.errors import InvariantBrokenError
from registry.ids import Sid
from registry.model import ACCOUNTS
from tests.clearing.strategies import NAMES, worlds
from tests.clearing.test_rules import adopt, confirm, instructions, run_of
from tests.clearing.world import World, gv01


def pending_of(world: World, plan: Sid, bank: str) -> list[InstructionRecord]:
    """Returns what a bank sees: its own instructions that are not posted."""
    records = instructions(world, plan)
    return [r for r in records if r.bank == world.party(bank) and r.status == "pending"]


def posted_of(world: World, plan: Sid) -> set[int]:
    """Returns the numbers of a plan's posted instructions."""
    return {r.n for r in instructions(world, plan) if r.status == "posted"}


class TestSimulatedBank:
    def test_posts_a_whole_cascade_of_its_own_in_order(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        bank = SimulatedBank(bank=world.party("bank"))
        answer = bank.answers(pending_of(world, plan, "bank"), posted=())
        assert [said.instruction for said in answer] == [0, 1, 2, 3, 4]
        for said in answer:
            confirm(world, plan, said.instruction, amount=said.amount_minor)
        assert run_of(world, plan).status == "cleared"
        trust = world.account("T#trust")
        assert bank.balances[f"bank:{trust}"] == 20_000_000
        assert bank.balances[f"bank:{world.account('F')}"] == 0

    def test_waits_for_another_banks_word(self) -> None:
        world = World()
        world.account("S2", bank="other bank")
        gv01(world)
        plan = adopt(world)
        other = SimulatedBank(bank=world.party("other bank"))
        assert other.answers(pending_of(world, plan, "other bank"), posted=()) == ()
        (first,) = SimulatedBank(bank=world.party("bank")).answers(
            pending_of(world, plan, "bank"), posted=()
        )
        assert first.instruction == 0
        answer = other.answers(pending_of(world, plan, "other bank"), posted={0})
        assert [said.amount_minor for said in answer] == [60_000_000]

    def test_asked_again_says_the_same_and_books_nothing(self) -> None:
        world = World()
        gv01(world)
        pending = pending_of(world, adopt(world), "bank")
        bank = SimulatedBank(bank=world.party("bank"))
        first = bank.answers(pending, posted=())
        balances = dict(bank.balances)
        assert bank.answers(reversed(pending), posted=()) == first
        assert bank.answers(pending, posted={0}) == first[1:]
        assert bank.balances == balances

    def test_passes_over_what_is_posted(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        confirm(world, plan, 0)
        bank = SimulatedBank(bank=world.party("bank"))
        answer = bank.answers(instructions(world, plan), posted={0})
        assert [said.instruction for said in answer] == [1, 2, 3, 4]

    def test_a_blocked_account_moves_nothing_until_it_is_free(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        bank = SimulatedBank(bank=world.party("bank"), blocked={world.account("S2")})
        first, second = bank.answers(pending_of(world, plan, "bank"), posted=())
        assert (first.instruction, first.status, first.reason) == (0, "posted", None)
        assert (second.instruction, second.status, second.reason) == (1, "rejected", "AC06")
        confirm(world, plan, 0)
        confirm(world, plan, 1, status="rejected")
        records = instructions(world, plan)
        assert bank.answers(records, posted={0}) == ()
        bank.blocked.clear()
        answer = bank.answers(records, posted={0})
        assert [(said.instruction, said.status) for said in answer] == [
            (n, "posted") for n in (1, 2, 3, 4)
        ]

    def test_says_nothing_of_an_account_that_it_is_silent_about(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        bank = SimulatedBank(bank=world.party("bank"), silent={world.account("F")})
        answer = bank.answers(pending_of(world, plan, "bank"), posted=())
        payees = {record.n: record.payee for record in instructions(world, plan)}
        assert {payees[said.instruction] for said in answer} == {
            world.party(name) for name in ("S1", "S2", "S3")
        }

    def test_sends_back_later_what_is_not_passed_on_and_once(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        accounts = {world.account("S2"), world.account("S3")}
        bank = SimulatedBank(bank=world.party("bank"), returned=accounts)
        for said in bank.answers(instructions(world, plan), posted=()):
            assert said.status == "posted"
            confirm(world, plan, said.instruction)
        # S2 has passed most of it on; what S3 has is all there.
        records = instructions(world, plan)
        (came,) = (row for row in records if row.payee == world.party("S3"))
        (back,) = bank.answers(records, posted=posted_of(world, plan))
        assert (back.instruction, back.status, back.reason) == (came.n, "returned", "AC04")
        assert bank.answers(records, posted=posted_of(world, plan)) == (back,)
        assert bank.balances[f"bank:{came.payee_account}"] == 0
        assert bank.balances[f"bank:{came.payer_account}"] == 15_000_000 + came.amount
        confirm(world, plan, came.n, status="returned")
        assert bank.answers(instructions(world, plan), posted=posted_of(world, plan)) == ()

    def test_says_everything_twice_of_an_account_and_books_it_once(self) -> None:
        world = World()
        gv01(world)
        plan = adopt(world)
        bank = SimulatedBank(bank=world.party("bank"), repeated={world.account("S3")})
        answer = bank.answers(instructions(world, plan), posted=())
        assert [said.instruction for said in answer if not said.is_again] == [0, 1, 2, 3, 4]
        (again,) = (said for said in answer if said.is_again)
        assert again == replace(answer[again.instruction], is_again=True)
        assert bank.balances[f"bank:{world.account('S3')}"] == 25_000_000

    def test_refuses_another_banks_instruction(self) -> None:
        world = World()
        gv01(world)
        pending = pending_of(world, adopt(world), "bank")
        with pytest.raises(InvariantBrokenError):
            SimulatedBank(bank=world.party("other bank")).answers(pending, posted=())


@settings(max_examples=25)
@given(worlds())
def test_several_banks_clear_any_plan_between_them(world: World) -> None:
    names = ("bank", "bank 1", "bank 2")
    for place, name in enumerate(NAMES):
        for n in range(2):
            account = world.rows.get(ACCOUNTS, world.account(name, n))
            assert account is not None
            world.rows.delete(ACCOUNTS, account.account)
            world.account(name, n, bank=names[(place + n) % 3])
    plan = adopt(world)
    banks = {name: SimulatedBank(bank=world.party(name)) for name in names}
    for _ in instructions(world, plan):
        for name, bank in banks.items():
            answer = bank.answers(pending_of(world, plan, name), posted=posted_of(world, plan))
            for said in answer:
                confirm(world, plan, said.instruction, by=name, amount=said.amount_minor)
    assert run_of(world, plan).status == "cleared"
    assert sum(sum(bank.balances.values()) for bank in banks.values()) == 0
