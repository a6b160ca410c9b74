"""How much may be owed and held: limits of debtors, groups and financiers (FR-06)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.canonical import Json
from registry.credit import DEBTORS, EXPOSURES
from registry.errors import RegistryError
from registry.model import LOTS, OFFERS, PARTIES, VOUCHERS, Role
from registry.people import AFFILIATIONS
from registry.refusals import (
    AllocationError,
    DebtorLimitError,
    ExposureLimitError,
    LimitSourceError,
    NotHolderRoleError,
)
from registry.rules.limits import KINDS
from tests.builders import World, uscc
from tests.credit import affiliate, limit_body
from tests.faults import cases, fault, setting, verify_refused, verify_rows
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    grant,
    lots_of,
    pending_voucher,
    refusal,
    verify_everything,
)


def test_who_has_left_its_group_has_its_limit_from_the_registrar_again() -> None:
    world = cast_world()
    world.do("registrar", "limit.set", limit_body(world, "core", 500))
    affiliate(world, "core", "s3")
    (pair,) = world.store.select(AFFILIATIONS)
    world.do("core", "limit.allocate", _allocation(world, "s3", 200))
    body = limit_body(world, "s3", 70)
    draft = Draft(by="registrar", kind="limit.set", body=body)
    assert isinstance(refusal(world, draft), LimitSourceError)
    world.do(
        "registrar",
        "affiliation.end",
        {"evidence": limit_body(world, "s3", 1)["basis"]},
        re=pair.affiliation,
    )
    assert not isinstance(attempt(world, draft), RegistryError)
    rows = {row.party: row for row in world.store.select(DEBTORS)}
    assert rows[world.ids["core"]].allocated == 0
    assert (rows[world.ids["s3"]].limit, rows[world.ids["s3"]].source) == (
        70,
        world.ids["registrar"],
    )
    verify_everything(world)


def _issue(world: World, name: str, face: int) -> Draft:
    body = world.issue_body(
        creditor=world.ids["s2" if name == "s1" else "s1"],
        account=world.accounts[name],
        mandate=world.mandates[name],
        face=str(face),
    )
    return Draft(by=name, kind="voucher.issue", body=body)


def _allocation(world: World, member: str, amount: int) -> dict[str, Json]:
    return {"member": world.ids[member], "amount": str(amount)}


def _allocated_before(world: World, _draft: Draft) -> None:
    world.do("registrar", "limit.set", limit_body(world, "s1", 500_000_000))
    affiliate(world, "s1", "core")
    world.do("s1", "limit.allocate", _allocation(world, "core", 5))


def _set_by_the_registrar(world: World, _draft: Draft) -> None:
    world.do("registrar", "limit.set", limit_body(world, "s3", 7))


def _to(member: str) -> Any:
    def make(world: World, draft: Draft) -> None:
        draft.body["member"] = world.ids[member]

    return make


def _by(name: str) -> Any:
    def make(_world: World, draft: Draft) -> None:
        draft.by = name

    return make


def _by_a_member(world: World, draft: Draft) -> None:
    affiliate(world, "core", "s2")
    affiliate(world, "s2", "s3")
    world.do("core", "limit.allocate", _allocation(world, "s2", 300_000_000))
    draft.by = "s2"


def _member_owes_more(world: World, _draft: Draft) -> None:
    assert not isinstance(attempt(world, _issue(world, "s3", 200_000_001)), RegistryError)


FAULTS = {
    "limit.set": (
        fault(NotHolderRoleError, "nobody", setting(party=uscc(999)), "party"),
        fault(
            NotHolderRoleError,
            "a bank",
            lambda world, draft: draft.body.update(party=world.ids["bank"]),
            "party",
        ),
        fault(LimitSourceError, "a member of a group", _allocated_before, "source"),
    ),
    "limit.allocate": (
        fault(NotHolderRoleError, "nobody", setting(member=uscc(999)), "member"),
        fault(NotHolderRoleError, "a financier", _to("factor"), "member"),
        fault(AllocationError, "to itself", _to("core"), "member", "by"),
        fault(AllocationError, "without a limit", _by("s1"), "by"),
        fault(AllocationError, "to a stranger", _to("s2"), "member"),
        fault(LimitSourceError, "of what was allocated to it", _by_a_member, "by"),
        fault(LimitSourceError, "set by the registrar", _set_by_the_registrar, "member"),
        fault(AllocationError, "more than is left", setting(amount="500000001"), "amount", "by"),
        fault(AllocationError, "less than is used", _member_owes_more, "amount", "member", "by"),
    ),
}


@pytest.mark.parametrize(("kind", "faults"), cases(FAULTS))
def test_refuses_in_documented_order(kind: str, faults: Any) -> None:
    verify_refused(kind, faults)


def test_every_documented_refusal_has_a_row() -> None:
    # Nothing stands against a financier's own wish.
    verify_rows(KINDS, FAULTS)


# --- Debtors ------------------------------------------------------------------------------


def test_a_limit_of_ten_million_yuan_is_a_limit_to_the_fen() -> None:
    # FR-06: 9,999,999.99 is issued, 0.02 more is not.
    world = cast_world()
    world.do("registrar", "limit.set", limit_body(world, "core", 1_000_000_000))
    assert not isinstance(attempt(world, _issue(world, "core", 999_999_999)), RegistryError)
    assert isinstance(refusal(world, _issue(world, "core", 2)), DebtorLimitError)
    assert not isinstance(attempt(world, _issue(world, "core", 1)), RegistryError)
    verify_everything(world)


@pytest.mark.parametrize("kind", ["voucher.refuse", "voucher.withdraw"])
def test_what_never_bound_frees_its_part_of_the_limit(kind: str) -> None:
    world = cast_world()
    world.do("registrar", "limit.set", limit_body(world, "core", 100))
    made = attempt(world, _issue(world, "core", 100))
    assert not isinstance(made, RegistryError)
    assert isinstance(refusal(world, _issue(world, "core", 1)), DebtorLimitError)
    world.do("s1" if kind == "voucher.refuse" else "core", kind, {}, re=made.sid)
    assert not isinstance(attempt(world, _issue(world, "core", 100)), RegistryError)
    verify_everything(world)


def test_what_is_allocated_is_the_members_and_not_the_heads() -> None:
    world = cast_world()
    world.do("registrar", "limit.set", limit_body(world, "core", 100))
    affiliate(world, "core", "s3")
    world.do("core", "limit.allocate", _allocation(world, "s3", 60))
    assert isinstance(refusal(world, _issue(world, "core", 41)), DebtorLimitError)
    assert not isinstance(attempt(world, _issue(world, "core", 40)), RegistryError)
    assert not isinstance(attempt(world, _issue(world, "s3", 50)), RegistryError)
    assert isinstance(refusal(world, _issue(world, "s3", 11)), DebtorLimitError)
    # What the member does not use goes back, and no more than that.
    less = Draft(by="core", kind="limit.allocate", body=_allocation(world, "s3", 49))
    assert isinstance(refusal(world, less), AllocationError)
    world.do("core", "limit.allocate", _allocation(world, "s3", 50))
    assert not isinstance(attempt(world, _issue(world, "core", 10)), RegistryError)
    rows = {row.party: row for row in world.store.select(DEBTORS)}
    assert rows[world.ids["core"]].allocated == 50
    verify_everything(world)


def test_a_limit_below_what_is_owed_stops_new_promises_only() -> None:
    world = cast_world()
    voucher = world.issue()
    world.do("registrar", "limit.set", limit_body(world, "core", 1))
    assert isinstance(refusal(world, _issue(world, "core", 1)), DebtorLimitError)
    world.transfer(f"{voucher}.0", 5, by="s1", to="s2")
    verify_everything(world)


def test_attack_a_stranger_gives_a_competitor_a_limit_of_one_fen() -> None:
    # Who had no limit would have had this one, which not even the registrar could change.
    world = cast_world()
    world.do("registrar", "limit.set", limit_body(world, "s3", 100))
    attack = Draft(by="s3", kind="limit.allocate", body=_allocation(world, "core", 1))
    assert isinstance(refusal(world, attack), AllocationError)
    world.issue()
    world.do("registrar", "limit.set", limit_body(world, "core", 500_000_000))
    verify_everything(world)


# --- Financiers ---------------------------------------------------------------------------


def _limit_exposure(world: World, amount: int) -> None:
    body: dict[str, Json] = {"debtor": world.ids["core"], "amount": str(amount)}
    world.do("factor", "exposure.limit", body)


def _held(world: World) -> dict[str, int]:
    return {row.financier: row.held for row in world.store.select(EXPOSURES)}


def test_what_a_financier_holds_of_a_debtor_is_counted_to_the_fen() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    first = world.transfer(lot, 60_000_000, by="s1", to="factor", purpose="finance")
    assert _held(world) == {world.ids["factor"]: 60_000_000}
    _limit_exposure(world, 60_000_001)
    second = world.offer(f"{first}.1", 2, by="s1", to="factor", purpose="finance")
    accept: dict[str, Json] = {"account": world.accounts["factor"], "collection_route": True}
    late = Draft(by="factor", kind="transfer.accept", body=accept, re=second)
    assert isinstance(refusal(world, late), ExposureLimitError)
    # What goes on to a trust makes room.
    world.transfer(f"{first}.2", 1, by="factor", to="trustee#T1", purpose="securitise")
    assert not isinstance(attempt(world, late), RegistryError)
    assert _held(world) == {world.ids["factor"]: 60_000_001}
    verify_everything(world)


def test_a_standing_consent_does_not_reach_beyond_the_limit() -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    grant(world, by="factor", purpose="finance")
    _limit_exposure(world, 10)
    taken = world.offer(lot, 10, by="s1", to="factor", purpose="finance")
    waits = world.offer(f"{taken}.1", 1, by="s1", to="factor", purpose="finance")
    assert [row.offer for row in world.store.select(OFFERS)] == [waits]
    assert _held(world) == {world.ids["factor"]: 10}
    verify_everything(world)


def test_attack_a_financier_over_its_limit_as_first_holder() -> None:
    world = cast_world()
    _limit_exposure(world, 99_999_999)
    payee: dict[str, Json] = {"account": world.accounts["factor"], "collection_route": True}
    voucher = pending_voucher(world, creditor=world.ids["factor"])
    accept = Draft(by="factor", kind="voucher.accept", body=payee, re=voucher)
    assert isinstance(refusal(world, accept), ExposureLimitError)
    _limit_exposure(world, 100_000_000)
    world.do("factor", "voucher.accept", payee, re=voucher)
    assert _held(world) == {world.ids["factor"]: 100_000_000}
    verify_everything(world)


# --- A second count -----------------------------------------------------------------------

ENDS = {"accept": "s1", "refuse": "s1", "withdraw": "core", "wait": ""}
NEXT = {"s1": ("factor", "finance"), "factor": ("trustee#T1", "securitise")}


def _pass_on(world: World, lot: str, amount: int, ids: dict[str, str]) -> None:
    giver = ids[lots_of(world)[lot].holder]
    to, purpose = NEXT[giver]
    world.transfer(lot, amount, by=giver, to=to, purpose=purpose)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_what_is_counted_is_what_a_count_would_find(data: st.DataObject) -> None:
    world = cast_world()
    names: dict[str, str] = {party: name for name, party in world.ids.items()}
    for _ in range(data.draw(st.integers(2, 6))):
        passable = sorted(lot for lot, row in lots_of(world).items() if names[row.holder] in NEXT)
        if data.draw(st.booleans()) and passable:
            lot = data.draw(st.sampled_from(passable))
            amount = data.draw(st.integers(1, lots_of(world)[lot].amount))
            _pass_on(world, lot, amount, names)
            continue
        made = attempt(world, _issue(world, "core", data.draw(st.integers(2, 50))))
        assert not isinstance(made, RegistryError)
        end = data.draw(st.sampled_from(sorted(ENDS)))
        payee: dict[str, Json] = {"account": world.accounts["s1"], "collection_route": True}
        if end != "wait":
            body = payee if end == "accept" else {}
            world.do(ENDS[end], f"voucher.{end}", body, re=made.sid)
    owed: dict[str, int] = {}
    for voucher in world.store.select(VOUCHERS):
        left = voucher.face - voucher.discharged - voucher.cancelled
        owed[voucher.debtor] = owed.get(voucher.debtor, 0) + left
    held: dict[str, int] = {}
    financiers = {row.party for row in world.store.select(PARTIES) if Role.FINANCIER in row.roles}
    for row in world.store.select(LOTS):
        if row.holder in financiers:
            held[row.holder] = held.get(row.holder, 0) + row.amount
    assert {row.party: row.outstanding for row in world.store.select(DEBTORS)} == owed
    assert {who: amount for who, amount in _held(world).items() if amount} == held
    verify_everything(world)
