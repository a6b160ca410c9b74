"""Writes the golden vectors of statements, entries and snapshots, or checks them.

    python -m tests.vectors.generate            writes the files
    python -m tests.vectors.generate --check    tells whether they are what the code gives

Keys are the SHA-256 of a name as an Ed25519 seed, instants and ids are fixed, and the
signatures of Ed25519 are deterministic: every byte follows from this page.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from registry.canonical import Json, b64url_decode, b64url_encode, parse_object
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.engine import Engine
from registry.entries import open_entry
from registry.errors import RegistryError
from registry.ids import Kid, Origin, PartyId, Sid, format_uuid7, uscc_check_character
from registry.kinds import Rulebook
from registry.merkle import hash_leaf, root_of
from registry.rules.keys import POSSESSION_TYP, possession_payload
from registry.signing import PrivateKey, PublicKey, seal_jws, split_jws
from registry.snapshots import take_lot_proof, take_snapshot
from registry.statements import admit, seal_statement
from registry.store.memory import MemoryStore
from tests.scenario import GOOD, good

HERE: Final = Path(__file__).resolve().parent
TOPICS: Final = ("entries", "snapshots", "statements")
ORIGIN: Final = Origin("sandbox.registry.example/vectors")
BEGIN: Final = 1_751_331_600_000
"""2025-07-01 09:00 in the ledger's zone, in milliseconds."""

DIGEST: Final = b64url_encode(bytes(range(32)))
ADMISSION: Final[Mapping[str, Json]] = {
    "binding": "in-person",
    "evidence": [{"digest": DIGEST, "name": "licence.pdf"}],
}
NAMES: Final = ("operator", "registrar", "bank", "core", "s1", "s2", "trustee")


def key_of(name: str) -> PrivateKey:
    return PrivateKey.from_seed(hashlib.sha256(name.encode()).digest())


def party_of(name: str) -> PartyId:
    """Returns a synthetic credit code, or the identifier of a trustee's vehicle."""
    trustee, _, code = name.partition("#")
    first = f"91310000MA{1000 + NAMES.index(trustee):07d}"
    party = first + uscc_check_character(first)
    return PartyId(f"{party}#{code}" if code else party)


def jwk(name: str) -> dict[str, Json]:
    return dict(key_of(name).public.jwk())


class NamedKeys:
    """The key directory of a ledger whose only keys are those of the names."""

    def find(self, kid: Kid) -> PublicKey | None:
        keys = (key_of(name).public for name in (*NAMES, "core, second"))
        return next((key for key in keys if key.kid == kid), None)


class Ledger:
    """Signs statements one after another and seals them."""

    def __init__(self) -> None:
        self.rulebook = Rulebook()
        self.store = MemoryStore(self.rulebook.tables)
        self.engine = Engine(self.store, self.rulebook, self, origin=ORIGIN)
        self.statements: list[tuple[str, str]] = []
        self.time = BEGIN

    def now(self) -> int:
        return self.time

    def sign(self, name: str, kind: str, body: Mapping[str, Json], *, re: str | None = None) -> str:
        tail = hashlib.sha256(f"id {len(self.statements)}".encode()).digest()[:10]
        text = seal_statement(
            key_of(name.partition("#")[0]),
            kind=kind,
            by=party_of(name),
            aud=ORIGIN,
            body=body,
            iat=self.time // 1000,
            exp=self.time // 1000 + 3600,
            id=format_uuid7(self.time, tail),
            re=re,
        )
        self.statements.append((kind, text))
        return text

    def seal(self, name: str, kind: str, body: Mapping[str, Json], *, re: str | None = None) -> Sid:
        text = self.sign(name, kind, body, re=re)
        statement = admit(text, kinds=self.rulebook.kinds, origin=ORIGIN, keys=NamedKeys())
        (outcome,) = self.engine.submit([statement])
        if isinstance(outcome, RegistryError):
            raise outcome
        return outcome.sid

    def entries(self) -> list[bytes]:
        return list(self.store.entries(0, self.store.size()))


