"""Changing the account on which a holder is to be paid.

A thief of keys changes the account and passes the claim on, or changes it in the last days.
So a lot whose account has changed is held for 24 hours (FR-12); from three days before the
due date on it changes only by two people of the holder's, after a callback (FR-13); and
from the due date on it does not change at all.
"""

from datetime import timedelta

from registry.calendars import parse_date
from registry.checks import needed_approvals
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.fields import FileRef, LotField, SidField
from registry.ids import LotId, PartyId, Sid, trustee_of
from registry.model import ACCOUNTS, HOLDER_ROLES, LOTS, PARTIES, LotStatus
from registry.people_refusals import PayeeFrozenError
from registry.refusals import VoucherDueError
from registry.rights import own_free_lot, require_account, today_at
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import MutableRows, ReadPlan, Rows, get, replace

HOLD_MS = 24 * 3_600_000
FROZEN = timedelta(days=3)
"""Before the due date, so long two people and a callback are asked for."""


class PayeeChange(Body):
    """Another account of the holder's for one lot, and what shows that the holder was called."""

    lot: LotField
    account: SidField
    callback: FileRef | None = None


class PayeeChanged(Effect, frozen=True, kw_only=True):
    """A lot is to be paid on another account, and is held until that instant."""

    lot: LotId
    voucher: Sid
    holder: PartyId
    former: Sid
    account: Sid
    callback: str | None = None
    held_until: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the account, and holds the lot."""
        lot = state.get(LOTS, self.lot)
        if lot is None:
            raise InvariantBrokenError(f"another account for no lot {self.lot}")
        state.put(LOTS, replace(lot, account=self.account, status=LotStatus.HELD))


class LotReleased(Effect, frozen=True, kw_only=True):
    """A lot that was held can be offered again."""

    lot: LotId
    voucher: Sid
    holder: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and the holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Frees the lot."""
        lot = state.get(LOTS, self.lot)
        if lot is None:
            raise InvariantBrokenError(f"release of no lot {self.lot}")
        state.put(LOTS, replace(lot, status=LotStatus.FREE))


def reads_payee_change(statement: Statement[PayeeChange], _now: Now) -> ReadPlan:
    """Asks for the lot, the account and whose rules hold."""
    yield from get(LOTS, statement.body.lot)
    yield from get(ACCOUNTS, statement.body.account)


def decide_payee_change(
    state: Rows, statement: Statement[PayeeChange], now: Now
) -> tuple[Effect, ...]:
    """Changes the account on which a lot of the signer's is paid; the lot is held for 24 hours.

    Raises:
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered, or held since another change.
        LotBurdenedError: It is pledged or frozen: who is paid then is not its holder's to say.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account.
        VoucherDueError: The voucher is due.
        PayeeFrozenError: It is due within three days, and no second person has approved, or
            no callback is shown.
    """
    body = statement.body
    lot = own_free_lot(state, body.lot, by=statement.by)
    require_account(state, body.account, owner=statement.by)
    today, due_on = today_at(now), parse_date(lot.due_on)
    if today >= due_on:
        raise VoucherDueError(voucher=lot.voucher, due_on=lot.due_on)
    if today >= due_on - FROZEN:
        party = state.get(PARTIES, trustee_of(statement.by))
        # What needs approvals takes effect only by the last of them.
        dual = needed_approvals(state, statement, PAYEE_CHANGE, party) is not None
        if not dual or body.callback is None:
            begins = (due_on - FROZEN).isoformat()
            raise PayeeFrozenError(lot=lot.lot, due_on=lot.due_on, begins=begins)
    held_until = now.time + HOLD_MS
    changed = PayeeChanged(
        lot=lot.lot,
        voucher=lot.voucher,
        holder=lot.holder,
        former=lot.account,
        account=body.account,
        callback=None if body.callback is None else body.callback.digest,
        held_until=held_until,
    )
    return (changed, DeadlineSet(at=held_until, kind="lot.release", id=lot.lot))


def reads_lot_release(due: Due, _now: Now) -> ReadPlan:
    """Asks for the lot."""
    yield from get(LOTS, due.id)


def decide_lot_release(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends the hold of a lot, if it is still there."""
    met = DeadlineCleared(at=due.at, kind=due.kind, id=due.id)
    lot = state.get(LOTS, due.id)
    if lot is None or lot.status != LotStatus.HELD:
        return (met,)
    return (LotReleased(lot=lot.lot, voucher=lot.voucher, holder=lot.holder), met)


def _redirected(state: Rows, statement: Statement[PayeeChange]) -> int:
    """Returns what is paid elsewhere; nothing, if there is no such lot."""
    lot = state.get(LOTS, statement.body.lot)
    return 0 if lot is None else lot.amount


PAYEE_CHANGE = Kind(
    name="payee.change",
    body=PayeeChange,
    signers=HOLDER_ROLES,
    relation="the lot's holder",
    reads=reads_payee_change,
    decide=decide_payee_change,
    amount=_redirected,
)

KINDS = (PAYEE_CHANGE,)
TIMED = (TimedKind(name="lot.release", reads=reads_lot_release, decide=decide_lot_release),)
