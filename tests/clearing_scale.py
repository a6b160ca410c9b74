"""A ledger of many live lots that fall due together, made quickly and without signatures.

Rows, entries, tiles and one state entry are what a ledger of that size has, and proofs
against its checkpoint verify; but entries carry no statements, so there is nothing to
replay. For measuring, and for tests of what must not grow:

    scale = Scale(lots=1_000_000)
    ledger = build(SqlStore(url, RULEBOOK.tables), scale)
"""

import json
import random
from dataclasses import dataclass
from datetime import date
from functools import cache

from registry.batch import Change
from registry.calendars import start_of
from registry.canonical import b64url_encode, format_json, sha256
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.commitments import Commitments
from registry.effects import format_effects
from registry.entries import BEFORE_FIRST, Entry, seal_entry
from registry.ids import Origin, PartyId, Sid, lot_id, uscc_check_character
from registry.logtree import LogTree
from registry.merkle import CompactRange, hash_leaf
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    CALENDARS,
    HISTORIES,
    LEDGER,
    LOTS,
    MANDATES,
    PARTIES,
    POLICIES,
    VOUCHERS,
    Account,
    Bucket,
    Ledger,
    Lot,
    LotStatus,
    Mandate,
    Party,
    Route,
    Voucher,
    VoucherStatus,
)
from registry.ports import Commit, LedgerStore, NewEntry
from registry.signing import PrivateKey
from registry.tables import Minor
from tests.builders import plain_rows

