"""A day on which GV-01 is paid by a simulated bank that is not ours and speaks ISO 20022."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mockbank import accounts, credits, db, outbox
from mockbank.server import Config
from mockbank.state import State

from registry.canonical import Json
from tests.api.cli.terminal import Terminal, shell_of
from tests.api.served import Street, connect, server
from tests.api.test_maturity import DUE_ON, adopt, gv01, move_to, rows

NAMES = ("core", "s1", "s2", "s3", "factor", "trustee#T1")
OPENING = 100_000_000


@dataclass(kw_only=True)
class Day:
    """A due date on which GV-01 is planned, tier by tier, and the operator's shell."""

    street: Street
    shell: Terminal
    plan: str
    bank: State
    named: dict[str, str] = field(default_factory=dict)

    def export(self, *more: str | Path, by: str = "operator") -> Any:
        """Writes the files that may go out now."""
        book, out = self.shell.path("book.json"), self.shell.path("out")
        command = "clearing export --format pain.001 --json --book"
        return self.shell.json(command, book, "--out", out, *more, self.plan, by=by)

    def take_out(self, *more: str | Path, exits: int = 0) -> str:
        """Writes the files that may go out now, and records them."""
        book, out = self.shell.path("book.json"), self.shell.path("out")
        command = "clearing export --format pain.001 --json --sign --book"
        return self.shell.run(
            command, book, "--out", out, *more, self.plan, by="operator", exits=exits
        )

    def sent(self, found: Any) -> bytes:
        """Returns the bytes of the one file of an export."""
        (note,) = found["files"]
        path: Path = self.shell.path("out") / found["directory"] / note["file"]
        return path.read_bytes()

    def come(self, *files: bytes) -> list[Path]:
        """Puts files where the command finds them."""
        paths = []
        for data in files:
            path = self.shell.path(f"in-{len([*self.shell.directory.glob('in-*')])}")
            path.write_bytes(data)
            paths.append(path)
        return paths

    def take(self, *more: str | Path, by: str = "bank", exits: int = 0) -> str:
        """Imports files."""
        book, out = self.shell.path("book.json"), self.shell.path("out")
        command = "clearing import --json --book"
        return self.shell.run(command, book, "--sent", out, *more, by=by, exits=exits)

    def found(self, *more: str | Path, exits: int) -> Any:
        """Imports files of which something is left; what is printed ends with what was signed."""
        return json.JSONDecoder().raw_decode(self.take(*more, exits=exits))[0]

    def statuses(self) -> list[str]:
        """Returns where the instructions are."""
        return [row["status"] for row in rows(self.street, self.plan)]

    def answers(self) -> list[bytes]:
        """Takes what the simulated bank has written."""
        found = outbox.collect(self.bank.conn, self.bank.now())
        return [row["body"].encode() for row in found]

    def arrive(self, text: str, *, reference: str = "HVPS") -> None:
        """Has the payments of a pain.001 arrive at their payees, as the payment system would."""
        for found in re.findall(r"<CdtTrfTxInf>.*?</CdtTrfTxInf>", text, re.DOTALL):
            (name,) = re.findall(r"<EndToEndId>(.*?)<", found)
            (amount,) = re.findall(r"<InstdAmt[^>]*>(.*?)<", found)
            (account,) = re.findall(r"<CdtrAcct>.*?<Id>([^<]+)<", found, re.DOTALL)
            body = {
                "account": account,
                "amount": round(float(amount) * 100),
                "end_to_end_id": name,
                "note": "V00000",
                "reference": f"{reference}{name[-12:]}",
                "debtor": {"name": "somebody", "iban": account},
            }
            credits.create(self.bank.conn, self.bank.clock, self.bank.now(), body)
        self.bank.release()


def open_bank(street: Street) -> tuple[State, dict[str, dict[str, str]]]:
    """Opens the accounts of GV-01 at the simulated bank; returns their details by account."""
    bank = State(Config(clock=f"{DUE_ON}T09:00:00"))
    # It comes with accounts of its own, in other currencies.
    bank.conn.execute("DELETE FROM account")
    book = {}
    for number, name in enumerate(NAMES):
        iban = db.iban("CN", f"{number:016}")
        owner = f"{name}（天津）有限公司"
        details = {"name": owner, "iban": iban, "currency": "CNY", "balance": OPENING}
        accounts.create(bank.conn, f"A{number}", details)
        book[street.accounts[name]] = {
            "account_name": owner,
            "account_no": iban,
            "bank_name": "中国工商银行天津和平支行",
            "bank_code": "102110000123",
        }
    return bank, book


def tiered(street: Street) -> None:
    """Tells GV-01 by the tiered route."""
    gv01(street, route="tiered")


@contextmanager
def planned_day(tmp_path: Path, *, tell: Callable[[Street], object] = tiered) -> Iterator[Day]:
    """A real server, and the day on which GV-01 is paid, or what else is told."""
    with server(tmp_path / "server") as url, connect(url) as client:
        street = Street(client).settle_in()
        tell(street)
        rules: dict[str, Json] = {"pay_day": {"calendar": "tests"}, "relayed_evidence": True}
        policy: dict[str, Json] = {
            "name": "relays", "version": 1, "effective_on": "2025-12-01", "rules": rules
        }  # fmt: skip
        street.do("operator", "policy.publish", policy)
        move_to(street, DUE_ON)
        plan = adopt(street)
        bank, book = open_bank(street)
        shell = shell_of(street, tmp_path, url)
        shell.path("book.json").write_text(json.dumps(book), encoding="utf-8")
        yield Day(street=street, shell=shell, plan=plan, bank=bank)
        bank.close()
