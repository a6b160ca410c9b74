"""Silence that accepts: when it counts, and what takes its word away (PF-01, item 5BD)."""

from datetime import date
from typing import Any

import pytest

from registry.canonical import Json
from registry.engine import Sealed
from registry.errors import RegistryError
from registry.inboxes import NOTICES
from registry.model import ACCOUNTS, CONSENTS, DEADLINES, LOTS, OFFERS, VOUCHERS
from registry.refusals import InsufficientHoldingError, LotNotFoundError
from registry.tables import replace
from tests.builders import World, instant
from tests.consents import accession, changes_of, offer_to
from tests.policies import FIVE
from tests.scenario import (
    Draft,
    attempt,
    cast_world,
    consent_body,
    decide,
    grant,
    key_add,
    lots_of,
    pending_voucher,
    refusal,
    replayed,
    verify_everything,
)

END = instant(date(2025, 7, 9), hour=0)
"""Five working days after Tuesday, 2025-07-01: the end of Tuesday, the 8th."""


def silent(world: World, *, by: str = "s2", **members: Json) -> str:
    """Grants a consent by silence of five working days; returns its id."""
    return grant(world, by=by, silence=dict(FIVE), **members)


def offered(world: World, **how: Any) -> Sealed:
    """Makes an offer to s2, on the 1st of July."""
    made = attempt(world, offer_to(world, **how))
    assert not isinstance(made, RegistryError), made
    return made


def until(world: World, time: int) -> None:
    """Moves the clock, and seals what is due then."""
    world.advance(time)
    world.engine.submit([])


def ended(world: World) -> list[str]:
    """Returns what has come of silence, entry by entry."""
    return [
        change["end"]
        for index in range(world.store.size())
        for change in changes_of(world, index)
        if change["effect"].endswith("silence-ended")
    ]


# --- Offers -----------------------------------------------------------------------------------


def test_an_offer_waits_five_working_days_and_is_effective_then() -> None:
    """NEGATIVE_CONSENT_5BD: counted from the arrival, the weekend left out."""
    world = cast_world()
    consent = silent(world)
    made = offered(world)
    (offer,) = world.store.select(OFFERS)
    assert (offer.consent, offer.silent_at) == (consent, END)
    until(world, END - 1)
    assert lots_of(world)[f"{made.sid}.0"].status == "offered"
    until(world, END)
    lot = lots_of(world)[f"{made.sid}.2"]
    assert (lot.holder, lot.account) == (world.ids["s2"], world.accounts["s2"])
    assert not list(world.store.select(OFFERS))
    assert [row.arrived for row in world.store.select(NOTICES)] == [END]
    assert [row.kind for row in world.store.select(DEADLINES)] == ["day.cut-off"]
    last = changes_of(world, -1)
    assert [change["effect"] for change in last] == [
        "lot-assigned", "notice-arrived", "offer-silence-ended",
    ]  # fmt: skip
    assert (last[-1]["consent"], last[-1]["end"]) == (consent, "accepted")
    verify_everything(world)


def test_silence_ends_in_the_same_rows_as_a_word() -> None:
    ends = []
    for is_silent in (True, False):
        world = cast_world()
        if is_silent:
            silent(world)
        made = offered(world)
        until(world, END)
        if not is_silent:
            world.accept(made.sid, by="s2")
        lots = {name.removeprefix(made.sid): lot for name, lot in lots_of(world).items()}
        ends.append(
            {
                name: (lot.amount, lot.holder, lot.account, lot.path, lot.tier, lot.status)
                for name, lot in lots.items()
            }
        )
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("kind", "by"),
    [("transfer.reject", "s2"), ("transfer.withdraw", "s1"), ("transfer.accept", "s2")],
)
def test_a_word_before_the_deadline_counts_instead(kind: str, by: str) -> None:
    world = cast_world()
    silent(world)
    made = offered(world)
    body: dict[str, Json] = {}
    if kind == "transfer.accept":
        body = {"account": world.accounts["s2"], "collection_route": False}
    world.do(by, kind, body, re=made.sid)
    assert [row.kind for row in world.store.select(DEADLINES)] == ["day.cut-off"]
    until(world, END)
    assert ended(world) == []
    assert (f"{made.sid}.2" in lots_of(world)) == (kind == "transfer.accept")
    verify_everything(world)


def test_an_offer_that_ends_before_is_not_accepted_by_silence() -> None:
    """The offer's own deadline stays: five days of silence do not fit into four."""
    world = cast_world()
    silent(world)
    made = offered(world, accept_by="2025-07-08")
    (offer,) = world.store.select(OFFERS)
    assert (offer.accept_by, offer.silent_at) == (END, None)
    until(world, END)
    assert lots_of(world)[f"{made.sid}.0"].status == "free"
    verify_everything(world)