DUE_ON = date(2026, 3, 1)
PAY_ON = date(2026, 3, 2)
PAY_TIME = start_of(PAY_ON, offset_minutes=480)
ORIGIN = Origin("sandbox.example/scale")
DEPTH_MAX = 5
CHANGES_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much there is.

    Attributes:
        lots: Live lots, all due on one day.
        lots_a_voucher: How many each voucher is split into, each in other hands.
        parties: Holders, each with an account and a mandate on it.
        route: By which route every voucher is cleared.
        trust: Of a hundred lots, how many the trust vehicle holds.
    """

    lots: int
    lots_a_voucher: int = 50
    parties: int = 2_000
    route: Route = Route.TIERED
    trust: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledLedger:
    """What was built, and what proofs against it need."""

    scale: Scale
    state_index: int
    note: str
    trust: PartyId
    vouchers: int


@cache
def log_key() -> PrivateKey:
    """Makes the log key."""
    return PrivateKey.generate()


def sid(name: str) -> Sid:
    """Makes a statement id of a name."""
    return Sid(b64url_encode(sha256(name.encode())))


def salt(name: str) -> str:
    """Makes a salt of a name."""
    return b64url_encode(sha256(name.encode())[:16])


def party_id(number: int) -> PartyId:
    """Makes a valid credit code of a number."""
    first17 = f"91310000{number:09}"
    return PartyId(first17 + uscc_check_character(first17))


class _Writing:
    """Writes entries and rows in big commits."""

    def __init__(self, store: LedgerStore) -> None:
        self.store = store
        self.epoch = store.acquire()
        self.tree = LogTree(lambda level, index: store.tile(level=level, index=index), 0)
        self.previous = BEFORE_FIRST
        self.size = 0
        self.stored = 0
        self.entries: list[NewEntry] = []
        self.changes: list[Change] = []

    def enter(self, kind: str, change: dict[str, object], *rows: tuple[object, object]) -> int:
        """Adds an entry that changed something, and rows."""
        if len(self.changes) >= CHANGES_AT_ONCE:
            self.flush()
        effects = {**json.loads(format_effects(())), "changes": [change]}
        entry = Entry(
            index=self.size,
            time=PAY_TIME - 10**9,
            kind=kind,
            origin=ORIGIN,
            previous=self.previous,
            statement="",
            effects_json=format_json(effects),
        )
        data = seal_entry(entry)
        leaf = hash_leaf(data)
        self.entries.append(NewEntry(index=self.size, time=entry.time, kind=kind, leaf_hash=leaf,
                                     data=data, sid=None, by=None, id=None))  # fmt: skip
        self.tree.append(leaf)
        self.previous, self.size = leaf, self.size + 1
        self.put(*rows)
        return entry.index

    def put(self, *rows: tuple[object, object]) -> None:
        """Adds rows as of the newest entry."""
        for table, row in rows:
            key = table.key_of(row)  # type: ignore[attr-defined]
            self.changes.append(Change(index=self.size - 1, table=table, key=key, row=row))  # type: ignore[arg-type]

    def flush(self) -> None:
        """Stores what waits."""
        commit = Commit(entries=self.entries, changes=self.changes, tiles=self.tree.tiles())
        self.store.append(commit, expected_size=self.stored, epoch=self.epoch)
        self.stored = self.size
        self.tree = LogTree(lambda level, at: self.store.tile(level=level, index=at), self.size)
        self.entries, self.changes = [], []


def build(store: LedgerStore, scale: Scale) -> ScaledLedger:
    """Fills an empty store."""
    writing = _Writing(store)
    vouchers = -(-scale.lots // scale.lots_a_voucher)
    policy, calendar = plain_rows(sid("policy"))
    writing.enter(
        "genesis",
        {"effect": "none"},
        (LEDGER, _ledger(scale, vouchers)),
        (POLICIES, policy),
        (CALENDARS, calendar),
    )
    bank, core = party_id(1), party_id(2)
    trust = PartyId(f"{party_id(3)}#T1")
    names = [bank, core, trust, *(party_id(1000 + n) for n in range(scale.parties))]
    for ordinal, name in enumerate(names):
        _admit(writing, name, ordinal, bank=bank)
    holders = names[3:]
    chance = random.Random(7)  # noqa: S311 (the same ledger every time)
    left = scale.lots
    for number in range(vouchers):
        lots = min(left, scale.lots_a_voucher)
        _issue(writing, number, lots, scale, core, trust, holders, chance)
        left -= lots
    if writing.entries:
        writing.flush()
    # The entries say nothing of whom they touch, so every history is empty.
    histories = {(row.family, row.bucket): CompactRange() for row in store.select(BUCKETS)}
    commitments = Commitments()
    commitments.update(store.fetch, histories)
    roots = commitments.roots(at=store.size(), grown=histories)
    state = writing.enter("state", json.loads(format_effects((roots,)))["changes"][0])
    writing.put(*((HISTORIES, row) for row in roots.histories))
    writing.flush()
    head = writing.tree.head
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=head.size, root=head.root), log_key())
    return ScaledLedger(scale=scale, state_index=state, note=note, trust=trust, vouchers=vouchers)


def _ledger(scale: Scale, vouchers: int) -> Ledger:
    return Ledger(
        origin=ORIGIN, operator=party_id(1), registrar=party_id(1), currency="CNY",
        log_key=b64url_encode(log_key().public.raw), zone="+08:00", clock="system",
        policy=sid("policy"), time=0,
        face_total=Minor(0), voucher_count=vouchers, party_count=scale.parties + 3,
    )  # fmt: skip


def _account(name: str) -> Sid:
    return sid(f"account {name}")


def _admit(writing: _Writing, name: PartyId, ordinal: int, *, bank: PartyId) -> None:
    index = writing.enter(
        "party.admit", {"effect": "party-admitted", "party": name, "ordinal": ordinal}
    )
    party = Party(party=name, name=f"party {ordinal}", roles=("participant",),
                  statement=sid(f"party {name}"), ordinal=ordinal)  # fmt: skip
    account = Account(account=_account(name), owner=name, bank=bank, account_kind="settlement",
                      digest=sid(f"terms {name}"), verified=True)  # fmt: skip
    mandate = Mandate(mandate=sid(f"mandate {name}"), owner=name, account=account.account)
    bucket = _bucket("holder", name, ordinal, index)
    writing.put((PARTIES, party), (ACCOUNTS, account), (MANDATES, mandate), (BUCKETS, bucket))


def _bucket(family: str, name: str, ordinal: int, index: int) -> Bucket:
    return Bucket(family=family, bucket=name, ordinal=ordinal,
                  salt=salt(f"{family} {name}"), founded=index)  # fmt: skip


def _issue(
    writing: _Writing, number: int, lots: int, scale: Scale, core: PartyId, trust: PartyId,
    holders: list[PartyId], chance: random.Random,
) -> None:  # fmt: skip
    """Adds a voucher, split along a tree of assignments: each place in it holds one lot."""
    voucher = sid(f"voucher {number}")
    index = writing.enter(
        "voucher.accept", {"effect": "voucher-activated", "voucher": voucher, "ordinal": number}
    )
    paths: list[tuple[str, ...]] = [(chance.choice(holders),)]
    while len(paths) < lots:
        path = chance.choice(paths)
        if len(path) < DEPTH_MAX:
            last = trust if chance.randrange(100) < scale.trust else chance.choice(holders)
            if last != path[-1] and path[-1] != trust:
                paths.append((*path, last))
    face = 0
    for at, path in enumerate(paths):
        amount = chance.randrange(1, 10**8)
        face += amount
        offer = sid(f"offer {number} {at}")
        lot = Lot(
            lot=lot_id(offer, at), voucher=voucher, amount=Minor(amount), holder=PartyId(path[-1]),
            born=index, due_on=DUE_ON.isoformat(), path=path, tier=len(path), acquired=offer,
            account=_account(path[-1]), collection_route=True, recourse=False,
            acknowledged=True, status=LotStatus.FREE, salt=salt(offer),
        )  # fmt: skip
        writing.put((LOTS, lot))
    row = Voucher(
        voucher=voucher, voucher_no=f"CY-{number:06}", debtor=core, creditor=PartyId(paths[0][0]),
        co_debtors=(), face=Minor(face), discharged=Minor(0), cancelled=Minor(0),
        due_on=DUE_ON.isoformat(), route=scale.route, account=_account(core),
        mandate=sid(f"mandate {core}"), accept_by=0, status=VoucherStatus.ACTIVE, ordinal=number,
        lot_salt="", policy=sid("policy"), flags=(),
    )  # fmt: skip
    writing.put((VOUCHERS, row), (BUCKETS, _bucket("voucher", voucher, number, index)))
