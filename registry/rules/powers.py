"""Powers of attorney for notices that perfect a transfer (权利完善通知).

When claims are sold into a plan, the debtors are often not told: the seller goes on
collecting. Should it fail, somebody has to tell them in its name at once. So the seller
gives that power beforehand, irrevocably, to be used when an event has come about that a
third hand declares; and of every notice given under it, it has a copy.

Source: SD-14, SD-64.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.fields import LENIENT, FileRef, OnlyTrue, PartyField
from registry.ids import PartyId, Sid
from registry.inboxes import POWERS, Power
from registry.model import HOLDER_ROLES, PARTIES, Role
from registry.notice_refusals import (
    AttorneyRefusedError,
    NotDeclarerError,
    PowerTriggeredError,
)
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get_many, replace

ATTORNEYS = frozenset({Role.PARTICIPANT, Role.FINANCIER, Role.TRUSTEE})
"""Who can act in another's name: who signs with its own keys, and is no organ of the ledger."""


class PerfectionEvent(StrEnum):
    """What may have to come about before notice is given in the assignor's name (权利完善事件)."""

    DOWNGRADE = "downgrade"
    """The assignor's or the servicer's rating falls below what was agreed."""
    SERVICER_REPLACED = "servicer-replaced"
    ASSIGNOR_DEFAULT = "assignor-default"
    DEBTOR_DEFAULT = "debtor-default"
    EARLY_AMORTISATION = "early-amortisation"
    """Any event of accelerated repayment (加速清偿)."""


class PowerGrant(Body):
    """An assignor's power of attorney for notices of its assignments to one assignee."""

    assignee: PartyField
    attorney: PartyField
    declarer: PartyField
    event: Annotated[PerfectionEvent, LENIENT]
    irrevocable: OnlyTrue
    document: FileRef


class PowerTrigger(Body):
    """The declarer's word that the event has come about, and what shows it."""

    evidence: Annotated[tuple[FileRef, ...], LENIENT, Field(min_length=1, max_length=16)]


class PowerGranted(Effect, frozen=True, kw_only=True):
    """A power of attorney stands, and waits for its event."""

    power: Sid
    assignor: PartyId
    assignee: PartyId
    attorney: PartyId
    declarer: PartyId
    event: str
    document: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the assignor, the assignee and the attorney."""
        names = dict.fromkeys((self.assignor, self.assignee, self.attorney))
        return tuple(("holder", name) for name in names)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the power."""
        row = Power(
            power=self.power,
            assignor=self.assignor,
            assignee=self.assignee,
            attorney=self.attorney,
            declarer=self.declarer,
            event=self.event,
            document=self.document,
        )
        state.add(POWERS, row)


class PowerTriggered(Effect, frozen=True, kw_only=True):
    """The event of a power has come about, as its declarer says; it can be used."""

    power: Sid
    assignor: PartyId
    attorney: PartyId
    statement: Sid
    evidence: tuple[str, ...]

    def touched(self) -> tuple[Touch, ...]:
        """Touches the assignor and the attorney."""
        names = dict.fromkeys((self.assignor, self.attorney))
        return tuple(("holder", name) for name in names)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes the declaration in the power."""
        power = state.get(POWERS, self.power)
        if power is None:
            raise InvariantBrokenError(f"no power {self.power}")
        state.put(POWERS, replace(power, triggered=self.statement))


def reads_power_grant(statement: Statement[PowerGrant], _now: Now) -> ReadPlan:
    """Asks for the parties that it names."""
    body = statement.body
    yield from get_many(PARTIES, (body.assignee, body.attorney, body.declarer))


def decide_power_grant(
    state: Rows, statement: Statement[PowerGrant], _now: Now
) -> tuple[Effect, ...]:
    """Gives a power of attorney, to be used when its event is declared, and not before.

    Raises:
        AttorneyRefusedError: The assignee cannot hold; attorney or declarer cannot act for
            others; or one of them is the signer.
    """
    body = statement.body
    named = (
        (body.assignee, HOLDER_ROLES, "cannot hold what is assigned"),
        (body.attorney, ATTORNEYS, "cannot act as attorney"),
        (body.declarer, ATTORNEYS, "cannot declare the event"),
    )
    for name, roles, reason in named:
        party = state.get(PARTIES, name)
        if party is None or not roles.intersection(party.roles):
            raise AttorneyRefusedError(party=name, reason=reason)
        if name == statement.by:
            raise AttorneyRefusedError(party=name, reason="gives the power itself")
    granted = PowerGranted(
        power=statement.sid,
        assignor=statement.by,
        assignee=body.assignee,
        attorney=body.attorney,
        declarer=body.declarer,
        event=body.event,
        document=body.document.digest,
    )
    return (granted,)


def decide_power_trigger(
    state: Rows, statement: Statement[PowerTrigger], _now: Now
) -> tuple[Effect, ...]:
    """Declares that a power's event has come about.

    Raises:
        NotDeclarerError: The power names another party for that.
        PowerTriggeredError: It was declared before.
    """
    power = state.get(POWERS, statement.re or "")
    if power is None:
        raise InvariantBrokenError("the answer was not checked")
    if power.declarer != statement.by:
        raise NotDeclarerError(by=statement.by, power=power.power)
    if power.triggered is not None:
        raise PowerTriggeredError(power=power.power, statement=power.triggered)
    triggered = PowerTriggered(
        power=power.power,
        assignor=power.assignor,
        attorney=power.attorney,
        statement=statement.sid,
        evidence=tuple(file.digest for file in statement.body.evidence),
    )
    return (triggered,)


KINDS = (
    Kind(
        name="power.grant",
        body=PowerGrant,
        signers=HOLDER_ROLES,
        relation="the assignor",
        reads=reads_power_grant,
        decide=decide_power_grant,
    ),
    Kind(
        name="power.trigger",
        body=PowerTrigger,
        signers=ATTORNEYS,
        relation="the party that the power names for it",
        answers={"power.grant": POWERS},
        decide=decide_power_trigger,
    ),
)