def test_where_the_calendar_ends_silence_is_no_answer() -> None:
    world = cast_world()
    world.advance(instant(date(2026, 12, 28)))
    silent(world)
    lot = f"{world.issue(due_on='2027-06-30', accept_by='2027-01-20')}.0"
    body = world.offer_body(lot, 100, "s2", accept_by="2027-03-01")
    assert not isinstance(attempt(world, Draft(by="s1", kind="transfer.offer", body=body)),
                          RegistryError)  # fmt: skip
    (offer,) = world.store.select(OFFERS)
    assert offer.silent_at is None


def withdrawn(world: World, consent: str) -> None:
    world.do("s2", "consent.withdraw", {}, re=consent)


def replaced(world: World, _consent: str) -> None:
    silent(world, minimum="1")


def joined(world: World, _consent: str) -> None:
    (voucher,) = world.store.select(VOUCHERS)
    world.do("s2", "voucher.accede", accession(), re=voucher.voucher)


def blacked_out(world: World, _consent: str) -> None:
    world.enforce(blackout={"calendar": "CN-LEGAL", "working_days": 20})


def explicit_only(world: World, _consent: str) -> None:
    world.enforce(acceptance=["explicit"])


@pytest.mark.parametrize(
    ("happens", "end"),
    [
        (withdrawn, "no-consent"),
        (replaced, "no-consent"),
        (explicit_only, "no-consent"),
        (joined, "owes-voucher"),
        (blacked_out, "blackout"),
    ],
)
def test_what_no_longer_holds_leaves_the_offer_waiting(happens: Any, end: str) -> None:
    world = cast_world()
    consent = silent(world)
    body = world.offer_body(
        f"{world.issue(due_on='2025-07-31')}.0", 100, "s2", accept_by="2025-07-20"
    )
    made = attempt(world, Draft(by="s1", kind="transfer.offer", body=body))
    assert not isinstance(made, RegistryError)
    happens(world, consent)
    until(world, END)
    assert ended(world) == [end]
    (offer,) = world.store.select(OFFERS)
    assert (offer.consent, offer.silent_at) == (None, None)
    assert lots_of(world)[f"{made.sid}.0"].status == "offered"
    until(world, offer.accept_by)
    assert lots_of(world)[f"{made.sid}.0"].status == "free"
    verify_everything(world)


def test_a_revoked_keys_consent_is_no_word() -> None:
    world = cast_world()
    attempt(world, key_add(world, by="s2"))
    silent(world)
    offered(world)
    kid = world.keys["s2"].public.kid
    world.do("s2", "key.revoke", {"kid": kid})
    assert not list(world.store.select(CONSENTS))
    until(world, END)
    assert ended(world) == ["no-consent"]
    verify_everything(world)


@pytest.mark.parametrize("mode", ["auto", "silence", "explicit"])
def test_two_offers_that_exceed_a_holding_together_do_not_both_succeed(mode: str) -> None:
    """PF-01: of two offers of 60 % each, exactly one is taken, in every mode of acceptance."""
    world = cast_world()
    for name in ("s2", "s3"):
        if mode != "explicit":
            more: dict[str, Json] = {"silence": dict(FIVE)} if mode == "silence" else {}
            grant(world, by=name, **more)
    lot = f"{world.issue()}.0"
    texts = [
        world.sign("s1", "transfer.offer", world.offer_body(lot, 60_000_000, name))
        for name in ("s2", "s3")
    ]
    first, second = world.submit(*texts)
    assert not isinstance(first, RegistryError)
    assert isinstance(second, LotNotFoundError)
    rest = Draft(
        by="s1",
        kind="transfer.offer",
        body=world.offer_body(f"{first.sid}.1", 60_000_000, "s3"),
    )
    assert isinstance(refusal(world, rest), InsufficientHoldingError)
    until(world, END)
    if mode == "explicit":
        world.accept(first.sid, by="s2")
    held = {row.holder: row.amount for row in world.store.select(LOTS)}
    assert held == {world.ids["s1"]: 40_000_000, world.ids["s2"]: 60_000_000}
    verify_everything(world)


def test_a_lost_account_leaves_the_offer_waiting() -> None:
    """No kind unverifies an account today; should one come, nobody is paid into it."""
    world = cast_world()
    silent(world)
    draft = offer_to(world)
    account = world.accounts["s2"]
    rows = replayed(world).rows
    row = rows.get(ACCOUNTS, account)
    assert row is not None
    rows.put(ACCOUNTS, replace(row, verified=False))
    offered_only = [type(effect).effect for effect in decide(world, draft, rows)]
    assert offered_only == ["lot-offered", "deadline-set"]


# --- Vouchers ---------------------------------------------------------------------------------


