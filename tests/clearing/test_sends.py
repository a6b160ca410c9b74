"""What goes to banks: refusals in their order; sent again; one payment of several instructions."""

from typing import Any

import pytest

from clearing.errors import (
    AlreadyAgreedError,
    InstructionNotFoundError,
    NotAgreedError,
    NotTogetherError,
    OutOfOrderError,
    PlanDiffersError,
    SentBeforeError,
)
from clearing.handed import AGGREGATIONS, JOINT_PAYMENTS
from clearing.model import (
    INSTRUCTIONS,
    InstructionRecord,
)
from clearing.rules.closings import find_left
from clearing.rules.sends import FILE_MAX, JOINT_LOTS_MAX, JOINT_PAYMENTS_MAX
from registry.canonical import Json, format_json
from registry.effects import format_effects
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.entries import ENTRY_MAX
from registry.errors import MalformedError
from registry.ids import Sid
from registry.model import LOTS, Route
from registry.refusals import AccountUnknownError, NotBankError, NotOwnerError
from registry.statements import PAYLOAD_MAX
from registry.tables import replace
from tests.clearing.test_broken_hops import reroute
from tests.clearing.test_large import widely_held
from tests.clearing.test_reports import close, to
from tests.clearing.test_rules import KIND, adopt, confirm, instructions, run_of
from tests.clearing.world import World, gv01, party_id, sid

SEND, AGGREGATE = KIND["clearing.send"], KIND["payee.aggregate"]


def body_of(
    world: World, plan: Sid, *numbers: int, joint: tuple[tuple[int, ...], ...] = (), first: int = 0,
    **more: Json,
) -> dict[str, Json]:  # fmt: skip
    """Returns the body of a file of instructions, each by itself, and of joint payments."""
    rows = {row.n: row for row in instructions(world, plan)}

    def amount(some: tuple[int, ...]) -> int:
        return sum(rows[n].amount for n in some if n in rows)

    total = amount(numbers) + sum(map(amount, joint))
    return {
        "bank": party_id("bank"),
        "digest": sid("file"),
        "format": "pain.001.001.09",
        "message_id": "TS1",
        "instructions": [*numbers],
        "joint": [
            {"payment": n, "instructions": [*some], "amount": str(amount(some))}
            for n, some in enumerate(joint, first)
        ],
        "total": str(total),
        **more,
    }


def send(world: World, plan: Sid, *numbers: int, **more: Any) -> Sid:
    """Records that a file has gone to the bank."""
    body = body_of(world, plan, *numbers, **more)
    return world.enter(SEND, body, by="operator", re=plan, name=f"send {world.index}")


def agree(world: World, owner: str, *, agreed: bool = True) -> None:
    """Has a payee agree to joint payments, or no longer."""
    body: dict[str, Json] = {"account": world.account(owner), "agreed": agreed}
    world.enter(AGGREGATE, body, by=owner, name=f"{owner} agrees {agreed}")


def status(world: World, plan: Sid) -> list[str]:
    """Returns where each instruction is."""
    return [row.status for row in instructions(world, plan)]


def row(world: World, plan: Sid, n: int) -> InstructionRecord:
    """Returns an instruction."""
    found = world.rows.get(INSTRUCTIONS, plan, n)
    assert found is not None
    return found


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


@pytest.fixture
def several() -> World:
    """Four vouchers of C that S1 holds, and one that S2 does."""
    world = World()
    for n in range(4):
        world.issue(f"v{n}", face=100 + n, to="S1", route=Route.DIRECT)
    world.issue("other", face=7, to="S2", route=Route.DIRECT)
    return world


def of_s1(world: World, plan: Sid) -> list[int]:
    """Returns the numbers of the instructions to S1."""
    return [each.n for each in instructions(world, plan) if each.payee == party_id("S1")]


