r"""A simulated bank as a process of its own, with its own key.

It reads one line of JSON a request (`{"now": ms, "plan": sid}`), looks up the plan's
instructions for its accounts, posts on its own books what is funded, and reports to the
registry with signed statements. It answers how many it has posted, and with how many
statements. A request may order faults, each for some accounts, which stand until a request
orders others: `blocked` and `silent`, on which it does nothing, `returned`, from which it sends
back later what has come, `repeated`, of which it says everything twice (see
`clearing.rails.simulated`). It may say in `most` how many instructions it answers.

    python -m api.rail --url URL --origin LOG --bank PARTY --key FILE \\
        --read-key FILE --log-key FILE --seed TEXT
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.client import Client, Result
from clearing.model import InstructionRecord, InstructionStatus
from clearing.rails.simulated import Answer, SimulatedBank
from clearing.rules.reports import ITEMS_MAX
from registry.checkpoint import parse_verifier_key
from registry.ids import Origin, PartyId, Sid, format_uuid7
from registry.signing import PrivateKey
from registry.statements import seal_statement
from registry.tables import Minor

FAULTS = ("blocked", "silent", "returned", "repeated")
"""What it can be told to do wrong, each on some accounts."""

BULK = 200
"""Statements of one request."""

LOTS_MAX = 128
"""Lots that the instructions of one report discharge: what follows must fit an entry."""


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

    def order(self, **faults: Sequence[str]) -> None:
        """Fails so on these accounts from now on, and on others not any more."""
        for name in FAULTS:
            setattr(self._bank, name, set(map(Sid, faults.get(name, ()))))

    def report(self, plan: Sid, *, now: int, most: int | None = None) -> tuple[int, int]:
        """Posts what can be posted of a plan; returns how many, and by how many statements."""
        rows = list(
            self._client.pages(
                "/v1/clearing/instructions", by=self._bank.bank, plan=plan, limit=1000
            )
        )
        # What waits for its debtor's approval is not sent to any bank.
        mine = [row for row in rows if row["bank"] == self._bank.bank and not row["held"]]
        # An instruction is ready once those before it are posted, at whichever bank.
        posted = {int(n) for row in mine if row["ready"] for n in row["after"]}
        posted |= {row["n"] for row in mine if row["status"] == InstructionStatus.POSTED}
        records = {row["n"]: record_of(row) for row in mine}
        answers = self._bank.answers(records.values(), posted=posted, most=most)
        seen = self._client.caught_up()
        texts: list[str] = []
        again: list[bool] = []
        for report in reports_of(answers, records):
            self._count += 1
            again.append(report[0].is_again)
            tail = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()[:10]
            texts.append(
                seal_statement(
                    self._key,
                    kind="clearing.report",
                    by=self._bank.bank,
                    aud=self._origin,
                    body={"items": [item_of(answer) for answer in report]},
                    iat=now // 1000,
                    exp=now // 1000 + 3600,
                    id=format_uuid7(now, tail),
                    re=plan,
                    seen=seen,
                )
            )
        results: list[Result] = []
        for start in range(0, len(texts), BULK):
            results += self._client.submit_many(texts[start : start + BULK])
        for result, is_again in zip(results, again, strict=True):
            # What is said a second time is refused, and that is all that comes of it.
            if not is_again:
                result.require()
        carried_out = sum(each.reason is None and not each.is_again for each in answers)
        return carried_out, len(texts)


def reports_of(
    answers: Sequence[Answer], records: Mapping[int, InstructionRecord]
) -> Iterator[list[Answer]]:
    """Cuts a bank's answers into reports, each of which fits a statement and its entry."""
    report: list[Answer] = []
    lots = 0
    for answer in answers:
        more = len(records[answer.instruction].lots)
        is_full = len(report) == ITEMS_MAX or lots + more > LOTS_MAX - len(report)
        if report and (is_full or report[-1].is_again != answer.is_again):
            yield report
            report, lots = [], 0
        report.append(answer)
        lots += more
    if report:
        yield report


def item_of(answer: Answer) -> dict[str, Any]:
    """Returns an answer as an item of a report's body."""
    item: dict[str, Any] = {
        "amount": str(answer.amount_minor),
        "instruction": answer.instruction,
        "status": answer.status.value,
    }
    return item if answer.reason is None else {**item, "reason": answer.reason}


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
        parts=tuple(row["parts"]),
        kept=Minor(int(row["kept"])),
        posted_at=row.get("posted_at"),
        returned_at=row.get("returned_at"),
        reason=row.get("reason"),
        refused_by=row.get("refused_by"),
        instead=row.get("instead"),
        pays=row.get("pays"),
        holder=row.get("holder"),
        stage=row.get("stage"),
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
        faults = {name: request[name] for name in FAULTS if name in request}
        if faults:
            teller.order(**faults)
        posted, statements = teller.report(
            Sid(request["plan"]), now=int(request["now"]), most=request.get("most")
        )
        print(json.dumps({"posted": posted, "statements": statements}), flush=True)


if __name__ == "__main__":
    main()
