"""Designating one's inbox: the system in which notices of assignment arrive.

A message has arrived when it enters the system that its recipient has designated. So the
recipient says beforehand, in its own name, that this registry is that system; what enters
it later has arrived, whether or not anybody looks.

Source: Electronic Signature Law, art. 11; RG-34.
"""

from registry.effects import Effect, Seal, Touch
from registry.errors import MalformedError
from registry.fields import OnlyTrue, OriginField
from registry.ids import PartyId, Sid
from registry.inboxes import INBOXES, Inbox
from registry.model import Role
from registry.notice_refusals import InboxDesignatedError
from registry.notifying import ask_inboxes
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows


class InboxDesignate(Body):
    """A party's word that notices to it arrive when they enter this log."""

    system: OriginField
    entry_is_arrival: OnlyTrue


class InboxDesignated(Effect, frozen=True, kw_only=True):
    """Notices to a party arrive in this log from here on."""

    party: PartyId
    designation: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Opens the inbox."""
        state.add(INBOXES, Inbox(party=self.party, designation=self.designation))


def reads_inbox_designate(statement: Statement[InboxDesignate], _now: Now) -> ReadPlan:
    """Asks for the signer's inbox."""
    yield from ask_inboxes((statement.by,))


def decide_inbox_designate(
    state: Rows, statement: Statement[InboxDesignate], _now: Now
) -> tuple[Effect, ...]:
    """Designates this log as the system in which notices to the signer arrive.

    Raises:
        MalformedError: The system that is named is another one.
        InboxDesignatedError: The signer has designated it before.
    """
    if statement.body.system != statement.aud:
        raise MalformedError(what="system", reason="is not this log")
    inbox = state.get(INBOXES, statement.by)
    if inbox is not None:
        raise InboxDesignatedError(party=statement.by, designation=inbox.designation)
    return (InboxDesignated(party=statement.by, designation=statement.sid),)


KINDS = (
    Kind(
        name="inbox.designate",
        body=InboxDesignate,
        signers=frozenset({Role.PARTICIPANT, Role.FINANCIER}),
        relation="the recipient of notices to be",
        reads=reads_inbox_designate,
        decide=decide_inbox_designate,
    ),
)
