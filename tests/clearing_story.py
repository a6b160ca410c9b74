"""A due date that is cleared in two rounds, with banks that refuse, send back, and come late."""

from datetime import date
from typing import NamedTuple

from clearing.plan import Plan, format_plan, plan_digest
from clearing.routes import Instruction
from clearing.rules.plans import body_of, plan_due
from registry.canonical import Json
from registry.ids import Sid
from registry.state import MemoryRows
from tests.builders import World

DUE_ON = date(2025, 12, 19)


class Adopted(NamedTuple):
    """A plan that was adopted: its statement, its bytes, its digest, its instructions."""

    sid: Sid
    data: bytes
    digest: str
    instructions: tuple[Instruction, ...]


def tell_clearing(world: World) -> tuple[Adopted, Adopted]:
    """Tells it; returns both plans."""
    first = _adopt(world)
    fed = {n for order in first.instructions for n in order.after}
    alone = [order for order in first.instructions if not order.after and order.n not in fed]
    refused, undone, unheard = alone[0], alone[1], alone[-1]
    _report(world, first, "rejected", refused)
    _report(world, first, "accepted", undone)
    done = [each for each in first.instructions if each.n not in (refused.n, unheard.n)]
    _report(world, first, "posted", *done)
    _report(world, first, "returned", undone)
    closed: dict[str, Json] = {"expired": 1, "stuck": 0}
    world.do("operator", "clearing.close", closed, re=first.sid)
    second = _adopt(world)
    _report(world, second, "posted", *second.instructions)
    _report(world, first, "posted", refused)
    _report(world, first, "returned", refused)
    return first, second


def _adopt(world: World) -> Adopted:
    """Adopts the plan that follows from the state."""
    rows = MemoryRows(world.rulebook.tables)
    for table in world.rulebook.tables:
        for row in world.store.select(table):
            rows.put(table, row)
    plan: Plan = plan_due(rows, due_on=DUE_ON, pay_on=DUE_ON)
    body = body_of(plan).model_dump(mode="json", exclude_none=True)
    sid = world.do("operator", "clearing.plan", body).sid
    return Adopted(sid, format_plan(plan), plan_digest(plan), plan.instructions)


def _report(world: World, plan: Adopted, status: str, *orders: Instruction) -> None:
    """Has the bank say the same of some instructions."""
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
    world.do("bank", "clearing.report", {"items": items}, re=plan.sid)
