"""Matching: to the fen, by account and bank, whatever the order, and never by a guess."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from clearing.rails.findings import ITEMS_MAX, Ignored, Matched, Outcome, Reason
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.matching import match
from clearing.rails.messages import Status
from clearing.rails.pain001 import write_pain001
from clearing.rails.payments import Payment
from registry.ids import PartyId
from tests.clearing.rails.paper import (
    BANK,
    CREATED,
    OTHER_BANK,
    OTHER_PLAN,
    PLAN,
    awaited,
    camt054,
    details,
    entry,
    pacs004,
    pain002,
    payment,
    reasons,
    said,
    why,
)

P = payment(4)


def take(
    *files: bytes,
    of: Sequence[Payment] = (P,),
    status: str = "pending",
    bank: PartyId = BANK,
    **more: object,
) -> Matched:
    """Matches files of a bank."""
    messages = [message for file in files for message in read_iso20022(file)]
    return match(messages, awaited(of, status=status), bank=bank, **more)  # type: ignore[arg-type]


class TestWhatBanksSay:
    def test_a_credit_of_the_payees_account_is_posted(self) -> None:
        matched = take(camt054(entry(P)))
        assert said(matched) == [(4, "posted", None)]
        assert (matched.unmatched, matched.ignored) == ((), ())

    def test_a_debit_of_the_payers_account_has_only_been_accepted(self) -> None:
        matched = take(camt054(entry(P, side="DBIT"), account=P.payer.number))
        assert said(matched) == [(4, "accepted", None)]

    @pytest.mark.parametrize(
        ("code", "status"),
        [("ACCP", "accepted"), ("ACSP", "accepted"), ("ACSC", "accepted"), ("ACWP", "accepted")],
    )
    def test_a_status_report_accepts(self, code: str, status: str) -> None:
        assert said(take(pain002((P, code, "")))) == [(4, status, None)]

    def test_a_status_report_rejects_with_the_banks_reason(self) -> None:
        assert said(take(pain002((P, "RJCT", "AC04")))) == [(4, "rejected", "AC04")]
        assert said(take(pain002((P, "RJCT", "")))) == [(4, "rejected", "RJCT")]

    def test_a_reason_that_is_no_code_is_not_signed(self) -> None:
        assert said(take(pain002((P, "RJCT", "账户已销户")))) == [(4, "rejected", "UNSPECIFIED")]

    def test_a_credit_that_was_taken_back_is_returned(self) -> None:
        back = entry(P, side="DBIT", reversal="<RvslInd>true</RvslInd>", reference="R2")
        assert said(take(camt054(back), status="posted")) == [(4, "returned", "UNSPECIFIED")]
        both = take(camt054(back, entry(P)))
        assert said(both) == [(4, "posted", None), (4, "returned", "UNSPECIFIED")]
        assert len(both.reports) == 2

    def test_money_that_never_arrived_and_came_back_was_rejected(self) -> None:
        assert said(take(pacs004(P))) == [(4, "rejected", "AC04")]
        back = entry(P, returned="AC01")
        booked = take(camt054(back, account=P.payer.number), status="accepted")
        assert said(booked) == [(4, "rejected", "AC01")]

    def test_a_return_of_what_was_posted_is_the_payees_banks_to_say(self) -> None:
        across = replace(P, payee=details("S2", bank=OTHER_BANK))
        matched = take(pacs004(across), of=[across], status="posted")
        assert (said(matched), reasons(matched)) == ([], [Reason.OTHER_BANK])
        assert said(take(pacs004(P), status="posted")) == [(4, "returned", "AC04")]

    def test_what_is_pending_changes_nothing(self) -> None:
        matched = take(
            pain002((P, "PDNG", "")),
            pain002(group="RCVD"),
            camt054(entry(P, status="<Cd>PDNG</Cd>")),
        )
        assert (said(matched), matched.unmatched) == ([], ())
        assert why(matched) == [Ignored.PENDING] * 3


class TestWhatIsPutBeforeAPerson:
    @pytest.mark.parametrize(
        ("file", "reason"),
        [
            (camt054(entry("NOTPROVIDED")), Reason.UNNAMED),
            (camt054(entry("INV-1001")), Reason.UNNAMED),
            (camt054(entry(payment(4, plan=OTHER_PLAN))), Reason.NO_SUCH_INSTRUCTION),
            (camt054(entry(P, amount="599999.99")), Reason.AMOUNT_DIFFERS),
            (camt054(entry(P, amount="600000.01")), Reason.AMOUNT_DIFFERS),
            (
                camt054(
                    entry(
                        P,
                        amount="599950.00",
                        charges='<Chrgs><Rcrd><Amt Ccy="CNY">50.00</Amt></Rcrd></Chrgs>',
                    )
                ),
                Reason.FEE_TAKEN,
            ),
            (
                camt054(
                    entry(
                        P,
                        amount="599900.00",
                        charges='<Chrgs><Rcrd><Amt Ccy="CNY">50.00</Amt></Rcrd></Chrgs>',
                    )
                ),
                Reason.AMOUNT_DIFFERS,
            ),
            (camt054(entry(P, currency="USD")), Reason.CURRENCY),
            (camt054(entry(P), account=details("S3").number), Reason.ACCOUNT_DIFFERS),
            (camt054(entry(P), account=P.payer.number), Reason.ACCOUNT_DIFFERS),
            (camt054(entry(P, side="DBIT")), Reason.ACCOUNT_DIFFERS),
            (camt054(entry(P, status="<Cd>SOON</Cd>")), Reason.UNCLEAR),
            (pain002((P, "ACWC", "")), Reason.UNCLEAR),
            (pain002((P, "ACCC", "")), Reason.INCOMPLETE),
            (pain002(group="RJCT", file="M9"), Reason.NO_SUCH_FILE),
            (pain002(batch_status="RJCT", batch="M9-1"), Reason.NO_SUCH_FILE),
            (pain002(group="ACWC"), Reason.UNCLEAR),
            (pacs004(P, amount="1.00"), Reason.AMOUNT_DIFFERS),
            (pacs004(P, account=details("S3").number), Reason.ACCOUNT_DIFFERS),
        ],
        ids=lambda value: value.value if isinstance(value, Reason) else "",
    )
    def test_with_the_first_that_is_wrong(self, file: bytes, reason: Reason) -> None:
        matched = take(file)
        assert (said(matched), reasons(matched)) == ([], [reason])
        assert matched.unmatched[0].digest == read_iso20022(file)[0].digest

    def test_an_instruction_of_another_banks_account_cannot_be_spoofed(self) -> None:
        # The other bank has an account of the same number, and names the instruction.
        matched = take(camt054(entry(P)), bank=OTHER_BANK)
        assert (said(matched), reasons(matched)) == ([], [Reason.OTHER_BANK])
        accepted = take(pain002((P, "RJCT", "AC04")), bank=OTHER_BANK)
        assert (said(accepted), reasons(accepted)) == ([], [Reason.OTHER_BANK])

    def test_the_payers_bank_cannot_say_that_it_arrived_elsewhere(self) -> None:
        across = replace(P, payee=details("S2", bank=OTHER_BANK))
        matched = take(camt054(entry(across)), of=[across])
        assert reasons(matched) == [Reason.OTHER_BANK]

    def test_two_bookings_by_two_references_are_a_second_payment(self) -> None:
        matched = take(camt054(entry(P, reference="R1"), entry(P, reference="R2")))
        assert said(matched) == [(4, "posted", None)]
        assert reasons(matched) == [Reason.PAID_AGAIN]
        (known,) = awaited([P], status="posted")
        again = match(
            read_iso20022(camt054(entry(P, reference="R2"))),
            [replace(known, reference="R1")],
            bank=BANK,
        )
        assert reasons(again) == [Reason.PAID_AGAIN]

    def test_two_bookings_without_a_reference_might_be_one(self) -> None:
        matched = take(camt054(entry(P, reference=""), entry(P, reference="")))
        assert said(matched) == [(4, "posted", None)]
        assert reasons(matched) == [Reason.PERHAPS_AGAIN]

    def test_carried_out_and_not_is_for_people(self) -> None:
        matched = take(camt054(entry(P)), pain002((P, "RJCT", "AC04")))
        assert said(matched) == []
        assert reasons(matched) == [Reason.CONTRADICTS] * 2
        late = take(pain002((P, "RJCT", "AC04")), status="posted")
        assert (said(late), reasons(late)) == ([], [Reason.CONTRADICTS])

    def test_late_money_for_what_was_rejected_is_posted(self) -> None:
        for status in ("rejected", "expired"):
            assert said(take(camt054(entry(P)), status=status)) == [(4, "posted", None)]


class TestWhatChangesNothing:
    def test_the_same_reference_again_is_ignored_and_said_to_be(self) -> None:
        # A notification in the morning, the day's statement in the evening.
        matched = take(camt054(entry(P)), camt054(entry(P), message_id="N2"))
        assert said(matched) == [(4, "posted", None)]
        assert (matched.unmatched, why(matched)) == ((), [Ignored.REPEATED])

    def test_the_same_file_twice_is_heard_once(self) -> None:
        file = camt054(entry(P), entry("other business"))
        assert take(file, file) == take(file)

    @pytest.mark.parametrize("status", ["posted", "returned"])
    def test_what_the_ledger_shows_is_not_reported_again(self, status: str) -> None:
        matched = take(camt054(entry(P)), pain002((P, "ACCP", "")), status=status)
        assert (said(matched), matched.unmatched) == ([], ())
        assert why(matched) == [Ignored.KNOWN] * 2

    def test_an_acceptance_gives_way_to_what_came_of_it(self) -> None:
        matched = take(pain002((P, "ACSP", "")), camt054(entry(P)))
        assert said(matched) == [(4, "posted", None)]
        assert why(matched) == [Ignored.OVERTAKEN]


class TestWholeFiles:
    SENT = write_pain001([P, payment(5)], message_id="M1", created=CREATED, initiator="x")
    BOTH = (P, payment(5))

    def test_a_rejected_file_rejects_each_payment_in_it(self) -> None:
        matched = take(pain002(group="RJCT", reason="FF01"), of=self.BOTH, sent=[self.SENT])
        assert said(matched) == [(4, "rejected", "FF01"), (5, "rejected", "FF01")]

    def test_a_payment_named_by_itself_is_not_what_is_said_of_all(self) -> None:
        file = pain002((P, "RJCT", "AC01"), group="ACCP")
        matched = take(file, of=self.BOTH, sent=[self.SENT])
        assert said(matched) == [(5, "accepted", None), (4, "rejected", "AC01")]

    def test_a_batch_is_nearer_than_its_file(self) -> None:
        file = pain002(group="ACCP", batch_status="RJCT")
        matched = take(file, of=self.BOTH, sent=[self.SENT])
        assert {status for _, status, _ in said(matched)} == {"rejected"}

    @pytest.mark.parametrize(
        ("booked", "found"), [("1200000.00", []), ("1200000.01", [Reason.AMOUNT_DIFFERS])]
    )
    def test_one_debit_for_a_batch_is_of_all_of_it_or_of_nothing(
        self, booked: str, found: list[Reason]
    ) -> None:
        batch = (
            f'<Ntry><Amt Ccy="CNY">{booked}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>'
            "<NtryDtls><Btch><PmtInfId>M1-1</PmtInfId></Btch></NtryDtls></Ntry>"
        )
        matched = take(camt054(batch, account=P.payer.number), of=self.BOTH, sent=[self.SENT])
        assert reasons(matched) == found
        assert [status for _, status, _ in said(matched)] == ([] if found else ["accepted"] * 2)


class TestReports:
    def test_stand_by_plan_in_order_and_of_so_many_items(self) -> None:
        many = [payment(n, amount=n + 1) for n in range(100)]
        other = payment(0, plan=OTHER_PLAN)
        file = camt054(*(entry(each, reference=f"R{each.n}") for each in (*reversed(many), other)))
        matched = take(file, of=[*many, other])
        assert [len(report.items) for report in matched.reports if report.plan == PLAN] == [
            ITEMS_MAX,
            ITEMS_MAX,
            4,
        ]
        assert [item.instruction for item in matched.outcomes(PLAN)] == list(range(100))
        assert [item.instruction for item in matched.outcomes(OTHER_PLAN)] == [0]

    def test_are_the_body_of_the_statement(self) -> None:
        (message,) = read_iso20022(camt054(entry(P)))
        matched = match([message], awaited([P]), bank=BANK)
        assert matched.reports[0].body(message) == {
            "items": [{"amount": "60000000", "instruction": 4, "status": "posted"}],
            "message": {"digest": message.digest, "format": "camt.054.001.08"},
        }
        rejected = Outcome(instruction=1, status=Status.REJECTED, amount_minor=1, reason="AC04")
        assert rejected.body()["reason"] == "AC04"

    def test_a_hop_whose_money_has_not_come_waits(self) -> None:
        first, second = awaited([payment(0), P])
        second = replace(second, after=(0,))
        (message,) = read_iso20022(camt054(entry(P)))
        alone = match([message], [first, second], bank=BANK)
        assert (said(alone), why(alone)) == ([], [Ignored.WAITS])
        unknown = match([message], [second], bank=BANK)
        assert (said(unknown), why(unknown)) == ([], [Ignored.WAITS])
        come = match([message], [replace(first, status="posted"), second], bank=BANK)
        assert said(come) == [(4, "posted", None)]
        both = match(
            read_iso20022(camt054(entry(payment(0)), entry(P))), [second, first], bank=BANK
        )
        assert said(both) == [(0, "posted", None), (4, "posted", None)]

    def test_hops_behind_a_rejection_expire_with_it(self) -> None:
        chain = [payment(n) for n in range(3)]
        links = [replace(each, after=(each.n - 1,) if each.n else ()) for each in awaited(chain)]
        file = pain002(*((each, "RJCT", "AC04") for each in (chain[0], chain[2])))
        matched = match(read_iso20022(file), links, bank=BANK)
        assert said(matched) == [(0, "rejected", "AC04")]
        assert why(matched) == [Ignored.FOLLOWS]
        # A hop in the middle is its own bank's word: the money lies before it.
        middle = match(read_iso20022(pain002((chain[1], "RJCT", "AC04"))), links, bank=BANK)
        assert said(middle) == [(1, "rejected", "AC04")]

    def test_money_that_was_passed_on_and_came_back_is_for_people(self) -> None:
        first, second = awaited([payment(0), P], status="posted")
        links = [first, replace(second, after=(0,))]
        messages = read_iso20022(pacs004(payment(0)))
        matched = match(messages, links, bank=BANK)
        assert (said(matched), reasons(matched)) == ([], [Reason.MONEY_SPENT])
        back = [first, replace(links[1], status="returned")]
        assert said(match(messages, back, bank=BANK)) == [(0, "returned", "AC04")]
