"""The benchmarks run, check what they measure, and report in one form; no time is looked at."""

import json
from dataclasses import replace
from pathlib import Path

import pysqlite3
import pytest

from api.service import open_store
from registry.store.sql import SqlStore
from tests.benchmarks import goals, naive, written
from tests.benchmarks.everything import PLANS, measure
from tests.benchmarks.load import Answer, read_requests, write_requests
from tests.benchmarks.transfers import Scale, Transfer, party_id, single_request
from tests.benchmarks.workload import Built, Sealer, build, sign
from tests.benchmarks.written import WrongError

SENT = 6
SPOIL = """
UPDATE entry SET data = CAST(replace(CAST(data AS TEXT), 'settle', 'settlE') AS BLOB)
WHERE idx = (SELECT max(idx) FROM entry) - {before}
"""


@pytest.fixture
def wrote(tmp_path: Path) -> tuple[Built, list[Transfer]]:
    """A small ledger, and transfers that were sealed in it since it was built."""
    built = build(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path, Scale(parties=20, lots=20))
    transfers = built.book("test").transfers(SENT)
    store = open_store(built.database)
    assert isinstance(store, SqlStore)
    Sealer(store).seal(each.text for each in transfers)
    sign(store, tmp_path)
    store.close()
    return built, transfers


def spoil(built: Built, sql: str) -> None:
    """Changes the database behind the ledger's back."""
    with pysqlite3.connect(built.directory / "ledger.db") as database:
        assert database.execute(sql).rowcount > 0
    database.close()


@pytest.mark.slow
def test_all_benchmarks_run_and_report_every_goal(tmp_path: Path) -> None:
    found = measure(PLANS["tiny"], cache=tmp_path / "cache")
    file = tmp_path / "bench.json"
    goals.write(found, file)
    rows = json.loads(file.read_text())
    assert [*dict.fromkeys(row["goal"] for row in rows)] == [f"G{n}" for n in range(1, 12)]
    for row in rows:
        assert row.keys() == {"goal", "value", "unit", "ratio", "of", "reached"}
        assert row["value"] > 0
        assert row["ratio"] > 0
        assert isinstance(row["reached"], bool)
    assert len(goals.render(found).splitlines()) == 1 + len(rows)


def test_what_was_written_right_is_accepted(wrote: tuple[Built, list[Transfer]]) -> None:
    written.verify_written(*wrote)


def test_refuses_a_log_that_lacks_what_was_sent(wrote: tuple[Built, list[Transfer]]) -> None:
    built, transfers = wrote
    more = built.book("another").transfers(1)
    with pytest.raises(WrongError, match="entries"):
        written.verify_written(built, [*transfers, *more])
    with pytest.raises(WrongError, match="is missing from the log"):
        written.verify_written(built, [*transfers[1:], *more])


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("UPDATE lot SET amount = amount + 1 WHERE lot LIKE '%.2'", "another amount|add up"),
        ("UPDATE lot SET amount = amount - 1 WHERE lot LIKE '%.1'", "another amount|add up"),
        ("DELETE FROM notice WHERE notice LIKE '%!1'", "a notice is missing"),
        (SPOIL.format(before=0), "checkpoint"),
        (SPOIL.format(before=1), "does not follow"),
    ],
)
def test_refuses_rows_and_entries_that_were_spoilt(
    wrote: tuple[Built, list[Transfer]], sql: str, reason: str
) -> None:
    built, transfers = wrote
    spoil(built, sql)
    with pytest.raises(WrongError, match=reason):
        written.verify_written(built, transfers)


def answer(transfer: Transfer, **changes: object) -> Answer:
    """Returns what a server answers to a transfer, with changes to what it says of the lot."""
    moved = {
        "effect": "lot-transferred",
        "amount": str(transfer.amount),
        "remainder": str(transfer.remainder),
        "assignee": party_id(transfer.assignee),
    }
    changed = [{**moved, **changes}, *[{"effect": "notice-arrived"}] * 2]
    result = {"status": 201, "sid": transfer.sid, "effects": {"changes": changed}}
    return Answer(status=201, body=json.dumps(result).encode())


def test_refuses_wrong_answers(wrote: tuple[Built, list[Transfer]]) -> None:
    _, (one, other, *_) = wrote
    written.verify_answer(one, answer(one))
    wrong = [
        answer(other),
        answer(one, amount="1"),
        answer(one, effect="lot-offered"),
        replace(answer(one), status=200),
        replace(answer(one), status=503),
    ]
    for each in wrong:
        with pytest.raises(WrongError):
            written.verify_answer(one, each)


def test_refuses_wrong_lines(wrote: tuple[Built, list[Transfer]]) -> None:
    _, (one, other, *_) = wrote
    lines = [answer(one).body, answer(other).body]
    right = Answer(status=200, body=b"\n".join(lines))
    written.verify_bulk_answer([one, other], right)
    refused = lines[1].replace(b'"status": 201', b'"status": 409')
    for body in (lines[0], b"\n".join(reversed(lines)), b"\n".join([lines[0], refused])):
        with pytest.raises(WrongError):
            written.verify_bulk_answer([one, other], replace(right, body=body))


def test_refuses_what_the_naive_one_did_not_write(
    wrote: tuple[Built, list[Transfer]], tmp_path: Path
) -> None:
    built, transfers = wrote
    database = f"sqlite:///{tmp_path / 'naive.db'}"
    naive.fill(database, built)
    naive.verify_written(database, built, [])
    with pytest.raises(AssertionError, match="offers"):
        naive.verify_written(database, built, transfers)


def test_requests_can_be_kept_in_a_file(
    wrote: tuple[Built, list[Transfer]], tmp_path: Path
) -> None:
    _, transfers = wrote
    requests = [*map(single_request, transfers)]
    write_requests(tmp_path / "requests", requests)
    assert read_requests(tmp_path / "requests") == requests