class TestFile:
    def test_marks_what_goes_out_and_by_which_statement(self, world: World) -> None:
        plan = adopt(world)
        sent = send(world, plan, 0, 1)
        assert status(world, plan) == ["sent", "sent", "pending", "pending", "pending"]
        assert row(world, plan, 0).sent == sent
        assert row(world, plan, 2).sent is None
        # Whatever a bank says then holds as before.
        confirm(world, plan, 0, 1, 2, 3, 4)
        assert world.lots() == ()

    def test_refuses_in_the_documented_order(self, world: World) -> None:
        plan = adopt(world)
        cases: list[tuple[type[Exception], dict[str, Json]]] = [
            (MalformedError, body_of(world, plan, 3, 3, 9, bank=party_id("S1"), again="x")),
            (InstructionNotFoundError, body_of(world, plan, 9, bank=party_id("S1"), again="x")),
            (NotBankError, body_of(world, plan, 3, bank=party_id("S1"), again="x")),
            (MalformedError, body_of(world, plan, 3, again="x", total="1")),
            (OutOfOrderError, body_of(world, plan, 3, total="1")),
            (PlanDiffersError, body_of(world, plan, 0, 1, total="1")),
            (MalformedError, body_of(world, plan)),
        ]
        for error, body in cases:
            with pytest.raises(error):
                world.decide(SEND, body, by="operator", re=plan)

    def test_is_sent_again_by_choice_and_with_a_reason(self, world: World) -> None:
        plan = adopt(world)
        first = send(world, plan, 0)
        with pytest.raises(SentBeforeError):
            send(world, plan, 0, 1)
        again = send(world, plan, 0, 1, again="FILE-LOST")
        assert row(world, plan, 0).sent == again != first

    @pytest.mark.parametrize("word", ["accepted", "posted", "rejected"])
    def test_not_what_a_bank_has_answered(self, world: World, word: str) -> None:
        plan = adopt(world)
        send(world, plan, 0)
        confirm(world, plan, 0, status=word)
        with pytest.raises(MoveNotAllowedError):
            send(world, plan, 0, again="FILE-LOST")

    def test_not_what_was_replaced_or_has_expired(self, world: World) -> None:
        plan = adopt(world)
        confirm(world, plan, 0)
        reroute(world, plan, 1)
        with pytest.raises(MoveNotAllowedError):
            send(world, plan, 1)
        other = World()
        gv01(other)
        plan = adopt(other)
        send(other, plan, 0)
        left = find_left(other.rows, run_of(other, plan))
        close(other, plan, expired=len(left.expired), stuck=0)
        assert {*status(other, plan)} == {"expired"}
        with pytest.raises(MoveNotAllowedError):
            send(other, plan, 0, again="FILE-LOST")

    def test_of_as_much_as_may_be_fits_an_entry(self) -> None:
        world = widely_held(700)
        plan = adopt(world)
        confirm(world, plan, 0)
        confirm(world, plan, 1)
        numbers = range(2, 2 + FILE_MAX)
        body = body_of(world, plan, *numbers)
        _, effects = world.decide(SEND, body, by="operator", re=plan)
        assert len(format_effects(effects)) < ENTRY_MAX / 2
        with pytest.raises(ValueError, match="at most 500"):
            world.decide(
                SEND, body_of(world, plan, *range(2, 3 + FILE_MAX)), by="operator", re=plan
            )
        # Of the longest numbers, in as many payments as may be.
        ten = 4_294_967_000
        joint: list[Json] = [
            {"payment": ten, "instructions": [ten] * 5, "amount": "9" * 15}
        ] * JOINT_PAYMENTS_MAX
        assert len(format_json({**body, "instructions": [], "joint": joint})) < PAYLOAD_MAX - 500


