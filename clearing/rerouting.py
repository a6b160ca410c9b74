"""Another way for money: what replaces a broken instruction and all that was to be paid from it.

It follows from the state however many holders are behind it, so the log has its counts and
the digest of its rows. What has not been carried out goes direct, from the account where the
money is, to the holders of the lots behind; what is there for nobody goes back to the debtor.
Money that comes along a way that was replaced goes back to the account from which the other
way starts, for there it is wanted, or missing.

Source: docs/clearing.md, A hop that breaks; SD-21, SD-23.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from clearing.hops import is_carried, to_pay_again
from clearing.instructed import behind, known_instruction, known_run
from clearing.model import (
    LAPSING,
    ORDERS,
    InstructionRecord,
    InstructionStatus,
    Run,
    Sort,
)
from clearing.outcomes import add_instruction, replace_instruction
from clearing.routes import LOTS_MAX, Claim, paid_apart, part_of
from registry.burdens import FREEZES, court_accounts, frozen_lots
from registry.canonical import b64url_encode, sha256
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import LotId, PartyId, Sid
from registry.model import ACCOUNTS, LOTS, Lot, Route, Voucher
from registry.rights import known_voucher
from registry.tables import Minor, MutableRows, Rows, format_record

REROUTING_DOMAIN: Final = b"tallystick-rerouting/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What is paid to one account in the place of a broken instruction.

    Attributes:
        payee: Who is paid: the holder, whosever the account is.
        account: Into which account.
        amount_minor: Minor units.
        lots: What it pays; none of what goes back.
        parts: As much of each as it pays, where lots may be paid in part.
    """

    payee: PartyId
    account: Sid
    amount_minor: int
    lots: tuple[LotId, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouting:
    """What is over, by number, and what stands in its place."""

    replaced: tuple[InstructionRecord, ...]
    added: tuple[InstructionRecord, ...]

    def digest(self) -> str:
        """Computes the digest of what is added: the rows as JSON, a line each."""
        lines = (format_record(row).encode() + b"\n" for row in self.added)
        return b64url_encode(sha256(REROUTING_DOMAIN + b"\x00" + b"".join(lines)))


def payments_of(
    lots: Sequence[Claim], *, held_minor: int, voucher: Voucher, in_parts: bool
) -> tuple[Payment, ...]:
    """Returns what replaces a broken instruction.

    Args:
        lots: What is still to be paid of the lots behind it.
        in_parts: Lots may be paid in part.
        held_minor: The money that it would have moved, in minor units.
        voucher: Theirs; what is left goes back into its account.

    Returns:
        One payment for each holder and account, in this order, or several of as many lots as
        an instruction may have; and last the debtor's.
    """
    into: dict[tuple[PartyId, Sid], list[Claim]] = {}
    for lot in sorted(lots, key=lambda lot: lot.lot):
        into.setdefault((lot.holder, lot.account), []).append(lot)
    payments = [
        Payment(
            payee=payee,
            account=account,
            amount_minor=sum(lot.amount for lot in some),
            lots=tuple(lot.lot for lot in some),
            parts=tuple(str(lot.amount) for lot in some) if in_parts else (),
        )
        for (payee, account), held in sorted(into.items())
        for some in (held[start : start + LOTS_MAX] for start in range(0, len(held), LOTS_MAX))
    ]
    rest = held_minor - sum(payment.amount_minor for payment in payments)
    if rest < 0:
        raise InvariantBrokenError("more is to be paid than there is money for")
    if rest:
        payments.append(Payment(payee=voucher.debtor, account=voucher.account, amount_minor=rest))
    return tuple(payments)


def find_rerouting(state: Rows, record: InstructionRecord) -> Rerouting:
    """Finds what replaces an instruction whose money lies with its payer."""
    run = known_run(state, record.plan)
    if record.status == InstructionStatus.REPLACED:
        suffix = [record]
        payments: tuple[Payment, ...] = (_way_back(state, record, run),)
    else:
        # Behind it, what has expired is over, and its lots are another plan's.
        onward = behind(state, record)
        suffix = [record, *(each for each in onward if each.status in LAPSING)]
        voucher = known_voucher(state, record.voucher)
        # What its payer owes once more itself is not the debtor's money.
        again = [record, *onward] if is_carried(voucher) else []
        kept = to_pay_again(state, again, party=record.payer, debtor=voucher.debtor)
        payments = payments_of(
            [lot for each in suffix for lot in _still_paid(state, each)],
            held_minor=record.amount - sum(row.amount for row in kept),
            voucher=voucher,
            in_parts=any(each.parts for each in suffix),
        )
    added = (
        instead_of(state, record, payment, n=n)
        for n, payment in enumerate(payments, run.instructions)
    )
    return Rerouting(replaced=tuple(suffix), added=tuple(added))


def is_turned(state: Rows, record: InstructionRecord) -> bool:
    """Tells whether an instruction is itself the one whose money was sent another way."""
    return record.n in _turned(state, known_run(state, record.plan))


def _turned(state: Rows, run: Run) -> set[int]:
    """Returns the numbers of a run's instructions whose money was sent another way."""
    added = range(run.instructions - run.added, run.instructions)
    rows = (known_instruction(state, run.plan, n) for n in added)
    return {row.instead for row in rows if row.instead is not None and row.pays is None}


def _way_back(state: Rows, record: InstructionRecord, run: Run) -> Payment:
    """Returns the payment of what came along a replaced way, to where the other one starts."""
    turned = _turned(state, run)
    origin = record
    while origin.n not in turned:
        if not origin.after:
            raise InvariantBrokenError(f"nothing replaces instruction {record.n} of {run.plan}")
        origin = known_instruction(state, run.plan, int(origin.after[0]))
    return Payment(payee=origin.payer, account=origin.payer_account, amount_minor=record.amount)


def _still_paid(state: Rows, record: InstructionRecord) -> Iterator[Claim]:
    """Yields what an instruction is to pay of the lots that are bound to it, unless frozen."""
    parts = record.parts or ("",) * len(record.lots)
    for name, part in zip(record.lots, parts, strict=True):
        lot, order = state.get(LOTS, name), state.get(ORDERS, name)
        if lot is None or order is None or (order.plan, order.n) != (record.plan, record.n):
            continue
        paid = part_of(lot, int(part) if part else lot.amount)
        if not is_frozen(state, lot):
            yield paid
        elif court := court_accounts(state.where(FREEZES, "lot", name)).get(lot.lot):
            yield paid_apart(paid, court)


def is_frozen(state: Rows, lot: Lot) -> bool:
    """Tells whether a freeze stands on a lot."""
    return bool(lot.burdens and frozen_lots(state.where(FREEZES, "lot", lot.lot)))


def instead_of(
    state: Rows,
    record: InstructionRecord,
    payment: Payment,
    *,
    n: int,
    own: Voucher | None = None,
    pays: Sort | None = None,
) -> InstructionRecord:
    """Returns the row of a payment in the place of an instruction.

    Args:
        state: Shows the account that is paid into.
        record: The instruction.
        payment: The payment.
        n: Its number.
        own: The voucher, where its debtor pays; else who pays the instruction does.
        pays: What is owed because of the instruction, if it pays that.
    """
    into = state.get(ACCOUNTS, payment.account)
    if into is None:
        raise InvariantBrokenError(f"there is no account {payment.account}")
    return InstructionRecord(
        plan=record.plan,
        n=n,
        route=Route.DIRECT,
        voucher=record.voucher,
        payer_account=own.account if own else record.payer_account,
        payer=own.debtor if own else record.payer,
        payee_account=payment.account,
        payee=into.owner,
        holder=None if into.owner == payment.payee else payment.payee,
        bank=into.bank,
        amount=Minor(payment.amount_minor),
        authority=own.mandate if own else record.authority,
        lots=payment.lots,
        after=() if own else record.after,
        remittance=record.remittance,
        status=InstructionStatus.PENDING,
        parts=payment.parts,
        kept=Minor(payment.amount_minor if payment.lots or pays else 0),
        instead=record.n,
        pays=pays,
        # What a stage could not pay on lies there still, and is to be swept as before.
        stage=record.stage if payment.lots and not own else None,
    )


class MoneyRerouted(Effect, frozen=True, kw_only=True):
    """An instruction's money is sent another way: which one follows from the state."""

    derived = frozenset({"decided"})

    plan: Sid
    n: int
    voucher: Sid
    replaced: int
    added: int
    digest: str
    decided: Rerouting | None = None
    """What was found to be decided on; without it, it is found anew."""

    @classmethod
    def of(cls, record: InstructionRecord, found: Rerouting) -> "MoneyRerouted":
        """Returns the effect that sends an instruction's money another way."""
        return cls(
            plan=record.plan,
            n=record.n,
            voucher=record.voucher,
            replaced=len(found.replaced),
            added=len(found.added),
            digest=found.digest(),
            decided=found,
        )

    def touched(self) -> tuple[Touch, ...]:
        """Touches the voucher: every hop of its money is part of its history."""
        return (("voucher", self.voucher),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Ends the instructions, and writes those that stand in their place."""
        found = self.decided
        if found is None:
            found = find_rerouting(state, known_instruction(state, self.plan, self.n))
            sizes = (len(found.replaced), len(found.added))
            if (*sizes, found.digest()) != (self.replaced, self.added, self.digest):
                raise InvariantBrokenError(f"entry {seal.index}: another way than follows")
        for record in found.replaced:
            replace_instruction(state, record)
        for record in found.added:
            add_instruction(state, record)


def ask_for_freezes(lots: Iterable[Lot | None]) -> list[LotId]:
    """Returns those of some lots on which a freeze may stand."""
    return [lot.lot for lot in lots if lot is not None and lot.burdens]
