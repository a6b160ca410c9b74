"""The opening: genesis, parties, accounts, mandates, and one voucher split to tier 3."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from api.demo.cast import (
    BANK,
    CORE,
    CUSTODIAN,
    FACTOR,
    OPERATOR,
    PLAN,
    REGISTRAR,
    Actor,
    derive_key,
)
from api.demo.desk import Desk, Part
from registry.canonical import Json
from registry.model import HOLDER_ROLES, Role
from registry.packs import CALENDAR_PACKS, calendar_pack, policy_pack
from registry.rules.keys import POSSESSION_TYP, possession_payload
from registry.signing import PrivateKey, PublicKey, seal_jws

STORY_DUE_ON = date(2025, 6, 27)
STORY_FACE = 100_000_000
POLICY = "cn-2025"


def read_keys(cast: Mapping[str, Actor], *, seed: int) -> dict[str, PrivateKey]:
    """Returns everybody's key of use `read`, by short name; a vehicle reads with its trustee's."""
    return {short: derive_key(seed, f"{short}/read") for short in cast if "#" not in short}


def write_genesis(desk: Desk, log_key: PublicKey) -> None:
    """Opens the ledger, with a manual clock."""
    founders: dict[str, dict[str, Json]] = {
        short: {
            "party": desk.cast[short].party,
            "name": desk.cast[short].name,
            "key": dict(desk.cast[short].key.public.jwk()),
        }
        for short in (OPERATOR, REGISTRAR)
    }
    body: dict[str, Json] = {
        "format": 1,
        "key": dict(desk.cast[OPERATOR].key.public.jwk()),
        "operator": founders[OPERATOR],
        "registrar": founders[REGISTRAR],
        "log_key": dict(log_key.jwk()),
        "currency": "CNY",
        "zone": "+08:00",
        "clock": "manual",
        "policy": policy_pack(POLICY),
        "calendars": [calendar_pack(name) for name in CALENDAR_PACKS],
    }
    desk.say(OPERATOR, "genesis", body)
    desk.flush()


def admit_everybody(desk: Desk) -> None:
    """Registers and admits everybody, with keys to read for those who will."""
    for actor in list(desk.cast.values()):
        if not actor.roles:
            continue
        trustee, _, code = actor.short.partition("#")
        if code:
            body: dict[str, Json] = {"vehicle": actor.party, "name": actor.name}
            registration = desk.say(trustee, "vehicle.register", body)
        else:
            body = {"name": actor.name, "key": dict(actor.key.public.jwk())}
            registration = desk.say(actor.short, "party.register", body)
        admission: dict[str, Json] = {
            "roles": [*actor.roles],
            "binding": "documents" if code else "in-person",
            "evidence": [desk.file(f"{actor.party.replace('#', '-')}-licence.pdf")],
        }
        desk.say(REGISTRAR, "party.admit", admission, re=registration)
    desk.flush()
    for short, key in read_keys(desk.cast, seed=desk.seed).items():
        actor = desk.cast[short]
        payload = possession_payload(origin=desk.origin, party=actor.party, key=key.public)
        proof = seal_jws(key, typ=POSSESSION_TYP, payload=payload)
        new: dict[str, Json] = {"key": dict(key.public.jwk()), "use": "read", "proof": proof}
        desk.say(short, "key.add", new)
    desk.flush()


def save_keys(desk: Desk, directory: Path) -> None:
    """Keeps every key as PKCS #8, readable by the owner of the files alone."""
    directory.mkdir(parents=True, exist_ok=True)
    pairs = {short: actor.key for short, actor in desk.cast.items() if "#" not in short}
    pairs |= {f"{short}.read": key for short, key in read_keys(desk.cast, seed=desk.seed).items()}
    for name, key in pairs.items():
        path = directory / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_bytes(key.to_pem())


def open_accounts(desk: Desk) -> None:
    """Gives every possible holder an account that its bank verifies, and a mandate to debit it."""
    for number, actor in enumerate(desk.cast.values()):
        if not HOLDER_ROLES.intersection(actor.roles):
            continue
        bank = CUSTODIAN if actor.short == PLAN else BANK
        terms: dict[str, Json] = {
            "account_name": actor.name,
            "account_no": f"1100{number:012d}",
            "bank_name": desk.cast[bank].name,
            "bank_code": "110110001234" if bank == CUSTODIAN else "100100005678",
        }
        body: dict[str, Json] = {
            "bank": desk.cast[bank].party,
            "account_kind": "trust" if actor.short == PLAN else "settlement",
            "terms": desk.hide(actor.short, terms),
        }
        account = desk.say(actor.short, "account.register", body)
        desk.say(bank, "account.verify", {}, re=account)
        desk.accounts[actor.short] = account
        mandate = desk.say(actor.short, "mandate.grant", {"account": account})
        desk.mandates[actor.short] = mandate
    desk.flush()


def designate_inboxes(desk: Desk) -> None:
    """Has everybody who could owe or secure a voucher designate its inbox for notices."""
    for actor in desk.cast.values():
        if {Role.PARTICIPANT, Role.FINANCIER}.intersection(actor.roles):
            body: dict[str, Json] = {"system": desk.origin, "entry_is_arrival": True}
            desk.say(actor.short, "inbox.designate", body)
    desk.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """One of the two vouchers of the small tree."""

    voucher: str
    route: str
    parts: tuple[Part, ...]


def tell_small_tree(
    desk: Desk,
    *,
    route: str,
    name: str,
    firms: tuple[str, str, str] = ("S1", "S2", "S3"),
    due_on: date = STORY_DUE_ON,
    by: date = date(2025, 6, 20),
    top_up: bool = False,
) -> Twin:
    """Issues 1,000,000.00 and passes it on: S1 → S2 → S3, factor, plan (GV-01)."""
    s1, s2, s3 = firms
    whole = desk.issue(
        CORE,
        s1,
        face=STORY_FACE,
        due_on=due_on,
        voucher_no=f"JL25-{name}",
        accept_by=by,
        route=route,
        top_up=top_up,
    )
    owing = (CORE,)
    at_s2, at_s1 = desk.transfer(whole, 60_000_000, s2, accept_by=by, debtors=owing)
    at_s3, rest = desk.transfer(at_s2, 25_000_000, s3, accept_by=by, debtors=owing)
    if rest is None or at_s1 is None:
        raise AssertionError("the small tree leaves remainders")
    terms: dict[str, Json] = {
        "principal": "19800000",
        "rate_bp": 600,
        "day_count": 365,
        "interest_from": "2025-06-20",
        "interest_borne_by": "holder",
    }
    at_factor, at_s2_rest = desk.transfer(
        rest, 20_000_000, FACTOR, accept_by=by, debtors=owing, purpose="finance", terms=terms
    )
    price: dict[str, Json] = {"price": "19850000"}
    at_plan, _ = desk.transfer(
        at_factor,
        20_000_000,
        PLAN,
        accept_by=by,
        debtors=owing,
        purpose="securitise",
        terms=price,
    )
    if at_s2_rest is None:
        raise AssertionError("S2 keeps a part")
    voucher = whole.lot.partition(".")[0]
    return Twin(voucher=voucher, route=route, parts=(at_s1, at_s2_rest, at_s3, at_plan))
