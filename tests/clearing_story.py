"""A due date with banks that refuse, send back and come late, less money, and a broken hop."""

from datetime import date, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from clearing.apportion import divided_digest, format_divided
from clearing.model import FUNDS
from clearing.plan import format_plan, plan_digest
from clearing.routes import Instruction
from clearing.rules.funds import apportion_body, ask_divided
from clearing.rules.plans import body_of, plan_due
from registry.canonical import Json
from registry.ids import Sid
from registry.state import MemoryRows, run_reads
from tests.builders import DIGEST, World, instant

DUE_ON = date(2025, 12, 19)


class Adopted(NamedTuple):
    """A plan that was adopted: its statement, its bytes, its digest, its instructions."""

    sid: Sid
    data: bytes
    digest: str
    instructions: tuple[Instruction, ...]


def tell_clearing(world: World) -> tuple[Adopted, Adopted, Adopted]:
    """Tells it; returns the plans."""
    first = adopt_due(world)
    of = {order.n: order for order in first.instructions}
    to_s3 = next(order for order in of.values() if order.payee == world.ids["s3"])
    to_factor = next(
        order for order in of.values() if order.after == to_s3.after and not order.lots
    )
    to_trust = next(order for order in of.values() if order.after == (to_factor.n,))
    stuck = (to_s3.n, to_factor.n, to_trust.n)
    burdened = [each for each in of.values() if each.remittance == "BURDENED"]
    refused, undone, unheard = [each for each in burdened if each.payee != world.ids["registrar"]]
    drawn = [order for order in of.values() if not order.after]
    body: dict[str, Json] = {
        "account": world.accounts["core"],
        "amount": str(sum(int(order.amount) for order in drawn)),
        "instructions": len(drawn),
    }
    world.do("core", "clearing.approve", body, re=first.sid)
    _send(world, first, undone)
    _report(world, first, "accepted", undone)
    unpaid = [each for each in of.values() if each.remittance == "UNPAID"]
    left = (*stuck, refused.n, unheard.n, *(each.n for each in unpaid))
    done = [each for n, each in of.items() if n not in left]
    _report(world, first, "posted", *done)
    refusals = sorted((to_s3, to_factor, refused, unpaid[0]), key=lambda order: order.n)
    _report(world, first, "rejected", *refusals)
    _report(world, first, "returned", undone)
    world.advance(instant(DUE_ON, hour=17))
    closed: dict[str, Json] = {"expired": 1, "stuck": 3}
    world.do("operator", "clearing.close", closed, re=first.sid)
    less = _divide(world)
    rest = adopt_due(world)
    _report(world, rest, "posted", *rest.instructions)
    _report(world, first, "posted", refused)
    _report(world, first, "returned", refused)
    _break(world, first, to_s3, to_factor, to_trust, undone)
    _come_back(world, first, *(each for each in of.values() if each.remittance == "CARRIED"))
    return first, less, rest


def _send(world: World, plan: Adopted, single: Instruction) -> None:
    """Has S1 agree to joint payments, and a file with one go to the bank, twice."""
    account = world.accounts["s1"]
    world.do("s1", "payee.aggregate", {"account": account, "agreed": True})
    jointly = [
        order
        for order in plan.instructions
        if order.payee_account == account and order.remittance in ("TOLD", "DEALT")
    ]
    amount = sum(int(order.amount) for order in jointly)
    numbers: list[Json] = [order.n for order in jointly]
    joint: Json = {"payment": 0, "instructions": numbers, "amount": str(amount)}
    body: dict[str, Json] = {
        "bank": world.ids["bank"],
        "digest": DIGEST,
        "format": "pain.001.001.09",
        "message_id": "TS1",
        "instructions": [single.n],
        "joint": [joint],
        "total": str(amount + int(single.amount)),
    }
    world.do("operator", "clearing.send", body, re=plan.sid)
    again: dict[str, Json] = {"again": "FILE-LOST", "message_id": "TS2"}
    world.do("operator", "clearing.send", {**body, **again}, re=plan.sid)
    world.do("s1", "payee.aggregate", {"account": account, "agreed": False})


