"""The guide of a clearing day, typed as it stands: who types it, what is printed, at its time."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from beancount import loader
from rich.cells import cell_len

from tests.api.cli.terminal import Terminal, shell_of
from tests.api.served import ROOT, Street, connect, server
from tests.api.test_maturity import gv01, move_to
from tests.builders import instant

PAGE = ROOT / "docs" / "guides" / "clearing-day.md"
STEP = re.compile(
    r"^<!-- (?P<day>\S+) (?P<hour>\d\d):(?P<minute>\d\d) -->$"
    r"|^```(?P<form>console|json)\n(?P<body>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
TYPED = re.compile(r"^(?P<who>[a-z]+)\$ tallystick (?P<command>.*)$")


class Reading:
    """Somebody who goes through the page, with what it has named so far."""

    def __init__(self, street: Street, shell: Terminal) -> None:
        """Begins before the policy."""
        self.street, self.shell = street, shell
        self.named: dict[str, str] = {}

    def move(self, day: str, hour: int, minute: int) -> None:
        """Waits until a time that the page names, and lets there be a voucher before the first."""
        if not self.named:
            move_to(self.street, "2025-07-02")
            lots = gv01(self.street, route="tiered", top_up=True)
            self.named["$LOT"] = lots["trustee#T1"]
        moment = instant(date.fromisoformat(day), hour=hour) + minute * 60_000
        self.street.do("operator", "clock.set", {"time": moment})
        self.street.client._clock = lambda: moment

    def type(self, block: str) -> None:
        """Types the commands of a block, and looks for what it says that they print."""
        said = ""
        for line in block.splitlines():
            typed = TYPED.match(line)
            if typed is None:
                wanted = re.escape(" ".join(self._with_names(line).split())).replace("…", r"\S*")
                assert re.search(wanted, said), f"{line}\n{said}"
            else:
                said = self._run(typed["command"], by=typed["who"])

    def _run(self, command: str, *, by: str) -> str:
        """Runs a command; returns what it prints, its blanks as one."""
        command, _, into = command.partition(" > ")
        words = [self._place(self._with_names(word)) for word in shlex.split(command)]
        printed = self.shell.run("", *words, by=by)
        if into:
            self.shell.path(into).write_text(printed, encoding="utf-8")
        elif "--body" not in words:
            assert max(map(cell_len, printed.splitlines()), default=0) <= 100, printed
        if "$PLAN" not in self.named:
            plans = list(
                self.street.client.pages("/v1/clearing/runs", by=self.shell.ids["operator"])
            )
            self.named |= {"$PLAN": plans[0]["plan"]} if plans else {}
        return " ".join(f"{printed} {self.shell.talk}".split())

    def _with_names(self, text: str) -> str:
        """Puts ids in the place of what the page calls them."""
        for name, value in self.named.items():
            text = text.replace(name, value)
        return text

    def _place(self, word: str) -> str:
        """Puts files where nobody else has any."""
        if word.startswith("@"):
            return f"@{self.shell.path(word[1:])}"
        is_file = word in ("to-banks", "the-log", "accounts.json")
        return str(self.shell.path(word)) if is_file else word


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    with server(tmp_path / "server") as url, connect(url) as client:
        street = Street(client).settle_in()
        shell = shell_of(street, tmp_path, url)
        book = {
            account: {
                "account_name": name,
                "account_no": f"62{n:014}",
                "bank_code": "102290000012",
                "bank_name": "a bank",
            }
            for n, (name, account) in enumerate(street.accounts.items())
        }
        shell.path("accounts.json").write_text(json.dumps(book))
        yield Reading(street, shell)


def test_a_clearing_day_goes_as_the_guide_says(reading: Reading) -> None:
    for step in STEP.finditer(PAGE.read_text(encoding="utf-8")):
        if step["day"]:
            reading.move(step["day"], int(step["hour"]), int(step["minute"]))
        elif step["form"] == "json":
            rules = step["body"].replace("CN-PAYMENT", "tests")
            reading.shell.path("rules.json").write_text(rules, encoding="utf-8")
        else:
            reading.type(step["body"])
    books = reading.shell.path("books.beancount")
    _, errors, _ = loader.load_file(str(books))
    assert errors == []
