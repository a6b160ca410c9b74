"""The log as a journal in plain text accounting, for hledger and its kin.

The journal holds claims and money: vouchers that became effective, assignments, and
posted instructions with what they discharged. It is derived from the effects in the
log alone, no rule asked, so that another program's double-entry checks are a second
opinion on ours:

    2026-03-02 pay CY-2026-001  ; entry:41, voucher:c1zL…, plan:8mQp…, instruction:0
        Assets:Bank:u3Kd…                      -1000000.00 CNY
        Assets:Bank:Zb0e…                       1000000.00 CNY
        Assets:Claims:91310000MA1K000019        -400000.00 CNY = 0.00 CNY
        Liabilities:Vouchers:91440300MA5G000020  400000.00 CNY = -600000.00 CNY

Balances are asserted at each discharge and on the last posting of each account. Bank
accounts start from zero: the figures are what clearing has moved.

What is owed because of an instruction stands on accounts of its own: what came back and is
owed again beside other claims and debts; what came for nothing and is to be returned; and,
as a memorandum of what has fallen due, what a debtor is to top up, for it owes that as a
voucher already. Money of which a bank names no instruction of ours is in no entry of the
log, and so on no account here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from clearing.plaintext import Line, Style, Transaction, format_transactions
from clearing.postings import (
    JournalEntry,
    activation,
    assignment,
    debts_account,
    discharge,
    hops_account,
    move,
    payment,
)
from registry.calendars import date_at
from registry.canonical import Json
from registry.errors import MalformedError
from registry.ids import PartyId, Sid
from registry.money import parse_amount

LogEntry: TypeAlias = Mapping[str, Json]
"""An opened entry: at least `index`, `time`, `kind` and `effects`."""

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._/-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Voucher:
    """What an activation needs to be told of the issue before it."""

    voucher_no: str
    debtor: PartyId
    face: int


@dataclass(slots=True, kw_only=True)
class _Book:
    """What has been written so far."""

    offset_minutes: int
    vouchers: dict[str, _Voucher] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    owed: dict[tuple[str, str, int], JournalEntry] = field(default_factory=dict)
    """What is posted of obligations that are not met, by their keys."""
    transactions: list[Transaction] = field(default_factory=list)

    def open(self, entry: LogEntry, words: str, **tags: str | int) -> Transaction:
        """Starts the transaction of an entry."""
        day = date_at(_integer(entry, "time"), offset_minutes=self.offset_minutes)
        index = _integer(entry, "index")
        transaction = Transaction(day=day, words=words, tags={"entry": index, **tags})
        self.transactions.append(transaction)
        return transaction

    def post(
        self, transaction: Transaction, entry: JournalEntry, *, is_asserted: bool = False
    ) -> None:
        """Adds balanced postings to a transaction."""
        for posting in entry.postings:
            balance = self.balances.get(posting.account, 0) + posting.amount_minor
            self.balances[posting.account] = balance
            line = Line(posting=posting, balance_minor=balance, is_asserted=is_asserted)
            transaction.lines.append(line)

    def read(self, entry: LogEntry) -> None:
        """Writes down what an entry changed."""
        paying: Transaction | None = None
        for change in _changes(entry):
            match change.get("effect"):
                case "voucher-issued":
                    self.vouchers[_text(change, "voucher")] = _Voucher(
                        voucher_no=_text(change, "voucher_no"),
                        debtor=PartyId(_text(change, "debtor")),
                        face=_amount(change, "face"),
                    )
                case "voucher-activated":
                    self._activate(entry, change)
                case "lot-assigned" | "lot-transferred":
                    self._assign(entry, change)
                case "financing-title-passed":
                    self._assign(entry, change, assignor="applicant", offer="contract")
                case "instruction-posted":
                    paying = self._pay(entry, change)
                case "instruction-returned":
                    paying = self._pay(entry, change, words="return")
                case "lot-discharged" | "lot-paid-in-part":
                    self._discharge(paying, change)
                case "payment-undone":
                    self._undo(paying, change)
                case "return-owed" | "top-up-owed" as effect:
                    self._owe(entry, paying, change, sort=effect.removesuffix("-owed"))
                case "paid-again" | "obligation-moved":
                    self._meet(paying, change)
                case "debt-passed":
                    self._pass(entry, paying, change)
                case "lot-extinguished":
                    self._extinguish(entry, change)
                case "voucher-voided":
                    self._void(entry, change)
                case _:
                    # Everything else moves neither claims nor money.
                    pass

    def _activate(self, entry: LogEntry, change: LogEntry) -> None:
        """Writes a voucher that became effective."""
        sid = _text(change, "voucher")
        voucher = self._voucher(sid)
        posted = activation(
            voucher.face, debtor=voucher.debtor, holder=PartyId(_text(change, "creditor"))
        )
        self.post(self.open(entry, f"issue {_plain(voucher.voucher_no)}", voucher=sid), posted)

    def _assign(
        self, entry: LogEntry, change: LogEntry, *, assignor: str = "assignor", offer: str = "offer"
    ) -> None:
        """Writes an assignment, whose effect names two of its members so."""
        sid = _text(change, "voucher")
        posted = assignment(
            _amount(change, "amount"),
            assignor=PartyId(_text(change, assignor)),
            assignee=PartyId(_text(change, "assignee")),
        )
        words = f"assign {_plain(self._voucher(sid).voucher_no)}"
        self.post(self.open(entry, words, voucher=sid, offer=_text(change, offer)), posted)

    def _pay(self, entry: LogEntry, change: LogEntry, *, words: str = "pay") -> Transaction:
        """Writes the bank legs of an instruction that is posted, or whose money came back."""
        transaction = self._about(entry, change, words)
        posted = payment(
            _amount(change, "amount"),
            payer_account=Sid(_text(change, "payer_account")),
            payee_account=Sid(_text(change, "payee_account")),
        )
        self.post(transaction, posted if words == "pay" else posted.reversed())
        return transaction

    def _discharge(self, paying: Transaction | None, change: LogEntry) -> None:
        """Writes a discharge, whole or in part, beside the payment that brought it about."""
        if paying is None:
            raise MalformedError(what="effects", reason="a discharge without a payment")
        posted = discharge(
            _amount(change, "amount"),
            debtor=PartyId(_text(change, "debtor")),
            holder=PartyId(_text(change, "holder")),
        )
        self.post(paying, posted, is_asserted=True)

    def _pass(self, entry: LogEntry, paying: Transaction | None, change: LogEntry) -> None:
        """Writes that another party owes what is on its way: it has the money, or had it."""
        debtor = _text(change, "debtor")
        before, now = (
            debts_account(PartyId(party)) if party == debtor else hops_account(PartyId(party))
            for party in (_text(change, "owed_before"), _text(change, "owed_by"))
        )
        transaction = paying or self._about(entry, change, "pass")
        self.post(transaction, move(_amount(change, "amount"), out_of=now, into=before))

    def _undo(self, paying: Transaction | None, change: LogEntry) -> None:
        """Writes what is owed again beside the payment that came back."""
        if paying is None:
            raise MalformedError(what="effects", reason="a payment undone that did not come back")
        debtor = self._voucher(_text(change, "voucher")).debtor
        # Where the debt travels, it goes on from the debtor's account at once.
        is_debtors = _text(change, "owed_by") == debtor
        debts = f"debts-again:{debtor}" if is_debtors else debts_account(debtor)
        claims = f"claims-again:{_text(change, 'owed_to')}"
        posted = move(_amount(change, "amount"), out_of=debts, into=claims)
        self.owed["again", _text(change, "plan"), _integer(change, "n")] = posted
        self.post(paying, posted, is_asserted=True)

    def _owe(
        self, entry: LogEntry, paying: Transaction | None, change: LogEntry, *, sort: str
    ) -> None:
        """Writes what is to be returned, or topped up."""
        posted = move(
            _amount(change, "amount"),
            out_of=f"{sort}s:{_text(change, 'owed_by')}",
            into=f"{sort}s-due:{_text(change, 'owed_to')}",
        )
        self.owed[sort, _text(change, "plan"), _integer(change, "n")] = posted
        self.post(paying or self._about(entry, change, f"owe {sort}"), posted, is_asserted=True)

    def _meet(self, paying: Transaction | None, change: LogEntry) -> None:
        """Writes that something owed is met, if that is what happened to it."""
        is_again = change.get("effect") == "paid-again"
        if not is_again and change.get("status") != "met":
            return
        sort = "again" if is_again else _text(change, "sort")
        posted = self.owed.pop((sort, _text(change, "plan"), _integer(change, "n")), None)
        if posted is None or paying is None:
            raise MalformedError(what="effects", reason="what is met was not owed, or not paid")
        self.post(paying, posted.reversed(), is_asserted=True)

    def _about(self, entry: LogEntry, change: LogEntry, words: str) -> Transaction:
        """Starts the transaction of what concerns an instruction and moves no money."""
        sid = _text(change, "voucher")
        return self.open(
            entry,
            f"{words} {_plain(self._voucher(sid).voucher_no)}",
            voucher=sid,
            plan=_text(change, "plan"),
            instruction=_integer(change, "n"),
        )

    def _extinguish(self, entry: LogEntry, change: LogEntry) -> None:
        """Writes the end of a claim before it was due; no account of ours saw money."""
        sid = _text(change, "voucher")
        posted = discharge(
            _amount(change, "amount"),
            debtor=PartyId(_text(change, "debtor")),
            holder=PartyId(_text(change, "holder")),
        )
        words = f"end {_plain(self._voucher(sid).voucher_no)}"
        self.post(self.open(entry, words, voucher=sid, ground=_text(change, "ground")), posted)

    def _void(self, entry: LogEntry, change: LogEntry) -> None:
        """Writes the end of a whole claim that its two sides have undone."""
        sid = _text(change, "voucher")
        voucher = self._voucher(sid)
        posted = discharge(
            voucher.face, debtor=voucher.debtor, holder=PartyId(_text(change, "holder"))
        )
        self.post(self.open(entry, f"void {_plain(voucher.voucher_no)}", voucher=sid), posted)

    def _voucher(self, sid: str) -> _Voucher:
        """Returns a voucher that an earlier entry has issued."""
        if sid not in self.vouchers:
            raise MalformedError(what="effects", reason=f"voucher {sid} was not issued before")
        return self.vouchers[sid]


# --- Reading effects ------------------------------------------------------------


def _changes(entry: LogEntry) -> Iterable[LogEntry]:
    """Returns an entry's changes."""
    effects = entry.get("effects")
    changes = effects.get("changes") if isinstance(effects, Mapping) else None
    if not isinstance(changes, list):
        raise MalformedError(what="effects", reason="no array of changes")
    return [change for change in changes if isinstance(change, dict)]


