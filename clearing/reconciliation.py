"""What was due on a date against what came of it: scheduled = received + short + withheld.

Three records that are kept apart are compared, to the fen, for each lot: the lots as they
stood before the first plan that pays them; the instructions that banks have posted; and the
lots that live now, frozen or not. What has come back after it had discharged a lot is short
until it is paid again. For each account, what came less what went is what was received
there, what is owed back, and other people's money that lies there still, never less than
nothing. What does not add up is named.

A lot that was cut meanwhile, for a part of it was paid or frozen, counts where it was
scheduled: who asks says of which lot another one is left.

Source: TR-06; reference 5.3.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from clearing.model import InstructionRecord, InstructionStatus, Obligation, ObligationStatus, Sort
from registry.ids import LotId, PartyId, Sid

Place = tuple[Sid, int]
"""An instruction: its plan, and its number there."""


class Held(Protocol):
    """A lot, as far as it is scheduled: see `registry.model.Lot`."""

    @property
    def lot(self) -> LotId:
        """Its id."""

    @property
    def voucher(self) -> Sid:
        """Of which voucher."""

    @property
    def holder(self) -> PartyId:
        """Whose it is."""

    @property
    def account(self) -> Sid:
        """Into which account it is paid."""

    @property
    def amount(self) -> int:
        """Minor units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an instruction has paid of a lot.

    Attributes:
        lot: The lot, as the instruction names it.
        plan: The plan of the instruction.
        n: Its number.
        account: The account that was credited.
        amount_minor: Minor units.
        at: When the registry was told, in milliseconds.
    """

    lot: LotId
    plan: Sid
    n: int
    account: Sid
    amount_minor: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A scheduled lot, and what has become of it; amounts in minor units."""

    lot: LotId
    voucher: Sid
    holder: PartyId
    account: Sid
    scheduled_minor: int
    received_minor: int
    short_minor: int
    withheld_minor: int

    @property
    def difference_minor(self) -> int:
        """What is in none of the three; zero in good order."""
        return self.scheduled_minor - self.received_minor - self.short_minor - self.withheld_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """What instructions have moved on an account; amounts in minor units.

    Attributes:
        account: The account.
        owner: Whose it is.
        came_minor: What was credited.
        went_minor: What was debited.
        received_minor: What of that its owner's lots were paid with.
        owed_back_minor: What came for lots that were paid already, or are frozen.
        pays: Debtors pay from it, so that more goes than comes.
    """

    account: Sid
    owner: PartyId
    came_minor: int
    went_minor: int
    received_minor: int
    owed_back_minor: int
    pays: bool

    @property
    def passing_minor(self) -> int:
        """Other people's money that lies there still."""
        if self.pays:
            return 0
        return self.came_minor - self.went_minor - self.received_minor - self.owed_back_minor


class Differs(StrEnum):
    """What of a due date does not add up."""

    LOT = "lot"
    """A lot is neither received nor short nor withheld, or more than once."""
    UNKNOWN = "unknown"
    """Something was paid for a lot that was neither scheduled nor is left of one that was."""
    ELSEWHERE = "elsewhere"
    """A lot was paid into another account than its own, or the court's that was to be paid."""
    ACCOUNT = "account"
    """More has left an account than others' money came into it: its owner has paid with its own.

    So it is where a bank has also carried out what was replaced.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that does not add up: what it is about, and by how many minor units."""

    what: Differs
    subject: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A due date: its lots, the accounts, and when what came there."""

    lines: tuple[Line, ...]
    accounts: tuple[AccountLine, ...]
    receipts: tuple[Receipt, ...]
    differences: tuple[Difference, ...]


@dataclass(slots=True, kw_only=True)
class Ways:
    """The instructions that were to pay what was due, and what is owed because of them.

    Attributes:
        records: The instructions, of whatever plans.
        obligations: What is owed because of them.
        amounts: By plan, what each lot came to when the plan was adopted, in minor units.
    """

    records: Sequence[InstructionRecord]
    obligations: Iterable[Obligation]
    amounts: Mapping[Sid, Mapping[LotId, int]]
    _owed: dict[tuple[str, Sid, int], Obligation] = field(init=False)
    _again: dict[Place, list[InstructionRecord]] = field(init=False)

    def __post_init__(self) -> None:
        """Indexes them."""
        self._owed = {(row.sort, row.plan, row.n): row for row in self.obligations}
        self._again = defaultdict(list)
        for row in self.records:
            if row.pays == Sort.AGAIN and row.instead is not None:
                self._again[row.plan, row.instead].append(row)

    def receipts(self) -> Iterator[Receipt]:
        """Yields what lots have been paid, also again after it had come back."""
        for record in self.records:
            paid_by = self._paid_by(record)
            if paid_by is None:
                continue
            for lot, amount in self._kept(record):
                yield Receipt(
                    lot=lot,
                    plan=paid_by.plan,
                    n=paid_by.n,
                    account=paid_by.payee_account,
                    amount_minor=amount,
                    at=paid_by.posted_at or 0,
                )

    def open_again(self) -> Iterator[tuple[LotId, int]]:
        """Yields the lots that were discharged, and whose money came back and is owed again."""
        for record in self.records:
            if _came_back(record) and self._paid_by(record) is None:
                yield from self._kept(record)

    def owed_back(self) -> Counter[Sid]:
        """Returns what came for nothing that was still to be paid, by account."""
        found = Counter[Sid]()
        for row in self._owed.values():
            if row.sort == Sort.RETURN and row.status != ObligationStatus.MET:
                found[row.account] += row.amount
        return found

    def _paid_by(self, record: InstructionRecord) -> InstructionRecord | None:
        """Returns the posted instruction whose money a payment is, itself or a later one."""
        if record.status == InstructionStatus.POSTED:
            return record
        if not _came_back(record):
            return None
        return next(filter(None, map(self._paid_by, self._again[record.plan, record.n])), None)

    def _kept(self, record: InstructionRecord) -> Iterator[tuple[LotId, int]]:
        """Yields the lots that an instruction has discharged, with what it paid of each."""
        back = self._owed.get((Sort.RETURN, record.plan, record.n))
        again = self._owed.get((Sort.AGAIN, record.plan, record.n))
        if _came_back(record):
            paid = frozenset(again.lots if again is not None else ())
        else:
            paid = frozenset(record.lots).difference(back.lots if back is not None else ())
        whole = self.amounts.get(record.plan, {})
        for lot, part in zip(record.lots, record.parts or ("",) * len(record.lots), strict=True):
            if lot in paid:
                yield LotId(lot), int(part) if part else whole.get(LotId(lot), 0)


def _came_back(record: InstructionRecord) -> bool:
    """Tells whether an instruction's money came, and went back."""
    return record.status in (InstructionStatus.RETURNED, InstructionStatus.REDIRECTED)


