r"""A simulated bank as a process of its own, with its own key.

It reads one line of JSON a request (`{"now": ms, "plan": sid}`), looks up the plan's
instructions for its accounts, posts on its own books what is funded, and confirms
each to the registry with a signed statement. It answers with how many it confirmed.

    python -m api.rail --url URL --origin LOG --bank PARTY --key FILE \\
        --read-key FILE --log-key FILE --seed TEXT
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.client import Client
from clearing.model import InstructionRecord, InstructionStatus
from clearing.rails.simulated import SimulatedBank
from registry.checkpoint import parse_verifier_key
from registry.ids import Origin, PartyId, Sid, format_uuid7
from registry.signing import PrivateKey
from registry.statements import seal_statement
from registry.tables import Minor

BULK = 800


class BankTeller:
    """Carries the simulated bank's words to the registry."""

    def __init__(
        self,
        client: Client,
        bank: PartyId,
        *,
        origin: Origin,
        key: PrivateKey,
        seed: str,
    ) -> None:
        """Opens the bank's books, empty."""
        self._client = client
        self._bank = SimulatedBank(bank=bank)
        self._origin = origin
        self._key = key
        self._seed = seed
        self._count = 0

    def confirm(self, plan: Sid, *, now: int) -> int:
        """Posts and confirms what can be posted of a plan; returns how many."""
        rows = list(
            self._client.pages(
                "/v1/clearing/instructions", by=self._bank.bank, plan=plan, limit=1000
            )
        )
        mine = [row for row in rows if row["bank"] == self._bank.bank]
        # An instruction is ready once those before it are posted, at whichever bank.
        posted = {int(n) for row in mine if row["ready"] for n in row["after"]}
        posted |= {row["n"] for row in mine if row["status"] == InstructionStatus.POSTED}
        confirmations = self._bank.confirmations(map(record_of, mine), posted=posted)
        seen = self._client.caught_up()
        texts = []
        for confirmation in confirmations:
            self._count += 1
            tail = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()[:10]
            texts.append(
                seal_statement(
                    self._key,
                    kind="clearing.confirm",
                    by=self._bank.bank,
                    aud=self._origin,
                    body={
                        "amount": str(confirmation.amount_minor),
                        "instruction": confirmation.instruction,
                    },
                    iat=now // 1000,
                    exp=now // 1000 + 3600,
                    id=format_uuid7(now, tail),
                    re=plan,
                    seen=seen,
                )
            )
        for start in range(0, len(texts), BULK):
            for result in self._client.submit_many(texts[start : start + BULK]):
                result.require()
        return len(texts)


def record_of(row: Mapping[str, Any]) -> InstructionRecord:
    """Reads an instruction as the registry lists it."""
    return InstructionRecord(
        plan=Sid(row["plan"]),
        n=row["n"],
        route=row["route"],
        voucher=Sid(row["voucher"]),
        payer_account=Sid(row["payer_account"]),
        payer=PartyId(row["payer"]),
        payee_account=Sid(row["payee_account"]),
        payee=PartyId(row["payee"]),
        bank=PartyId(row["bank"]),
        amount=Minor(int(row["amount"])),
        authority=Sid(row["authority"]),
        lots=tuple(row["lots"]),
        after=tuple(row["after"]),
        remittance=row["remittance"],
        status=row["status"],
    )


def main() -> None:
    """Answers requests on standard input until it ends."""
    parser = argparse.ArgumentParser(prog="api.rail", description=__doc__)
    for name in ("url", "origin", "bank", "seed"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--read-key", type=Path, required=True)
    parser.add_argument("--log-key", type=Path, required=True)
    options = parser.parse_args()
    bank = PartyId(options.bank)
    client = Client(
        options.url,
        origin=Origin(options.origin),
        read_keys={bank: PrivateKey.from_pem(options.read_key.read_bytes())},
        log_key=parse_verifier_key(options.log_key.read_text().strip())[1],
    )
    key = PrivateKey.from_pem(options.key.read_bytes())
    teller = BankTeller(client, bank, origin=Origin(options.origin), key=key, seed=options.seed)
    for line in sys.stdin:
        request = json.loads(line)
        confirmed = teller.confirm(Sid(request["plan"]), now=int(request["now"]))
        print(json.dumps({"confirmed": confirmed}), flush=True)


if __name__ == "__main__":
    main()