def tell() -> tuple[Ledger, dict[str, Sid]]:
    """Seals the story that entries and snapshots are taken from."""
    ledger = Ledger()
    ledger.seal("operator", "genesis", genesis_body())
    for name, role in (("bank", "bank"), ("core", "participant"), ("s1", "participant"),
                       ("s2", "participant"), ("trustee", "trustee")):  # fmt: skip
        made = ledger.seal(name, "party.register", {"key": jwk(name), "name": name})
        ledger.seal("registrar", "party.admit", {**ADMISSION, "roles": [role]}, re=made)
    vehicle: dict[str, Json] = {"name": "T1", "vehicle": party_of("trustee#T1")}
    made = ledger.seal("trustee", "vehicle.register", vehicle)
    ledger.seal("registrar", "party.admit", {**ADMISSION, "roles": ["vehicle"]}, re=made)
    accounts, mandates = {}, {}
    for name in ("core", "s1", "s2"):
        body: dict[str, Json] = {
            "account_kind": "settlement", "bank": party_of("bank"), "terms": DIGEST,
        }  # fmt: skip
        accounts[name] = ledger.seal(name, "account.register", body)
        ledger.seal("bank", "account.verify", {}, re=accounts[name])
        mandates[name] = ledger.seal(name, "mandate.grant", {"account": accounts[name]})
    ledger.seal("core", "inbox.designate", {"entry_is_arrival": True, "system": ORIGIN})
    body = issue_body(account=accounts["core"], mandate=mandates["core"])
    voucher = ledger.seal("core", "voucher.issue", body)
    consent: dict[str, Json] = {"account": accounts["s1"], "collection_route": True}
    ledger.seal("s1", "voucher.accept", consent, re=voucher)
    offer = ledger.seal("s1", "transfer.offer", offer_body(f"{voucher}.0", "30"))
    consent = {"account": accounts["s2"], "collection_route": True}
    ledger.seal("s2", "transfer.accept", consent, re=offer)
    ledger.seal("core", "notice.acknowledge", {"notices": [f"{offer}.2!0"]})
    second = ledger.seal("s1", "transfer.offer", offer_body(f"{offer}.1", "20"))
    consent |= {"assignors": [party_of("s1")], "minimum": "10", "purpose": "settle"}
    granted = ledger.seal("s2", "consent.grant", consent)
    ledger.seal("s1", "transfer.offer", offer_body(f"{second}.1", "10"))
    ledger.seal("trustee#T1", "snapshot.request", {})
    ledger.engine.submit([])
    return ledger, {"voucher": voucher, "offer": offer, "second": second, "consent": granted}


def rest(ledger: Ledger, names: Mapping[str, Sid]) -> None:
    """Signs one statement of each kind that the story has none of; they are not sealed."""
    new = key_of("core, second")
    payload = possession_payload(origin=ORIGIN, party=party_of("core"), key=new.public)
    proof = seal_jws(new, typ=POSSESSION_TYP, payload=payload)
    file: dict[str, Json] = {"digest": DIGEST, "name": "resolution.pdf"}
    accede: dict[str, Json] = {"addressee": "holders", "resolution": file, "scope": "full"}
    add: dict[str, Json] = {"key": jwk("core, second"), "proof": proof, "use": "read"}
    ledger.sign("operator", "clock.set", {"time": BEGIN + 1_000})
    rules: dict[str, Json] = {
        "blackout": {"calendar": "vectors", "working_days": 2},
        "tenor": {"hard_months": 6},
    }
    policy: dict[str, Json] = {
        "effective_on": "2025-08-01", "name": "plain", "rules": rules, "version": 2,
    }  # fmt: skip
    ledger.sign("operator", "policy.publish", policy)
    calendar: dict[str, Json] = {
        "first": "2025-01-01", "holidays": ["2025-10-01"], "last": "2026-12-31",
        "name": "vectors", "workdays": ["2025-09-28"],
    }  # fmt: skip
    ledger.sign("operator", "calendar.publish", calendar)
    ledger.sign("core", "key.add", add)
    ledger.sign("core", "key.revoke", {"kid": key_of("core").public.kid, "suspect_from": 7})
    ledger.sign("s2", "consent.withdraw", {}, re=names["consent"])
    ledger.sign("s1", "voucher.refuse", {}, re=names["voucher"])
    ledger.sign("core", "voucher.withdraw", {}, re=names["voucher"])
    ledger.sign("s2", "voucher.accede", accede, re=names["voucher"])
    ledger.sign("s2", "transfer.reject", {}, re=names["second"])
    ledger.sign("s1", "transfer.withdraw", {}, re=names["second"])


