"""The honest opponent: what a good programmer writes in an afternoon.

FastAPI, the SQLAlchemy ORM, a transaction a request, an audit table; no signatures, no
log, nothing that a stranger could check. The business is the same: an offer with a
remainder, effective at once, with notices to debtor and co-debtor; the database is as
durable (SQLite, WAL, `synchronous=FULL`). It is tuned as far as that goes without
another design: a transaction takes the write lock when it begins, every lookup has its
index, nothing is read again after the commit, and the pool holds one connection, because
threads that queue for a connection are served sooner than threads that poll for SQLite's
lock (`--pool 40` shows it).

    python -m tests.benchmarks.naive --database sqlite:///naive.db --port-file port
"""

import argparse
import datetime
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import pysqlite3
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.benchmarks.load import Answer
from tests.benchmarks.transfers import TERMS, Transfer, co_debtor, party_id, request
from tests.benchmarks.workload import FACE, Built

BUSY_S: Final = 30


class Base(DeclarativeBase):
    """Base of the tables."""


class Party(Base):
    """A party and the secret with which it calls."""

    __tablename__ = "party"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    token: Mapped[str] = mapped_column(unique=True)


class Voucher(Base):
    """A voucher and who owes it."""

    __tablename__ = "voucher"
    id: Mapped[int] = mapped_column(primary_key=True)
    debtor_id: Mapped[str] = mapped_column(sa.ForeignKey("party.id"))
    co_debtor_id: Mapped[str] = mapped_column(sa.ForeignKey("party.id"))
    face: Mapped[int]
    due_on: Mapped[datetime.date]


class Lot(Base):
    """One holder's part of a voucher."""

    __tablename__ = "lot"
    id: Mapped[str] = mapped_column(primary_key=True)
    voucher_id: Mapped[int] = mapped_column(sa.ForeignKey("voucher.id"), index=True)
    holder_id: Mapped[str] = mapped_column(sa.ForeignKey("party.id"), index=True)
    amount: Mapped[int]
    status: Mapped[str]
    voucher: Mapped[Voucher] = relationship()


class Offer(Base):
    """A transfer."""

    __tablename__ = "offer"
    id: Mapped[str] = mapped_column(primary_key=True)
    lot_id: Mapped[str] = mapped_column(sa.ForeignKey("lot.id"), index=True)
    assignee_id: Mapped[str] = mapped_column(sa.ForeignKey("party.id"), index=True)
    amount: Mapped[int]
    remainder: Mapped[int]
    terms: Mapped[str]
    at: Mapped[datetime.datetime]
    notices: Mapped[list["Notice"]] = relationship()


class Notice(Base):
    """A notice of assignment."""

    __tablename__ = "notice"
    id: Mapped[int] = mapped_column(primary_key=True)
    offer_id: Mapped[str] = mapped_column(sa.ForeignKey("offer.id"), index=True)
    recipient_id: Mapped[str] = mapped_column(sa.ForeignKey("party.id"), index=True)
    acknowledged: Mapped[bool]


