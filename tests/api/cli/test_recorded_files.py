"""Files to a bank that stand in the log: sent again only with a reason, never without a record."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.client import Client, RefusedError, Result
from tests.api.cli.bank_day import Day, planned_day
from tests.api.test_maturity import rows


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    with planned_day(tmp_path) as planned:
        yield planned


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
