"""One acceptable statement of every kind about early payment and financing."""

from collections.abc import Callable, Mapping
from typing import Protocol

from registry.canonical import Json
from tests.builders import DIGEST, World
from tests.draft import Draft
from tests.encumbered import FILE, external


class Cast(Protocol):
    """Whoever knows parties by short names: a world, or a server's street."""

    @property
    def ids(self) -> Mapping[str, str]: ...
    @property
    def accounts(self) -> Mapping[str, str]: ...


# --- Early payment --------------------------------------------------------------------


def early_body(lot: str, **members: Json) -> dict[str, Json]:
    """Returns an offer to pay 60,000,000 of a lot early."""
    body: dict[str, Json] = {
        "lot": lot,
        "amount": "60000000",
        "terms": DIGEST,
        "pay_by": "2025-08-01",
    }
    return {**body, **members}


def early(world: World, lot: str = "", **members: Json) -> str:
    """Offers to pay early, by default a new lot of s1's; returns the offer."""
    lot = lot or f"{world.issue()}.0"
    return world.do("core", "early.offer", early_body(lot, **members)).sid


def receipt() -> dict[str, Json]:
    """Returns the holder's receipt."""
    return {"receipt": FILE}


def agreed_early(world: World, lot: str = "", **members: Json) -> str:
    """Agrees with s1 on an early payment; returns the offer."""
    made = early(world, lot, **members)
    world.do("s1", "early.consent", {}, re=made)
    return made


def _early_offer(world: World) -> Draft:
    return Draft(by="core", kind="early.offer", body=early_body(f"{world.issue()}.0"))


# --- Financing ------------------------------------------------------------------------


def apply_body(world: Cast, lot: str, **members: Json) -> dict[str, Json]:
    """Returns an application for 60,000,000 of a lot of s1's, to the factor."""
    body: dict[str, Json] = {
        "lot": lot,
        "amount": "60000000",
        "financier": world.ids["factor"],
        "mode": "forward",
        "recourse": False,
        "payment": "cash",
        "account": world.accounts["s1"],
        "close_by": "2025-09-30",
    }
    return {**body, **members}


def quote_body(world: Cast, **members: Json) -> dict[str, Json]:
    """Returns the factor's quote, on its own account."""
    body: dict[str, Json] = {
        "terms": DIGEST,
        "document": FILE,
        "payment": "cash",
        "account": world.accounts["factor"],
        "collection_route": True,
    }
    return {name: value for name, value in {**body, **members}.items() if value != ""}


SIGNED: dict[str, Json] = {"terms": DIGEST, "document": FILE}
PAID: dict[str, Json] = {"form": "cash", "reference": DIGEST}


def apply(world: World, lot: str = "", **members: Json) -> str:
    """Applies, by default for money for a new lot of s1's; returns the financing."""
    body = apply_body(world, lot or f"{world.issue()}.0", **members)
    return world.do("s1", "financing.apply", body).sid


def quoted(world: World, lot: str = "", **members: Json) -> str:
    """Applies, and has the quote; returns the financing."""
    made = apply(world, lot, **members)
    payment = members.get("payment", "cash")
    account: Json = "" if "vehicle" in members else world.accounts["factor"]
    body = quote_body(world, payment=payment, account=account)
    world.do("factor", "financing.quote", body, re=made)
    return made


def contracted(world: World, lot: str = "", **members: Json) -> str:
    """Has a contract; returns the financing."""
    made = quoted(world, lot, **members)
    world.do("s1", "financing.contract", SIGNED, re=made)
    return made


def stated(world: World, lot: str = "", **members: Json) -> str:
    """Has the financier say that it has paid; returns the financing."""
    made = contracted(world, lot, **members)
    world.do("factor", "financing.pay", PAID, re=made)
    return made


def _financing_apply(world: World) -> Draft:
    body = apply_body(world, f"{world.issue()}.0")
    return Draft(by="s1", kind="financing.apply", body=body)


def _financing_quote(world: World) -> Draft:
    made = apply(world)
    return Draft(by="factor", kind="financing.quote", body=quote_body(world), re=made)


def _financing_confirm(world: World) -> Draft:
    made = apply(world, mode="reverse")
    return Draft(by="core", kind="financing.confirm", body={"document": FILE}, re=made)


def _financing_contract(world: World) -> Draft:
    made = quoted(world)
    return Draft(by="s1", kind="financing.contract", body=dict(SIGNED), re=made)


def _financing_register(world: World) -> Draft:
    made = contracted(world)
    return Draft(by="factor", kind="financing.register", body=external(world), re=made)


DEALINGS: Mapping[str, Callable[[World], Draft]] = {
    "early.offer": _early_offer,
    "early.consent": lambda world: Draft(by="s1", kind="early.consent", re=early(world)),
    "early.receive": lambda world: Draft(
        by="s1", kind="early.receive", body=receipt(), re=agreed_early(world)
    ),
    "financing.apply": _financing_apply,
    "financing.quote": _financing_quote,
    "financing.confirm": _financing_confirm,
    "financing.end": lambda world: Draft(by="factor", kind="financing.end", re=apply(world)),
    "financing.contract": _financing_contract,
    "financing.register": _financing_register,
    "financing.pay": lambda world: Draft(
        by="factor", kind="financing.pay", body=dict(PAID), re=contracted(world)
    ),
    "financing.receive": lambda world: Draft(
        by="s1", kind="financing.receive", body=receipt(), re=stated(world)
    ),
}
