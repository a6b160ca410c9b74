"""One acceptable statement of every kind that burdens, disputes, registers or secures.

Each function brings the world to where the next statement is acceptable, and returns an id.
"""

from collections.abc import Callable
from datetime import date

from registry.assignment import assigned_id
from registry.canonical import Json
from registry.ids import Sid
from tests.builders import DIGEST, World
from tests.draft import Draft

FILE: dict[str, Json] = {"digest": DIGEST, "name": "paper.pdf"}
RULING: dict[str, Json] = {"authority": "重庆市大渡口区人民法院", "number": DIGEST, "order": FILE}
TERMS: dict[str, Json] = {"terms": DIGEST}
REGISTER_BY = date(2025, 7, 15)


def external(world: World, **members: Json) -> dict[str, Json]:
    """Returns what a certificate of registration says."""
    body: dict[str, Json] = {
        "number": "18230000000000000001",
        "registered_at": world.time,
        "expires_on": "2026-07-01",
        "certificate": FILE,
        "calendar": "CN-LEGAL",
    }
    return {**body, **members}


# --- Pledges --------------------------------------------------------------------------


def pledge_body(world: World, lot: str, **members: Json) -> dict[str, Json]:
    """Returns a pledge of 60,000,000 of a lot to the factor."""
    body: dict[str, Json] = {
        "lot": lot,
        "amount": "60000000",
        "pledgee": world.ids["factor"],
        "secured": "50000000",
        "account": world.accounts["factor"],
        "register_by": REGISTER_BY.isoformat(),
        "terms": DIGEST,
    }
    return {**body, **members}


def pledge(world: World, lot: str = "", **members: Json) -> str:
    """Pledges a lot of s1's; pending."""
    lot = lot or f"{world.issue()}.0"
    return world.do("s1", "pledge.create", pledge_body(world, lot, **members)).sid


def registered_pledge(world: World, lot: str = "") -> tuple[str, str]:
    """Pledges and registers; returns the pledge and its registration."""
    made = pledge(world, lot)
    return made, world.do("factor", "pledge.register", external(world), re=made).sid


def _pledge_create(world: World) -> Draft:
    body = pledge_body(world, f"{world.issue()}.0")
    return Draft(by="s1", kind="pledge.create", body=body)


def _pledge_register(world: World) -> Draft:
    made = pledge(world)
    return Draft(by="factor", kind="pledge.register", body=external(world), re=made)


def _pledge_enforce(world: World) -> Draft:
    made, _ = registered_pledge(world)
    return Draft(by="factor", kind="pledge.enforce", body={"evidence": [FILE]}, re=made)


def _pledge_release(world: World) -> Draft:
    made, _ = registered_pledge(world)
    return Draft(by="factor", kind="pledge.release", re=made)


# --- Freezes --------------------------------------------------------------------------


def freeze(world: World, lot: str = "") -> str:
    """Freezes a lot, by default a new one of s1's."""
    lot = lot or f"{world.issue()}.0"
    return world.do("registrar", "lot.freeze", {**RULING, "lot": lot}).sid


def court_body(world: World, basis: str = "due-debt-notice") -> dict[str, Json]:
    """Returns a court's demand to be paid."""
    return {**RULING, "basis": basis, "bank": world.ids["bank"], "account": DIGEST}


def ordered_freeze(world: World, *, basis: str = "due-debt-notice") -> str:
    """Freezes a lot and orders payment to the court."""
    made = freeze(world)
    world.do("registrar", "lot.pay-to-court", court_body(world, basis), re=made)
    return made


def _lot_freeze(world: World) -> Draft:
    body: dict[str, Json] = {**RULING, "lot": f"{world.issue()}.0"}
    return Draft(by="registrar", kind="lot.freeze", body=body)


def _lot_unfreeze(world: World) -> Draft:
    return Draft(by="registrar", kind="lot.unfreeze", body={**RULING}, re=freeze(world))


def _lot_pay_to_court(world: World) -> Draft:
    made = freeze(world)
    return Draft(by="registrar", kind="lot.pay-to-court", body=court_body(world), re=made)


def _lot_object(world: World) -> Draft:
    made = ordered_freeze(world)
    return Draft(by="core", kind="lot.object", body={"terms": DIGEST}, re=made)


def _account_freeze(world: World) -> Draft:
    account = world.accounts["s1"]
    return Draft(by="bank", kind="account.freeze", body={**RULING}, re=account)


def _account_unfreeze(world: World) -> Draft:
    account = world.accounts["s1"]
    world.do("bank", "account.freeze", RULING, re=account)
    return Draft(by="bank", kind="account.unfreeze", body={**RULING}, re=account)


# --- Disputes -------------------------------------------------------------------------


def dispute(world: World, voucher: str = "") -> str:
    """Raises a dispute of 12,000,000 about a voucher."""
    body: dict[str, Json] = {"amount": "12000000", "terms": DIGEST}
    return world.do("core", "dispute.raise", body, re=voucher or world.issue()).sid


