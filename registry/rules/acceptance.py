"""What becomes of an issued voucher: accepted, also by silence; refused, withdrawn or expired."""

from datetime import date
from typing import Any

from registry.backing import free_invoices, reads_backing
from registry.debts import has_room, moved, owe, reads_debtor, reads_held, require_room
from registry.effects import DeadlineCleared, DeadlineSet, Due, Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.fields import SidField
from registry.ids import PartyId, Sid, lot_id
from registry.model import (
    ACCOUNTS,
    ASSIGNMENTS_MAX,
    BUCKETS,
    DEADLINES,
    HOLDER_ROLES,
    LEDGER,
    LOTS,
    PARTIES,
    VOUCHERS,
    Lot,
    LotStatus,
    Role,
    Voucher,
    VoucherStatus,
)
from registry.money import SUM_MAX
from registry.policy import ask_rules, rules_in_force
from registry.refusals import (
    DeadlinePassedError,
    LedgerFullError,
    NotCreditorError,
    NotDebtorError,
    VoucherStatusError,
)
from registry.rights import known_voucher, require_account, start_instant
from registry.standing import SilenceEnd, VoucherSilenceEnded, ask_consent, covering
from registry.statements import Body, Kind, Now, Statement, TimedKind
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, replace
from registry.words import ConsentPurpose

FACES_MAX = SUM_MAX // (ASSIGNMENTS_MAX + 1)
"""Of all vouchers ever: paid over every hop that a chain may have, they stay below 2^63."""


class VoucherAccept(Body):
    """The first holder's acceptance: where it is to be paid, and by which route."""

    account: SidField
    collection_route: bool


class VoucherRefuse(Body):
    """The first holder's refusal."""


class VoucherWithdraw(Body):
    """The debtor's withdrawal, before acceptance."""


class VoucherClosed(Effect, frozen=True, kw_only=True):
    """A voucher that never became effective is refused, withdrawn or expired."""

    voucher: Sid
    status: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Closes the voucher; all of its face is cancelled, and owed no more."""
        voucher = known_voucher(state, self.voucher)
        closed = replace(
            voucher,
            status=self.status,
            cancelled=voucher.face,
            consent=None,
            silent_at=None,
        )
        state.put(VOUCHERS, closed)
        owe(state, voucher.debtor, -voucher.face)


class VoucherActivated(Effect, frozen=True, kw_only=True):
    """The voucher binds: the lot `<voucher>.0` of its whole face is the first holder's."""

    voucher: Sid
    creditor: PartyId
    account: Sid
    collection_route: bool
    ordinal: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and its first holder."""
        return (("voucher", self.voucher), ("holder", self.creditor))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Gives voucher and bucket their ordinal, and makes the lot."""
        voucher = known_voucher(state, self.voucher)
        bucket = state.get(BUCKETS, "voucher", self.voucher)
        ledger = state.get(LEDGER, "ledger")
        if bucket is None or ledger is None:
            raise InvariantBrokenError(f"voucher {self.voucher} has no bucket")
        lot = Lot(
            lot=lot_id(self.voucher, 0),
            voucher=self.voucher,
            amount=voucher.face,
            holder=self.creditor,
            born=seal.index,
            due_on=voucher.due_on,
            path=(self.creditor,),
            tier=1,
            acquired=self.voucher,
            account=self.account,
            collection_route=self.collection_route,
            recourse=False,
            acknowledged=True,
            status=LotStatus.FREE,
            salt=voucher.lot_salt,
        )
        active = replace(
            voucher,
            status=VoucherStatus.ACTIVE,
            ordinal=self.ordinal,
            consent=None,
            silent_at=None,
            owing=voucher.account,
        )
        state.put(VOUCHERS, active)
        state.put(BUCKETS, replace(bucket, ordinal=self.ordinal, founded=seal.index))
        total = Minor(ledger.face_total + voucher.face)
        state.put(LEDGER, replace(ledger, voucher_count=self.ordinal + 1, face_total=total))
        state.add(LOTS, lot)


def _pending(state: Rows, statement: Statement[Any]) -> Voucher:
    """Returns the voucher answered, if it still waits for acceptance.

    Raises:
        VoucherStatusError: It does not.
    """
    voucher = known_voucher(state, Sid(statement.re or ""))
    if voucher.status != VoucherStatus.ISSUED:
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    return voucher


