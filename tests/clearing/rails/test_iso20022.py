"""What banks send is read to the fen, and what is no such message is refused by name.

Negative vectors are named after what they attack or get wrong.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearing.rails import xmltree
from clearing.rails.errors import BankFileError, BankFormatUnknownError, CurrencyRefusedError
from clearing.rails.iso20022 import read_iso20022
from clearing.rails.messages import Item, Message, Side, Status, Verdict
from registry.canonical import digest_b64url
from registry.errors import RegistryError, TooLargeError
from registry.money import AMOUNT_MAX
from tests.clearing.rails.paper import (
    NAMESPACE,
    camt054,
    details,
    document,
    entry,
    pacs004,
    pain002,
    payment,
    yuan,
)

P = payment(4)


def read(data: bytes) -> Message:
    (message,) = read_iso20022(data)
    return message


class TestCamt:
    def test_a_credit_is_read_with_all_that_matching_needs(self) -> None:
        data = camt054(entry(P))
        message = read(data)
        assert (message.format, message.message_id) == ("camt.054.001.08", "N1")
        assert message.digest == digest_b64url(data)
        assert message.account == details("S2").number
        assert message.items == (
            Item(
                place="Document/BkToCstmrDbtCdtNtfctn/Ntfctn 1/Ntry 1/NtryDtls 1/TxDtls 1",
                status=Status.POSTED,
                instruction=P.instruction,
                amount_minor=60_000_000,
                currency="CNY",
                account=details("S2").number,
                side=Side.CREDIT,
                booked="2026-03-02",
                reference="R1",
                remittance="TS-2026-0001",
            ),
        )

    def test_older_versions_write_the_status_as_text(self) -> None:
        old = camt054(entry(P, status="BOOK"), name="camt.054.001.02")
        assert [item.status for item in read(old).items] == [Status.POSTED]

    def test_entries_without_details_name_nothing(self) -> None:
        bare = '<Ntry><Amt Ccy="CNY">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts></Ntry>'
        (item,) = read(camt054(bare)).items
        assert (item.instruction, item.amount_minor, item.status) == (None, 100, Status.ACCEPTED)

    def test_a_batch_is_read_by_its_details(self) -> None:
        details_of_two = "".join(
            f"<TxDtls><Refs><EndToEndId>{n}</EndToEndId></Refs>"
            f'<Amt Ccy="CNY">{amount}</Amt></TxDtls>'
            for n, amount in enumerate(("0.01", "0.02"))
        )
        batch = (
            '<Ntry><Amt Ccy="CNY">0.03</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>'
            f"<NtryDtls><Btch><PmtInfId>M1-1</PmtInfId></Btch>{details_of_two}</NtryDtls></Ntry>"
        )
        message = read(camt054(batch))
        assert [(item.instruction, item.amount_minor) for item in message.items] == [
            ("0", 1),
            ("1", 2),
        ]
        assert message.verdicts == ()
        with pytest.raises(BankFileError, match="add up to 3, 4 was booked"):
            read(camt054(batch.replace("0.03", "0.04")))
        with pytest.raises(BankFileError, match="booked the other way"):
            read(camt054(batch.replace("</TxDtls>", "<CdtDbtInd>DBIT</CdtDbtInd></TxDtls>", 1)))
        with pytest.raises(BankFileError, match="has no amount in CNY"):
            read(camt054(batch.replace('<Amt Ccy="CNY">0.02</Amt>', "")))

    def test_a_batch_without_details_is_about_all_of_it(self) -> None:
        batch = (
            '<Ntry><Amt Ccy="CNY">0.03</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>'
            "<NtryDtls><Btch><PmtInfId>M1-1</PmtInfId></Btch></NtryDtls></Ntry>"
        )
        (verdict,) = read(camt054(batch)).verdicts
        assert isinstance(verdict, Verdict)
        assert (verdict.batch, verdict.amount_minor, verdict.side) == ("M1-1", 3, Side.DEBIT)

    def test_charges_are_read_where_each_version_has_them(self) -> None:
        for charges in (
            '<Chrgs><TtlChrgsAndTaxAmt Ccy="CNY">0.50</TtlChrgsAndTaxAmt></Chrgs>',
            '<Chrgs><Rcrd><Amt Ccy="CNY">0.20</Amt></Rcrd>'
            '<Rcrd><Amt Ccy="CNY">0.30</Amt></Rcrd></Chrgs>',
            '<Chrgs><Amt Ccy="CNY">0.50</Amt></Chrgs>',
        ):
            (item,) = read(camt054(entry(P, charges=charges))).items
            assert item.charges_minor == 50

    def test_a_statement_tells_what_its_balances_miss(self) -> None:
        assert statement(opening="100.00", closing="160.00").gap_minor == 0
        assert statement(opening="100.00", closing="160.01").gap_minor == 1
        assert statement(opening="10.00", sign="DBIT", closing="50.00").gap_minor == 0
        assert read(camt054(entry(P))).gap_minor is None

    def test_balances_are_there_once_and_in_the_ledgers_currency(self) -> None:
        with pytest.raises(BankFileError, match="OPBD is there twice"):
            statement(opening="1.00", closing="1.00", more=balance("OPBD", "2.00"))
        with pytest.raises(CurrencyRefusedError):
            statement(opening="1.00", closing="1.00", currency="USD")

    def test_a_payment_without_a_status_says_nothing(self) -> None:
        assert read(pain002((P, "", "")).replace(b"<TxSts></TxSts>", b"")).items == ()

    def test_several_accounts_in_one_file_are_several_messages(self) -> None:
        one = camt054(entry(P))
        start, end = one.index(b"<Ntfctn>"), one.index(b"</Ntfctn>") + len("</Ntfctn>")
        messages = read_iso20022(one[:end] + one[start:end] + one[end:])
        assert len(messages) == 2
        assert len({message.digest for message in messages}) == 1


def balance(kind: str, amount: str, side: str = "CRDT", currency: str = "CNY") -> str:
    """Returns a balance."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd></Bal>'
    )