def _dispute_raise(world: World) -> Draft:
    body: dict[str, Json] = {"amount": "12000000", "terms": DIGEST}
    return Draft(by="core", kind="dispute.raise", body=body, re=world.issue())


def _dispute_answer(world: World) -> Draft:
    return Draft(by="s1", kind="dispute.answer", body={"terms": DIGEST}, re=dispute(world))


def _dispute_resolve(world: World) -> Draft:
    body: dict[str, Json] = {"owed": "5000000", "terms": DIGEST}
    return Draft(by="s1", kind="dispute.resolve", body=body, re=dispute(world))


def _dispute_withdraw(world: World) -> Draft:
    return Draft(by="core", kind="dispute.withdraw", re=dispute(world))


# --- Registrations --------------------------------------------------------------------


def financed(world: World) -> str:
    """Transfers a lot of s1's to the factor, to finance; returns the transfer."""
    lot = f"{world.issue()}.0"
    return world.transfer(lot, 60_000_000, by="s1", to="factor", purpose="finance")


def undertaking(transfer: str) -> dict[str, Json]:
    """Returns a word to register a transfer within 20 working days of today."""
    return {
        "lot": assigned_id(Sid(transfer)),
        "since": "2025-07-01",
        "working_days": 20,
        "calendar": "CN-LEGAL",
    }


def of_transfer(world: World, transfer: str) -> dict[str, Json]:
    """Returns a registration of a transfer, by what it brought."""
    return external(world, lot=assigned_id(Sid(transfer)))


def filing(world: World, transfer: str = "") -> str:
    """States a registration of a transfer to the factor."""
    body = of_transfer(world, transfer or financed(world))
    return world.do("factor", "registration.record", body).sid


def change_body(world: World, **members: Json) -> dict[str, Json]:
    """Returns a renewal by a year."""
    body: dict[str, Json] = {
        "change": "renewed",
        "number": "18230000000000000002",
        "changed_at": world.time,
        "expires_on": "2027-07-01",
        "certificate": FILE,
    }
    return {**body, **members}


def cancel_body(world: World) -> dict[str, Json]:
    """Returns a cancellation."""
    return {"number": "18230000000000000003", "cancelled_at": world.time, "certificate": FILE}


def search_body(world: World, lot: str, *names: str) -> dict[str, Json]:
    """Returns a search over parties."""
    certificates: list[Json] = [
        {"party": party, "number": "CX-1", "searched_at": world.time, "file": FILE}
        for party in sorted(world.ids[name] for name in names)
    ]
    return {"lot": lot, "certificates": certificates}


def _registration_undertake(world: World) -> Draft:
    body = undertaking(financed(world))
    return Draft(by="factor", kind="registration.undertake", body=body)


def _registration_record(world: World) -> Draft:
    body = of_transfer(world, financed(world))
    return Draft(by="factor", kind="registration.record", body=body)


def _registration_change(world: World) -> Draft:
    made = filing(world)
    return Draft(by="factor", kind="registration.change", body=change_body(world), re=made)


def _registration_cancel(world: World) -> Draft:
    made = filing(world)
    return Draft(by="factor", kind="registration.cancel", body=cancel_body(world), re=made)


def _registration_search(world: World) -> Draft:
    lot = f"{financed(world)}.2"
    body = search_body(world, lot, "s1", "factor")
    return Draft(by="factor", kind="registration.search", body=body)


# --- Accessory rights -----------------------------------------------------------------


PROMISE: dict[str, Json] = {"addressee": "holders", "trigger": "due"}


def accessory_body(right: str = "guarantee", cap: str = "100000000") -> dict[str, Json]:
    """Returns a right that secures a voucher."""
    body: dict[str, Json] = {"right": right, "cap": cap, "document": FILE}
    return body | ({"promise": PROMISE} if right in ("guarantee", "shortfall") else {})


def _accessory_attach(world: World) -> Draft:
    return Draft(by="s3", kind="accessory.attach", body=accessory_body(), re=world.issue())


ENCUMBERED: dict[str, Callable[[World], Draft]] = {
    "pledge.create": _pledge_create,
    "pledge.register": _pledge_register,
    "pledge.enforce": _pledge_enforce,
    "pledge.release": _pledge_release,
    "lot.freeze": _lot_freeze,
    "lot.unfreeze": _lot_unfreeze,
    "lot.pay-to-court": _lot_pay_to_court,
    "lot.object": _lot_object,
    "account.freeze": _account_freeze,
    "account.unfreeze": _account_unfreeze,
    "dispute.raise": _dispute_raise,
    "dispute.answer": _dispute_answer,
    "dispute.resolve": _dispute_resolve,
    "dispute.withdraw": _dispute_withdraw,
    "registration.undertake": _registration_undertake,
    "registration.record": _registration_record,
    "registration.change": _registration_change,
    "registration.cancel": _registration_cancel,
    "registration.search": _registration_search,
    "accessory.attach": _accessory_attach,
}