def reads_voucher_accept(statement: Statement[VoucherAccept], _now: Now) -> ReadPlan:
    """Asks for the voucher, the account, the first holder and the due date's cut-off."""
    voucher = yield from get(VOUCHERS, statement.re or "")
    yield from get(ACCOUNTS, statement.body.account)
    holder = yield from get(PARTIES, statement.by)
    if voucher is not None:
        yield from get(DEADLINES, *_cut_off_key(voucher, _now))
        yield from reads_held((holder,), voucher.debtor)


def _cut_off_key(voucher: Voucher, now: Now) -> tuple[int, str, str]:
    """Returns the key of the deadline at which a voucher's due date begins."""
    return (start_instant(date.fromisoformat(voucher.due_on), now), "day.cut-off", voucher.due_on)


def decide_voucher_accept(
    state: Rows, statement: Statement[VoucherAccept], now: Now
) -> tuple[Effect, ...]:
    """Accepts a voucher as its first holder: from here on it binds.

    Raises:
        VoucherStatusError: The voucher does not wait for acceptance.
        NotCreditorError: The signer is not its first holder.
        DeadlinePassedError: The last day for acceptance is over.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The payee account.
        ExposureLimitError: The signer would hold more of the debtor than it wants to (FR-06).
        LedgerFullError: What could move at maturity could no longer be told in 63 bits.
    """
    voucher = _pending(state, statement)
    if statement.by != voucher.creditor:
        raise NotCreditorError(voucher=voucher.voucher, by=statement.by)
    if now.time >= voucher.accept_by:
        raise DeadlinePassedError(deadline=voucher.accept_by)
    body = statement.body
    require_account(state, body.account, owner=statement.by)
    require_room(state, statement.by, voucher.debtor, voucher.face)
    if now.facts.face_total + voucher.face > FACES_MAX:
        raise LedgerFullError(total=now.facts.face_total, face=voucher.face, limit=FACES_MAX)

    # Past this line the acceptance must succeed.
    return _activated(
        state, voucher, now, account=body.account, collection_route=body.collection_route
    )


def _activated(
    state: Rows, voucher: Voucher, now: Now, *, account: Sid, collection_route: bool
) -> tuple[Effect, ...]:
    """Returns what follows from an acceptance: the lot, and the cut-off of its due date."""
    activated = VoucherActivated(
        voucher=voucher.voucher,
        creditor=voucher.creditor,
        account=account,
        collection_route=collection_route,
        ordinal=now.facts.voucher_count,
    )
    held = moved(state, voucher.debtor, voucher.face, taker=voucher.creditor)
    effects: tuple[Effect, ...] = (activated, *held, *_cleared(voucher))
    at, kind, day = _cut_off_key(voucher, now)
    if state.get(DEADLINES, at, kind, day) is None:
        effects += (DeadlineSet(at=at, kind=kind, id=day),)
    return effects


def _cleared(voucher: Voucher) -> tuple[DeadlineCleared, ...]:
    """Returns the effects that a voucher's acceptance deadlines are met or moot."""
    sid = voucher.voucher
    expiry = DeadlineCleared(at=voucher.accept_by, kind="voucher.expire", id=sid)
    if voucher.silent_at is None:
        return (expiry,)
    return (expiry, DeadlineCleared(at=voucher.silent_at, kind="voucher.silence", id=sid))


def reads_closing(statement: Statement[Any], _now: Now) -> ReadPlan:
    """Asks for the voucher answered, what backs it, and its debtor."""
    yield from _reads_end(statement.re or "")


def _reads_end(name: str) -> ReadPlan:
    voucher = yield from get(VOUCHERS, name)
    if voucher is not None:
        yield from reads_backing(voucher.voucher)
        yield from reads_debtor(voucher.debtor)


def _closed(state: Rows, voucher: Voucher, status: VoucherStatus) -> tuple[Effect, ...]:
    """Returns what follows from the end of a voucher that never bound."""
    closed = VoucherClosed(voucher=voucher.voucher, status=status)
    return (closed, *free_invoices(state, voucher.voucher), *_cleared(voucher))


def decide_voucher_refuse(
    state: Rows, statement: Statement[VoucherRefuse], _now: Now
) -> tuple[Effect, ...]:
    """Refuses a voucher as its first holder (拒签).

    Raises:
        VoucherStatusError: The voucher does not wait for acceptance.
        NotCreditorError: The signer is not its first holder.
    """
    voucher = _pending(state, statement)
    if statement.by != voucher.creditor:
        raise NotCreditorError(voucher=voucher.voucher, by=statement.by)
    return _closed(state, voucher, VoucherStatus.REFUSED)


