"""States × statements: every status of a thing, and every kind that addresses it.

Only the transitions listed here happen. A kind or a status without a row fails.
"""

from collections.abc import Callable
from datetime import date

import pytest

from registry.canonical import Json
from registry.entries import open_entry
from registry.errors import RegistryError
from registry.model import CONSENTS, OFFERS, VOUCHERS, LotStatus, VoucherStatus
from registry.refusals import (
    AnswerMissingError,
    LotLockedError,
    LotNotFoundError,
    VoucherStatusError,
)
from registry.tables import replace
from tests.builders import DIGEST, World, instant, key_of
from tests.encumbered import FILE, accessory_body
from tests.policies import FIVE
from tests.scenario import (
    GOOD,
    RULEBOOK,
    Draft,
    attempt,
    cast_world,
    consent_body,
    decide,
    good,
    grant,
    key_add,
    lots_of,
    open_offer,
    pending_voucher,
    refusal,
    replayed,
    verify_everything,
)

# --- Vouchers -------------------------------------------------------------------------

VOUCHER_TRANSITIONS = {
    ("issued", "voucher.accept"): "active",
    ("issued", "voucher.refuse"): "refused",
    ("issued", "voucher.withdraw"): "withdrawn",
    ("issued", "voucher.expire"): "expired",
    ("issued", "voucher.silence"): "active",  # see tests/registry/rules/test_silences.py
    ("issued", "voucher.accede"): "issued",
    ("active", "voucher.accede"): "active",
    ("active", "voucher.void"): "active",
    ("issued", "accessory.attach"): "issued",
    ("active", "accessory.attach"): "active",
    ("active", "dispute.raise"): "active",
}
VOUCHER_KINDS = [kind.name for kind in RULEBOOK.kinds.values() if "voucher.issue" in kind.answers]


def _voucher_answer(world: World, kind: str, voucher: str) -> Draft:
    accede: dict[str, Json] = {
        "scope": "full",
        "addressee": "holders",
        "resolution": {"digest": DIGEST, "name": "resolution.pdf"},
    }
    payee: dict[str, Json] = {"account": world.accounts["s1"], "collection_route": True}
    claim: dict[str, Json] = {"amount": "5", "terms": DIGEST}
    return {
        "voucher.accept": Draft(by="s1", kind=kind, body=payee, re=voucher),
        "voucher.refuse": Draft(by="s1", kind=kind, re=voucher),
        "voucher.withdraw": Draft(by="core", kind=kind, re=voucher),
        "voucher.accede": Draft(by="s3", kind=kind, body=accede, re=voucher),
        "voucher.void": Draft(by="core", kind=kind, body={"ground": FILE}, re=voucher),
        "accessory.attach": Draft(by="s3", kind=kind, body=accessory_body(), re=voucher),
        "dispute.raise": Draft(by="core", kind=kind, body=claim, re=voucher),
    }[kind]


REACHES: dict[str, str] = {
    "active": "voucher.accept",
    "refused": "voucher.refuse",
    "withdrawn": "voucher.withdraw",
}


def _voucher_in(status: str) -> tuple[World, str]:
    world = cast_world()
    voucher = pending_voucher(world)
    if status == "expired":
        world.advance(instant(date(2025, 7, 11), hour=0))
        world.engine.submit([])
    elif status == "voided":
        world.do(
            "s1", "voucher.accept", _voucher_answer(world, "voucher.accept", "").body, re=voucher
        )
        voiding = world.do("core", "voucher.void", {"ground": FILE}, re=voucher).sid
        world.do("s1", "voucher.agree-void", {"lots": [f"{voucher}.0"]}, re=voiding)
    elif status in REACHES:
        made = attempt(world, _voucher_answer(world, REACHES[status], voucher))
        assert not isinstance(made, RegistryError)
    return world, voucher


def _status_of(world: World, voucher: str) -> str:
    (row,) = (row for row in world.store.select(VOUCHERS) if row.voucher == voucher)
    return row.status


def test_the_table_names_every_kind_that_answers_a_voucher() -> None:
    timed = {"voucher.expire", "voucher.silence"}
    assert {kind for _, kind in VOUCHER_TRANSITIONS} == {*VOUCHER_KINDS, *timed}


@pytest.mark.parametrize("kind", VOUCHER_KINDS)
@pytest.mark.parametrize("status", [s for s in VoucherStatus if s != VoucherStatus.SETTLED])
def test_only_listed_transitions_of_a_voucher_happen(status: str, kind: str) -> None:
    world, voucher = _voucher_in(status)
    assert _status_of(world, voucher) == status
    draft = _voucher_answer(world, kind, voucher)
    if (status, kind) in VOUCHER_TRANSITIONS:
        assert not isinstance(attempt(world, draft), RegistryError)
        assert _status_of(world, voucher) == VOUCHER_TRANSITIONS[status, kind]
    else:
        assert isinstance(refusal(world, draft), VoucherStatusError)
    verify_everything(world)


