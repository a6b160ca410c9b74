"""A second reader of the log, written from `docs/formats.md` alone.

It imports nothing of the program. From the golden log's entries and effects it folds the
rows, computes replay digest, salts, histories and state trees, and compares them with what
the log says; so the page is enough, and our own code is not its only reading.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.clearing_reader import ClearingFolds
from tests.credit_reader import CreditFolds
from tests.dealings_reader import DealingFolds
from tests.encumbered_reader import EncumbranceFolds
from tests.hops_reader import HopFolds
from tests.notices_reader import NoticeFolds
from tests.people_reader import PeopleFolds
from tests.policies_reader import PolicyFolds

VECTORS = Path(__file__).resolve().parent / "vectors" / "formats"
TABLES = (
    "ledger", "key_record", "pending", "approval", "waited", "suspension", "affiliation",
    "registration", "offer", "consent_grant", "policy", "consent", "calendar", "pledge",
    "freeze", "dispute", "filing", "search", "task", "accessory", "accession", "power",
    "revocation", "withheld", "notice", "early", "financing", "stage", "lot", "voucher_number",
    "voucher", "mandate", "account", "party", "approval_rule", "inbox", "deadline",
    "state_request", "bucket", "history", "committed", "invoice", "backing", "debtor", "exposure",
    "issuance_stop", "voiding", "fund", "run", "instruction", "debit_list", "aggregation",
    "joint_payment", "order", "obligation", "hop", "passing", "balance",
)  # fmt: skip
KEYS = {
    "issuance_stop": ["party", "reason"],
    "ledger": ["row"], "key_record": ["kid"], "pending": ["statement"], "waited": ["statement"],
    "approval_rule": ["party", "kind", "minimum"], "registration": ["statement"],
    "consent_grant": ["consent"], "consent": ["party", "purpose"],
    "calendar": ["name"],
    "voucher_number": ["debtor", "voucher_no"], "deadline": ["at", "kind", "id"],
    "state_request": ["at"], "bucket": ["family", "bucket"], "run": ["plan"],
    "history": ["family", "bucket"], "committed": ["row"],
    "instruction": ["plan", "n"], "aggregation": ["account"], "order": ["lot"],
    "joint_payment": ["plan", "payment"], "balance": ["account"],
    "debit_list": ["plan", "account"],
    "obligation": ["sort", "plan", "n"], "hop": ["voucher", "party"],
    "passing": ["account"], "invoice": ["fingerprint"],
    "inbox": ["party"], "withheld": ["transfer"],
    "backing": ["voucher", "fingerprint"], "debtor": ["party"], "exposure": ["financier", "debtor"],
}  # fmt: skip

Row = dict[str, Any]
Node = tuple[bytes, int, int]


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))


def jcs(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def split(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def tree(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha(b"")
    middle = split(len(leaves))
    return sha(b"\x01", tree(leaves[:middle]), tree(leaves[middle:]))


def frontier(leaves: list[bytes]) -> str:
    roots, start = b"", 0
    for level in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> level & 1:
            roots += tree(leaves[start : start + (1 << level)])
            start += 1 << level
    return b64(roots)


def sum_tree(nodes: list[Node]) -> Node:
    if len(nodes) < 2:
        return nodes[0] if nodes else (sha(b"\x22"), 0, 0)
    middle = split(len(nodes))
    left, right = sum_tree(nodes[:middle]), sum_tree(nodes[middle:])
    packed = [h + s.to_bytes(8, "big") + c.to_bytes(8, "big") for h, s, c in (left, right)]
    return sha(b"\x21", *packed), left[1] + right[1], left[2] + right[2]


def salt(domain: bytes, n: int, statement: str) -> str:
    return b64(sha(domain, b"\0", n.to_bytes(4, "big"), statement.encode())[:16])


class Reader(ClearingFolds, CreditFolds, DealingFolds, EncumbranceFolds, HopFolds, NoticeFolds,
             PeopleFolds, PolicyFolds):  # fmt: skip
    """Folds effects into rows, as the section "What each effect does to the rows" says."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in TABLES}
        self.history: dict[tuple[str, str], list[tuple[int, bytes]]] = {}
        self.committed = 0
        self.index = self.time = 0
        self.statement = ""
        data = [
            vector(name)["input"] for name in ("plan", "plan-of-the-rest", "plan-of-less-money")
        ]
        digests = [b64(sha(b"tallystick-plan/1", b"\0", text.encode())) for text in data]
        self.plans = {
            digest: json.loads(text)["instructions"]
            for digest, text in zip(digests, data, strict=True)
        }

    def put(self, table: str, **row: Any) -> None:
        kept = {name: value for name, value in row.items() if value is not None}
        key = tuple(row[name] for name in KEYS.get(table, [table]))
        self.rows[table][key] = kept

    def get(self, table: str, *key: Any) -> Row:
        return self.rows[table][key]

    def change(self, table: str, *key: Any, **members: Any) -> None:
        self.put(table, **{**self.get(table, *key), **members})

    def found(self, family: str, name: str, salted: str, **given: Any) -> None:
        self.history[family, name] = []
        self.put("bucket", family=family, bucket=name, salt=salted, **given)

    def copy_lot(self, row: Row, offer: str, n: int, **members: Any) -> None:
        made = {"lot": f"{offer}.{n}", "born": self.index, **members}
        self.put("lot", **{**row, "salt": salt(b"tallystick-salt/1", n, self.statement), **made})

    def book(self, account: str, amount: int) -> None:
        old = self.rows["balance"].get((account,), {"debited": "0", "credited": "0"})
        side = "debited" if amount > 0 else "credited"
        total = str(int(old[side]) + abs(amount))
        self.put("balance", **{**old, "account": account, side: total})

    def feed(self, data: str) -> None:
        entry = json.loads(data)
        assert jcs(entry) == data.encode()
        self.index, self.time = entry["index"], entry["time"]
        self.statement = "".join(entry["statements"])
        effects = entry["effects"]
        if effects["changes"] and effects["changes"][0]["effect"] == "statement-approved":
            # What follows is numbered by the statement that waited.
            self.statement = self.get("pending", effects["changes"][0]["statement"])["text"]
        for change in effects["changes"]:
            members = {name: value for name, value in change.items() if name != "effect"}
            fold: Callable[..., None] = getattr(self, change["effect"].replace("-", "_"))
            fold(**members)
        for each in effects["deadlines"]["cleared"]:
            self.rows["deadline"].pop((each["at"], each["kind"], each["id"]))
        for each in effects["deadlines"]["set"]:
            self.put("deadline", **each)
        for family in ("holder", "voucher"):
            for name in effects["touches"][family]:
                self.history[family, name].append((self.index, sha(b"\0", data.encode())))

    # --- Folds --------------------------------------------------------------------

    def ledger_opened(self, ledger: Row) -> None:
        self.put("ledger", **ledger)

    def founder_admitted(self, role: str, kid: str, suite: str, x: str, **party: Any) -> None:
        self.put("party", roles=[role], **party, binding="documents", evidence=[],
                 manual_review=False)  # fmt: skip
        self.put("key_record", kid=kid, suite=suite, x=x, party=party["party"], use="sign",
                 added=self.index)  # fmt: skip
        salted = salt(b"tallystick-bucket/1", party["ordinal"], self.statement)
        self.found("holder", party["party"], salted, ordinal=party["ordinal"], founded=self.index)

    def clock_advanced(self, time: int) -> None:
        self.change("ledger", "ledger", time=time)

    def registration_made(self, **made: Any) -> None:
        self.put("registration", **made, salt=salt(b"tallystick-bucket/1", 0, self.statement))

    def party_admitted(self, registration: str, ordinal: int, **party: Any) -> None:
        old = self.rows["registration"].pop((registration,))
        self.put("party", **party, statement=registration, ordinal=ordinal)
        self.found("holder", party["party"], old["salt"], ordinal=ordinal, founded=self.index)
        self.change("ledger", "ledger", party_count=ordinal + 1)

    def key_added(self, **key: Any) -> None:
        self.put("key_record", **key, added=self.index)

    def offer_closed(self, offer: str, lot: str, **_: Any) -> None:
        del self.rows["offer"][offer,]
        self.change("lot", lot, status="free")

    def account_registered(self, **account: Any) -> None:
        self.put("account", **account, verified=False, frozen=False)

    def account_verified(self, account: str) -> None:
        self.change("account", account, verified=True)

    def mandate_granted(self, **mandate: Any) -> None:
        mandate.pop("onto_owner", None)
        self.put("mandate", **mandate)

    def mandate_revoked(self, mandate: str, revoked: str, **_: Any) -> None:
        self.change("mandate", mandate, revoked=revoked)

    def stage_named(self, **stage: Any) -> None:
        self.put("stage", **stage)

    def stage_ended(self, stage: str, ended: str, **_: Any) -> None:
        self.change("stage", stage, ended=ended)

    def consent_granted(self, replaces: str = "", **consent: Any) -> None:
        del consent["policy"]
        if replaces:
            del self.rows["consent_grant"][replaces,]
        self.put("consent", **consent)
        named = {name: consent[name] for name in ("consent", "party", "purpose")}
        self.put("consent_grant", **named)

    def consent_ended(self, consent: str, party: str, purpose: str, **_: Any) -> None:
        assert self.rows["consent"].pop((party, purpose))["consent"] == consent
        del self.rows["consent_grant"][consent,]

    def voucher_issued(self, **issued: Any) -> None:
        lot_salt = salt(b"tallystick-salt/1", 0, self.statement)
        self.put("voucher", **issued, co_debtors=[], discharged="0", cancelled="0",
                 status="issued", lot_salt=lot_salt, guarantors=[])  # fmt: skip
        number = {name: issued[name] for name in ("debtor", "voucher_no", "voucher")}
        self.put("voucher_number", **number)
        self.found("voucher", issued["voucher"], salt(b"tallystick-bucket/1", 0, self.statement))
        self.owe(issued["debtor"], int(issued["face"]))

    def voucher_activated(
        self, voucher: str, creditor: str, account: str, collection_route: bool, ordinal: int
    ) -> None:
        row = self.get("voucher", voucher)
        self.change("voucher", voucher, status="active", ordinal=ordinal, consent=None,
                    silent_at=None, owing=row["account"])  # fmt: skip
        self.change("bucket", "voucher", voucher, ordinal=ordinal, founded=self.index)
        total = int(self.get("ledger", "ledger")["face_total"]) + int(row["face"])
        self.change("ledger", "ledger", voucher_count=ordinal + 1, face_total=str(total))
        self.put("lot", lot=f"{voucher}.0", voucher=voucher, amount=row["face"], holder=creditor,
                 born=self.index, due_on=row["due_on"], path=[creditor], tier=1, acquired=voucher,
                 account=account, collection_route=collection_route, recourse=False,
                 acknowledged=True, status="free", salt=row["lot_salt"], cuts=0,
                 burdens=[])  # fmt: skip

    def lot_offered(self, offer: str, lot: str, remainder: str, **offered: Any) -> None:
        del offered["policy"]
        row = self.rows["lot"].pop((lot,))
        cuts = row["cuts"] + (remainder != "0")
        self.copy_lot(row, offer, 0, amount=offered["amount"], status="offered", cuts=cuts)
        if remainder != "0":
            self.copy_lot(row, offer, 1, amount=remainder, cuts=cuts)
        self.put("offer", **offered, offer=offer, lot=f"{offer}.0",
                 salt=salt(b"tallystick-salt/1", 2, self.statement))  # fmt: skip

    def lot_transferred(self, offer: str, lot: str, assignee: str, amount: str, remainder: str,
                        purpose: str, recourse: bool, account: str, collection_route: bool,
                        **_: Any) -> None:  # fmt: skip
        row = self.rows["lot"].pop((lot,))
        if remainder != "0":
            self.copy_lot(row, offer, 1, amount=remainder, cuts=row["cuts"] + 1)
        self.copy_lot(row, offer, 2, amount=amount, holder=assignee, cuts=0,
                      path=[*row["path"], assignee], tier=row["tier"] + (purpose == "settle"),
                      acquired=offer, account=account,
                      collection_route=collection_route, recourse=recourse, acknowledged=False,
                      status="free")  # fmt: skip

    def lot_assigned(self, offer: str, assignee: str, account: str, collection_route: bool,
                     **_: Any) -> None:  # fmt: skip
        row, made = self.rows["lot"].pop((f"{offer}.0",)), self.rows["offer"].pop((offer,))
        self.copy_lot(row, offer, 2, cuts=0, holder=assignee, path=[*row["path"], assignee],
                      tier=row["tier"] + (made["purpose"] == "settle"), acquired=offer,
                      account=account, collection_route=collection_route,
                      recourse=made["recourse"], acknowledged=False, status="free",
                      salt=made["salt"])  # fmt: skip

    def state_requested(self, at: int) -> None:
        self.put("state_request", at=at, time=self.time)

    def state_committed(self, at: int, **families: Row) -> None:
        # The request stands directly before in this log, so the rows are those as of `at`.
        assert at == self.index
        assert families == {name: self.commitment(name) for name in ("holder", "voucher")}
        self.rows["state_request"].pop((at,))
        for (family, name), touched in self.history.items():
            leaves = [leaf for index, leaf in touched if index < at]
            if any(self.committed <= index < at for index, _ in touched):
                bucket = self.get("bucket", family, name)
                record = jcs(self.record(bucket)[0]).decode() if "ordinal" in bucket else ""
                self.put("history", family=family, bucket=name, size=len(leaves),
                         frontier=frontier(leaves), record=record)  # fmt: skip
        self.put("committed", at=at, row="state")
        self.committed = at

    # --- Digest and commitments -----------------------------------------------------

    def digest(self) -> str:
        parts = [b"tallystick-replay/1\0"]
        for table in TABLES:
            parts.append(table.encode() + b"\n")
            parts += [jcs(row) + b"\n" for _, row in sorted(self.rows[table].items())]
        return sha(*parts).hex()

    def leaf(self, lot: Row) -> Node:
        salted = unb64(lot["salt"])
        facts = {name: lot[name] for name in ("acknowledged", "due_on", "recourse", "status")}
        facts |= {"assignments": len(lot["path"]) - 1, "burdens": lot["burdens"],
                  "tier": lot["tier"],
                  "payee": self.get("account", lot["account"])["digest"]}  # fmt: skip
        record = {name: lot[name] for name in ("amount", "born", "lot", "voucher")}
        record["detail"] = b64(sha(b"tallystick-detail/1\0", salted, jcs(facts)))
        record["holder"] = b64(sha(b"tallystick-holder/1\0", salted, lot["holder"].encode()))
        return sha(b"\x20", jcs(record)), int(lot["amount"]), 1

    def record(self, bucket: Row) -> tuple[Row, int]:
        """Gives a bucket's record, and its sum."""
        family, name = bucket["family"], bucket["bucket"]
        lots = [row for row in self.rows["lot"].values() if row[family] == name]
        lots.sort(key=lambda row: (row["born"], int(row["lot"].partition(".")[2])))
        root, amount, count = sum_tree([self.leaf(lot) for lot in lots])
        history = [leaf for _, leaf in self.history[family, name]]
        record = {name: bucket[name] for name in ("bucket", "family", "ordinal", "salt")}
        record |= {"count": count, "root": b64(root), "sum": str(amount),
                   "history": {"root": b64(tree(history)), "size": len(history)}}  # fmt: skip
        if family == "voucher":
            voucher = self.get("voucher", name)
            record |= {part: voucher[part] for part in ("cancelled", "discharged", "face")}
        return record, amount

    def commitment(self, family: str) -> Row:
        buckets = sorted(self.buckets(family), key=lambda row: int(row["ordinal"]))
        records = [self.record(bucket) for bucket in buckets]
        leaves = [sha(b"\0", jcs(record)) for record, _ in records]
        total = sum(amount for _, amount in records)
        return {"buckets": len(leaves), "root": b64(tree(leaves)), "total": str(total)}

    def buckets(self, family: str) -> Iterable[Row]:
        rows = self.rows["bucket"].values()
        return [row for row in rows if row["family"] == family and "ordinal" in row]


@pytest.fixture
def log() -> Any:
    return vector("log")


def test_the_page_is_enough_to_fold_the_log(log: Any) -> None:
    reader = Reader()
    for entry in log["input"]["entries"]:
        reader.feed(entry)
    assert reader.digest() == log["want"]["digest"]


def test_the_page_is_enough_to_check_the_chain_and_the_root(log: Any) -> None:
    previous, leaves = sha(b""), []
    for index, data in enumerate(log["input"]["entries"]):
        entry = json.loads(data)
        assert (entry["index"], entry["previous"]) == (index, b64(previous))
        previous = sha(b"\0", data.encode())
        leaves.append(previous)
    origin, size, root = log["input"]["checkpoint"].split("\n")[:3]
    assert (origin, int(size)) == (log["input"]["origin"], len(leaves))
    assert base64.b64decode(root) == tree(leaves)