def reconcile(
    ways: Ways,
    *,
    scheduled: Iterable[Held],
    live: Iterable[Held],
    frozen: Collection[LotId],
    left_of: Mapping[LotId, LotId],
    courts: Collection[tuple[LotId, Sid]] = (),
) -> Reconciliation:
    """Compares what was due with what came and with what is still claimed.

    Args:
        ways: How it was to be paid.
        scheduled: The lots, as they stood before the first plan that pays them.
        live: Those that live now, whatever was cut off them included.
        frozen: At least those of them on which a freeze stands.
        left_of: For each lot that is not scheduled: the lot of which it is left.
        courts: Lots that courts have ordered paid to them, with their accounts.

    Returns:
        Lots and accounts by id. A lot that is left of none has a line of its own, of which
        nothing was scheduled.
    """
    rows = {row.lot: row for row in scheduled}
    now = list(live)
    known = rows | {row.lot: row for row in now if _origin(row.lot, left_of) == row.lot}
    receipts = tuple(ways.receipts())
    received, short, withheld = Counter[LotId](), Counter[LotId](), Counter[LotId]()
    for receipt in receipts:
        received[_origin(receipt.lot, left_of)] += receipt.amount_minor
    for row in now:
        (withheld if row.lot in frozen else short)[_origin(row.lot, left_of)] += row.amount
    for lot, amount in ways.open_again():
        short[_origin(lot, left_of)] += amount
    lines = tuple(
        Line(
            lot=lot,
            voucher=row.voucher,
            holder=row.holder,
            account=row.account,
            scheduled_minor=row.amount if lot in rows else 0,
            received_minor=received[lot],
            short_minor=short[lot],
            withheld_minor=withheld[lot],
        )
        for lot, row in sorted(known.items())
    )
    accounts = tuple(_accounts(ways, receipts))
    ordered = frozenset((_origin(lot, left_of), account) for lot, account in courts)
    differences = tuple(_differences(lines, accounts, receipts, left_of, ordered))
    return Reconciliation(
        lines=lines, accounts=accounts, receipts=receipts, differences=differences
    )


def _origin(lot: LotId, left_of: Mapping[LotId, LotId]) -> LotId:
    """Returns the lot that was scheduled, of which another one is left."""
    while lot in left_of:
        lot = left_of[lot]
    return lot


def _accounts(ways: Ways, receipts: Iterable[Receipt]) -> Iterator[AccountLine]:
    """Yields what was moved on each account, by id."""
    owners: dict[Sid, PartyId] = {}
    came, went, received = Counter[Sid](), Counter[Sid](), Counter[Sid]()
    pays: set[Sid] = set()
    for record in ways.records:
        owners |= {record.payer_account: record.payer, record.payee_account: record.payee}
        if not record.after:
            pays.add(record.payer_account)
        if record.status == InstructionStatus.POSTED:
            came[record.payee_account] += record.amount
            went[record.payer_account] += record.amount
    for receipt in receipts:
        received[receipt.account] += receipt.amount_minor
    owed_back = ways.owed_back()
    for account, owner in sorted(owners.items()):
        yield AccountLine(
            account=account,
            owner=owner,
            came_minor=came[account],
            went_minor=went[account],
            received_minor=received[account],
            owed_back_minor=owed_back[account],
            pays=account in pays,
        )


def _differences(
    lines: Iterable[Line],
    accounts: Iterable[AccountLine],
    receipts: Iterable[Receipt],
    left_of: Mapping[LotId, LotId],
    ordered: Collection[tuple[LotId, Sid]],
) -> Iterator[Difference]:
    """Yields what does not add up."""
    into = {}
    for line in lines:
        into[line.lot] = line.account
        if line.difference_minor:
            minor = line.difference_minor
            yield Difference(what=Differs.LOT, subject=line.lot, amount_minor=minor)
    for receipt in receipts:
        lot, minor = _origin(receipt.lot, left_of), receipt.amount_minor
        account = into.get(lot)
        if account is None:
            yield Difference(what=Differs.UNKNOWN, subject=receipt.lot, amount_minor=minor)
        elif account != receipt.account and (lot, receipt.account) not in ordered:
            yield Difference(what=Differs.ELSEWHERE, subject=receipt.lot, amount_minor=minor)
    for each in accounts:
        if each.passing_minor < 0:
            minor = each.passing_minor
            yield Difference(what=Differs.ACCOUNT, subject=each.account, amount_minor=minor)