def statement(
    *, opening: str, closing: str, sign: str = "CRDT", currency: str = "CNY", more: str = ""
) -> Message:
    """Returns a statement of one credit of 100.00 and one debit of 40.00."""
    credit, debit = (
        entry("NOTPROVIDED", amount=amount, side=side)
        for amount, side in (("100.00", "CRDT"), ("40.00", "DBIT"))
    )
    pending = entry("NOTPROVIDED", amount="7.00", status="<Cd>PDNG</Cd>")
    balances = balance("OPBD", opening, sign, currency) + balance("CLBD", closing) + more
    return read(
        document(
            "camt.053.001.08",
            "<BkToCstmrStmt><GrpHdr><MsgId>E1</MsgId></GrpHdr><Stmt><Id>1</Id><Acct><Id><Othr>"
            f"<Id>1</Id></Othr></Id></Acct>{balances}{credit}{debit}{pending}</Stmt>"
            "</BkToCstmrStmt>",
        )
    )


class TestAmounts:
    @given(st.integers(0, AMOUNT_MAX))
    def test_every_fen_is_read_as_it_was_written(self, minor: int) -> None:
        (item,) = read(camt054(entry(P, amount=yuan(minor)))).items
        assert item.amount_minor == minor

    @pytest.mark.parametrize(("text", "minor"), [("5", 500), ("5.1", 510), ("005.10", 510)])
    def test_fewer_decimals_are_the_same_money(self, text: str, minor: int) -> None:
        (item,) = read(camt054(entry(P, amount=text))).items
        assert item.amount_minor == minor

    @pytest.mark.parametrize(
        "text",
        ["0.001", "1.000", "1e3", "1E+3", "-1.00", "+1.00", "1,000.00", ".50", "5.", "", "NaN",
         "INF", "0x10", "１.００", "1 000", "9" * 17, "1.00 CNY"],
        ids=["three-decimals", "three-zeros", "exponent", "exponent-plus", "negative", "plus",
             "thousands", "no-whole", "no-decimals", "empty", "not-a-number", "infinite", "hex",
             "full-width", "space", "too-long", "with-currency"],
    )  # fmt: skip
    def test_other_spellings_are_refused(self, text: str) -> None:
        with pytest.raises(BankFileError):
            read(camt054(entry(P, amount=text or "<Nothing/>")))