def _text(change: LogEntry, name: str) -> str:
    """Returns a member that is a string."""
    value = change.get(name)
    if not isinstance(value, str):
        raise MalformedError(what=name, reason="not a string")
    return value


def _integer(change: LogEntry, name: str) -> int:
    """Returns a member that is an integer."""
    value = change.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedError(what=name, reason="not an integer")
    return value


def _amount(change: LogEntry, name: str) -> int:
    """Returns a member that is an amount."""
    return parse_amount(_text(change, name))


# --- Writing ----------------------------------------------------------------------


def format_journal(
    entries: Iterable[LogEntry],
    *,
    offset_minutes: int,
    currency: str,
    style: Style = Style.HLEDGER,
) -> str:
    """Writes the journal of a whole log.

    Args:
        entries: Opened entries in log order, from the first.
        offset_minutes: The ledger's zone, in which entries get their dates.
        currency: The ledger's currency, of two decimals.
        style: Who reads it.

    Returns:
        Text that `hledger check --strict ordereddates`, or `bean-check`, accepts.

    Raises:
        MalformedError: An effect lacks a member, or names an unknown voucher.
    """
    book = _Book(offset_minutes=offset_minutes)
    for entry in entries:
        book.read(entry)
    lines = format_transactions(book.transactions, currency=currency, style=style)
    return "\n".join(lines) + "\n"


def _plain(voucher_no: str) -> str:
    """Keeps a debtor's number from being read as anything but words.

    A debtor chooses it, and `;date:2020-01-01` would move a transaction in time; the
    exact voucher stands in the tag beside it.
    """
    return _UNSAFE.sub("_", voucher_no)
