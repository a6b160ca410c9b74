"""Transfers that are sent to whoever is measured: who holds what, who passes on which part.

Nothing here needs a ledger: the lots that a statement makes are known before it is sent,
so that any number of transfers, each of what the ones before have left, is signed before
the clock starts. The same name gives the same transfers.
"""

import hashlib
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from registry.canonical import Json, b64url_encode
from registry.ids import PartyId, Sid, format_uuid7
from registry.signing import PrivateKey, detach, jws_id, split_jws
from registry.statements import seal_statement
from tests.builders import FIRST_DAY, ORIGIN, instant, key_of, uscc

TIME_MS: Final = instant(FIRST_DAY)
FIRST_NUMBER: Final = 1_000
TERMS: Final = b64url_encode(hashlib.sha256(b"price and rate").digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large the ledger is before anything is measured."""

    parties: int
    lots: int

    @property
    def debtors(self) -> int:
        """Number of debtors, and of co-debtors."""
        return max(self.parties // 100, 1)

    @property
    def holders(self) -> range:
        """The parties that hold lots."""
        return range(2 * self.debtors, self.parties)


@dataclass(slots=True)
class Holding:
    """A free lot, its holder by number, and its voucher by number."""

    lot: str
    amount: int
    holder: int
    voucher: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A signed offer with a remainder, and what must come of it."""

    text: str
    sid: Sid
    id: str
    lot: str
    assignor: int
    assignee: int
    amount: int
    remainder: int
    voucher: int


@cache
def party_key(number: int) -> PrivateKey:
    """Returns a party's key."""
    return key_of(f"party {number}")


@cache
def party_id(number: int) -> PartyId:
    """Returns a party's identifier."""
    return uscc(FIRST_NUMBER + number)


class Hand:
    """Signs statements for anybody; the same name gives the same statements."""

    def __init__(self, name: str) -> None:
        self.time_ms = TIME_MS
        self.last_id = ""
        self._name = name
        self._count = 0

    def sign(
        self,
        key: PrivateKey,
        by: str,
        kind: str,
        body: dict[str, Json],
        *,
        re: str | None = None,
    ) -> str:
        """Signs a statement."""
        self._count += 1
        tail = hashlib.sha256(f"{self._name}/{self._count}".encode()).digest()[:10]
        self.last_id = format_uuid7(self.time_ms, tail)
        return seal_statement(
            key,
            kind=kind,
            by=by,
            aud=ORIGIN,
            body=body,
            iat=self.time_ms // 1000,
            exp=self.time_ms // 1000 + 3_600,
            id=self.last_id,
            re=re,
        )


def sid_of(text: str) -> Sid:
    """Returns a statement's id."""
    return jws_id(split_jws(text, what="statement").signing_input)


class Book:
    """The free lots, as the last statement will leave them."""

    def __init__(self, scale: Scale, holdings: Iterable[Holding], *, name: str) -> None:
        self.scale = scale
        self.holdings = deque(holdings)
        self.hand = Hand(name)
        self._random = random.Random(name)  # noqa: S311 (the same choices every time)

    def transfers(self, count: int, *, whole: bool = False) -> list[Transfer]:
        """Signs transfers of parts of lots, or of whole lots; of those first that came first."""
        return [self._transfer(self.holdings.popleft(), whole=whole) for _ in range(count)]

    def _transfer(self, held: Holding, *, whole: bool) -> Transfer:
        """Signs a transfer of a lot; what comes of it can be transferred later."""
        holders = self.scale.holders
        assignee = held.holder
        while assignee == held.holder:
            assignee = self._random.choice(holders)
        amount = held.amount
        if not whole:
            amount = held.amount * self._random.randrange(20, 60) // 100
        body = offer_body(held.lot, amount, assignee)
        text = self.hand.sign(party_key(held.holder), party_id(held.holder), "transfer.offer", body)
        sid = sid_of(text)
        rest = held.amount - amount
        if rest:
            self.holdings.append(Holding(f"{sid}.1", rest, held.holder, held.voucher))
        self.holdings.append(Holding(f"{sid}.2", amount, assignee, held.voucher))
        return Transfer(
            text=text,
            sid=sid,
            id=self.hand.last_id,
            lot=held.lot,
            assignor=held.holder,
            assignee=assignee,
            amount=amount,
            remainder=rest,
            voucher=held.voucher,
        )


def offer_body(lot: str, amount: int, assignee: int) -> dict[str, Json]:
    """Returns the body of an offer with confidential terms."""
    return {
        "lot": lot,
        "amount": str(amount),
        "assignee": party_id(assignee),
        "purpose": "settle",
        "recourse": False,
        "accept_by": "2025-11-15",
        "notice": "assignment/1",
        "evidence": [],
        "terms": TERMS,
    }


def co_debtor(voucher: int, scale: Scale) -> int:
    """Returns the co-debtor of a voucher."""
    return scale.debtors + voucher % scale.debtors


# --- Requests ----------------------------------------------------------------------


def request(path: str, body: bytes, *headers: str) -> bytes:
    """Returns a whole POST request."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body


def single_request(transfer: Transfer) -> bytes:
    """Returns the request of one statement, its signature detached."""
    payload = split_jws(transfer.text, what="statement").payload
    return request("/v1/transfer/offer", payload, f"JWS-Signature: {detach(transfer.text)}")


def bulk_request(transfers: Sequence[Transfer]) -> bytes:
    """Returns the request of many statements."""
    return request("/v1/statements", "".join(f"{each.text}\n" for each in transfers).encode())
