"""The way there and back: payments to a bank that is not ours, and what it says of them.

The bank reads pain.001 and writes its answers with a reader and writers of its own. It
knows accounts by IBAN, so that theirs stand where a number at a bank would. What it books
for payees it is told of as money arriving, as a real one would be by the payment system.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from mockbank import accounts, credits, db, outbox
from mockbank.server import Config
from mockbank.state import State

from clearing.model import InstructionRecord
from clearing.rails.findings import Ignored, Matched, Reason, expected
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.matching import match
from clearing.rails.messages import Message, Status
from clearing.rails.pain001 import write_pain001
from clearing.rails.payments import AccountDetails, Payment, SentFile, payments
from registry.ids import Sid
from tests.clearing.rails.paper import CREATED, ON, gv01_records

OPENING = 100_000_000


class Bank:
    """A mock bank that keeps all accounts of GV-01, on the day on which they are paid."""

    def __init__(self) -> None:
        """Opens the accounts, each with enough to pay what it passes on."""
        records, book = gv01_records()
        self.state = State(Config(clock=f"{ON}T09:00:00"))
        # It comes with accounts of its own, in other currencies.
        self.state.conn.execute("DELETE FROM account")
        self.records: tuple[InstructionRecord, ...] = records
        self.book: dict[Sid, AccountDetails] = {}
        self.names: dict[str, str] = {}
        for number, (account, details) in enumerate(sorted(book.items())):
            iban = db.iban("CN", f"{number:016}")
            accounts.create(
                self.state.conn,
                f"A{number}",
                {"name": details.name, "iban": iban, "currency": "CNY", "balance": OPENING},
            )
            self.book[account] = replace(details, number=iban)
            self.names[iban] = f"A{number}"
        self.payments = payments(records, book=self.book, on=ON)
        self.party = self.payments[0].payer.bank
        self.sent: SentFile | None = None

    def pay(self) -> None:
        """Gives the bank the payment file."""
        self.sent = write_pain001(
            self.payments, message_id="M1", created=CREATED, initiator="清分平台"
        )
        answer, _, findings = self.state.receive(self.sent.data)
        assert [each for each in findings if each.level == "error"] == []
        assert answer["msg_id"] == "M1"

    def arrive(self, payment: Payment, *, amount: int = 0, note: str = "") -> None:
        """Lets a payment arrive at its payee, as the payment system would."""
        body = {
            "account": payment.payee.number,
            "amount": amount or payment.amount_minor,
            "end_to_end_id": payment.instruction,
            "note": note or payment.remittance,
            "reference": f"HVPS{payment.n}",
            "debtor": {"name": payment.payer.name, "iban": payment.payer.number},
        }
        credits.create(self.state.conn, self.state.clock, self.state.now(), body)
        self.state.release()

    def behave(self, payment: Payment, behaviour: str, **parameters: object) -> None:
        """Lets the payer's account fail in one of the ways that banks do."""
        name = self.names[payment.payer.number]
        changes = {"behaviour": behaviour, "parameters": parameters}
        accounts.update(self.state.conn, name, changes)

    def files(self) -> list[bytes]:
        """Takes what the bank has written."""
        rows = outbox.collect(self.state.conn, self.state.now())
        return [row["body"].encode() for row in rows]

    def matched(self, *files: bytes) -> tuple[list[Message], Matched]:
        """Reads and matches what the bank has written."""
        messages = [message for file in files or self.files() for message in read_iso20022(file)]
        found = match(
            messages,
            expected(self.records, book=self.book),
            bank=self.party,
            sent=[self.sent] if self.sent else [],
        )
        return messages, found

    def reported(self, matched: Matched) -> list[tuple[int, str, int]]:
        """Returns what is reported of the plan."""
        return [
            (item.instruction, item.status.value, item.amount_minor)
            for item in matched.outcomes(self.records[0].plan)
        ]


@pytest.fixture
def bank() -> Iterator[Bank]:
    """Gives a bank, and closes it."""
    opened = Bank()
    yield opened
    opened.state.close()


