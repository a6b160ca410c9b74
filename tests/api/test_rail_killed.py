"""A simulated bank that fails as it is told to, and is killed at every word: the same end.

The bank's process keeps nothing: after each kill another one goes on with empty books and the
ledger alone. Kills come before its reports are sent, and before they are answered.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.answers import Result
from api.client import Client, RefusedError
from api.rail import BankTeller
from registry.canonical import Json
from registry.ids import Sid
from tests.api.local import street
from tests.api.served import Street
from tests.api.test_maturity import DUE_ON, adopt, get, gv01, move_to, rows
from tests.builders import ORIGIN, key_of

DAYS = (DUE_ON, "2025-12-20", "2025-12-21", "2025-12-22")
HELD = {"s1": 40_000_000, "s2": 15_000_000, "s3": 25_000_000, "trustee#T1": 20_000_000}

FAULTS: dict[str, dict[str, tuple[str, ...]]] = {
    "plain": {},
    "blocked": {"blocked": ("s2",)},
    "silent": {"silent": ("s2",)},
    "returned": {"returned": ("s3", "trustee#T1")},
    "repeated": {"repeated": ("core", "s1", "s2", "s3", "factor")},
}


class KilledError(Exception):
    """The bank's process has ended."""


class Bank:
    """A bank whose process may end at any word, and its successor that knows nothing of it."""

    def __init__(self, town: Street, patch: pytest.MonkeyPatch, *, is_killed: bool) -> None:
        self._town, self._patch, self._is_killed = town, patch, is_killed
        self._count = 0
        self.said = self.deaths = 0

    def _teller(self, faults: Mapping[str, Iterable[str]]) -> BankTeller:
        self._count += 1
        ids, seed = self._town.ids, f"process {self._count}"
        teller = BankTeller(
            self._town.client, ids["bank"], origin=ORIGIN, key=key_of("bank"), seed=seed
        )
        accounts = self._town.accounts
        teller.order(**{name: [accounts[each] for each in of] for name, of in faults.items()})
        return teller

    @contextmanager
    def _killing(self, *, is_after: bool) -> Iterator[None]:
        """Ends the process at its next reports: before they are sent, or before the answer."""
        send = Client.submit_many

        def dying(client: Client, texts: Iterable[str]) -> list[Result]:
            said = list(texts)
            if is_after:
                send(client, said)
            raise KilledError(len(said))

        with self._patch.context() as patch:
            patch.setattr(Client, "submit_many", dying)
            yield

    def speak(self, plan: str, faults: Mapping[str, Iterable[str]]) -> int:
        """Says what there is to say, one instruction at a time; if killed, twice at each."""
        now = int(get(self._town, "/v1/ledger", by="operator")["time"])
        before = self.said
        while True:
            if not self._is_killed:
                statements = self._teller(faults).report(Sid(plan), now=now, most=1)[1]
            elif statements := self._dies(plan, faults, now=now, is_after=False):
                assert self._dies(plan, faults, now=now, is_after=True) == statements
            self.said += statements
            if not statements:
                return self.said - before

    def _dies(
        self, plan: str, faults: Mapping[str, Iterable[str]], *, now: int, is_after: bool
    ) -> int:
        """Has a process say something and die; returns of how many words."""
        with self._killing(is_after=is_after):
            try:
                return self._teller(faults).report(Sid(plan), now=now, most=1)[1]
            except KilledError as death:
                self.deaths += 1
                return int(death.args[0])


def mend(town: Street, plan: str, *, is_over: bool) -> bool:
    """Has the operator do what is there to do; what fails again waits until the faults end."""
    found = rows(town, plan)
    posted = {str(row["n"]) for row in found if row["status"] == "posted"}
    for row in found:
        is_there = bool(row["after"]) and posted.issuperset(row["after"])
        is_new = is_over or row.get("instead") is None
        if row["status"] in ("rejected", "returned") and is_there and is_new:
            body: dict[str, Json] = {"instruction": row["n"], "ground": "rejected"}
            town.do("operator", "clearing.reroute", body, re=plan)
            return True
    owed = town.client.pages("/v1/clearing/obligations", by=town.ids["auditor"])
    for each in owed if is_over else ():
        if (each["sort"], each["status"]) == ("again", "due"):
            again: dict[str, Json] = {"instruction": each["n"], "sort": "again"}
            town.do("operator", "clearing.top-up", again, re=plan)
            return True
    return False


def run(
    directory: Path, patch: pytest.MonkeyPatch, fault: str, *, is_killed: bool
) -> list[tuple[Any, ...]]:
    """Clears GV-01 by a bank that fails on the first two days; returns where everything is."""
    with street(directory) as town:
        gv01(town, route="tiered")
        move_to(town, DUE_ON)
        plan = adopt(town)
        bank = Bank(town, patch, is_killed=is_killed)
        for day, date in enumerate(DAYS):
            if day:
                move_to(town, date)
            faults = FAULTS[fault] if day < 2 else {}
            while bank.speak(plan, faults) + mend(town, plan, is_over=day >= 2):
                pass
        assert bank.said >= 5
        assert bool(bank.deaths) == is_killed
        verify_paid_once(town, plan)
        end = [
            (row["n"], row["payee"], row["amount"], row["status"], row.get("reason"))
            for row in rows(town, plan)
        ]
        with pytest.raises(RefusedError):
            get(town, f"/v1/clearing/proposals/{DUE_ON}", by="operator")
        return end


def verify_paid_once(town: Street, plan: str) -> None:
    """Checks that each holder has its money once, and nobody on the way keeps any."""
    net = dict.fromkeys(town.accounts.values(), 0)
    for row in rows(town, plan):
        if row["status"] == "posted":
            net[row["payee_account"]] += int(row["amount"])
            net[row["payer_account"]] -= int(row["amount"])
    for name, account in town.accounts.items():
        assert net[account] == HELD.get(name, -100_000_000 if name == "core" else 0), name
    assert list(town.client.pages("/v1/lots", by=town.ids["auditor"])) == []


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_killed_at_every_word_a_bank_comes_to_the_same_end(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = run(tmp_path / "plain", monkeypatch, fault, is_killed=False)
    assert run(tmp_path / "killed", monkeypatch, fault, is_killed=True) == undisturbed
    statuses = {status for _, _, _, status, _ in undisturbed}
    assert ("replaced" in statuses) == (fault == "blocked")
    assert ("redirected" in statuses or "returned" in statuses) == (fault == "returned")
