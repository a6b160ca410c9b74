"""Acknowledging notices of assignment.

Arrival (recorded when the transfer became effective) is what binds the debtor; the
acknowledgement is its own signed word that it knows whom to pay. One statement may
cover many notices.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from registry.assignment import assigned_id
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, NoticeField
from registry.ids import NoticeId, PartyId, Sid, parse_notice_id
from registry.model import LOTS, NOTICES, Lot, Notice, Role
from registry.refusals import AlreadyAcknowledgedError, NoticeNotFoundError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, get_many, replace, where

NOTICES_MAX = 160
"""Notices that one acknowledgement may cover; with effects it fits one entry."""


class NoticeAcknowledge(Body):
    """A debtor's word that it knows of these assignments, and whom to pay."""

    notices: Annotated[
        tuple[NoticeField, ...], LENIENT, Field(min_length=1, max_length=NOTICES_MAX)
    ]


class NoticeAcknowledged(Effect, frozen=True, kw_only=True):
    """A recipient has acknowledged a notice."""

    notice: NoticeId
    voucher: Sid
    assignee: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the assignee, whose lots now say so."""
        return (("voucher", self.voucher), ("holder", self.assignee))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the notice and, if the debtor's, the lots that the transfer brought."""
        notice = state.get(NOTICES, self.notice)
        if notice is None:
            raise InvariantBrokenError(f"no notice {self.notice}")
        state.put(NOTICES, replace(notice, acknowledged=True))
        if parse_notice_id(self.notice)[1] == 0:
            for lot in _brought_by(state, notice):
                state.put(LOTS, replace(lot, acknowledged=True))


def _brought_by(state: Rows, notice: Notice) -> Sequence[Lot]:
    """Returns what is left of a transfer with its assignee, be it one lot or what came of it."""
    lot = state.get(LOTS, assigned_id(notice.transfer))
    if lot is not None:
        return (lot,)
    lots = state.where(LOTS, "voucher", notice.voucher)
    return [lot for lot in lots if lot.acquired == notice.transfer]


def reads_notice_acknowledge(statement: Statement[NoticeAcknowledge], _now: Now) -> ReadPlan:
    """Asks for the notices and the lots that their transfers brought."""
    notices = yield from get_many(NOTICES, statement.body.notices)
    for notice in notices:
        if notice is not None:
            whole = yield from get(LOTS, assigned_id(notice.transfer))
            if whole is None:
                yield from where(LOTS, "voucher", notice.voucher)


def decide_notice_acknowledge(
    state: Rows, statement: Statement[NoticeAcknowledge], _now: Now
) -> tuple[Effect, ...]:
    """Acknowledges notices of assignment, many at once.

    Raises:
        MalformedError: The notices are not sorted and unique.
        NoticeNotFoundError: A notice does not exist or is to another party.
        AlreadyAcknowledgedError: A notice was acknowledged before.
    """
    ids = statement.body.notices
    if list(ids) != sorted(set(ids)):
        raise MalformedError(what="notices", reason="not sorted and unique")
    effects = []
    for each in ids:
        notice = state.get(NOTICES, each)
        if notice is None or notice.recipient != statement.by:
            raise NoticeNotFoundError(notice=each)
        if notice.acknowledged:
            raise AlreadyAcknowledgedError(notice=each)
        effects.append(
            NoticeAcknowledged(notice=each, voucher=notice.voucher, assignee=notice.assignee)
        )
    return tuple(effects)


KINDS = (
    Kind(
        name="notice.acknowledge",
        body=NoticeAcknowledge,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the notices' recipient",
        reads=reads_notice_acknowledge,
        decide=decide_notice_acknowledge,
        while_suspended=True,
    ),
)
