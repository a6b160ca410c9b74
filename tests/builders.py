"""Smallest valid worlds: keys from seeds, statements in order, a ledger in memory.

Nothing here decides anything: a `World` signs what it is told to and hands it to a real
engine over a real store.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from registry.calendars import date_at, start_of
from registry.canonical import Json, b64url_encode, format_json
from registry.engine import Engine, Outcome, Sealed
from registry.errors import RegistryError
from registry.ids import Kid, Origin, PartyId, Sid, format_uuid7, uscc_check_character
from registry.invoices import fingerprint
from registry.kinds import Rulebook
from registry.model import POLICIES, CalendarRecord, Policy
from registry.packs import calendar_pack, packed_calendar, policy_pack
from registry.people import KEYS
from registry.policy import FirstPolicy, format_rules
from registry.ports import LedgerStore
from registry.rules.keys import POSSESSION_TYP, possession_payload
from registry.rules.vouchers import Promises
from registry.signing import PrivateKey, PublicKey, jws_id, seal_jws, split_jws
from registry.state import replay_digest
from registry.statements import admit, seal_statement
from registry.workdays import published
from tests.declared import Declared

ORIGIN = Origin("sandbox.example/tests")
FIRST_DAY = date(2025, 7, 1)
OFFSET = 480
DIGEST = b64url_encode(bytes(32))
CN_LEGAL = packed_calendar("CN-LEGAL")


def uscc(number: int) -> PartyId:
    """Returns the number-th synthetic credit code."""
    first = f"91310000MA{number:07d}"
    return PartyId(first + uscc_check_character(first))


def key_of(name: str) -> PrivateKey:
    """Returns the key that a name stands for."""
    return PrivateKey.from_seed(hashlib.sha256(name.encode()).digest())


def instant(day: date, *, hour: int = 9) -> int:
    """Returns an instant of a day in the tests' zone, in milliseconds."""
    return start_of(day, offset_minutes=OFFSET) + hour * 3_600_000


def plain_rows(policy: Sid) -> tuple[Policy, CalendarRecord]:
    """Returns the rows of the policy `plain`, and of the calendar that it names."""
    pack = FirstPolicy.model_validate(policy_pack("plain"))
    published_calendar = published(CN_LEGAL, statement=policy, version=1)
    row = Policy(
        policy=policy,
        name=pack.name,
        version=pack.version,
        effective_on=None,
        rules=format_rules(pack.rules),
    )
    members = {name: getattr(published_calendar, name) for name in CalendarRecord.__struct_fields__}
    return row, CalendarRecord(**members)


