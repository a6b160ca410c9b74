"""Golden vectors of the business: worked examples of practice and law, as data.

Each file under `vectors/business` says where it is from, what is given and what must come out.
"""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from registry.calendars import add_months, parse_date
from registry.discharge import Assignment, is_discharged
from registry.errors import RegistryError
from registry.ids import PartyId, parse_party_id
from registry.intervals import Range, verify_partition
from registry.model import LOTS, Route
from registry.priority import Claim, distribute, priority
from tests.clearing.test_tiered import edges
from tests.clearing.world import World

VECTORS = Path(__file__).resolve().parent / "vectors" / "business"


def vector(name: str) -> tuple[Any, Any]:
    """Returns what is given, and what is wanted."""
    case = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return case["input"], case["want"]


def _told(route: Route) -> World:
    given, _ = vector("gv-01")
    world = World()
    for name in ("S1", "S2", "F"):
        world.mandate(name)
    issued = world.issue("v", face=given["face"], to=given["first_holder"], route=route)
    lots = {given["first_holder"]: issued}
    for assignor, assignee, amount, _purpose in given["transfers"]:
        made, rest = world.assign(lots.pop(assignor), to=assignee, amount=amount)
        lots[assignee] = made
        if rest is not None:
            lots[assignor] = rest
    return world


def test_gv_01_each_holder_has_its_part_of_the_face() -> None:
    given, want = vector("gv-01")
    world = _told(Route.DIRECT)
    held = Counter[str]()
    for lot in world.rows.select(LOTS):
        held[lot.holder] += lot.amount
    assert held == {world.party(name): amount for name, amount in want["holdings"].items()}
    assert sum(held.values()) == given["face"]


@pytest.mark.parametrize("route", Route)
def test_gv_01_each_route_pays_what_is_held(route: Route) -> None:
    _, want = vector("gv-01")
    world = _told(route)
    plan = world.plan()
    assert sorted(map(list, edges(world, plan))) == sorted(want[route.value])
    gross = want["gross_tiered"] if route is Route.TIERED else sum(want["holdings"].values())
    assert plan.totals.gross_minor == gross


def test_gv_09_paying_the_assignor_discharges_until_the_notice_has_arrived() -> None:
    given, want = vector("gv-09")

    def instant(text: str) -> int:
        hours, minutes = map(int, text.split(":"))
        return (hours * 60 + minutes) * 60_000

    assignor, assignee = PartyId("assignor"), PartyId("assignee")
    effective, noticed = instant(given["effective"]), instant(given["noticed"])
    chain = [Assignment(assignee=assignee, effective=effective, arrived=noticed)]
    found = [
        is_discharged(assignor, chain, payee=assignor, at=instant(time))
        for time in given["pays_assignor"]
    ]
    assert found == want["discharged"]


def _claims() -> dict[str, Claim]:
    given, _ = vector("gv-10")

    def instant(text: str | None) -> int | None:
        return text and int(datetime.fromisoformat(f"{text}+08:00").timestamp()) * 1000  # type: ignore[return-value]

    return {
        name: Claim(
            name=name,
            financed_minor=each["financed"],
            registered_at=instant(each.get("registered_at")),
            noticed_at=instant(each.get("noticed_at")),
        )
        for name, each in given["claims"].items()
    }


def test_gv_10_sd_15_registered_first_then_noticed_first() -> None:
    given, want = vector("gv-10")
    claims = _claims()
    for some, order in zip(given["orders"], want["orders"], strict=True):
        ranks = priority([claims[name] for name in some])
        assert [claim.name for rank in ranks for claim in rank] == order
        assert all(len(rank) == 1 for rank in ranks)


def test_gv_10_sd_15_those_with_neither_share_by_what_they_financed() -> None:
    given, want = vector("gv-10")
    claims = _claims()
    among = [claims[name] for name in given["divided"]["among"]]
    shares = distribute(among, recovered_minor=given["divided"]["recovered"])
    assert shares == want["divided"]


def test_gv_11_a_range_is_cut_without_a_gap() -> None:
    given, want = vector("gv-11")
    whole = Range(given["first"], given["last"])
    part, rest = whole.cut(given["cut"])
    assert rest is not None
    assert [part.first, part.last] == want["part"]
    assert [rest.first, rest.last] == want["rest"]
    verify_partition([part, rest], face_minor=whole.amount_minor)


def test_gv_12_an_identifier_proves_its_own_spelling() -> None:
    given, _ = vector("gv-12")
    assert [parse_party_id(party) for party in given["valid"]] == given["valid"]
    for party in given["invalid"]:
        with pytest.raises(RegistryError):
            parse_party_id(party)


def test_gv_14_months_end_with_the_month_where_it_is_shorter() -> None:
    given, want = vector("gv-14")
    for (start, months), (end, days) in zip(given, want, strict=True):
        found = add_months(parse_date(start), months)
        assert [found.isoformat(), (found - parse_date(start)).days] == [end, days]