class Audit(Base):
    """Who did what."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime.datetime]
    party_id: Mapped[str]
    action: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON)


class OfferBody(BaseModel):
    """The request."""

    id: str = Field(max_length=64)
    lot: str
    amount: int = Field(gt=0)
    assignee: str
    terms: str


class OfferOut(BaseModel):
    """The answer."""

    id: str
    amount: int
    remainder: int
    assignee: str
    notices: list[str]


def open_engine(database: str, *, pool: int) -> sa.Engine:
    """Opens the database."""
    if not database.startswith("sqlite"):
        database = database.replace("postgresql:", "postgresql+psycopg:", 1)
        return sa.create_engine(database, pool_size=pool, max_overflow=0)
    engine = sa.create_engine(
        database,
        module=pysqlite3,
        poolclass=sa.QueuePool,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=BUSY_S,
        connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_S},
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-65536")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def create_app(engine: sa.Engine) -> FastAPI:
    """Builds the application."""
    app = FastAPI()

    @app.post("/offers", status_code=201)
    def offer(body: OfferBody, authorization: Annotated[str, Header()]) -> OfferOut:
        # The session begins and ends in here. As a dependency it would be held while the
        # request waits for a thread, and with 256 clients all threads wait for sessions.
        with Session(engine, expire_on_commit=False) as session:
            by = caller(session, authorization)
            return transfer(session, by, body)

    return app


def caller(session: Session, authorization: str) -> Party:
    """Returns who calls."""
    token = authorization.removeprefix("Bearer ")
    party = session.scalar(sa.select(Party).where(Party.token == token))
    if party is None:
        raise HTTPException(401)
    return party


def transfer(session: Session, by: Party, body: OfferBody) -> OfferOut:
    """Makes a transfer, as one transaction."""
    if session.get(Offer, body.id) is not None:
        raise HTTPException(409, "the offer is there already")
    lot = session.get(Lot, body.lot)
    if lot is None or lot.holder_id != by.id:
        raise HTTPException(404, "no such lot")
    if lot.status != "free" or body.amount > lot.amount:
        raise HTTPException(409, "the lot is not free, or not as large")
    assignee = session.get(Party, body.assignee)
    voucher = lot.voucher
    if assignee is None or assignee.id in (by.id, voucher.debtor_id, voucher.co_debtor_id):
        raise HTTPException(422, "cannot take it")
    now = datetime.datetime.now(datetime.UTC)
    rest = lot.amount - body.amount
    lot.status = "spent"
    for n, holder, amount in ((2, assignee.id, body.amount), (1, by.id, rest)):
        if amount:
            session.add(
                Lot(
                    id=f"{body.id}.{n}",
                    voucher_id=voucher.id,
                    holder_id=holder,
                    amount=amount,
                    status="free",
                )
            )
    made = Offer(
        id=body.id,
        lot_id=lot.id,
        assignee_id=assignee.id,
        amount=body.amount,
        remainder=rest,
        terms=body.terms,
        at=now,
        notices=[
            Notice(recipient_id=each, acknowledged=False)
            for each in (voucher.debtor_id, voucher.co_debtor_id)
        ],
    )
    session.add(made)
    details = {"offer": body.model_dump(), "before": lot.amount, "remainder": rest}
    session.add(Audit(at=now, party_id=by.id, action="offer", details=details))
    session.commit()
    return OfferOut(
        id=made.id,
        amount=made.amount,
        remainder=made.remainder,
        assignee=made.assignee_id,
        notices=[each.recipient_id for each in made.notices],
    )


# --- Its part of the benchmark --------------------------------------------------------


def token_of(number: int) -> str:
    """Returns the secret with which a party calls."""
    return f"token-of-party-{number}"


def fill(database: str, built: Built) -> None:
    """Fills an empty database with the parties, vouchers and free lots of a built ledger."""
    engine = open_engine(database, pool=1)
    Base.metadata.create_all(engine)
    scale = built.scale
    vouchers = sorted({held.voucher for held in built.holdings})
    with engine.begin() as connection:
        connection.execute(
            sa.insert(Party),
            [
                {"id": party_id(n), "name": f"party {n}", "token": token_of(n)}
                for n in range(scale.parties)
            ],
        )
        connection.execute(
            sa.insert(Voucher),
            [
                {
                    "id": n,
                    "debtor_id": party_id(n % scale.debtors),
                    "co_debtor_id": party_id(co_debtor(n, scale)),
                    "face": FACE,
                    "due_on": datetime.date(2025, 12, 1 + n % 20),
                }
                for n in vouchers
            ],
        )
        connection.execute(
            sa.insert(Lot),
            [
                {
                    "id": held.lot,
                    "voucher_id": held.voucher,
                    "holder_id": party_id(held.holder),
                    "amount": held.amount,
                    "status": "free",
                }
                for held in built.holdings
            ],
        )
    engine.dispose()


def request_of(transfer: Transfer) -> bytes:
    """Returns the request that makes the same transfer here."""
    body = OfferBody(
        id=transfer.sid,
        lot=transfer.lot,
        amount=transfer.amount,
        assignee=party_id(transfer.assignee),
        terms=TERMS,
    )
    authority = f"Authorization: Bearer {token_of(transfer.assignor)}"
    return request("/offers", body.model_dump_json().encode(), authority)


def verify_answer(transfer: Transfer, answer: Answer) -> None:
    """Checks an answer."""
    if answer.status != 201:
        raise AssertionError(f"status {answer.status}: {answer.body[:300]!r}")
    said = OfferOut.model_validate_json(answer.body)
    if (said.id, said.amount, said.remainder, len(said.notices)) != (
        transfer.sid,
        transfer.amount,
        transfer.remainder,
        2,
    ):
        raise AssertionError(f"answered {said}")


def verify_written(database: str, built: Built, sent: Sequence[Transfer]) -> None:
    """Checks that all is there and the free lots add up."""
    engine = open_engine(database, pool=1)
    with engine.connect() as connection:
        total = connection.scalar(sa.select(sa.func.sum(Lot.amount)).where(Lot.status == "free"))
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(each))
            for each in (Offer, Notice, Audit)
        ]
    engine.dispose()
    if total != sum(held.amount for held in built.holdings):
        raise AssertionError(f"the free lots add up to {total}")
    if counts != [len(sent), 2 * len(sent), len(sent)]:
        raise AssertionError(f"{counts} offers, notices and audit rows of {len(sent)} requests")


def serve(app: FastAPI, port_file: Path) -> None:
    """Serves at a free port until told to stop; writes the port to a file first."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    fresh = port_file.with_suffix(".new")
    fresh.write_text(str(listener.getsockname()[1]))
    fresh.rename(port_file)
    uvicorn.Server(config).run(sockets=[listener])


def parse(prog: str) -> argparse.ArgumentParser:
    """Returns the options of an opponent's server."""
    parser = argparse.ArgumentParser(prog=prog)
    parser.add_argument("--origin", help="not used: there is no log")
    parser.add_argument("--dir", help="not used: there is no log key")
    parser.add_argument("--database", required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--pool", type=int, default=1)
    return parser


def main() -> None:
    """Serves a database that was filled."""
    given = parse("python -m tests.benchmarks.naive").parse_args()
    serve(create_app(open_engine(given.database, pool=given.pool)), given.port_file)


if __name__ == "__main__":
    main()