class StoredKeys:
    """A key directory over a store."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store

    def find(self, kid: Kid) -> PublicKey | None:
        from registry.tables import Get

        (row,) = self._store.fetch([Get(KEYS, ((kid,),))])[0]
        return None if row is None else row.public


class FixedClock:
    """A clock that shows what it was told."""

    def __init__(self, time: int = 0) -> None:
        self.time = time

    def now(self) -> int:
        return self.time


class World:
    """A ledger with a manual clock, and parties by short names."""

    def __init__(self, store: LedgerStore, rulebook: Rulebook) -> None:
        self.store = store
        self.rulebook = rulebook
        self.clock = FixedClock(instant(FIRST_DAY))
        self.engine = Engine(store, Declared.of(rulebook), self.clock, origin=ORIGIN)
        self.time = instant(FIRST_DAY)
        self.keys: dict[str, PrivateKey] = {}
        self.ids: dict[str, PartyId] = {}
        self.accounts: dict[str, Sid] = {}
        self.mandates: dict[str, Sid] = {}
        self._count = 0

    # --- signing ----------------------------------------------------------------

    def sign(
        self,
        name: str,
        kind: str,
        body: Mapping[str, Json],
        *,
        re: str | None = None,
        key: PrivateKey | None = None,
        by: str | None = None,
        **odd: Any,
    ) -> str:
        """Signs a statement of a party by its name."""
        self._count += 1
        iat = self.time // 1000
        tail = hashlib.sha256(str(self._count).encode()).digest()[:10]
        return seal_statement(
            key or self.keys[name.partition("#")[0]],
            kind=kind,
            by=by or self.ids[name],
            aud=odd.pop("aud", ORIGIN),
            body=body,
            iat=odd.pop("iat", iat),
            exp=odd.pop("exp", iat + 3600),
            id=odd.pop("id", format_uuid7(self.time, tail)),
            re=re,
            **odd,
        )

    def sid_of(self, text: str) -> Sid:
        """Returns the id of a statement that was only signed."""
        return jws_id(split_jws(text, what="statement").signing_input)

    def submit(self, *texts: str) -> list[Outcome]:
        """Admits and commits statements as one batch."""
        keys = StoredKeys(self.store)
        statements = [
            admit(text, kinds=self.rulebook.kinds, origin=ORIGIN, keys=keys) for text in texts
        ]
        outcomes = self.engine.submit(statements)
        ledger = self.engine.ledger
        if ledger is not None:
            self.time = ledger.time if ledger.clock == "manual" else self.clock.time
        return outcomes

    def do(
        self, name: str, kind: str, body: Mapping[str, Json], *, re: str | None = None
    ) -> Sealed:
        """Signs and commits one statement, which must be accepted."""
        (outcome,) = self.submit(self.sign(name, kind, body, re=re))
        if isinstance(outcome, RegistryError):
            raise outcome
        return outcome

    # --- the usual beginnings ----------------------------------------------------

    def genesis_body(self, **changes: Json) -> dict[str, Json]:
        """Returns the body of genesis, with operator and registrar."""
        for name, number in (("operator", 1), ("registrar", 2)):
            self.keys[name], self.ids[name] = key_of(name), uscc(number)
        founder: dict[str, dict[str, Json]] = {
            name: {
                "party": self.ids[name],
                "name": name,
                "key": dict(self.keys[name].public.jwk()),
            }
            for name in ("operator", "registrar")
        }
        body: dict[str, Json] = {
            "format": 1,
            "key": dict(self.keys["operator"].public.jwk()),
            "operator": dict(founder["operator"]),
            "registrar": dict(founder["registrar"]),
            "log_key": dict(key_of("log").public.jwk()),
            "currency": "CNY",
            "zone": "+08:00",
            "clock": "manual",
            "policy": policy_pack("plain"),
            "calendars": [calendar_pack("CN-LEGAL"), calendar_pack("CN-TRADING")],
        }
        return {**body, **changes}

    def open(self) -> "World":
        """Writes genesis, with operator and registrar."""
        self.do("operator", "genesis", self.genesis_body())
        return self

    def admit(self, name: str, *roles: str, number: int | None = None) -> PartyId:
        """Registers and admits a party; `trustee#code` is a vehicle of an admitted trustee."""
        trustee, _, code = name.partition("#")
        if code:
            vehicle = PartyId(f"{self.ids[trustee]}#{code}")
            self.ids[name] = vehicle
            made = self.do(trustee, "vehicle.register", {"vehicle": vehicle, "name": name})
        else:
            self.keys[name] = key_of(name)
            self.ids[name] = uscc(number or 100 + len(self.ids))
            body: dict[str, Json] = {"name": name, "key": dict(self.keys[name].public.jwk())}
            made = self.do(name, "party.register", body)
        self.do("registrar", "party.admit", admission(*roles), re=made.sid)
        return self.ids[name]

    def bank_account(self, name: str, *, bank: str = "bank", kind: str = "settlement") -> Sid:
        """Gives a party a verified account with a mandate."""
        body: dict[str, Json] = {"bank": self.ids[bank], "account_kind": kind, "terms": DIGEST}
        account = self.do(name, "account.register", body).sid
        self.do(bank, "account.verify", {}, re=account)
        self.accounts[name] = account
        self.mandates[name] = self.do(name, "mandate.grant", {"account": account}).sid
        return account

    def designate(self, name: str) -> Sid:
        """Has a party designate the log as its inbox for notices."""
        body: dict[str, Json] = {"system": ORIGIN, "entry_is_arrival": True}
        return self.do(name, "inbox.designate", body).sid

    def cast(self) -> "World":
        """Opens a ledger with the people of GV-01, each with an account."""
        self.open()
        self.admit("bank", "bank")
        self.admit("core", "participant")
        for name in ("s1", "s2", "s3"):
            self.admit(name, "participant")
        self.admit("factor", "financier")
        self.admit("trustee", "trustee")
        self.admit("trustee#T1", "vehicle")
        for name in ("core", "s1", "s2", "s3", "factor"):
            self.bank_account(name)
        self.bank_account("trustee#T1", kind="trust")
        for name in ("core", "s1", "s2", "s3", "factor"):
            self.designate(name)
        return self

    # --- vouchers and transfers ---------------------------------------------------

    def invoice(self, number: str, total: Json, used: Json = "") -> dict[str, Json]:
        """Returns an invoice of s1's that backs a voucher, with all of it or with part."""
        name = fingerprint(seller=self.ids["s1"], number=number)
        return {"fingerprint": name, "total": total, "used": used or total}

    def issue_body(self, **changes: Json) -> dict[str, Json]:
        """Returns the body of a voucher from core to s1."""
        evidence: list[Json] = [
            {"type": kind, "file": {"digest": DIGEST, "name": f"{kind}.pdf"}}
            for kind in ("contract", "invoice", "acceptance")
        ]
        promises: dict[str, Json] = dict.fromkeys(Promises.model_fields, True)
        body: dict[str, Json] = {
            "voucher_no": f"V{self._count:05d}",
            "creditor": self.ids["s1"],
            "face": "100000000",
            "invoices": [self.invoice(f"{self._count:08d}", changes.get("face", "100000000"))],
            "due_on": "2025-12-19",
            "accept_by": "2025-07-10",
            "basis": "goods-delivered",
            "promises": promises,
            "assignment_restriction": "none",
            "evidence": evidence,
            "route": "direct",
            "account": self.accounts["core"],
            "mandate": self.mandates["core"],
        }
        return {**body, **changes}

    def issue(self, *, consent: bool = True, **changes: Json) -> Sid:
        """Issues a voucher from core to s1, accepted; returns its id."""
        voucher = self.do("core", "voucher.issue", self.issue_body(**changes)).sid
        self.do(
            "s1",
            "voucher.accept",
            {"account": self.accounts["s1"], "collection_route": consent},
            re=voucher,
        )
        return voucher

    def offer_body(
        self, lot: str, amount: int, to: str, *, purpose: str = "settle", **changes: Json
    ) -> dict[str, Json]:
        """Returns the body of an offer."""
        body: dict[str, Json] = {
            "lot": lot,
            "amount": str(amount),
            "assignee": self.ids[to],
            "purpose": purpose,
            "recourse": False,
            "accept_by": "2025-12-01",
            "notice": "assignment/1",
            "evidence": [],
        }
        if purpose == "securitise":
            body["form"] = "sale-to-plan"
        if purpose != "settle":
            body["terms"] = DIGEST
        return {**body, **changes}

    def offer(self, lot: str, amount: int, *, by: str, to: str, purpose: str = "settle") -> Sid:
        """Offers part of a lot; returns the offer's id."""
        return self.do(by, "transfer.offer", self.offer_body(lot, amount, to, purpose=purpose)).sid

    def accept(self, offer: str, *, by: str, consent: bool = True) -> Sealed:
        """Accepts an offer."""
        body: dict[str, Json] = {"account": self.accounts[by], "collection_route": consent}
        return self.do(by, "transfer.accept", body, re=offer)

    def transfer(self, lot: str, amount: int, *, by: str, to: str, purpose: str = "settle") -> Sid:
        """Offers and accepts; returns the offer's id."""
        offer = self.offer(lot, amount, by=by, to=to, purpose=purpose)
        self.accept(offer, by=to)
        return offer

    def advance(self, time: int) -> None:
        """Moves the manual clock."""
        self.do("operator", "clock.set", {"time": time})

    def enforce(self, **rules: Json) -> Sid:
        """Adds rules to the policy in force, from the next morning on; returns the new policy."""
        ledger, published = self.engine.ledger, list(self.store.select(POLICIES))
        assert ledger is not None
        (row,) = (row for row in published if row.policy == ledger.policy)
        merged = json.loads(row.rules)
        for name, rule in rules.items():
            former = merged.get(name)
            nested = isinstance(rule, dict) and isinstance(former, dict)
            merged[name] = {**former, **rule} if nested else rule  # type: ignore[dict-item]
        tomorrow = date_at(self.time, offset_minutes=OFFSET) + timedelta(days=1)
        body: dict[str, Json] = {
            "name": row.name,
            "version": max(each.version for each in published if each.name == row.name) + 1,
            "effective_on": tomorrow.isoformat(),
            "rules": merged,
        }
        policy = self.do("operator", "policy.publish", body).sid
        self.advance(instant(tomorrow))
        self.engine.submit([])
        return policy

    # --- looking ------------------------------------------------------------------

    def digest(self) -> str:
        """Returns the replay digest of the store's live rows."""
        return replay_digest(self.rulebook.tables, self.store.select)

    def entries(self) -> Sequence[bytes]:
        """Returns all entries."""
        return list(self.store.entries(0, self.store.size()))


def admission(*roles: str, **members: Json) -> dict[str, Json]:
    """Returns the body of an admission in these roles."""
    evidence: list[Json] = [{"digest": DIGEST, "name": "licence.pdf"}]
    return {"roles": [*roles], "binding": "in-person", "evidence": evidence, **members}


def possession_proof(key: PrivateKey, *, origin: Origin, party: PartyId) -> str:
    """Returns a new key's proof of possession."""
    payload = possession_payload(origin=origin, party=party, key=key.public)
    return seal_jws(key, typ=POSSESSION_TYP, payload=payload)


__all__ = ["World", "format_json"]
