"""The certificate of a plan: its route leaves each account what direct clearing would leave there.

Whoever takes money along a chain may ask what stays with those on the way. Of each account
that a plan brings money into, the certificate states what its owner's lots come to, which
is what direct clearing would pay into it; what is left there once all has moved; and what has
only passed. The operator signs its digest with the plan, and who decides or audits that
statement makes it again, so a copy is proved by the log alone.

Source: docs/clearing.md, Both pay the same; SD-21.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.json import Encoder

from clearing.model import InstructionRecord
from registry.canonical import b64url_encode
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid

CERTIFICATE_DOMAIN: Final = b"tallystick-certificate/1"

_encode: Final = Encoder().encode


class Line(Struct, frozen=True, gc=False):
    """What a plan does to one account; members in canonical order.

    Attributes:
        account: The account.
        direct: What its owner's lots there come to, in minor units, as text.
        passes: What is brought there and taken on, likewise.
        payee: Its owner.
        planned: What the plan's instructions leave there, likewise.
    """

    account: Sid
    direct: str
    passes: str
    payee: PartyId
    planned: str


def certificate_of(records: Iterable[InstructionRecord]) -> tuple[Line, ...]:
    """Returns a plan's certificate, by payee and account.

    Args:
        records: The plan's instructions. Those that stand in the place of others are passed
            over: what the plan was when it was adopted never changes.

    Raises:
        InvariantBrokenError: The routes leave different amounts on an account (our bug).
    """
    direct: dict[tuple[PartyId, Sid], int] = {}
    came: dict[tuple[PartyId, Sid], int] = {}
    went: dict[tuple[PartyId, Sid], int] = {}
    for record in records:
        if record.instead is not None:
            continue
        payee = record.payee, record.payee_account
        direct[payee] = direct.get(payee, 0) + record.kept
        came[payee] = came.get(payee, 0) + record.amount
        if record.after:
            payer = record.payer, record.payer_account
            went[payer] = went.get(payer, 0) + record.amount
    for payee, amount in direct.items():
        if amount != came[payee] - went.get(payee, 0):
            raise InvariantBrokenError(f"the routes leave different amounts on {payee[1]}")
    if not went.keys() <= came.keys():
        raise InvariantBrokenError("money is passed on from where none was brought")
    return tuple(
        Line(
            account=account,
            direct=str(direct[payee, account]),
            passes=str(went.get((payee, account), 0)),
            payee=payee,
            planned=str(came[payee, account] - went.get((payee, account), 0)),
        )
        for payee, account in sorted(direct)
    )


def format_certificate(lines: Iterable[Line]) -> bytes:
    """Writes a certificate as canonical JSON: an array of its lines."""
    return _encode(list(lines))


def digest_of(certificate: bytes) -> str:
    """Returns what the operator signs: b64url of SHA-256 over domain, zero byte, certificate."""
    return b64url_encode(hashlib.sha256(CERTIFICATE_DOMAIN + b"\x00" + certificate).digest())


def certificate_digest(records: Iterable[InstructionRecord]) -> str:
    """Computes the digest of a plan's certificate."""
    return digest_of(format_certificate(certificate_of(records)))
