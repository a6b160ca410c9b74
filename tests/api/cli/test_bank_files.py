"""Files to a bank and back over a real server: orders go out, answers come in, the run is cleared.

One bank is a simulator that is not ours and speaks ISO 20022; another one reads and writes
lines of fixed width in GB 18030, by code of its own. Each keeps every account of GV-01.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.client import Client, RefusedError, Result
from tests.api.cli.bank_day import Day, planned_day
from tests.api.cli.terminal import shell_of
from tests.api.test_maturity import DUE_ON, rows
from tests.clearing.rails.mappings import FIXED


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with planned_day(tmp_path) as planned:
        yield planned


def test_gv_01_goes_out_as_pain_001_and_comes_back_as_camt_054(day: Day) -> None:
    found = day.export()
    (note,) = found["files"]
    assert (note["count"], note["total"]) == (5, "225000000")
    text = day.sent(found).decode()
    assert re.findall(r"<NbOfTxs>(.*?)<", text)[0] == "5"
    assert re.findall(r"<CtrlSum>(.*?)<", text)[0] == "2250000.00"
    _, _, findings = day.bank.receive(day.sent(found))
    assert [each for each in findings if each.level == "error"] == []
    day.take(*day.come(*day.answers()), "--sign")
    assert day.statuses() == ["accepted"] * 5

    day.arrive(text)
    files = day.come(*day.answers())
    shown = json.loads(day.take(*files))
    assert day.statuses() == ["accepted"] * 5
    signed = json.loads(day.take(*files, "--sign"))
    assert day.statuses() == ["posted"] * 5
    for file, again in zip(shown, signed, strict=True):
        assert file["reported"] == again["reported"]
        assert not file["statements"]
    assert sum(len(file["reported"]) for file in signed) == 5
    runs = day.street.client.pages("/v1/clearing/runs", by=day.street.ids["auditor"])
    assert [run["status"] for run in runs] == ["cleared"]
    # Once more, and in the evening's statements: nothing is said twice.
    day.bank.clock.advance(days=1)
    again = json.loads(day.take(*files, *day.come(*day.answers()), "--sign"))
    assert [file["reported"] for file in again] == [[]] * len(again)


def test_what_went_out_is_not_written_again_and_nothing_is_overwritten(day: Day) -> None:
    first = day.export()
    before = {path: path.read_bytes() for path in day.shell.path("out").rglob("TS*")}
    second = day.export()
    assert second["files"] == []
    assert second["figures"]["sent"] == first["figures"]["written"]
    assert {path: path.read_bytes() for path in day.shell.path("out").rglob("TS*")} == before
    # Without its notes the same file has the same name, and is not written over another one.
    (directory,) = day.shell.path("out").iterdir()
    for path in directory.glob("*.json"):
        path.unlink()
    out = day.shell.path("out")
    command = "clearing export --format pain.001 --book"
    day.shell.run(
        command, day.shell.path("book.json"), "--out", out, day.plan, by="operator", exits=1
    )
    assert not [*directory.glob("*.json")]


def test_what_a_killed_call_left_has_not_gone_out(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        command = "clearing export --format pain.001 --book"
        book, out = day.shell.path("book.json"), day.shell.path("out")
        day.shell.run(command, book, "--out", out, day.plan, by="operator", exits=130)
    (left,) = out.iterdir()
    assert len([*left.iterdir()]) == 2
    assert day.export()["files"][0]["count"] == 5


def test_a_book_without_an_account_writes_nothing(day: Day) -> None:
    book = json.loads(day.shell.path("book.json").read_text(encoding="utf-8"))
    del book[day.street.accounts["s3"]]
    day.shell.path("book.json").write_text(json.dumps(book), encoding="utf-8")
    command = "clearing export --format pain.001 --book"
    said = day.shell.run(
        command, day.shell.path("book.json"), "--out", day.shell.path("out"), day.plan,
        by="operator", exits=1,
    )  # fmt: skip
    assert "details-missing" in said
    assert not day.shell.path("out").exists()


def test_killed_at_every_report_it_goes_on_and_says_nothing_twice(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = day.sent(day.export()).decode()
    day.arrive(text)
    files = day.come(*day.answers())
    do = Client.do

    def kill(*, after: bool) -> None:
        """Ends the next call at its first report, before it is sent or before it is answered."""

        def killed(self: Client, *args: Any, **more: Any) -> Result:
            if after:
                do(self, *args, **more)
            raise OSError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(Client, "do", killed)
            day.take(*files, "--sign", exits=1)

    for posted in range(5):
        kill(after=False)
        assert day.statuses().count("posted") == posted
        kill(after=True)
        assert day.statuses().count("posted") == posted + 1
    assert {len(file["reported"]) for file in json.loads(day.take(*files, "--sign"))} == {0}


def test_what_nobody_can_place_is_listed_and_the_exit_code_says_so(day: Day) -> None:
    text = day.sent(day.export()).decode()
    day.arrive(text)
    stranger = re.sub(r"(<EndToEndId>).", r"\1X", text)
    day.arrive(stranger, reference="OTHER")
    files = day.come(*day.answers())
    found = day.found(*files, "--sign", exits=3)
    reasons = [each["reason"] for file in found for each in file["unmatched"]]
    assert reasons == ["unnamed"] * 5
    assert day.statuses() == ["posted"] * 5
    shown = day.shell.run(
        "clearing import --book", day.shell.path("book.json"), *files, by="bank", exits=3
    )
    assert "未注明指令 names no instruction" in shown


def test_a_second_booking_on_another_day_is_seen_if_references_are_kept(day: Day) -> None:
    kept = day.shell.path("kept.json")
    text = day.sent(day.export()).decode()
    day.arrive(text)
    day.take(*day.come(*day.answers()), "--sign", "--kept", kept)
    day.arrive(text, reference="AGAIN")
    files = day.come(*day.answers())
    found = day.found(*files, "--sign", "--kept", kept, exits=3)
    reasons = {each["reason"] for file in found for each in file["unmatched"]}
    assert reasons == {"paid-again"}


def test_the_operator_relays_the_file_of_a_bank_that_signs_nothing(day: Day) -> None:
    text = day.sent(day.export()).decode()
    day.arrive(text)
    files = day.come(*day.answers())
    day.take(*files, "--sign", "--bank", day.street.ids["bank"], by="operator")
    found = rows(day.street, day.plan)
    assert {row["relayed"] for row in found} == {day.street.ids["bank"]}
    lot = found[-1]["lots"][0]
    assert "平台转递 relayed" in day.shell.run(f"clearing explain {lot}", by="auditor")


def test_another_bank_says_nothing_of_these_accounts(day: Day) -> None:
    day.street.admit("other", "bank")
    day.shell = shell_of(day.street, day.shell.directory, day.shell.url)
    text = day.sent(day.export()).decode()
    day.arrive(text)
    files = day.come(*day.answers())
    day.take(*files, "--sign", by="other", exits=3)
    assert day.statuses() == ["pending"] * 5


# --- In the log -------------------------------------------------------------------------


def signed(day: Day, *more: str | Path) -> Any:
    """Writes the files that may go out now, and records them."""
    return json.JSONDecoder().raw_decode(day.take_out(*more))[0]


def test_what_goes_out_is_recorded_and_goes_again_only_with_a_reason(day: Day) -> None:
    found = signed(day)
    (note,) = found["files"]
    assert day.statuses() == ["sent"] * 5
    made = {row["sent"] for row in rows(day.street, day.plan)}
    (sid,) = made
    shown = day.street.client.get(f"/v1/statements/{sid}", by=day.street.ids["operator"])
    (change,) = shown["effects"]["changes"]
    assert (change["digest"], len(change["instructions"])) == (note["digest"], 5)
    assert signed(day)["files"] == []
    again = signed(day, "--again", "FILE-LOST")
    (other,) = again["files"]
    assert (other["count"], other["digest"] != note["digest"]) == (5, True)
    day.arrive(day.sent(again).decode())
    day.take(*day.come(*day.answers()), "--sign")
    assert day.statuses() == ["posted"] * 5
    assert signed(day, "--again", "FILE-LOST")["files"] == []


def test_a_refused_record_leaves_no_file(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Result:
        raise RefusedError({"status": 409, "code": "move-not-allowed"})

    with monkeypatch.context() as patch:
        patch.setattr(Client, "do", refused)
        day.take_out(exits=1)
    assert list(day.shell.path("out").iterdir()) == []
    assert day.statuses() == ["pending"] * 5
    assert len(signed(day)["files"]) == 1


# --- A bank with lines of fixed width -------------------------------------------------


def fixed_answer(data: bytes, *, result: str = "00") -> bytes:
    """Answers a payment file as a bank does whose programs count bytes."""
    header, *lines, trailer, end = data.split(b"\r\n")
    assert (header[:1], trailer, end) == (b"H", b"T", b"")
    count, total = int(header[29:35]), int(header[35:50])
    answered = []
    for line in lines:
        assert len(line) == 1 + 6 + 34 + 40 + 15 + 20
        assert "有限公司" in line[41:81].decode("gb18030")
        answered.append(line[:41] + line[81:96] + result.encode() + b" " * 20)
    assert count == len(lines)
    assert total == sum(int(line[81:96]) for line in lines)
    return b"\r\n".join([*answered, b"T%06d%015d" % (count, total)]) + b"\r\n"


def test_gv_01_goes_out_in_gb_18030_and_comes_back(day: Day) -> None:
    mapping = day.shell.path("mapping.json")
    mapping.write_text(json.dumps(FIXED), encoding="utf-8")
    found = day.export("--format", mapping)
    (note,) = found["files"]
    assert (note["format"], note["count"], note["total"]) == ("example-fixed-1", 5, "225000000")
    (answer,) = day.come(fixed_answer(day.sent(found)))
    # The answer names payments by their place in the file, and no file.
    refused = day.take(answer, "--mapping", mapping, "--sign", exits=1)
    assert "bank-file" in refused
    answers = ("--answers", note["message_id"])
    day.take(answer, "--mapping", mapping, *answers, "--sign")
    assert day.statuses() == ["posted"] * 5


def test_a_due_date_is_reconciled_with_the_banks_statements(day: Day) -> None:
    """TR-06: scheduled = received + short, lot by lot; opening + bookings = closing."""
    book = day.shell.path("book.json")
    text = day.sent(day.export()).decode()
    day.bank.receive(text.encode())
    day.take(*day.come(*day.answers()), "--sign")
    day.arrive(text)
    notified = day.come(*day.answers())
    day.bank.clock.advance(days=1)
    evening = [file for file in day.come(*day.answers()) if b"camt.053" in file.read_bytes()]
    assert evening
    command = "clearing reconcile --json"
    about: list[str | Path] = [DUE_ON, "--book", book]
    for file in evening:
        about += ["--statements", file]
    # The bank has booked what nobody has reported yet.
    early = json.loads(day.shell.run(command, *about, by="operator", exits=10))
    assert early["differences"] == []
    assert {each["what"] for each in early["statements"]["differences"]} == {"not-posted"}
    day.take(*notified, "--sign")
    found = day.shell.json(command, *about, by="operator")
    assert found["statements"]["differences"] == []
    assert found["totals"] == {
        "lots": 4, "scheduled": "100000000", "received": "100000000", "short": "0", "withheld": "0"
    }  # fmt: skip
    into = sum(int(each["credited"]) for each in found["statements"]["days"])
    out = sum(int(each["debited"]) for each in found["statements"]["days"])
    assert (into, out) == (225_000_000, 225_000_000)
    # A booking that is left out is a gap, and something posted that was not booked.
    core, *_ = [file for file in evening if b"<Ntry>" in file.read_bytes()]
    data = re.sub(rb"<Ntry>.*?</Ntry>", b"", core.read_bytes(), count=1, flags=re.DOTALL)
    core.write_bytes(data)
    torn = json.loads(day.shell.run(command, *about, by="operator", exits=10))
    assert {each["what"] for each in torn["statements"]["differences"]} == {"gap", "not-booked"}
    shown = day.shell.run("clearing reconcile", DUE_ON, by="trustee")
    assert "账内相符" in shown
