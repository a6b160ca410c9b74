"""One small log with fixed keys and times, and the golden bytes that it gives.

It tells golden vector GV-01: a voucher of 1,000,000.00 split down a chain, cleared tier by
tier. `docs/formats.md` shows its pieces, `tests/vectors/formats` holds it whole, and
`tests/test_docs.py` compares both with what the code makes now.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import clearing.kinds
import registry.kinds
from api.auth import seal_token
from registry.canonical import (
    Json,
    b64url_decode,
    b64url_encode,
    format_json,
    salted_digest,
    sha256,
)
from registry.checkpoint import Checkpoint, format_verifier_key, sign_checkpoint
from registry.effects import SALT_BUCKET, SALT_LOT, derive_salt
from registry.entries import open_entry
from registry.ids import PartyId, Sid
from registry.kinds import Rulebook
from registry.leaves import columns_of, fields_of, hash_records, write_records
from registry.merkle import hash_leaf
from registry.model import ACCOUNTS, LOTS, TABLES, Lot
from registry.signing import split_jws
from registry.snapshots import take_lot_proof, take_snapshot
from registry.store.memory import MemoryStore
from registry.tables import to_json
from registry.tiles import implied_files
from tests.builders import ORIGIN, World, instant, key_of, possession_proof
from tests.clearing_story import DUE_ON, Adopted, tell_clearing
from tests.credit_story import tell_credit
from tests.dealings_story import tell_dealings
from tests.encumbered_story import tell_encumbrances
from tests.golden_people import tell_of_people
from tests.noticed_story import tell_notices
from tests.policies import tell_silence
from tests.resealed import resealed, signed_log
from tests.staged import tell_stages

SALT = bytes(range(16))
WIDTH = 96


@dataclass(frozen=True, kw_only=True)
class Story:
    """The log, and where its scenes stand in it."""

    world: World
    voucher: Sid
    offers: tuple[Sid, ...]
    state_index: int
    plans: tuple[Adopted, Adopted, Adopted]
    note: str

    def entry(self, index: int) -> bytes:
        """Returns an entry's bytes."""
        return next(self.world.store.entries(index, index + 1))

    def find(self, kind: str) -> int:
        """Returns the index of the first entry of a kind."""
        kinds = [open_entry(data).kind for data in self.world.entries()]
        return kinds.index(kind)


def rulebook() -> Rulebook:
    """Returns all kinds and tables, clearing's included."""
    return Rulebook(
        (*registry.kinds.KINDS, *clearing.kinds.KINDS),
        (*registry.kinds.TIMED, *clearing.kinds.TIMED),
        (*TABLES, *clearing.kinds.TABLES),
    )


@cache
def story() -> Story:
    """Tells the story once."""
    rules = rulebook()
    world = World(MemoryStore(rules.tables), rules).cast()
    proof = possession_proof(key_of("s1-read"), origin=ORIGIN, party=world.ids["s1"])
    jwk = dict(key_of("s1-read").public.jwk())
    world.do("s1", "key.add", {"key": {**jwk}, "proof": proof, "use": "read"})
    voucher = world.issue(route="tiered", voucher_no="GV-01", top_up=True)
    to_s2 = world.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    to_s3 = world.transfer(f"{to_s2}.2", 25_000_000, by="s2", to="s3")
    to_factor = world.transfer(f"{to_s3}.1", 20_000_000, by="s2", to="factor", purpose="finance")
    unpaid = world.issue(route="tiered", voucher_no="UNPAID", face="1000000")
    world.transfer(f"{unpaid}.0", 600_000, by="s1", to="s2")
    carried = world.issue(route="tiered", voucher_no="CARRIED", face="1000000", hop_risk="holder")
    onward = world.transfer(f"{carried}.0", 600_000, by="s1", to="s2")
    world.transfer(f"{onward}.2", 200_000, by="s2", to="s3")
    consent: dict[str, Json] = {
        "account": world.accounts["trustee#T1"],
        "assignors": [world.ids["factor"]],
        "collection_route": True,
        "minimum": "20000000",
        "purpose": "securitise",
    }
    world.do("trustee#T1", "consent.grant", {**consent, "minimum": "1"})
    granted = world.do("trustee#T1", "consent.grant", consent).sid
    to_trust = world.offer(
        f"{to_factor}.2", 20_000_000, by="factor", to="trustee#T1", purpose="securitise"
    )
    world.do("trustee#T1", "consent.withdraw", {}, re=granted)
    world.do("s2", "consent.grant", {"account": world.accounts["s2"], "collection_route": False,
                                     "purpose": "settle"})  # fmt: skip
    tell_encumbrances(world)
    tell_dealings(world)
    tell_credit(world)
    tell_silence(world)
    tell_notices(world)
    tell_stages(world)
    offers = (to_s2, to_s3, to_factor, to_trust)
    world.do("core", "notice.acknowledge", {"notices": [f"{to_s2}.2!0"]})
    tell_of_people(world, lot_of_s3=f"{to_s3}.2", lot_of_s1=f"{to_s2}.1")
    world.advance(instant(DUE_ON))
    world.engine.submit([])
    state_index = world.store.size() - 1

    plans = tell_clearing(world)
    head = world.engine.head
    checkpoint = Checkpoint(origin=ORIGIN, size=head.size, root=head.root)
    return Story(
        world=world,
        voucher=voucher,
        offers=offers,
        state_index=state_index,
        plans=plans,
        note=sign_checkpoint(checkpoint, key_of("log")),
    )


