"""The desk: signs for everybody in the demonstration and sends statements in bulk.

Every id is known before sending: a voucher is its issue's sid, a lot is `<sid>.<n>`. So
a whole chain (issue, accept, offer, accept, …) is signed in one go and sent in order.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from api.client import Client, Result
from api.demo.cast import Actor
from registry.canonical import Json, b64url_encode, salted_digest
from registry.ids import LotId, Origin, Sid, format_uuid7, lot_id
from registry.invoices import fingerprint
from registry.merkle import TreeHead
from registry.rules.vouchers import Promises
from registry.signing import PrivateKey, jws_id, split_jws
from registry.statements import seal_statement

CHUNK = 800
"""Statements of one bulk request."""

PROMISES: dict[str, Json] = dict.fromkeys(Promises.model_fields, True)

Sent = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A lot in somebody's hands, as the desk knows it before the registry does."""

    lot: LotId
    amount: int
    holder: str
    tier: int


@dataclass(slots=True, kw_only=True)
class Desk:
    """Signs and sends.

    Attributes:
        client: Where to send to.
        origin: The log's name.
        cast: Everybody, by short name.
        seed: Of the run; salts and ids follow from it.
        now: The manual clock, in milliseconds.
    """

    client: Client
    origin: Origin
    cast: Mapping[str, Actor]
    seed: int
    now: int
    seen: TreeHead | None = None
    accounts: dict[str, Sid] = field(default_factory=dict)
    mandates: dict[str, Sid] = field(default_factory=dict)
    notices: dict[str, list[str]] = field(default_factory=dict)
    statements: int = 0
    _waiting: list[str] = field(default_factory=list)
    _openings: dict[str, list[dict[str, Json]]] = field(default_factory=dict)
    _count: int = 0

    def sign(
        self,
        short: str,
        kind: str,
        body: Mapping[str, Json],
        *,
        re: str | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        """Signs a statement of an actor, by its usual key or one of its people's."""
        self._count += 1
        actor = self.cast[short]
        iat = self.now // 1000
        return seal_statement(
            key or actor.key,
            kind=kind,
            by=actor.party,
            aud=self.origin,
            body=body,
            iat=iat,
            exp=iat + 3600,
            id=format_uuid7(self.now, self._random(f"id/{self._count}")[:10]),
            re=re,
            seen=self.seen,
        )

    def say(
        self,
        short: str,
        kind: str,
        body: Mapping[str, Json],
        *,
        re: str | None = None,
        key: PrivateKey | None = None,
    ) -> Sid:
        """Signs a statement, to be sent with the next others; returns its id."""
        text = self.sign(short, kind, body, re=re, key=key)
        self._waiting.append(text)
        return jws_id(split_jws(text, what="statement").signing_input)

    def flush(self, told: Sent = lambda _done, _all: None) -> list[Result]:
        """Sends everything that waits, openings first; every statement must be accepted."""
        for short, openings in self._openings.items():
            self.client.put_openings(openings, by=self.cast[short].party)
        self._openings.clear()
        results: list[Result] = []
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), CHUNK):
            sent = self.client.submit_many(waiting[start : start + CHUNK])
            results += [result.require() for result in sent]
            told(len(results), len(waiting))
        self.statements += len(results)
        self.seen = self.client.caught_up()
        return results

    def _random(self, name: str) -> bytes:
        """Returns bytes that follow from the seed."""
        return hashlib.sha256(f"tallystick-demo/{self.seed}/{name}".encode()).digest()

    def hide(self, short: str, terms: Mapping[str, Json]) -> str:
        """Keeps confidential terms beside the log; returns their digest."""
        self._count += 1
        salt = self._random(f"salt/{self._count}")[:16]
        digest = salted_digest(salt, dict(terms))
        self._openings.setdefault(short, []).append(
            {"digest": digest, "salt": b64url_encode(salt), "terms": dict(terms)}
        )
        return digest

    def number(self, name: str) -> str:
        """Returns an invoice's number, twenty digits as of a fully digital one."""
        return f"{int.from_bytes(self._random(f'invoice/{name}')) % 10**20:020}"

    def file(self, name: str) -> dict[str, Json]:
        """Returns a reference to a document that stays with its owner."""
        return {"digest": b64url_encode(self._random(f"file/{name}")), "name": name}

    # --- the verbs of the story ---------------------------------------------------

    def issue(
        self,
        debtor: str,
        creditor: str,
        *,
        face: int,
        due_on: date,
        voucher_no: str,
        accept_by: date,
        route: str = "direct",
        co_debtor: str = "",
        top_up: bool = False,
    ) -> Part:
        """Issues a voucher, joined by a co-debtor if there is one, and accepted."""
        evidence: list[Json] = [
            {"type": kind, "file": self.file(f"{voucher_no}-{kind}.pdf")}
            for kind in ("contract", "invoice", "acceptance")
        ]
        seller = self.cast[creditor].party
        invoice: dict[str, Json] = {"number": self.number(voucher_no), "seller": seller}
        body: dict[str, Json] = {
            "voucher_no": voucher_no,
            "creditor": seller,
            "face": str(face),
            "invoices": [
                {
                    "fingerprint": fingerprint(seller=seller, number=str(invoice["number"])),
                    "total": str(face),
                    "used": str(face),
                }
            ],
            "terms": self.hide(debtor, {"invoices": [{**invoice, "total": str(face)}]}),
            "due_on": due_on.isoformat(),
            "accept_by": accept_by.isoformat(),
            "basis": "goods-delivered",
            "promises": PROMISES,
            "assignment_restriction": "none",
            "evidence": evidence,
            "route": route,
            "account": self.accounts[debtor],
            "mandate": self.mandates[debtor],
        }
        if top_up:
            body["top_up"] = True
        voucher = self.say(debtor, "voucher.issue", body)
        if co_debtor:
            joining: dict[str, Json] = {
                "scope": "full",
                "addressee": "holders",
                "resolution": self.file(f"{voucher_no}-resolution.pdf"),
            }
            self.say(co_debtor, "voucher.accede", joining, re=voucher)
        self.say(creditor, "voucher.accept", self._payee(creditor), re=voucher)
        return Part(lot=lot_id(voucher, 0), amount=face, holder=creditor, tier=1)

    def _payee(self, short: str) -> dict[str, Json]:
        """Returns the body of an acceptance, with consent to the collection route."""
        return {"account": self.accounts[short], "collection_route": True}

    def transfer(
        self,
        part: Part,
        amount: int,
        to: str,
        *,
        accept_by: date,
        debtors: tuple[str, ...],
        purpose: str = "settle",
        terms: Mapping[str, Json] | None = None,
    ) -> tuple[Part, Part | None]:
        """Transfers part of a lot; returns the part that went and what remains.

        Args:
            part: The lot and who holds it.
            amount: What goes, in fen.
            to: The assignee.
            accept_by: Last day of the offer.
            debtors: Who owes the voucher and will be notified: debtor, then co-debtors.
            purpose: `settle`, `finance` or `securitise`.
            terms: Confidential terms, where the purpose calls for them.
        """
        body: dict[str, Json] = {
            "lot": part.lot,
            "amount": str(amount),
            "assignee": self.cast[to].party,
            "purpose": purpose,
            "recourse": False,
            "accept_by": accept_by.isoformat(),
            "notice": "assignment/1",
            "evidence": [self.file(f"{part.lot[:8]}-{purpose}.pdf")],
        }
        if purpose == "securitise":
            body["form"] = "sale-to-plan"
        if terms is not None:
            body["terms"] = self.hide(part.holder, terms)
        offer = self.say(part.holder, "transfer.offer", body)
        self.say(to, "transfer.accept", self._payee(to), re=offer)
        for rank, debtor in enumerate(debtors):
            self.notices.setdefault(debtor, []).append(f"{offer}.2!{rank}")
        tier = part.tier + (purpose == "settle")
        went = Part(lot=lot_id(offer, 2), amount=amount, holder=to, tier=tier)
        if amount == part.amount:
            return went, None
        rest = Part(
            lot=lot_id(offer, 1), amount=part.amount - amount, holder=part.holder, tier=part.tier
        )
        return went, rest

    def acknowledge(self, *, at_once: int = 120) -> int:
        """Has every debtor acknowledge the notices it received; returns how many."""
        total = 0
        for debtor, ids in self.notices.items():
            ordered: list[Json] = [*sorted(ids)]
            for start in range(0, len(ordered), at_once):
                chunk = ordered[start : start + at_once]
                self.say(debtor, "notice.acknowledge", {"notices": chunk})
            total += len(ordered)
        self.notices.clear()
        return total