def _divide(world: World) -> Adopted:
    """Has the debtor's bank say what there is, twice; the last word is divided, and paid."""
    account = world.accounts["core"]
    world.do("bank", "clearing.fund", {"account": account, "amount": "1", "designated": [DIGEST]})
    fund = world.do("bank", "clearing.fund", {"account": account, "amount": "12000000"}).sid
    rows = _rows(world)
    row = rows.get(FUNDS, fund)
    assert row is not None
    plan = run_reads(rows, ask_divided(row, DUE_ON, plans_first=False))
    body = apportion_body(plan).model_dump(mode="json")
    sid = world.do("operator", "clearing.apportion", body, re=fund).sid
    adopted = Adopted(sid, format_divided(plan), divided_digest(plan), plan.instructions)
    _report(world, adopted, "posted", *plan.instructions, relayed=True)
    return adopted


def _break(world: World, plan: Adopted, s3: Instruction, factor: Instruction, trust: Instruction,
           undone: Instruction) -> None:  # fmt: skip
    """Has time pass, the debtor pay itself, one hop take another way; the rest comes late."""
    world.advance(instant(DUE_ON + timedelta(days=2)))
    world.engine.submit([])
    own: dict[str, Json] = {"instruction": trust.n, "sort": "top-up"}
    world.do("operator", "clearing.top-up", own, re=plan.sid)
    other: dict[str, Json] = {"instruction": s3.n, "ground": "frozen"}
    world.do("operator", "clearing.reroute", other, re=plan.sid)
    again: dict[str, Json] = {"instruction": undone.n, "sort": "again"}
    world.do("operator", "clearing.top-up", again, re=plan.sid)
    added = range(len(plan.instructions), len(plan.instructions) + 3)
    for n, order in zip(added, (trust, s3, undone), strict=True):
        _report(world, plan, "posted", replace(order, n=n))
    _report(world, plan, "posted", factor, trust)


def _come_back(
    world: World, plan: Adopted, _own: Instruction, hop: Instruction, last: Instruction
) -> None:
    """Has money come back hop by hop, of a voucher whose debt travels with it, and go on again."""
    _report(world, plan, "returned", last)
    _report(world, plan, "returned", hop)
    again: dict[str, Json] = {"instruction": last.n, "sort": "again"}
    world.do("operator", "clearing.top-up", again, re=plan.sid)
    _report(world, plan, "posted", replace(last, n=len(plan.instructions) + 3))


def _rows(world: World) -> MemoryRows:
    """Returns the state as it is."""
    rows = MemoryRows(world.rulebook.tables)
    for table in world.rulebook.tables:
        for row in world.store.select(table):
            rows.put(table, row)
    return rows


def adopt_due(world: World) -> Adopted:
    """Adopts the plan that follows from the state."""
    plan = plan_due(_rows(world), due_on=DUE_ON, pay_on=DUE_ON)
    body = body_of(plan).model_dump(mode="json", exclude_none=True)
    sid = world.do("operator", "clearing.plan", body).sid
    return Adopted(sid, format_plan(plan), plan_digest(plan), plan.instructions)


def _report(
    world: World, plan: Adopted, status: str, *orders: Instruction, relayed: bool = False
) -> None:
    """Has the bank say the same of some instructions, or the operator relay that it does."""
    items: list[Json] = []
    for order in orders:
        item: dict[str, Json] = {
            "amount": order.amount,
            "instruction": order.n,
            "status": status,
        }
        if status in ("rejected", "returned"):
            item["reason"] = "AC04"
        items.append(item)
    body: dict[str, Json] = {"items": items}
    if relayed:
        message: Json = {"digest": DIGEST, "format": "camt.054.001.08"}
        body |= {"bank": world.ids["bank"], "message": message}
    world.do("operator" if relayed else "bank", "clearing.report", body, re=plan.sid)
