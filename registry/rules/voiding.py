"""Voiding a voucher (作废): its debtor proposes, and whoever holds all of it agrees.

A voucher is never deleted and never altered. While one party holds every part, free and
unburdened, both may end it: an entry that cancels the face. Once a part is another
party's, that party would have to sign too, so nobody can void it over a holder's head.

Source: RG-27, PF-01.
"""

from typing import Annotated, Any

from pydantic import Field

from registry.backing import free_invoices, reads_backing
from registry.credit import VOIDINGS, Voiding
from registry.debts import moved, owe, reads_debtor, reads_held
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.fields import FileRef
from registry.ids import PartyId, Sid
from registry.model import HOLDER_ROLES, LOTS, PARTIES, VOUCHERS, Role, VoucherStatus
from registry.refusals import (
    NotDebtorError,
    NotSoleHolderError,
    VoucherDueError,
    VoucherStatusError,
)
from registry.rights import Lots, known_voucher, require_all, today_at
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, get_many, replace


class VoucherVoid(Body):
    """The debtor's proposal to void a voucher, and the ground for it."""

    ground: FileRef


class VoucherAgreeVoid(Body):
    """The sole holder's agreement: nothing is owed on the voucher any more.

    `lots` are all of it. The signer names them, so that nobody has to look through the lots
    of a voucher that was split a thousand times to refuse what only one holder may sign.
    """

    lots: Annotated[Lots, Field(min_length=1)]


class VoidProposed(Effect, frozen=True, kw_only=True):
    """A voucher's debtor would have it voided."""

    voiding: Sid
    voucher: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the proposal."""
        state.add(VOIDINGS, Voiding(voiding=self.voiding, voucher=self.voucher))


class VoucherVoided(Effect, frozen=True, kw_only=True):
    """A voucher is void; its holder's lots are consumed, and all of its face is cancelled."""

    voiding: Sid
    voucher: Sid
    holder: PartyId
    lots: tuple[str, ...]

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher and its holder."""
        return (("voucher", self.voucher), ("holder", self.holder))

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends lots, proposal and voucher."""
        voucher = known_voucher(state, self.voucher)
        ended = 0
        for name in self.lots:
            lot = state.get(LOTS, name)
            if lot is None:
                raise InvariantBrokenError(f"entry {seal.index} voids no lot {name}")
            ended += lot.amount
            state.delete(LOTS, name)
        if ended != voucher.face:
            raise InvariantBrokenError(f"entry {seal.index} voids {ended} of {voucher.face}")
        voided = replace(voucher, status=VoucherStatus.VOIDED, cancelled=voucher.face, owing=None)
        state.put(VOUCHERS, voided)
        state.delete(VOIDINGS, self.voiding)
        owe(state, voucher.debtor, -voucher.face)


def decide_voucher_void(
    state: Rows, statement: Statement[VoucherVoid], now: Now
) -> tuple[Effect, ...]:
    """Proposes to void a voucher that is active; its holder may agree.

    Raises:
        VoucherStatusError: The voucher is not active.
        NotDebtorError: The signer is not its debtor.
        VoucherDueError: The voucher is due.
    """
    voucher = known_voucher(state, Sid(statement.re or ""))
    if voucher.status != VoucherStatus.ACTIVE:
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    if statement.by != voucher.debtor:
        raise NotDebtorError(voucher=voucher.voucher, by=statement.by)
    if today_at(now).isoformat() >= voucher.due_on:
        raise VoucherDueError(voucher=voucher.voucher, due_on=voucher.due_on)
    return (VoidProposed(voiding=statement.sid, voucher=voucher.voucher),)


def reads_voucher_agree_void(statement: Statement[VoucherAgreeVoid], _now: Now) -> ReadPlan:
    """Asks for the lots, the voucher, and what it counts for."""
    voiding = yield from get(VOIDINGS, statement.re or "")
    if voiding is None:
        return
    yield from get_many(LOTS, statement.body.lots)
    voucher = yield from get(VOUCHERS, voiding.voucher)
    holder = yield from get(PARTIES, statement.by)
    yield from reads_backing(voiding.voucher)
    if voucher is not None:
        yield from reads_debtor(voucher.debtor)
        yield from reads_held((holder,), voucher.debtor)


def decide_voucher_agree_void(
    state: Rows, statement: Statement[VoucherAgreeVoid], now: Now
) -> tuple[Effect, ...]:
    """Agrees to void a voucher of which the signer holds every part.

    Raises:
        VoucherStatusError: The voucher is not active any more.
        MalformedError: The lots are not sorted and unique.
        LotNotFoundError: There is no such live lot.
        NotHolderError: The signer does not hold it.
        LotLockedError: It is offered to somebody.
        LotBurdenedError: It is pledged or frozen.
        NotSoleHolderError: They are not all of the voucher, or a part is paid.
        VoucherDueError: The voucher is due.
    """
    voiding = state.get(VOIDINGS, statement.re or "")
    if voiding is None:
        raise InvariantBrokenError("the answer was not checked")
    voucher = known_voucher(state, voiding.voucher)
    if voucher.status != VoucherStatus.ACTIVE:
        raise VoucherStatusError(
            voucher=voucher.voucher, status=voucher.status, kind=statement.kind
        )
    require_all(state, voucher, statement.body.lots, by=statement.by)
    if voucher.discharged:
        raise NotSoleHolderError(voucher=voucher.voucher, by=statement.by)
    if today_at(now).isoformat() >= voucher.due_on:
        raise VoucherDueError(voucher=voucher.voucher, due_on=voucher.due_on)

    # Past this line the voucher must be void.
    voided = VoucherVoided(
        voiding=voiding.voiding,
        voucher=voucher.voucher,
        holder=statement.by,
        lots=statement.body.lots,
    )
    return (
        voided,
        *free_invoices(state, voucher.voucher),
        *moved(state, voucher.debtor, voucher.face, giver=statement.by),
    )


def _proposed(state: Rows, statement: Statement[Any]) -> int:
    """Returns what a proposal is about: all that is owed on the voucher."""
    return known_voucher(state, Sid(statement.re or "")).face


def _agreed(state: Rows, statement: Statement[Any]) -> int:
    """Returns what an agreement gives up: the voucher's face."""
    voiding = state.get(VOIDINGS, statement.re or "")
    return 0 if voiding is None else known_voucher(state, voiding.voucher).face


KINDS = (
    Kind(
        name="voucher.void",
        body=VoucherVoid,
        signers=frozenset({Role.PARTICIPANT}),
        relation="the debtor",
        answers={"voucher.issue": VOUCHERS},
        decide=decide_voucher_void,
        amount=_proposed,
    ),
    Kind(
        name="voucher.agree-void",
        body=VoucherAgreeVoid,
        signers=HOLDER_ROLES,
        relation="who holds all of the voucher",
        answers={"voucher.void": VOIDINGS},
        reads=reads_voucher_agree_void,
        decide=decide_voucher_agree_void,
        amount=_agreed,
    ),
)
