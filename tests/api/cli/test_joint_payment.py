"""One payment of several vouchers, from the payee's word to the reconciled day, on a real server.

A payee agrees (SD-28, reference note 5), one payment goes out, the bank books it once, and each
lot is found again in it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clearing.rails.references import instruction_id, joint_number
from registry.canonical import Json
from registry.ids import Sid
from tests.api.cli.bank_day import Day, planned_day
from tests.api.served import Street
from tests.api.test_maturity import DUE_ON, rows

FACES = (10_000_000, 20_000_001, 30_000_000)


def tell(street: Street) -> None:
    """Tells three vouchers of core that s1 holds, and a fourth of which s2 holds some."""
    for face in FACES:
        issue(street, face)
    street.transfer(issue(street, 7_000_000), 5_000_000, by="s1", to="s2")


def issue(street: Street, face: int) -> str:
    """Issues a voucher that s1 accepts; returns its lot."""
    voucher = street.do("core", "voucher.issue", street.issue_body(face=str(face))).sid
    payee: dict[str, Json] = {"account": street.accounts["s1"], "collection_route": True}
    street.do("s1", "voucher.accept", payee, re=voucher)
    return f"{voucher}.0"


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with planned_day(tmp_path, tell=tell) as planned:
        yield planned


def agree(day: Day) -> None:
    """Has s1 agree to payments of several instructions."""
    body = {"account": day.street.accounts["s1"], "agreed": True}
    day.shell.run("payee aggregate", body=body, by="s1")


def of_s1(day: Day) -> list[dict[str, Any]]:
    """Returns the instructions that pay s1."""
    return [row for row in rows(day.street, day.plan) if row["payee"] == day.street.ids["s1"]]


def out(day: Day) -> str:
    """Writes and records the one file that may go out; returns it."""
    return day.sent(json.JSONDecoder().raw_decode(day.take_out())[0]).decode()


def names_in(text: str) -> list[str]:
    """Returns the ids of a file's payments."""
    return re.findall(r"<EndToEndId>(.*?)<", text)


def test_it_is_agreed_sent_posted_explained_and_reconciled(day: Day) -> None:
    agree(day)
    text = out(day)
    # Of five instructions four are one payment, and s2's is one by itself.
    jointly = instruction_id(Sid(day.plan), joint_number(0))
    assert len(names_in(text)) == 2
    amounts = dict(zip(names_in(text), re.findall(r"<InstdAmt[^>]*>(.*?)<", text), strict=True))
    assert amounts[jointly] == "620000.01"
    assert re.findall(r"JOINT \w+-0 OF (\d+)", text) == ["4"]
    assert day.statuses() == ["sent"] * 5

    _, _, findings = day.bank.receive(text.encode())
    assert [each for each in findings if each.level == "error"] == []
    day.take(*day.come(*day.answers()), "--sign")
    assert day.statuses() == ["accepted"] * 5
    day.arrive(text)
    signed = json.loads(day.take(*day.come(*day.answers()), "--sign"))
    assert sum(len(file["reported"]) for file in signed) == 5
    assert day.statuses() == ["posted"] * 5
    assert [(row["joint"], row["status"]) for row in of_s1(day)] == [(0, "posted")] * 4

    for row in of_s1(day):
        shown = day.shell.run(f"clearing explain {row['lots'][0]}", by="s1")
        assert "合并付款 joint payment 0" in shown
        assert row["sent"] in shown

    day.bank.clock.advance(days=1)
    book, sent = day.shell.path("book.json"), day.shell.path("out")
    about: list[str | Path] = [DUE_ON, "--book", book, "--sent", sent]
    for file in day.come(*day.answers()):
        if b"camt.053" in file.read_bytes():
            about += ["--statements", file]
    found = day.shell.json("clearing reconcile --json", *about, by="operator")
    assert found["differences"] == found["statements"]["differences"] == []
    total = str(sum(FACES) + 7_000_000)
    assert found["totals"] == {
        "lots": 5, "scheduled": total, "received": total, "short": "0", "withheld": "0"
    }  # fmt: skip
    (booked,) = (
        each["credited"]
        for each in found["statements"]["days"]
        if each["credited"] not in ("0", "5000000")
    )
    assert booked == "62000001"


def test_attack_a_fen_less_posts_none_of_them(day: Day) -> None:
    agree(day)
    text = out(day)
    day.arrive(text.replace("620000.01", "620000.00"))
    found = day.found(*day.come(*day.answers()), "--sign", exits=3)
    reasons = [each["reason"] for file in found for each in file["unmatched"]]
    assert reasons == ["amount-differs"]
    assert sorted(day.statuses()) == ["posted"] + ["sent"] * 4


def test_without_the_payees_word_each_is_paid_by_itself(day: Day) -> None:
    text = out(day)
    assert len(names_in(text)) == 5
    assert "JOINT" not in text
