"""A real server process on a free port, and a ledger of parties that talk to it over HTTP."""

import hashlib
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from api.client import Client, Result
from registry.canonical import Json
from registry.ids import PartyId
from registry.invoices import fingerprint
from registry.signing import PrivateKey
from tests.builders import (
    FIRST_DAY,
    ORIGIN,
    admission,
    instant,
    key_of,
    possession_proof,
    uscc,
)

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
DIGEST = "A" * 43


@contextmanager
def server(directory: Path, *, database: str = "", fronts: int = 0) -> Iterator[str]:
    """Starts a server process, yields its address, and stops it with SIGTERM."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "log-key.pem").write_bytes(key_of("log").to_pem())
    port_file = directory / "port"
    port_file.unlink(missing_ok=True)
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [
            *(sys.executable, "-m", "api.server"),
            *("--origin", ORIGIN),
            *("--database", database or f"sqlite:///{directory / 'ledger.db'}"),
            *("--dir", str(directory)),
            *("--port-file", str(port_file)),
            *("--fronts", str(fronts)),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START_SECONDS
        while not port_file.exists():
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < end, "the server took too long"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


class Street:
    """Parties by short names over one client; each has a signing key and a read key."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: dict[str, PartyId] = {}
        self.accounts: dict[str, str] = {}
        self.mandates: dict[str, str] = {}
        self._numbers = itertools.count()

    def sign(
        self,
        name: str,
        kind: str,
        body: Mapping[str, Json],
        *,
        re: str | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        """Signs a statement of a party."""
        return self.client.sign(kind, by=self.ids[name], body=body, re=re, key=key)

    def do(
        self, name: str, kind: str, body: Mapping[str, Json], *, re: str | None = None
    ) -> Result:
        """Signs and sends a statement that must be accepted."""
        return self.client.submit(self.sign(name, kind, body, re=re))

    def name(self, name: str, number: int) -> PartyId:
        """Gives a party its id and its keys, before it is admitted."""
        self.ids[name] = uscc(number)
        self.client.keys[self.ids[name]] = key_of(name)
        self.client.read_keys[self.ids[name]] = key_of(f"{name} reads")
        return self.ids[name]

    def genesis(self) -> str:
        """Signs genesis, with the tests' calendar."""
        founders: dict[str, dict[str, Json]] = {
            name: {
                "party": self.name(name, number),
                "name": name,
                "key": dict(key_of(name).public.jwk()),
            }
            for name, number in (("operator", 1), ("registrar", 2))
        }
        body: dict[str, Json] = {
            "format": 1,
            "key": dict(key_of("operator").public.jwk()),
            "operator": dict(founders["operator"]),
            "registrar": dict(founders["registrar"]),
            "log_key": dict(key_of("log").public.jwk()),
            "currency": "CNY",
            "zone": "+08:00",
            "clock": "manual",
            "policy": {"name": "plain", "version": 1, "rules": {"pay_day": {"calendar": "tests"}}},
            "calendars": [
                {
                    "name": "tests",
                    "first": "2025-01-01",
                    "last": "2026-12-31",
                    "holidays": [],
                    "workdays": [],
                }
            ],
        }
        return self.sign("operator", "genesis", body)

    def read_key(self, name: str) -> str:
        """Signs the addition of a party's read key."""
        key = key_of(f"{name} reads")
        body: dict[str, Json] = {
            "key": dict(key.public.jwk()),
            "use": "read",
            "proof": possession_proof(key, origin=ORIGIN, party=self.ids[name]),
        }
        return self.sign(name, "key.add", body)

    def admit(self, name: str, *roles: str) -> PartyId:
        """Registers and admits a party, and adds its read key."""
        party = self.name(name, 100 + len(self.ids))
        body: dict[str, Json] = {"name": name, "key": dict(key_of(name).public.jwk())}
        made = self.do(name, "party.register", body)
        self.do("registrar", "party.admit", admission(*roles), re=made.sid)
        self.client.submit(self.read_key(name))
        return party

    def admit_vehicle(self, trustee: str, code: str) -> PartyId:
        """Registers and admits a trust vehicle."""
        vehicle = PartyId(f"{self.ids[trustee]}#{code}")
        made = self.do(trustee, "vehicle.register", {"vehicle": vehicle, "name": code})
        self.do("registrar", "party.admit", admission("vehicle"), re=made.sid)
        self.ids[f"{trustee}#{code}"] = vehicle
        return vehicle

    def bank_account(self, name: str, *, kind: str = "settlement") -> None:
        """Gives a party a verified account with a mandate."""
        body: dict[str, Json] = {"bank": self.ids["bank"], "account_kind": kind, "terms": DIGEST}
        account = self.do(name, "account.register", body).sid
        self.do("bank", "account.verify", {}, re=account)
        self.accounts[name] = account
        self.mandates[name] = self.do(name, "mandate.grant", {"account": account}).sid

    def designate(self, name: str) -> None:
        """Has a party designate the log as its inbox for notices."""
        self.do(name, "inbox.designate", {"system": ORIGIN, "entry_is_arrival": True})

    def issue_body(self, **changes: Json) -> dict[str, Json]:
        """Returns the body of a voucher from core to s1."""
        promises: dict[str, Json] = dict.fromkeys(PROMISES, True)
        number, face = next(self._numbers), changes.get("face", "100000000")
        invoice = fingerprint(seller=self.ids["s1"], number=str(number))
        body: dict[str, Json] = {
            "voucher_no": f"V{number:05d}",
            "creditor": self.ids["s1"],
            "face": face,
            "invoices": [{"fingerprint": invoice, "total": face, "used": face}],
            "due_on": "2025-12-19",
            "accept_by": "2025-07-10",
            "basis": "goods-delivered",
            "promises": promises,
            "assignment_restriction": "none",
            "evidence": [
                {"type": kind, "file": {"digest": DIGEST, "name": f"{kind}.pdf"}}
                for kind in ("contract", "invoice", "acceptance")
            ],
            "route": "direct",
            "account": self.accounts["core"],
            "mandate": self.mandates["core"],
        }
        return {**body, **changes}

    def issue(self) -> str:
        """Issues a voucher from core to s1, accepted; returns its id."""
        voucher = self.do("core", "voucher.issue", self.issue_body()).sid
        body: dict[str, Json] = {"account": self.accounts["s1"], "collection_route": True}
        self.do("s1", "voucher.accept", body, re=voucher)
        return voucher

    def offer_body(self, lot: str, amount: int, to: str, **changes: Json) -> dict[str, Json]:
        """Returns the body of an offer."""
        body: dict[str, Json] = {
            "lot": lot,
            "amount": str(amount),
            "assignee": self.ids[to],
            "purpose": "settle",
            "recourse": False,
            "accept_by": "2025-12-01",
            "notice": "assignment/1",
            "evidence": [],
        }
        return {**body, **changes}

    def accept(self, name: str, offer: str) -> Result:
        """Accepts an offer."""
        body: dict[str, Json] = {"account": self.accounts[name], "collection_route": True}
        return self.do(name, "transfer.accept", body, re=offer)

    def transfer(self, lot: str, amount: int, *, by: str, to: str) -> str:
        """Offers and accepts; returns the offer's id."""
        offer = self.do(by, "transfer.offer", self.offer_body(lot, amount, to)).sid
        self.accept(to, offer)
        return offer

    def settle_in(self) -> "Street":
        """Opens the ledger with its usual people."""
        self.client.submit(self.genesis())
        for name in ("operator", "registrar"):
            self.client.submit(self.read_key(name))
        self.admit("bank", "bank")
        for name in ("core", "s1", "s2", "s3"):
            self.admit(name, "participant")
        self.admit("factor", "financier")
        self.admit("auditor", "auditor")
        self.admit("trustee", "trustee")
        self.admit_vehicle("trustee", "T1")
        for name in ("core", "s1", "s2", "s3", "factor"):
            self.bank_account(name)
        self.bank_account("trustee#T1", kind="trust")
        for name in ("core", "s1", "s2", "s3", "factor"):
            self.designate(name)
        return self


PROMISES = (
    "trade_is_real",
    "creditor_has_performed",
    "payment_conditions_met",
    "amount_agreed",
    "unconditional",
    "no_defence",
    "no_set_off",
    "consent_split",
    "consent_transfer",
    "consent_finance",
)


def connect(url: str, *, transport: httpx.BaseTransport | None = None) -> Client:
    """Returns a client with the log key pinned, ids by count, and a clock that stands."""
    counter = itertools.count()
    return Client(
        url,
        origin=ORIGIN,
        log_key=key_of("log").public,
        clock=lambda: instant(FIRST_DAY),
        tail=lambda: hashlib.sha256(str(next(counter)).encode()).digest()[:10],
        transport=transport,
    )
