"""The rows about notices: who is told of assignments, where, of which, and by whom.

An inbox is the system that its owner has named for being told; every notice in it has the
next number. An assignment of which nobody is told yet is no secret of the registry: it has
a row here, from which the notices can still be given.
"""

from enum import StrEnum

from registry.ids import NoticeId, PartyId, Sid
from registry.tables import Minor, Record, Table


class Capacity(StrEnum):
    """As what a recipient is told: who owes, and who secures (Civil Code, arts. 546, 696)."""

    DEBTOR = "debtor"
    CO_DEBTOR = "co-debtor"
    GUARANTOR = "guarantor"


class Sender(StrEnum):
    """In what part somebody gives a notice; only the first needs no evidence (SD-12)."""

    ASSIGNOR = "assignor"
    ASSIGNEE = "assignee"
    FACTOR = "factor"
    """An assignee that finances, and says so (Civil Code, art. 764)."""
    ATTORNEY = "attorney"
    """In the assignor's name, by its power of attorney (SD-14)."""


class Inbox(Record, frozen=True, kw_only=True):
    """A party's designated system for notices, and how many have arrived in it."""

    party: PartyId
    designation: Sid
    notices: int = 0


class Notice(Record, frozen=True, kw_only=True):
    """A notice of assignment in its recipient's inbox.

    Attributes:
        number: Its place in the inbox, from 1, without gaps.
        arrived: Milliseconds, the time of the entry that brought it there.
        entry: That entry's index.
        received: Milliseconds, when the recipient's system said that it has it.
        acknowledged: The recipient has confirmed it, in its own name.
        refused: The statement by which it refuses it; None if it does not.
        escalations: How often its silence was told on.
        escalate_at: Milliseconds, when its silence is told on next.
        revoked_at: Milliseconds, since when it stands no longer.
    """

    notice: NoticeId
    transfer: Sid
    voucher: Sid
    recipient: PartyId
    capacity: str
    number: int
    sender: str
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    arrived: int
    entry: int
    received: int | None = None
    acknowledged: bool = False
    refused: Sid | None = None
    escalations: int = 0
    escalate_at: int | None = None
    revoked_at: int | None = None


class Withheld(Record, frozen=True, kw_only=True):
    """An assignment whose assignor has not had its debtors told with it.

    `recipients` are all who are to be told, in the order of their notices; `told` those who
    have been since.
    """

    transfer: Sid
    voucher: Sid
    assignor: PartyId
    assignee: PartyId
    amount: Minor
    purpose: str
    recipients: tuple[str, ...]
    told: tuple[str, ...]
    effective: int
    """Milliseconds, since when it binds its two sides."""


class Revocation(Record, frozen=True, kw_only=True):
    """An assignor's wish to revoke a notice, to which the assignee has not agreed yet."""

    revocation: Sid
    notice: NoticeId


class Power(Record, frozen=True, kw_only=True):
    """An assignor's irrevocable power of attorney to give notices in its name.

    Attributes:
        assignee: Of whose assignments notice may be given.
        attorney: Who may give it.
        declarer: Who says that the event has come about.
        event: What has to have come about before.
        triggered: The statement that says so; None before.
    """

    power: Sid
    assignor: PartyId
    assignee: PartyId
    attorney: PartyId
    declarer: PartyId
    event: str
    document: str
    triggered: Sid | None = None


INBOXES = Table(name="inbox", row=Inbox, key=("party",))
NOTICES = Table(name="notice", row=Notice, key=("notice",), indexes=("recipient",), lasting=True)
WITHHELD = Table(name="withheld", row=Withheld, key=("transfer",), lasting=True)
REVOCATIONS = Table(name="revocation", row=Revocation, key=("revocation",))
POWERS = Table(name="power", row=Power, key=("power",), indexes=("assignor", "attorney"))

TABLES = (POWERS, REVOCATIONS, WITHHELD, NOTICES)
"""In the order in which batches read them; `INBOXES` is read after the voucher."""