def test_a_voucher_is_accepted_by_its_first_holders_silence() -> None:
    world = cast_world()
    consent = silent(world, by="s1", purpose="issue")
    made = world.do("core", "voucher.issue", world.issue_body())
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.consent, voucher.silent_at) == ("issued", consent, END)
    until(world, END)
    (lot,) = world.store.select(LOTS)
    assert (lot.lot, lot.holder) == (f"{made.sid}.0", world.ids["s1"])
    assert lot.account == world.accounts["s1"]
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.consent, voucher.silent_at) == ("active", None, None)
    assert [row.kind for row in world.store.select(DEADLINES)] == ["day.cut-off"]
    assert ended(world) == ["accepted"]
    verify_everything(world)


@pytest.mark.parametrize(
    ("kind", "by"),
    [("voucher.refuse", "s1"), ("voucher.withdraw", "core"), ("voucher.accept", "s1")],
)
def test_a_word_about_a_voucher_counts_instead(kind: str, by: str) -> None:
    world = cast_world()
    silent(world, by="s1", purpose="issue")
    made = world.do("core", "voucher.issue", world.issue_body())
    body: dict[str, Json] = {}
    if kind == "voucher.accept":
        body = {"account": world.accounts["s1"], "collection_route": False}
    world.do(by, kind, body, re=made.sid)
    assert {row.kind for row in world.store.select(DEADLINES)} <= {"day.cut-off"}
    until(world, END)
    assert ended(world) == []
    assert bool(list(world.store.select(LOTS))) == (kind == "voucher.accept")
    verify_everything(world)


@pytest.mark.parametrize("how", ["withdrawn", "joined"])
def test_what_no_longer_holds_leaves_the_voucher_waiting(how: str) -> None:
    world = cast_world()
    consent = silent(world, by="s1", purpose="issue")
    made = world.do("core", "voucher.issue", world.issue_body())
    if how == "withdrawn":
        world.do("s1", "consent.withdraw", {}, re=consent)
    else:
        world.do("s1", "voucher.accede", accession(), re=made.sid)
    until(world, END)
    assert ended(world) == ["no-consent" if how == "withdrawn" else "owes-voucher"]
    (voucher,) = world.store.select(VOUCHERS)
    assert (voucher.status, voucher.silent_at) == ("issued", None)
    until(world, voucher.accept_by)
    (voucher,) = world.store.select(VOUCHERS)
    assert voucher.status == "expired"
    verify_everything(world)


def test_a_consent_to_other_debtors_does_not_cover_a_voucher() -> None:
    world = cast_world()
    silent(world, by="s1", purpose="issue", assignors=[world.ids["s3"]])
    world.do("core", "voucher.issue", world.issue_body())
    (voucher,) = world.store.select(VOUCHERS)
    assert voucher.silent_at is None


def test_a_consent_says_by_which_calendar_it_counts() -> None:
    """In the week of 2025-09-28, a worked Sunday, trading days and working days differ."""
    ends = []
    for calendar in ("CN-LEGAL", "CN-TRADING"):
        world = cast_world()
        world.advance(instant(date(2025, 9, 26)))
        body = consent_body(world, "s2", silence={"calendar": calendar, "working_days": 2})
        world.do("s2", "consent.grant", body)
        lot = f"{world.issue(accept_by='2025-10-01')}.0"
        world.do("s1", "transfer.offer", world.offer_body(lot, 100, "s2"))
        (offer,) = world.store.select(OFFERS)
        ends.append(offer.silent_at)
    assert ends == [
        instant(date(2025, 9, 30), hour=0),  # Sunday, Monday
        instant(date(2025, 10, 1), hour=0),  # Monday, Tuesday
    ]


def test_attack_silence_takes_a_financier_over_its_limit() -> None:
    """FR-06: what it would not accept by a word it does not accept by saying nothing."""
    world = cast_world()
    silent(world, by="factor", purpose="issue")
    limit: dict[str, Json] = {"debtor": world.ids["core"], "amount": "99999999"}
    world.do("factor", "exposure.limit", limit)
    voucher = pending_voucher(world, creditor=world.ids["factor"], accept_by="2025-07-20")
    until(world, END)
    assert ended(world) == ["over-limit"]
    (row,) = world.store.select(VOUCHERS)
    assert (row.voucher, row.status, row.silent_at) == (voucher, "issued", None)
    verify_everything(world)


def test_attack_a_calendar_that_begins_too_late_stops_what_is_due() -> None:
    # A deadline cannot refuse: it would have come again and again, and nothing after it.
    world = cast_world()
    late: dict[str, Json] = {"name": "LATE", "holidays": [], "workdays": []}
    world.do("operator", "calendar.publish", {**late, "first": "2025-07-01", "last": "2026-12-31"})
    silent(world)
    lot = f"{world.issue(due_on='2025-07-31')}.0"
    attempt(
        world,
        Draft(
            by="s1",
            kind="transfer.offer",
            body=world.offer_body(lot, 100, "s2", accept_by="2025-07-20"),
        ),
    )
    world.enforce(blackout={"calendar": "LATE", "working_days": 30})
    until(world, END)
    assert ended(world) == ["blackout"]
    verify_everything(world)