def genesis_body() -> dict[str, Json]:
    founders: dict[str, Json] = {
        name: {"key": jwk(name), "name": name, "party": party_of(name)}
        for name in ("operator", "registrar")
    }
    return {
        **founders,
        "calendars": [
            {
                "first": "2025-01-01",
                "holidays": ["2025-10-01"],
                "last": "2025-12-31",
                "name": "vectors",
                "workdays": ["2025-09-28"],
            }
        ],
        "clock": "manual",
        "currency": "CNY",
        "format": 1,
        "key": jwk("operator"),
        "log_key": jwk("log"),
        "policy": {"name": "plain", "rules": {"pay_day": {"calendar": "vectors"}}, "version": 1},
        "zone": "+08:00",
    }


def issue_body(*, account: Sid, mandate: Sid) -> dict[str, Json]:
    promises = (
        "trade_is_real", "creditor_has_performed", "payment_conditions_met", "amount_agreed",
        "unconditional", "no_defence", "no_set_off", "consent_split", "consent_transfer",
        "consent_finance",
    )  # fmt: skip
    return {
        "accept_by": "2025-07-10",
        "account": account,
        "basis": "goods-delivered",
        "creditor": party_of("s1"),
        "due_on": "2025-12-19",
        "evidence": [
            {"file": {"digest": DIGEST, "name": f"{each}.pdf"}, "type": each}
            for each in ("contract", "invoice", "acceptance")
        ],
        "face": "100",
        "invoices": [{"fingerprint": DIGEST, "total": "100", "used": "100"}],
        "mandate": mandate,
        "promises": dict.fromkeys(promises, True),
        "assignment_restriction": "none",
        "route": "direct",
        "voucher_no": "V-2025-1",
    }


def offer_body(lot: str, amount: str) -> dict[str, Json]:
    return {
        "accept_by": "2025-07-20",
        "amount": amount,
        "assignee": party_of("s2"),
        "evidence": [],
        "lot": lot,
        "notice": "assignment/1",
        "purpose": "settle",
        "recourse": False,
    }


# --- Cases --------------------------------------------------------------------------

Case = tuple[str, dict[str, Any]]


def cases() -> Iterator[Case]:
    """Gives every vector: the path below this directory, and what stands in it."""
    ledger, names = tell()
    entries = ledger.entries()
    yield from entry_cases(entries)
    yield from snapshot_cases(ledger, names, entries)
    rest(ledger, names)
    yield from statement_cases(ledger.statements)
    yield from further_cases({kind for kind, _ in ledger.statements})


def case(note: str, given: Any, want: Any) -> dict[str, Any]:
    source = "tests/vectors/generate.py; docs/formats.md"
    return {"source": source, "note": note, "input": given, "want": want}


def statement_cases(statements: list[tuple[str, str]]) -> Iterator[Case]:
    for kind, text in dict(reversed(statements)).items():
        payload = parse_object(split_jws(text, what=kind).payload, what=kind)
        signer = next(n for n in NAMES if payload["by"] in (party_of(n), party_of(f"{n}#T1")))
        admit(text, kinds=Rulebook().kinds, origin=ORIGIN, keys=NamedKeys())
        yield statement_case(kind, text, seed_of=signer)


def further_cases(told: set[str]) -> Iterator[Case]:
    """Gives a statement of each kind that was not told of, as the tests' worlds accept it."""
    for kind in sorted(set(GOOD) - told):
        world, draft = good(kind)
        by = draft.by.partition("#")[0]
        # The key that a party begins with, a person's, that for recovery, or its system's.
        names = (by, f"{by} chen", f"{by} recovery", f"{by}, system")
        key = draft.key or world.keys[by]
        signer = next(name for name in names if key_of(name).public.kid == key.public.kid)
        yield statement_case(kind, draft.sign(world), seed_of=signer)


def statement_case(kind: str, text: str, *, seed_of: str) -> Case:
    jws = split_jws(text, what=kind)
    want = {
        "header": jws.header.decode(),
        "payload": jws.payload.decode(),
        "jws": text,
        "sid": b64url_encode(hashlib.sha256(text.rpartition(".")[0].encode()).digest()),
    }
    given = {
        "kind": kind,
        "seed_of": seed_of,
        "payload": parse_object(jws.payload, what=kind),
    }
    return f"statements/{kind}.json", case(f"a statement of kind {kind}", given, want)