# --- Attacks -----------------------------------------------------------------------------

GOOD = camt054(entry(P))
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))


def with_doctype(doctype: bytes, *, use: bytes = b"") -> bytes:
    """Puts a document type before the message, and uses an entity of it."""
    head, rest = GOOD.split(b"?>", 1)
    return head + b"?>" + doctype + rest.replace(b"TS-2026-0001", use)


ATTACKS: dict[str, tuple[Callable[[], bytes], type[RegistryError]]] = {
    "billion-laughs": (
        lambda: with_doctype(
            b'<!DOCTYPE x [<!ENTITY l0 "ha">' + LAUGHS + b"]>", use=b"&l9;"
        ),
        BankFileError,
    ),
    "external-entity": (
        lambda: with_doctype(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', use=b"&e;"),
        BankFileError,
    ),
    "external-document-type": (
        lambda: with_doctype(b'<!DOCTYPE x SYSTEM "http://attacker.example/x.dtd">'),
        BankFileError,
    ),
    "parameter-entity": (
        lambda: with_doctype(b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://attacker.example/"> %p;]>'),
        BankFileError,
    ),
    "undeclared-entity": (lambda: GOOD.replace(b"TS-2026-0001", b"&nobody;"), BankFileError),
    "entity-in-another-encoding": (
        lambda: with_doctype(b'<!DOCTYPE x [<!ENTITY e "x">]>', use=b"&e;")
        .decode()
        .replace("UTF-8", "UTF-16")
        .encode("utf-16"),
        BankFileError,
    ),
    "declares-another-encoding": (lambda: GOOD.replace(b"UTF-8", b"UTF-7"), BankFileError),
    "declares-gb18030": (lambda: GOOD.replace(b"UTF-8", b"GB18030"), BankFileError),
    "not-utf-8": (
        lambda: GOOD.replace(b"TS-2026", "应收账款凭证".encode("gb18030")),
        BankFileError,
    ),
    "stylesheet": (
        lambda: with_doctype(b'<?xml-stylesheet href="http://attacker.example/x.xsl"?>'),
        BankFileError,
    ),
    "huge-file": (lambda: GOOD + b" " * xmltree.BYTES_MAX, TooLargeError),
    "deep-nesting": (
        lambda: GOOD.replace(b"<Ntry>", b"<Ntry>" + b"<x>" * 1000 + b"</x>" * 1000),
        TooLargeError,
    ),
    "deep-nesting-without-end": (lambda: b"<x>" * 500_000, TooLargeError),
    "cut-off": (lambda: GOOD[:-20], BankFileError),
    "two-documents": (lambda: GOOD + GOOD.partition(b"?>")[2], BankFileError),
    "empty": (lambda: b"", BankFileError),
    "no-xml": (lambda: b"CNY,600000.00", BankFileError),
    "nul": (lambda: GOOD.replace(b"TS-2026", b"TS\0"), BankFileError),
    "wrong-namespace": (
        lambda: GOOD.replace(NAMESPACE.encode(), b"urn:attacker.example:"),
        BankFormatUnknownError,
    ),
    "no-namespace": (
        lambda: GOOD.replace(b" xmlns=", b" data-xmlns="),
        BankFormatUnknownError,
    ),
    "body-in-another-namespace": (
        lambda: GOOD.replace(b"<BkToCstmrDbtCdtNtfctn>", b'<BkToCstmrDbtCdtNtfctn xmlns="urn:x">'),
        BankFileError,
    ),
    "unknown-version": (lambda: GOOD.replace(b".001.08", b".001.99"), BankFormatUnknownError),
    "unknown-message": (lambda: GOOD.replace(b"camt.054", b"camt.055"), BankFormatUnknownError),
    "our-own-message": (
        lambda: document("pain.001.001.09", "<CstmrCdtTrfInitn/>"),
        BankFormatUnknownError,
    ),
    "body-of-another-message": (
        lambda: GOOD.replace(b"camt.054", b"camt.053"),
        BankFileError,
    ),
    "two-amounts": (
        lambda: GOOD.replace(b"<CdtDbtInd>", b'<Amt Ccy="CNY">1.00</Amt><CdtDbtInd>'),
        BankFileError,
    ),
    "two-ids": (
        lambda: GOOD.replace(b"<Refs>", b"<Refs><EndToEndId>X</EndToEndId>"),
        BankFileError,
    ),
    "two-accounts": (lambda: GOOD.replace(b"<Othr>", b"<Othr><Id>1</Id>"), BankFileError),
    "id-too-long": (lambda: camt054(entry("X" * 36)), BankFileError),
    "no-side": (lambda: GOOD.replace(b"CRDT", b"BOTH"), BankFileError),
    "no-account": (lambda: GOOD.replace(b"<Acct>", b"<Was>").replace(b"</Acct>", b"</Was>"),
                   BankFileError),
    "no-currency": (lambda: GOOD.replace(b' Ccy="CNY"', b""), BankFileError),
    "no-message-id": (lambda: GOOD.replace(b"MsgId>", b"Msg>"), BankFileError),
    "no-statement": (
        lambda: document("camt.054.001.08", "<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>1</MsgId>"
                         "</GrpHdr></BkToCstmrDbtCdtNtfctn>"),
        BankFileError,
    ),
    "account-of-another-currency": (
        lambda: GOOD.replace(b"<Ccy>CNY", b"<Ccy>USD"),
        CurrencyRefusedError,
    ),
    "reversal-perhaps": (
        lambda: camt054(entry(P, reversal="<RvslInd>maybe</RvslInd>")),
        BankFileError,
    ),
    "status-of-another-message": (
        lambda: pain002((P, "RJCT", "AC04")).replace(b"pain.001.001.09", b"pain.008.001.08"),
        BankFileError,
    ),
    "return-of-nothing": (
        lambda: document("pacs.004.001.09", "<PmtRtr><GrpHdr><MsgId>1</MsgId></GrpHdr></PmtRtr>"),
        BankFileError,
    ),
    "return-without-amount": (
        lambda: pacs004(P).replace(b"RtrdIntrBkSttlmAmt", b"Amt"),
        BankFileError,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_refuses(name: str) -> None:
    make, error = ATTACKS[name]
    with pytest.raises(error):
        read_iso20022(make())


def test_what_is_refused_by_version_says_which_would_be_right() -> None:
    with pytest.raises(BankFormatUnknownError) as refused:
        read_iso20022(GOOD.replace(b".001.08", b".001.13"))
    assert refused.value.facts == {
        "found": "camt.054.001.13",
        "expected": "camt.054.001.02 .03 .04 .05 .06 .07 .08 .09 .10 .11 .12",
    }


def test_too_many_elements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xmltree, "ELEMENTS_MAX", 10)
    with pytest.raises(TooLargeError):
        read_iso20022(GOOD)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(RegistryError):
        read_iso20022(data)


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3))
def test_a_file_that_was_damaged_is_read_or_refused(at: int, by: bytes) -> None:
    with suppress(RegistryError):
        read_iso20022(GOOD[:at] + by + GOOD[at + len(by) :])
