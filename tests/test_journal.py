"""The demonstration's journal, read by hledger: another program's opinion on all its money."""

import os
import shutil
import subprocess

import pytest

from clearing.plaintext import format_decimal
from registry.money import format_yuan
from tests.demonstration import Demo

HLEDGER = shutil.which("hledger")

pytestmark = pytest.mark.skipif(
    HLEDGER is None and not os.environ.get("CI"),
    reason="HLEDGER IS MISSING: nobody but us checks the journal; apt-get install hledger",
)


def hledger(demo: Demo, *arguments: str) -> str:
    """Runs hledger over the journal; it must be content."""
    assert HLEDGER is not None, "hledger is missing"
    done = subprocess.run(  # noqa: S603 (our own arguments)
        [HLEDGER, "-f", str(demo.directory / "journal.hledger"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C.UTF-8"},  # nobody's settings
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_journal_passes_every_check(demo: Demo) -> None:
    assert hledger(demo, "check", "--strict", "ordereddates") == ""


LACKED = 100_000_000 - 70_000_001
"""What the last chapter's debtor did not have, in fen."""


@pytest.mark.parametrize(
    ("account", "left"), [("Assets:Claims", LACKED), ("Liabilities:Vouchers", -LACKED)]
)
def test_in_the_end_nobody_owes_or_claims_but_what_a_debtor_lacked(
    demo: Demo, account: str, left: int
) -> None:
    told = hledger(demo, "balance", account, "--depth=2", "--no-total", "--flat").split()
    assert told[0].replace(",", "") == format_decimal(left)


def broken(demo: Demo) -> int:
    """Returns what the chapter in which money does not come has moved, in fen."""
    paid = sum(map(int, demo.report["broken"]["gv02"]["paid"].values()))
    return 225_000_000 + 20_000_000 + paid


def test_as_many_payments_as_instructions(demo: Demo) -> None:
    paid = hledger(demo, "print", "desc:^pay ").count("pay ")
    # Five and the debtor's own for GV-03, four for GV-02.
    assert paid - 10 == sum(demo.report["clearing"]["instructions"].values())


def test_what_was_moved_is_what_clearing_says(demo: Demo) -> None:
    moved = hledger(
        demo, "balance", "Assets:Bank", "amt:>0", "desc:^pay ", "--depth=2", "--no-elide", "-N"
    )
    gross = int(demo.report["clearing"]["gross_fen"]) + broken(demo)
    assert format_yuan(gross).replace(",", "") in moved.replace(",", "")