class TestJoint:
    def test_is_one_payment_of_several_instructions(self, several: World) -> None:
        world, plan = several, adopt(several)
        agree(world, "S1")
        three = tuple(of_s1(world, plan)[:3])
        send(world, plan, joint=(three,))
        (payment,) = world.rows.select(JOINT_PAYMENTS)
        assert payment.instructions == tuple(map(str, three))
        assert payment.amount == sum(row(world, plan, n).amount for n in three)
        assert {row(world, plan, n).joint for n in three} == {0}
        assert run_of(world, plan).joint == 1
        confirm(world, plan, *three)
        assert len(world.lots()) == 2

    def test_needs_the_payees_word(self, several: World) -> None:
        world, plan = several, adopt(several)
        one, two, three, four = of_s1(world, plan)
        with pytest.raises(NotAgreedError):
            send(world, plan, joint=((one, two),))
        agree(world, "S1")
        send(world, plan, joint=((one, two),))
        agree(world, "S1", agreed=False)
        assert list(world.rows.select(AGGREGATIONS)) == []
        with pytest.raises(NotAgreedError):
            send(world, plan, joint=((three, four),), first=1)
        # What was sent so before is the same payment for ever.
        send(world, plan, joint=((one, two),), again="FILE-LOST")

    def test_is_never_split_or_changed_by_another_file(self, several: World) -> None:
        """Two files would pay the same in two ways, and a bank would take both."""
        world, plan = several, adopt(several)
        agree(world, "S1")
        one, two, three, four = of_s1(world, plan)
        send(world, plan, joint=((one, two),))
        with pytest.raises(NotTogetherError):
            send(world, plan, one, again="x")
        for wrong, first in (((one, three), 1), ((one, two, three), 0), ((one, two), 1)):
            with pytest.raises(NotTogetherError):
                send(world, plan, joint=(wrong,), first=first, again="x")
        with pytest.raises(NotTogetherError):
            send(world, plan, joint=((three, four),), first=0)
        with pytest.raises(PlanDiffersError):
            send(world, plan, joint=((three, four),), first=7)

    def test_never_joins_what_differs(self, several: World) -> None:
        world, plan = several, adopt(several)
        agree(world, "S1")
        agree(world, "S2")
        one, two, *_ = of_s1(world, plan)
        (other,) = [each.n for each in instructions(world, plan) if each.payee == party_id("S2")]
        with pytest.raises(NotTogetherError):
            send(world, plan, joint=(tuple(sorted((one, other))),))
        for member in ("payer_account", "authority", "route"):
            changed = replace(row(world, plan, two), **{member: sid("other")})
            kept = row(world, plan, two)
            world.rows.put(INSTRUCTIONS, changed)
            with pytest.raises((NotTogetherError, NotBankError)):
                send(world, plan, joint=((one, two),))
            world.rows.put(INSTRUCTIONS, kept)

    def test_pays_no_more_lots_than_one_report_can_tell_of(self) -> None:
        world = World()
        for n in range(2):
            lot = world.issue(f"v{n}", face=1000, to="S1", route=Route.DIRECT)
            for _ in range(JOINT_LOTS_MAX // 2):
                _, lot = world.split(lot, 1)
        plan = adopt(world)
        agree(world, "S1")
        assert len(list(world.rows.select(LOTS))) == JOINT_LOTS_MAX + 2
        with pytest.raises(NotTogetherError):
            send(world, plan, joint=((0, 1),))

    def test_is_to_the_fen(self, several: World) -> None:
        world, plan = several, adopt(several)
        agree(world, "S1")
        one, two, *_ = of_s1(world, plan)
        body = body_of(world, plan, joint=((one, two),))
        wrong: Json = [{"payment": 0, "instructions": [one, two], "amount": "1"}]
        with pytest.raises(PlanDiffersError):
            world.decide(SEND, {**body, "joint": wrong}, by="operator", re=plan)


class TestConsent:
    def test_is_the_owners_word(self, world: World) -> None:
        account = world.account("S1")
        with pytest.raises(AccountUnknownError):
            world.decide(AGGREGATE, {"account": sid("x"), "agreed": True}, by="S1")
        with pytest.raises(NotOwnerError):
            world.decide(AGGREGATE, {"account": account, "agreed": True}, by="operator")
        with pytest.raises(AlreadyAgreedError):
            agree(world, "S1", agreed=False)
        agree(world, "S1")
        with pytest.raises(AlreadyAgreedError):
            agree(world, "S1")


def test_a_rejected_hop_that_was_sent_still_has_another_way(world: World) -> None:
    plan = adopt(world)
    send(world, plan, 0, 1)
    confirm(world, plan, 0)
    confirm(world, plan, 1, status="rejected")
    reroute(world, plan, 1)
    assert to(world, plan, "S2").status == "replaced"