# --- What the docs show -------------------------------------------------------------


def wrap(text: str) -> str:
    """Cuts a long line, behind a comma if there is one; joined, the pieces are the bytes."""
    pieces = []
    while len(text) > WIDTH:
        comma = text.rfind(",", WIDTH // 3, WIDTH) + 1
        pieces.append(text[: comma or WIDTH])
        text = text[comma or WIDTH :]
    return "\n".join([*pieces, text])


def _facts(**facts: str | int) -> str:
    """Writes named values, each wrapped below its name."""
    return "\n".join(f"{name}:\n{wrap(str(value))}" for name, value in facts.items())


def _statement() -> dict[str, str]:
    """Returns a statement, its parts and its entry."""
    told = story()
    data = told.entry(told.find("mandate.grant"))
    entry = open_entry(data)
    jws = split_jws(entry.statement, what="statement")
    return {
        "statement": _facts(
            header=jws.header.decode(),
            payload=jws.payload.decode(),
            statement=entry.statement,
            sid=b64url_encode(sha256(jws.signing_input)),
        ),
        "entry": _facts(entry=data.decode(), leaf=hash_leaf(data).hex()),
    }


def _keys() -> dict[str, str]:
    """Returns keys, a token, and digests of confidential terms."""
    told = story()
    world = told.world
    log, s1 = key_of("log").public, world.keys["s1"].public
    proof = possession_proof(key_of("s1-read"), origin=ORIGIN, party=world.ids["s1"])
    token = seal_token(
        key_of("s1-read"), by=world.ids["s1"], aud=ORIGIN, iat=1_751_331_600, scope="lots.read"
    )
    terms: dict[str, Json] = {"price": "19822466", "rate_bp": 360}
    return {
        "key": _facts(seed=sha256(b"s1").hex(), jwk=format_json({**s1.jwk()}).decode(), kid=s1.kid),
        "verifier-key": format_verifier_key(ORIGIN, log),
        "possession": _facts(
            header=split_jws(proof, what="proof").header.decode(),
            payload=split_jws(proof, what="proof").payload.decode(),
        ),
        "token": _facts(
            header=split_jws(token, what="token").header.decode(),
            payload=split_jws(token, what="token").payload.decode(),
        ),
        "terms": _facts(
            salt=b64url_encode(SALT),
            terms=format_json(terms).decode(),
            digest=salted_digest(SALT, terms),
        ),
    }


def _lot(lot: str) -> tuple[Lot, str]:
    """Returns a lot as of the state entry, and its payee account's digest."""
    told = story()
    rows: dict[str, Lot] = {
        row.lot: row for row in told.world.store.select(LOTS, as_of=told.state_index)
    }
    accounts = {row.account: row for row in told.world.store.select(ACCOUNTS)}
    return rows[lot], accounts[rows[lot].account].digest


def _state() -> dict[str, str]:
    """Returns a state entry and everything below it."""
    told = story()
    world, sid = told.world, told.offers[-1]
    lot, payee = _lot(f"{sid}.2")
    offer = next(
        entry.statement
        for entry in map(open_entry, world.entries())
        if entry.statement
        and b64url_encode(sha256(entry.statement.rpartition(".")[0].encode())) == sid
    )
    columns = columns_of([fields_of(lot)], {lot.account: payee})
    voucher_files = _snapshot("voucher", told.voucher)
    holder_files = _snapshot("holder", lot.holder)
    (leaf,) = hash_records(write_records(columns))
    (line,) = holder_files["lots.ndjson"].decode().splitlines()
    record = format_json(json.loads(line)["record"]).decode()
    return {
        "cut-off": told.entry(told.state_index - 1).decode(),
        "state-entry": told.entry(told.state_index).decode(),
        "salts": _facts(
            lot=lot.lot,
            lot_salt=derive_salt(SALT_LOT, statement=offer, n=2),
            bucket=told.voucher,
            bucket_salt=derive_salt(
                SALT_BUCKET,
                statement=open_entry(told.entry(told.find("voucher.issue"))).statement,
                n=0,
            ),
        ),
        "lot": _facts(
            facts=columns.facts[0],
            holder=lot.holder,
            record=record,
            leaf=f"{leaf.hex()} {lot.amount} 1",
        ),
        "bucket-voucher": _bucket_record(voucher_files),
        "bucket-holder": _bucket_record(holder_files),
        "lots-line": line,
        "manifest": voucher_files["manifest.json"].decode().rstrip(),
    }


def _bucket_record(files: dict[str, bytes]) -> str:
    """Returns the bucket record of a snapshot."""
    proof = json.loads(files["proof.json"])
    return b64url_decode(proof["bucket"]["record"], what="record").decode()


def _snapshot(family: str, bucket: str) -> dict[str, bytes]:
    """Takes a snapshot against the story's state entry."""
    told = story()
    return take_snapshot(
        told.world.store,
        note=told.note,
        state_index=told.state_index,
        family=family,
        bucket=bucket,
    )


@cache
def blocks() -> dict[str, str]:
    """Returns every golden block of `docs/formats.md` by its name."""
    told = story()
    first_row = next(iter(told.world.store.select(ACCOUNTS)))
    found = {
        **_keys(),
        **_statement(),
        **_state(),
        "checkpoint": told.note.rstrip("\n"),
        "files": "\n".join(("checkpoint", *implied_files(told.world.store.size()))),
        "row": format_json(to_json(first_row)).decode(),
        "replay-digest": told.world.digest(),
        "plan": _facts(plan=told.plans[0].data.decode(), digest=told.plans[0].digest),
    }
    return {name: wrap(text) if "\n" not in text else text for name, text in found.items()}


# --- What the vectors hold ----------------------------------------------------------

SOURCE = "made by this code from keys whose seeds are SHA-256 of their names; GV-01"


def _vector(note: str, given: Any, **want: Any) -> dict[str, Any]:
    """Returns a vector."""
    return {"source": SOURCE, "note": note, "input": given, **want}


def _texts(files: dict[str, bytes]) -> dict[str, str]:
    return {name: data.decode() for name, data in files.items()}


@cache
def vectors() -> dict[str, Any]:
    """Returns every vector of `tests/vectors/formats` by its name."""
    told = story()
    entries = list(told.world.entries())
    log = signed_log(entries)
    log["checkpoint"] = told.note
    at = told.find("transfer.accept")
    effects = json.loads(json.dumps(open_entry(entries[at]).effects))
    effects["changes"][0]["amount"] = "60000001"
    voucher = _texts(_snapshot("voucher", told.voucher))
    lines = voucher["lots.ndjson"].splitlines(keepends=True)
    left_out = {**voucher, "lots.ndjson": "".join(lines[:-1])}
    swapped = {**voucher, "lots.ndjson": "".join(reversed(lines))}
    raised = {**voucher, "lots.ndjson": voucher["lots.ndjson"].replace("20000000", "20000001", 1)}
    lot = take_lot_proof(
        told.world.store,
        note=told.note,
        state_index=told.state_index,
        lot=f"{told.offers[-1]}.2",
    ).decode()
    holder = PartyId(told.world.ids["trustee#T1"])
    of_voucher = {"family": "voucher", "bucket": told.voucher, "count": 4, "sum": "100000000"}
    of_holder = {"family": "holder", "bucket": holder, "count": 1, "sum": "20000000"}
    first, less, rest = told.plans
    return {
        "log": _vector("a whole log", log, want={"verdict": 0, "digest": told.world.digest()}),
        "log-effects-changed": _vector(
            "one fen more in an acceptance's effects, hashed and signed again",
            signed_log(resealed(entries[: at + 1], at, effects)),
            want={"verdict": 10, "digest": ""},
        ),
        "snapshot-voucher": _vector("all four holders of the voucher", voucher, want=of_voucher),
        "snapshot-holder": _vector(
            "the trust's holding", _texts(_snapshot("holder", holder)), want=of_holder
        ),
        "snapshot-lot-left-out": _vector("one line less", left_out, want_error="proof-failed"),
        "snapshot-lots-swapped": _vector("lines reversed", swapped, want_error="proof-failed"),
        "snapshot-amount-raised": _vector("one fen more", raised, want_error="proof-failed"),
        "lot-proof": _vector("the trust's one lot", lot, want=of_holder),
        "plan": _vector("the plan's bytes", first.data.decode(), want=first.digest),
        "plan-of-the-rest": _vector(
            "a further plan of the same due date", rest.data.decode(), want=rest.digest
        ),
        "plan-of-less-money": _vector(
            "a plan that pays lots in part", less.data.decode(), want=less.digest
        ),
    }