def test_gv01_tiered_comes_back_as_it_went_out(bank: Bank) -> None:
    bank.pay()
    accepted, of_accepted = bank.matched()
    assert {message.format for message in accepted} == {"pain.002.001.10", "camt.054.001.08"}
    assert bank.reported(of_accepted) == [
        (record.n, "accepted", record.amount) for record in bank.records
    ]
    for payment in bank.payments:
        bank.arrive(payment)
    notified, of_posted = bank.matched()
    assert {message.format for message in notified} == {"camt.054.001.08"}
    assert bank.reported(of_posted) == [
        (record.n, "posted", record.amount) for record in bank.records
    ]
    assert (of_posted.unmatched, of_posted.ignored) == ((), ())
    assert {item.remittance for message in notified for item in message.items} == {"GV-01"}
    # The evening's statements say all of it again, and nothing else.
    bank.state.clock.advance(days=1)
    statements, evening = bank.matched()
    assert {message.format for message in statements} == {"camt.053.001.08"}
    assert [message.gap_minor for message in statements] == [0] * len(bank.book)
    assert bank.reported(evening) == bank.reported(of_posted)
    assert evening.unmatched == ()


def test_a_closed_account_is_rejected_with_its_reason(bank: Bank) -> None:
    closed = bank.payments[0]
    accounts.update(bank.state.conn, bank.names[closed.payee.number], {"closed": True})
    bank.pay()
    _, matched = bank.matched()
    (rejected,) = [item for item in matched.outcomes(closed.plan) if item.instruction == closed.n]
    assert (rejected.status, rejected.reason) == (Status.REJECTED, "AC04")
    assert matched.unmatched == ()


def test_a_rejected_file_rejects_every_payment_in_it(bank: Bank) -> None:
    for payment in bank.payments:
        bank.behave(payment, "reject-file")
    bank.pay()
    messages, matched = bank.matched()
    assert [len(message.items) for message in messages] == [0]
    # The debtor's payment is; the hops behind it expire with that.
    assert bank.reported(matched) == [(0, "rejected", bank.records[0].amount)]
    assert [each.why for each in matched.ignored] == [Ignored.FOLLOWS] * 4
    assert {item.reason for item in matched.outcomes(bank.payments[0].plan)} == {"FF01"}


def test_money_that_never_arrived_comes_back_as_a_rejection(bank: Bank) -> None:
    first = bank.payments[0]
    bank.behave(first, "return-later", days=3, reason="AC04")
    bank.pay()
    bank.matched()
    bank.state.clock.advance(days=5)
    messages, matched = bank.matched()
    assert {"pacs.004.001.09", "camt.054.001.08"} <= {message.format for message in messages}
    rejected = [item for item in matched.outcomes(first.plan) if item.status is Status.REJECTED]
    assert [(item.instruction, item.reason) for item in rejected] == [(first.n, "AC04")]
    assert matched.unmatched == ()


def test_a_statement_that_leaves_a_booking_out_is_noticed(bank: Bank) -> None:
    first = bank.payments[0]
    bank.behave(first, "statement-gap")
    bank.pay()
    bank.files()
    bank.state.clock.advance(days=1)
    messages, _ = bank.matched()
    gaps = {message.account: message.gap_minor for message in messages}
    assert gaps.pop(first.payer.number) == -first.amount_minor
    assert set(gaps.values()) == {0}


def test_a_fee_taken_on_the_way_is_for_people(bank: Bank) -> None:
    bank.pay()
    bank.files()
    first = bank.payments[0]
    bank.arrive(first, amount=first.amount_minor - 5_000)
    _, matched = bank.matched()
    assert bank.reported(matched) == []
    assert [each.reason for each in matched.unmatched] == [Reason.AMOUNT_DIFFERS]


def test_a_second_payment_of_the_same_instruction_is_for_people(bank: Bank) -> None:
    first = bank.payments[0]
    bank.pay()
    bank.files()
    bank.arrive(first)
    bank.arrive(first)
    _, matched = bank.matched()
    assert bank.reported(matched) == [(first.n, "posted", first.amount_minor)]
    assert [each.reason for each in matched.unmatched] == [Reason.PAID_AGAIN]