def entry_cases(entries: list[bytes]) -> Iterator[Case]:
    kinds: dict[str, int] = {}
    for index, data in enumerate(entries):
        kinds.setdefault(open_entry(data).kind, index)
    for kind, index in kinds.items():
        entry = open_entry(entries[index])
        given = {
            "effects": entry.effects,
            "index": index,
            "kind": kind,
            "origin": ORIGIN,
            "previous": entries[index - 1].decode() if index else "",
            "statement": entry.statement,
            "time": entry.time,
        }
        want = {"entry": entries[index].decode(), "leaf_hash": hash_leaf(entries[index]).hex()}
        yield f"entries/{kind}.json", case(f"the first entry of kind {kind}", given, want)
    whole = {"entries": [data.decode() for data in entries]}
    roots = {"size": len(entries), "root": root_of(map(hash_leaf, entries)).hex()}
    yield "entries/log.json", case("the whole log, to be replayed", whole, roots)


def snapshot_cases(
    ledger: Ledger, names: Mapping[str, Sid], entries: list[bytes]
) -> Iterator[Case]:
    root = root_of(map(hash_leaf, entries))
    note = sign_checkpoint(Checkpoint(ORIGIN, len(entries), root), key_of("log"))
    at = len(entries) - 1
    pinned = {"origin": ORIGIN, "key": jwk("log"), "checkpoint": note, "state_index": at}
    for family, bucket in (("holder", party_of("s1")), ("voucher", names["voucher"])):
        files = take_snapshot(ledger.store, note=note, state_index=at, family=family, bucket=bucket)
        want: Any = {name: data.decode() for name, data in files.items()}
        given: Any = {**pinned, "family": family, "bucket": bucket}
        yield f"snapshots/{family}.json", case(f"a snapshot of family {family}", given, want)
        proof = json.loads(files["proof.json"])
        record = b64url_decode(proof["bucket"]["record"], what="record")
        want = {"record": record.decode(), "leaf_hash": hash_leaf(record).hex()}
        given = parse_object(record, what="record")
        yield f"snapshots/bucket-{family}.json", case("a bucket record", given, want)
    first = json.loads(files["lots.ndjson"].splitlines()[0])
    record = json.dumps(first["record"], separators=(",", ":"), sort_keys=True).encode()
    leaf = hashlib.sha256(b"\x20" + record).hexdigest()
    # In leaf order the first is the lot that the offer numbers 2.
    given = {**first["opening"], "n": 2, "statement": sealed(entries, names["offer"])}
    want = {"record": record.decode(), "leaf_hash": leaf}
    yield "snapshots/lot.json", case("a lot's record, from its opening", given, want)
    lot = f"{names['offer']}.2"
    data = take_lot_proof(ledger.store, note=note, state_index=at, lot=lot)
    given = {**pinned, "lot": lot}
    yield "snapshots/lot-proof.json", case("one lot's proof", given, {"proof": data.decode()})


def sealed(entries: list[bytes], sid: Sid) -> str:
    """Returns the statement of an id as it stands in the log."""
    texts = (open_entry(data).statement for data in entries)
    kinds, keys = Rulebook().kinds, NamedKeys()
    return next(
        text
        for text in texts
        if text and admit(text, kinds=kinds, origin=ORIGIN, keys=keys).sid == sid
    )


# --- Writing and checking ----------------------------------------------------------------


def render(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def differing() -> list[str]:
    """Lists files that are not, or not only, what the code gives."""
    expected = {path: render(content) for path, content in cases()}
    found = {
        str(path.relative_to(HERE)): path.read_text(encoding="utf-8")
        for topic in TOPICS
        for path in (HERE / topic).glob("*.json")
    }
    names = sorted(expected.keys() | found.keys())
    return [name for name in names if expected.get(name) != found.get(name)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a file differs")
    if parser.parse_args().check:
        names = differing()
        sys.stdout.writelines(f"{name} differs\n" for name in names)
        return 1 if names else 0
    for topic in TOPICS:
        (HERE / topic).mkdir(exist_ok=True)
    for path, content in cases():
        (HERE / path).write_text(render(content), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