@pytest.mark.parametrize("kind", sorted({*VOUCHER_KINDS} - {"dispute.raise"}))
def test_a_settled_voucher_is_final(kind: str) -> None:
    world, voucher = _voucher_in("active")
    rows = replayed(world).rows
    row = rows.get(VOUCHERS, voucher)
    assert row is not None
    rows.put(VOUCHERS, replace(row, status=VoucherStatus.SETTLED))
    with pytest.raises(VoucherStatusError):
        decide(world, _voucher_answer(world, kind, voucher), rows)


@pytest.mark.parametrize("status", [s for s in VoucherStatus if s != VoucherStatus.SETTLED])
def test_only_a_voucher_that_waits_expires(status: str) -> None:
    world, voucher = _voucher_in(status)
    before = world.store.size()
    world.advance(instant(date(2025, 7, 12)))
    world.engine.submit([])
    kinds = [open_entry(data).kind for data in world.entries()[before:]]
    assert ("voucher.expire" in kinds) == ((status, "voucher.expire") in VOUCHER_TRANSITIONS)
    expected = VOUCHER_TRANSITIONS.get((status, "voucher.expire"), status)
    assert _status_of(world, voucher) == expected
    verify_everything(world)


# --- Lots -----------------------------------------------------------------------------

LOT_KINDS = {
    "transfer.offer", "payee.change", "pledge.create", "lot.freeze", "registration.search",
    "registration.undertake", "registration.record", "early.offer", "financing.apply",
    "voucher.refuse-accession", "voucher.agree-void",
}  # fmt: skip


def test_few_statements_name_a_lot() -> None:
    names = {
        kind.name
        for kind in RULEBOOK.kinds.values()
        if {"lot", "lots"} & set(kind.body.model_fields)
    }
    assert names == LOT_KINDS


def _lot_in(status: str) -> tuple[World, str]:
    world = cast_world()
    voucher = world.issue()
    if status == "free":
        return world, f"{voucher}.0"
    offer = world.offer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    if status == "offered":
        return world, f"{offer}.0"
    world.accept(offer, by="s2")
    return world, {"split": f"{voucher}.0", "assigned": f"{offer}.0", "not made": f"{offer}.9"}[
        status
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (LotStatus.FREE, None),
        (LotStatus.OFFERED, LotLockedError),
        ("split", LotNotFoundError),
        ("assigned", LotNotFoundError),
        ("not made", LotNotFoundError),
    ],
)
def test_only_a_free_lot_is_offered(status: str, error: type[RegistryError] | None) -> None:
    world, lot = _lot_in(status)
    draft = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 5, "s3"))
    if error is None:
        assert not isinstance(attempt(world, draft), RegistryError)
    else:
        assert type(refusal(world, draft)) is error
    verify_everything(world)


# --- Offers ---------------------------------------------------------------------------

OFFER_KINDS = [
    kind.name for kind in RULEBOOK.kinds.values() if kind.answers.get("transfer.offer") is OFFERS
]
"""What answers an open offer; `notice.give` is about one that was accepted."""


def _offer_answer(world: World, kind: str, offer: str) -> Draft:
    payee: dict[str, Json] = {"account": world.accounts["s2"], "collection_route": True}
    return {
        "transfer.accept": Draft(by="s2", kind=kind, body=payee, re=offer),
        "transfer.reject": Draft(by="s2", kind=kind, re=offer),
        "transfer.withdraw": Draft(by="s1", kind=kind, re=offer),
    }[kind]


def _end_by_time(world: World, _offer: str) -> None:
    world.advance(instant(date(2025, 12, 2), hour=0))
    world.engine.submit([])


def _replace_key(world: World, name: str) -> None:
    attempt(world, key_add(world, by=name))
    world.do(name, "key.revoke", {"kid": key_of(name).public.kid})
    world.keys[name] = key_of("further")
    world.engine.submit([])


def _end_by_revocation(world: World, _offer: str) -> None:
    _replace_key(world, "s1")


def _end_by(kind: str) -> Callable[[World, str], None]:
    def end(world: World, offer: str) -> None:
        assert not isinstance(attempt(world, _offer_answer(world, kind, offer)), RegistryError)

    return end


def _end_by_silence(world: World, _offer: str) -> None:
    (offer,) = world.store.select(OFFERS)
    assert offer.silent_at is not None
    world.advance(offer.silent_at)
    world.engine.submit([])


OFFER_ENDS: dict[str, Callable[[World, str], None]] = {
    **{kind: _end_by(kind) for kind in OFFER_KINDS},
    "transfer.expire": _end_by_time,
    "transfer.silence": _end_by_silence,
    "transfer.cancel": _end_by_revocation,
}


def test_every_end_of_an_offer_has_a_row() -> None:
    timed = {name for name in RULEBOOK.timed if name.startswith("transfer.")}
    # It ends no offer itself: it sets the ends of those that no entry had room for.
    assert set(OFFER_ENDS) == {*OFFER_KINDS, *timed} - {"transfer.cancel-more"}


