"""A small ledger to clear: parties, accounts, mandates, and vouchers split by hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from clearing.kinds import TABLES as CLEARING_TABLES
from clearing.plan import Plan
from clearing.routes import Instruction, RoutedStep
from clearing.rules.plans import find_due, plan_due
from registry.calendars import start_of
from registry.canonical import Json, b64url_encode, parse_object, sha256
from registry.debts import owe
from registry.effects import Effect, Seal, apply, format_effects
from registry.ids import Kid, LotId, Origin, PartyId, Sid, lot_id, uscc_check_character
from registry.model import (
    ACCOUNTS,
    BUCKETS,
    CALENDARS,
    LOTS,
    MANDATES,
    PARTIES,
    POLICIES,
    TABLES,
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
from registry.state import MemoryRows
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, replace
from tests.builders import plain_rows
from tests.declared import View

DUE_ON = date(2026, 3, 1)
"""A Sunday: paid on Monday the 2nd."""
PAY_ON = date(2026, 3, 2)
OFFSET = 480
PAY_TIME = start_of(PAY_ON, offset_minutes=OFFSET)
ORIGIN = Origin("sandbox.example/clearing")


def sid(name: str) -> Sid:
    """Makes a statement id of a name."""
    return Sid(b64url_encode(sha256(name.encode())))


POLICY = sid("policy")


def party_id(name: str) -> PartyId:
    """Makes a valid credit code of a name; the part from # on stays."""
    legal, mark, code = name.partition("#")
    digits = int.from_bytes(sha256(legal.encode())[:4], "big") % 10**9
    first17 = f"91310000{digits:09}"
    return PartyId(first17 + uscc_check_character(first17) + mark + code)


def ledger() -> Ledger:
    """Makes the ledger's row."""
    return Ledger(
        face_total=Minor(0),
        origin=ORIGIN,
        operator=party_id("operator"),
        registrar=party_id("registrar"),
        log_key="x",
        currency="CNY",
        zone="+08:00",
        clock="manual",
        policy=POLICY,
        time=0,
    )


