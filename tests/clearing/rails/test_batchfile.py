"""Batch files: written by a mapping to the byte, refused rather than cut, read back by line."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.rails import batchfile
from clearing.rails.batchfile import read_reply, write_batch
from clearing.rails.errors import BankFileError, BankTextRefusedError, CurrencyRefusedError
from clearing.rails.mapping import Mapping
from clearing.rails.matching import match
from clearing.rails.messages import Status
from clearing.rails.payments import AccountDetails, Payment, SentFile
from registry.errors import InvariantBrokenError, RegistryError, TooLargeError
from registry.money import AMOUNT_MAX
from tests.clearing.rails.mappings import CSV, FIXED, mapping
from tests.clearing.rails.paper import BANK, ON, OTHER_BANK, awaited, details, payment, yuan


def write(*of: Payment, by: Mapping | None = None, message_id: str = "B1") -> SentFile:
    return write_batch(of, by or mapping(CSV), message_id=message_id)


P, Q = payment(4), payment(5, amount=1, payee=details("S3"))


class TestWriting:
    def test_csv_is_what_the_mapping_says(self) -> None:
        sent = write(P, Q)
        head, titles, first, second = sent.data.decode("gb18030").splitlines()
        assert head == f"B1,{P.payer.number},20260302,2,600000.01"
        assert titles.split(",")[1:3] == ["企业流水号", "收款账号"]
        assert first.split(",") == [
            "1", P.instruction, P.payee.number, "S2（天津）有限公司", "102110000123",
            "中国工商银行天津和平支行", "600000.00", "CNY", "TS-2026-0001",
        ]  # fmt: skip
        assert second.split(",")[6] == "0.01"
        assert sent.data.endswith(b"\r\n")
        assert (sent.format, sent.instructions) == ("example-csv-1", (P.instruction, Q.instruction))

    def test_fixed_width_counts_bytes_and_not_characters(self) -> None:
        sent = write(P, Q, by=mapping(FIXED))
        rows = sent.data.split(b"\r\n")
        assert [len(row) for row in rows] == [50, 116, 116, 1, 0]
        assert rows[0] == b"H" + b"B1".ljust(28) + b"000002" + b"000000060000001"
        name = "S2（天津）有限公司".encode("gb18030")
        assert rows[1][41:81] == name.ljust(40)
        assert rows[1][81:96] == b"000000060000000"

    def test_values_with_the_delimiter_are_quoted_or_refused(self) -> None:
        odd = payment(payee=details('甲,"乙"'))
        (_, _, row) = csv.reader(io.StringIO(write(odd).data.decode("gb18030")))
        assert row[3] == odd.payee.name
        with pytest.raises(BankTextRefusedError, match="quotation mark"):
            write(odd, by=mapping(CSV, quoted=False))

    @pytest.mark.parametrize(
        "start", ["=", "+", "-", "@", "＝", "＋", "－", "＠"],
        ids=["equals", "plus", "minus", "at", "wide-equals", "wide-plus", "wide-minus", "wide-at"],
    )  # fmt: skip
    def test_csv_formula_injection_is_refused(self, start: str) -> None:
        for odd in (
            payment(payee=details(f"{start}HYPERLINK(1)")),
            payment(remittance=f"{start}cmd|'/c calc'!A1"),
        ):
            with pytest.raises(BankTextRefusedError, match="formula"):
                write(odd)

    @pytest.mark.parametrize("text", ["V\n1", "V\r1", "V\t1", "V\u20281", "V\x001", "V\u202e1"])
    def test_line_breaks_and_hidden_characters_are_refused(self, text: str) -> None:
        for by in (mapping(CSV), mapping(FIXED)):
            with pytest.raises(BankTextRefusedError):
                write(payment(remittance=text), by=by)

    def test_gb18030_private_use_characters_are_refused(self) -> None:
        for character in ("\ue000", "\ue7c7", "\uf8ff", "\U000f0000", "\U0010fffd"):
            with pytest.raises(BankTextRefusedError, match="may not stand"):
                write(payment(remittance=f"V{character}"))

    def test_characters_whose_bytes_depend_on_the_edition_are_refused(self) -> None:
        for character in ("\u1e3f", "\u9fb4", "\u9fbb", "\ufe10", "\ufe19"):
            with pytest.raises(BankTextRefusedError, match="edition"):
                write(payment(remittance=f"V{character}"))
            write(payment(remittance=f"V{character}"), by=mapping(CSV, encoding="utf-8"))

    def test_rare_characters_go_where_the_encoding_has_them(self) -> None:
        rare = payment(remittance="𠮷田䶮")
        assert "𠮷田䶮" in write(rare).data.decode("gb18030")
        with pytest.raises(BankTextRefusedError, match="gbk has no U\\+20BB7"):
            write(rare, by=mapping(CSV, encoding="gbk"))

    def test_what_is_too_wide_is_refused_and_not_cut(self) -> None:
        fits = payment(remittance="凭" * 15)
        assert "凭" * 15 in write(fits).data.decode("gb18030")
        with pytest.raises(BankTextRefusedError, match="has 32 bytes, the column 30"):
            write(payment(remittance="凭" * 16))
        with pytest.raises(BankTextRefusedError, match="has 35 bytes"):
            write(P, by=mapping(narrow("payment", "instruction", 20)))

    def test_an_instruction_is_in_a_file_once(self) -> None:
        with pytest.raises(BankFileError, match="twice"):
            write(P, P)

    def test_a_header_of_one_payer_or_day_is_not_for_several(self) -> None:
        with pytest.raises(BankFileError, match="payer_number"):
            write(P, payment(5, payer=details("C")))
        with pytest.raises(BankFileError, match="date"):
            write(P, payment(5, on=ON.replace(day=3)))

    def test_amounts_currencies_and_ids_that_no_file_has_are_refused(self) -> None:
        for amount in (0, -1, AMOUNT_MAX + 1):
            with pytest.raises(BankFileError):
                write(payment(amount=amount))
        with pytest.raises(CurrencyRefusedError):
            write(payment(currency="USD"))
        with pytest.raises(BankFileError):
            write(P, message_id="=1")
        with pytest.raises(InvariantBrokenError):
            write()
        with pytest.raises(InvariantBrokenError):
            write(P, payment(5, payer=details("C", bank=OTHER_BANK)))


def narrow(file: str, field: str, width: int) -> dict[str, Any]:
    """Returns the CSV mapping with one column narrower."""
    changed = json.loads(json.dumps(CSV))
    for column in changed[file]["line"]:
        if column["field"] == field:
            column["width"] = width
    return dict(changed)


# --- The answer ----------------------------------------------------------------------------

RESULTS = ((P, "0000", ""), (Q, "E101", "账户已销户"))


def reply(
    *results: tuple[Payment, str, str], of: str = "B1", count: str = "", total: str = ""
) -> bytes:
    """Returns an answer of (payment, code, reason), as the CSV mapping has it."""
    sum_minor = sum(each.amount_minor for each, _, _ in results)
    rows = [f"{of},{count or len(results)},{total or yuan(sum_minor)}"]
    for place, (each, code, reason) in enumerate(results, 1):
        row = (
            str(place), each.instruction, each.payee.number, yuan(each.amount_minor), code,
            reason, f"R{place}", "20260302",
        )  # fmt: skip
        rows.append(",".join(row))
    return ("\r\n".join(rows) + "\r\n").encode("gb18030")


class TestReading:
    def test_each_line_is_what_became_of_one_payment(self) -> None:
        message = read_reply(reply(*RESULTS), mapping(CSV), sent=write(P, Q))
        assert (message.format, message.message_id) == ("example-csv-1", "B1")
        first, second = message.items
        assert (first.instruction, first.status, first.amount_minor, first.account) == (
            P.instruction, Status.POSTED, P.amount_minor, P.payee.number,
        )  # fmt: skip
        assert (first.reason, first.reference, first.booked) == (None, "R1", "20260302")
        assert (second.status, second.reason) == (Status.REJECTED, "账户已销户")

    def test_the_way_there_and_back(self) -> None:
        message = read_reply(reply(*RESULTS), mapping(CSV))
        matched = match([message], awaited([P, Q]), bank=BANK)
        assert [
            (item.instruction, item.status, item.reason) for item in matched.outcomes(P.plan)
        ] == [
            (5, Status.REJECTED, "UNSPECIFIED"),
            (4, Status.POSTED, None),
        ]
        assert matched.unmatched == ()

    def test_fixed_width_names_payments_by_their_place(self) -> None:
        by = mapping(FIXED)
        sent = write(P, Q, by=by)
        rows = [
            b"D%06d" % place + each.payee.number.encode().ljust(34) + b"%015d" % each.amount_minor
            + code.encode().ljust(2) + why.encode("gb18030").ljust(20)
            for place, each, code, why in ((2, Q, "01", "余额不足"), (1, P, "00", ""))
        ]  # fmt: skip
        trailer = b"T000002%015d" % (P.amount_minor + Q.amount_minor)
        data = b"\n".join((*rows, trailer))
        message = read_reply(data, by, sent=sent)
        assert [item.instruction for item in message.items] == [Q.instruction, P.instruction]
        assert message.items[0].reason == "余额不足"
        # Without the file that it answers, it names nothing.
        assert [item.instruction for item in read_reply(data, by).items] == [None, None]
        with pytest.raises(BankFileError, match="bytes"):
            read_reply(data.replace(b"D000001", b"D00001"), by, sent=sent)
        with pytest.raises(BankFileError, match="has to"):
            read_reply(data.replace(b"D000001", b"X000001"), by, sent=sent)

    @pytest.mark.parametrize("minor", [1, 50, 100, 60_000_000])
    def test_amounts_that_are_filled_with_zeros_keep_their_value(self, minor: int) -> None:
        one = payment(4, amount=minor)
        for amount in ("yuan", "fen"):
            by = mapping(FIXED, amount=amount)
            text = yuan(minor) if amount == "yuan" else str(minor)
            filled = text.rjust(15, "0")
            row = f"D000001{one.payee.number:34}{filled}00{'':20}"
            message = read_reply(f"{row}\nT000001{filled}".encode(), by, sent=write(one, by=by))
            assert [item.amount_minor for item in message.items] == [minor]

    def test_another_currency_or_other_titles_are_refused(self) -> None:
        line = [*CSV["reply"]["line"], {"field": "currency", "title": "币种"}]
        by = mapping(CSV, reply={"line": line}, currency="156")
        row = reply((P, "0000", "")).split(b"\r\n")[1]
        assert read_reply(row + b",156\r\n", by).items[0].currency == "CNY"
        with pytest.raises(CurrencyRefusedError):
            read_reply(row + b",840\r\n", by)
        titled = mapping(CSV, reply={"line": line, "titled": True}, currency="156")
        with pytest.raises(BankFileError, match="titles"):
            read_reply(b"x\r\n" + row + b",156\r\n", titled)

    def test_codes_that_the_mapping_does_not_have_are_for_people(self) -> None:
        (item,) = read_reply(reply((P, "E999", "")), mapping(CSV)).items
        assert (item.status, item.reason) == (Status.UNCLEAR, "E999")
        (pending,) = read_reply(reply((P, "9", "")), mapping(CSV)).items
        assert pending.status is Status.PENDING


GOOD = reply(*RESULTS)
WRONG: dict[str, tuple[Callable[[], bytes], type[RegistryError]]] = {
    "count-differs": (lambda: reply(*RESULTS, count="3"), BankFileError),
    "count-is-no-number": (lambda: reply(*RESULTS, count="two"), BankFileError),
    "total-differs": (lambda: reply(*RESULTS, total="600000.02"), BankFileError),
    "line-left-out": (lambda: GOOD.rsplit(b"\r\n", 2)[0] + b"\r\n", BankFileError),
    "answer-to-another-file": (lambda: reply(*RESULTS, of="B2"), BankFileError),
    "place-that-was-not-sent": (lambda: GOOD.replace(b"\n2,", b"\n7,"), BankFileError),
    "place-of-another-instruction": (lambda: GOOD.replace(b"\n2,", b"\n1,"), BankFileError),
    "place-is-no-number": (lambda: GOOD.replace(b"\n2,", b"\n=2,"), BankFileError),
    "three-decimals": (lambda: GOOD.replace(b",0.01,", b",0.010,"), BankFileError),
    "exponent": (lambda: GOOD.replace(b",0.01,", b",1E-2,"), BankFileError),
    "negative": (lambda: GOOD.replace(b",0.01,", b",-0.01,"), BankFileError),
    "thousands": (lambda: GOOD.replace(b",600000.00,", b',"600,000.00",'), BankFileError),
    "value-too-many": (lambda: GOOD.replace(b",0000,", b",0000,0000,"), BankFileError),
    "open-quotation": (lambda: GOOD.replace(b",R2,", b',"R2,'), BankFileError),
    "not-gb18030": (lambda: GOOD.replace("账户".encode("gb18030"), b"\xff\xff"), BankFileError),
    "line-break-in-a-value": (lambda: GOOD.replace(b",R1,", b',"R\n1",'), BankFileError),
    "empty": (lambda: b"", BankFileError),
    "value-that-is-not-quoted": (lambda: GOOD.replace(b",R1,", b',"R1"x,'), BankFileError),
    "huge-file": (lambda: b" " * (batchfile.BYTES_MAX + 1), TooLargeError),
    "too-many-lines": (lambda: b"\n" * (batchfile.LINES_MAX + 2), TooLargeError),
}


@pytest.mark.parametrize("name", WRONG)
def test_refuses_a_reply(name: str) -> None:
    make, error = WRONG[name]
    with pytest.raises(error):
        read_reply(make(), mapping(CSV), sent=write(P, Q))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for base in (CSV, FIXED):
        with pytest.raises(RegistryError):
            read_reply(data, mapping(base))


names = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")),
    min_size=1,
    max_size=12,
)


@given(names, st.integers(1, AMOUNT_MAX))
def test_what_is_written_says_exactly_that_or_is_refused(name: str, amount: int) -> None:
    try:
        payee = AccountDetails(
            bank=BANK, name=name, number="1", branch="支行", clearing_code="102110000123"
        )
        data = write(payment(amount=amount, payee=payee)).data
    except RegistryError:
        return
    (_, _, row) = csv.reader(io.StringIO(data.decode("gb18030"), newline=""))
    assert (row[3], row[6]) == (name, yuan(amount))