@pytest.mark.parametrize("again", OFFER_KINDS)
@pytest.mark.parametrize("end", OFFER_ENDS)
def test_an_offer_ends_once(end: str, again: str) -> None:
    world = cast_world()
    if end == "transfer.silence":
        grant(world, silence=dict(FIVE))
    offer = open_offer(world)
    OFFER_ENDS[end](world, offer)
    assert list(world.store.select(OFFERS)) == []
    assert isinstance(refusal(world, _offer_answer(world, again, offer)), AnswerMissingError)
    lots = lots_of(world)
    taken = end in {"transfer.accept", "transfer.silence"}
    owner, name = ("s2", f"{offer}.2") if taken else ("s1", f"{offer}.0")
    assert (lots[name].holder, lots[name].status) == (world.ids[owner], "free")
    assert len(lots) == 2
    verify_everything(world)


# --- Standing consents ------------------------------------------------------------------

CONSENT_ENDS: dict[str, Callable[[World, str], object]] = {
    "consent.grant": lambda world, _: grant(world, minimum="7"),
    "consent.withdraw": lambda world, consent: world.do("s2", "consent.withdraw", {}, re=consent),
    "consent.cancel": lambda world, _: _replace_key(world, "s2"),
}


def test_every_end_of_a_consent_has_a_row() -> None:
    names = {name for name in (*RULEBOOK.kinds, *RULEBOOK.timed) if name.startswith("consent.")}
    assert set(CONSENT_ENDS) == names


@pytest.mark.parametrize("end", CONSENT_ENDS)
def test_a_consent_ends_once(end: str) -> None:
    world = cast_world()
    consent = grant(world)
    CONSENT_ENDS[end](world, consent)
    left = [row.consent for row in world.store.select(CONSENTS)]
    assert consent not in left
    assert len(left) == (end == "consent.grant")
    again = Draft(by="s2", kind="consent.withdraw", re=consent)
    assert isinstance(refusal(world, again), AnswerMissingError)
    # What has ended can be granted again.
    body = consent_body(world, "s2")
    assert not isinstance(
        attempt(world, Draft(by="s2", kind="consent.grant", body=body)), Exception
    )
    verify_everything(world)


@pytest.mark.parametrize("end", CONSENT_ENDS)
def test_a_consent_covers_from_its_grant_to_its_end(end: str) -> None:
    world = cast_world()
    lot = f"{world.issue()}.0"
    waits = world.offer(lot, 5, by="s1", to="s2")
    consent = grant(world)
    taken = world.offer(f"{waits}.1", 5, by="s1", to="s2")
    CONSENT_ENDS[end](world, consent)
    later = world.offer(f"{taken}.1", 5, by="s1", to="s2")
    assert {row.offer for row in world.store.select(OFFERS)} == {waits, later}
    assert lots_of(world)[f"{taken}.2"].holder == world.ids["s2"]
    verify_everything(world)


# --- What is open to an answer of another kind ------------------------------------------

OPEN = {
    "party.register", "vehicle.register", "account.register", "consent.grant", "voucher.issue",
    "transfer.offer", "voucher.void", "pledge.create", "pledge.register", "lot.freeze",
    "early.offer", "financing.apply", "dispute.raise", "registration.record", "party.suspend",
    "affiliation.declare", "notice.revoke", "power.grant", "voucher.accede",
    "mandate.grant", "account.stage",
}  # fmt: skip
ANY_THAT_WAITS = "any that waits"
"""What `approve` and `disapprove` answer: no kind, but what became of one."""


@pytest.mark.parametrize("answered", sorted(OPEN))
@pytest.mark.parametrize("kind", [k.name for k in RULEBOOK.kinds.values() if k.answers])
def test_an_answer_names_the_kind_that_it_answers(kind: str, answered: str) -> None:
    world, draft = good(kind)
    assert set(RULEBOOK.kinds[kind].answers) <= OPEN | {ANY_THAT_WAITS}
    if answered in RULEBOOK.kinds[kind].answers:
        return
    if answered == "party.register" and "new" in world.ids:
        del world.ids["new"], world.keys["new"]
    if kind == "party.reinstate" and answered == "voucher.accede":
        world = cast_world()  # whoever would join is suspended in the other one
    given = GOOD[answered](world)
    if kind in ("approve", "disapprove") and answered == "mandate.grant":
        # By s1 it would wait for a second person there, and be theirs to answer.
        given = Draft(by="s2", kind=answered, body={"account": world.accounts["s2"]})
    made = attempt(world, given)
    assert not isinstance(made, RegistryError)
    draft.re = made.sid
    assert isinstance(refusal(world, draft), AnswerMissingError)


@pytest.mark.parametrize("kind", [k.name for k in RULEBOOK.kinds.values() if k.answers])
def test_an_answer_needs_something_to_answer(kind: str) -> None:
    world, draft = good(kind)
    for odd in (None, DIGEST):
        draft.re = odd
        assert isinstance(refusal(world, draft), AnswerMissingError)


@pytest.mark.parametrize("kind", [k.name for k in RULEBOOK.kinds.values() if not k.answers])
def test_what_answers_nothing_names_nothing(kind: str) -> None:
    world, draft = good(kind)
    draft.re = DIGEST
    assert isinstance(refusal(world, draft), AnswerMissingError)