@dataclass
class World:
    """A state under construction; parties and vouchers are named by short texts."""

    due_on: date = DUE_ON
    rows: MemoryRows = field(default_factory=lambda: MemoryRows((*TABLES, *CLEARING_TABLES)))
    index: int = 1000
    entries: list[dict[str, Json]] = field(default_factory=list)
    changes: list[dict[str, Json]] = field(default_factory=list)
    """Effects of the registry, as far as a journal reads them."""

    def __post_init__(self) -> None:
        policy, calendar = plain_rows(POLICY)
        self.rows.put(POLICIES, policy)
        self.rows.put(CALENDARS, calendar)

    def party(self, name: str) -> PartyId:
        """Admits a party the first time that it is named."""
        party = party_id(name)
        if self.rows.get(PARTIES, party) is None:
            row = Party(party=party, name=name, roles=("participant",), statement=sid(name),
                        ordinal=0)  # fmt: skip
            self.rows.put(PARTIES, row)
            self._bucket("holder", party)
        return party

    def _bucket(self, family: str, name: str) -> None:
        bucket = Bucket(family=family, bucket=name, ordinal=0, salt="")
        self.rows.put(BUCKETS, bucket)

    def account(self, owner: str, n: int = 0, *, bank: str = "bank") -> Sid:
        """Gives a party's n-th account."""
        account = sid(f"account {owner} {n}")
        if self.rows.get(ACCOUNTS, account) is None:
            row = Account(
                account=account,
                owner=self.party(owner),
                bank=self.party(bank),
                account_kind="settlement",
                digest="x",
                verified=True,
            )
            self.rows.put(ACCOUNTS, row)
        return account

    def mandate(self, owner: str, n: int = 0, *, name: str = "") -> Sid:
        """Lets a party's n-th account be debited."""
        mandate = sid(f"mandate {owner} {n} {name}")
        row = Mandate(mandate=mandate, owner=self.party(owner), account=self.account(owner, n))
        self.rows.put(MANDATES, row)
        return mandate

    def issue(
        self, name: str, *, face: int, to: str, route: Route = Route.TIERED, consent: bool = True,
        n: int = 0,
    ) -> LotId:  # fmt: skip
        """Issues a voucher of C, accepted by its first holder into its n-th account."""
        voucher = Voucher(
            voucher=sid(name),
            voucher_no=name,
            debtor=self.party("C"),
            creditor=self.party(to),
            co_debtors=(),
            face=Minor(face),
            discharged=Minor(0),
            cancelled=Minor(0),
            due_on=self.due_on.isoformat(),
            route=route,
            account=self.account("C"),
            mandate=self.mandate("C"),
            accept_by=0,
            status=VoucherStatus.ACTIVE,
            ordinal=0,
            lot_salt="",
            policy=POLICY,
            flags=(),
        )
        lot = Lot(
            lot=lot_id(voucher.voucher, 0),
            voucher=voucher.voucher,
            amount=Minor(face),
            holder=self.party(to),
            born=1,
            due_on=voucher.due_on,
            path=(self.party(to),),
            tier=1,
            acquired=voucher.voucher,
            account=self.account(to, n),
            collection_route=consent,
            recourse=False,
            acknowledged=True,
            status=LotStatus.FREE,
            salt="",
        )
        self.rows.put(VOUCHERS, voucher)
        self.rows.put(LOTS, lot)
        owe(self.rows, voucher.debtor, face)
        self._bucket("voucher", voucher.voucher)
        issued: dict[str, Json] = {
            "effect": "voucher-issued",
            "voucher": voucher.voucher,
            "voucher_no": name,
            "debtor": voucher.debtor,
            "face": str(face),
        }
        activated: dict[str, Json] = {
            "effect": "voucher-activated",
            "voucher": voucher.voucher,
            "creditor": voucher.creditor,
        }
        self._log(issued)
        self._log(activated)
        return lot.lot

    def split(self, lot: LotId, amount: int) -> tuple[LotId, LotId]:
        """Splits a lot, as an offer that is withdrawn does."""
        row = self.lot(lot)
        self.index += 1
        offer = sid(f"split {lot} {amount} {self.index}")
        one = replace(row, lot=lot_id(offer, 0), amount=Minor(amount), born=self.index)
        rest = replace(one, lot=lot_id(offer, 1), amount=Minor(row.amount - amount))
        assert one.amount > 0
        assert rest.amount > 0
        self.rows.delete(LOTS, lot)
        self.rows.put(LOTS, one)
        self.rows.put(LOTS, rest)
        return one.lot, rest.lot

    def assign(
        self, lot: LotId, *, to: str, amount: int = 0, consent: bool = True, n: int = 0
    ) -> tuple[LotId, LotId | None]:
        """Assigns part or all of a lot; returns the assignee's lot and the remainder."""
        row = self.lot(lot)
        rest: LotId | None = None
        if 0 < amount < row.amount:
            lot, rest = self.split(lot, amount)
            row = self.lot(lot)
        self.index += 1
        offer = sid(f"offer {lot} {self.index}")
        assigned = replace(
            row,
            lot=lot_id(offer, 2),
            holder=self.party(to),
            born=self.index,
            path=(*row.path, self.party(to)),
            acquired=offer,
            account=self.account(to, n),
            collection_route=consent,
        )
        self.rows.delete(LOTS, lot)
        self.rows.put(LOTS, assigned)
        change: dict[str, Json] = {
            "effect": "lot-assigned",
            "voucher": row.voucher,
            "offer": offer,
            "assignor": row.holder,
            "assignee": assigned.holder,
            "amount": str(row.amount),
        }
        self._log(change)
        return assigned.lot, rest

    def lot(self, lot: LotId) -> Lot:
        """Returns a live lot."""
        row = self.rows.get(LOTS, lot)
        assert row is not None
        return row

    def lots(self) -> tuple[Lot, ...]:
        """Returns all live lots."""
        return find_due(self.rows, self.due_on).lots

    def plan(self) -> Plan:
        """Compiles the plan of the due date."""
        return plan_due(self.rows, due_on=self.due_on, pay_on=PAY_ON)

    def _log(self, change: dict[str, Json]) -> None:
        self.entries.append(
            {
                "index": len(self.entries),
                "time": PAY_TIME - 10**9 + len(self.entries),
                "kind": "earlier",
                "effects": {"changes": [change]},
            }
        )

    def decide(
        self, kind: Kind[Body], body: Mapping[str, Json], *, by: str, re: Sid | None = None,
        time: int = PAY_TIME, name: str = "",
    ) -> tuple[Statement[Body], tuple[Effect, ...]]:  # fmt: skip
        """Decides a statement, which sees exactly the rows that its kind declares."""
        name = name or f"{kind.name} {by} {sorted(body.items())}"
        statement = Statement(
            text=name,
            sid=sid(name),
            kind=kind.name,
            kid=Kid("k"),
            by=party_id(by),
            aud=ORIGIN,
            id="",
            iat=0,
            exp=0,
            body=kind.body.model_validate(body),
            re=re,
        )
        now = Now(index=self.index, time=time, ledger=ledger())
        view = View(self.rows, kind.reads(statement, now))
        return statement, kind.decide(view, statement, now)

    def enter(
        self, kind: Kind[Body], body: Mapping[str, Json], *, by: str, re: Sid | None = None,
        time: int = PAY_TIME, name: str = "",
    ) -> Sid:  # fmt: skip
        """Decides a statement and applies its effects."""
        statement, effects = self.decide(kind, body, by=by, re=re, time=time, name=name)
        self.index += 1
        seal = Seal(index=self.index, time=time, leaf_hash=bytes(32), statement="")
        apply(self.rows, effects, seal)
        self.write(kind.name, effects, time)
        return statement.sid

    def write(self, kind: str, effects: Sequence[Effect], time: int) -> None:
        """Writes an entry down."""
        self.entries.append(
            {
                "index": len(self.entries),
                "time": time,
                "kind": kind,
                "effects": parse_object(format_effects(effects), what="effects"),
            }
        )


def gv01(world: World, *, route: Route = Route.TIERED, mandates: Iterable[str] = "") -> None:
    """Builds the split tree of golden vector GV-01, every earlier holder under mandate."""
    for name in mandates or ("S1", "S2", "F"):
        world.mandate(name)
    first = world.issue("GV-01", face=100_000_000, to="S1", route=route)
    second, _ = world.assign(first, to="S2", amount=60_000_000)
    _, rest = world.assign(second, to="S3", amount=25_000_000)
    assert rest is not None
    factor, _ = world.assign(rest, to="F", amount=20_000_000)
    world.assign(factor, to="T#trust")


def net_by_account(moves: Iterable[Instruction | RoutedStep]) -> dict[tuple[PartyId, Sid], int]:
    """Sums up what a route leaves on each account.

    Returns:
        Minor units by owner and account; accounts through which everything has passed
        are left out.
    """
    net: dict[tuple[PartyId, Sid], int] = {}
    for move in moves:
        payer, payee = (move.payer, move.payer_account), (move.payee, move.payee_account)
        net[payer] = net.get(payer, 0) - move.amount_minor
        net[payee] = net.get(payee, 0) + move.amount_minor
    return {account: amount for account, amount in net.items() if amount}