def decide_voucher_withdraw(
    state: Rows, statement: Statement[VoucherWithdraw], _now: Now
) -> tuple[Effect, ...]:
    """Withdraws a voucher that nobody has accepted (撤回).

    Raises:
        VoucherStatusError: The voucher does not wait for acceptance.
        NotDebtorError: The signer is not its debtor.
    """
    voucher = _pending(state, statement)
    if statement.by != voucher.debtor:
        raise NotDebtorError(voucher=voucher.voucher, by=statement.by)
    return _closed(state, voucher, VoucherStatus.WITHDRAWN)


def reads_voucher_expire(due: Due, _now: Now) -> ReadPlan:
    """Asks for the voucher, what backs it, and its debtor."""
    yield from _reads_end(due.id)


def decide_voucher_expire(state: Rows, due: Due, _now: Now) -> tuple[Effect, ...]:
    """Ends a voucher that was not accepted in time."""
    return _closed(state, known_voucher(state, due.sid), VoucherStatus.EXPIRED)


def reads_voucher_silence(due: Due, now: Now) -> ReadPlan:
    """Asks for the voucher, its first holder's consent, the account, the due date's cut-off."""
    voucher = yield from get(VOUCHERS, due.id)
    if voucher is None:
        return
    yield from ask_rules(now)
    consent = yield from ask_consent(voucher.creditor, ConsentPurpose.ISSUE)
    if consent is not None:
        yield from get(ACCOUNTS, consent.account)
    holder = yield from get(PARTIES, voucher.creditor)
    yield from get(DEADLINES, *_cut_off_key(voucher, now))
    yield from reads_held((holder,), voucher.debtor)


def decide_voucher_silence(state: Rows, due: Due, now: Now) -> tuple[Effect, ...]:
    """Accepts a voucher by its first holder's silence, if its consent still says so."""
    voucher = known_voucher(state, due.sid)
    if voucher.consent is None:
        raise InvariantBrokenError(f"silence about voucher {voucher.voucher} under no consent")
    consent = covering(
        state,
        rules_in_force(state, now.facts),
        party=voucher.creditor,
        purpose=ConsentPurpose.ISSUE,
        assignor=voucher.debtor,
        amount=voucher.face,
    )
    if consent is None or consent.consent != voucher.consent:
        end = SilenceEnd.NO_CONSENT
    elif voucher.creditor in voucher.co_debtors:
        end = SilenceEnd.OWES_VOUCHER
    elif not has_room(state, voucher.creditor, voucher.debtor, voucher.face):
        end = SilenceEnd.OVER_LIMIT
    elif now.facts.face_total + voucher.face > FACES_MAX:
        end = SilenceEnd.LEDGER_FULL
    else:
        end = SilenceEnd.ACCEPTED
    ended = VoucherSilenceEnded(
        voucher=voucher.voucher, consent=voucher.consent, end=end, policy=now.facts.policy
    )
    if end is not SilenceEnd.ACCEPTED or consent is None:
        return (ended, DeadlineCleared(at=due.at, kind=due.kind, id=due.id))
    activated = _activated(
        state,
        voucher,
        now,
        account=consent.account,
        collection_route=consent.collection_route,
    )
    return (ended, *activated)


def _face(state: Rows, statement: Statement[Any]) -> int:
    """Returns what an acceptance is about: the voucher's face."""
    return known_voucher(state, statement.re or Sid("")).face


_ANSWERS = {"voucher.issue": VOUCHERS}

KINDS = (
    Kind(
        name="voucher.accept",
        body=VoucherAccept,
        signers=HOLDER_ROLES,
        relation="the first holder",
        answers=_ANSWERS,
        reads=reads_voucher_accept,
        decide=decide_voucher_accept,
        amount=_face,
    ),
    Kind(
        name="voucher.refuse",
        body=VoucherRefuse,
        signers=HOLDER_ROLES,
        relation="the first holder",
        answers=_ANSWERS,
        reads=reads_closing,
        decide=decide_voucher_refuse,
    ),
    Kind(
        name="voucher.withdraw",
        body=VoucherWithdraw,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        answers=_ANSWERS,
        reads=reads_closing,
        decide=decide_voucher_withdraw,
        while_suspended=True,
    ),
)

TIMED = (
    TimedKind(name="voucher.expire", reads=reads_voucher_expire, decide=decide_voucher_expire),
    TimedKind(name="voucher.silence", reads=reads_voucher_silence, decide=decide_voucher_silence),
)
