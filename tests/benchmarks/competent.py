"""The strong opponent: what an expert makes of the same design in a week.

Every request is signed and verified; SQLAlchemy Core instead of the ORM, its
statements made once, a key read once, one connection, no thread to hand over to. But
still a commit a request: each waits for the disk alone. The database is as durable
(SQLite, WAL, `synchronous=FULL`). There is no hash chain, no proof, no replay.

    python -m tests.benchmarks.competent --database sqlite:///competent.db --port-file port
"""

import base64
import datetime
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from registry.signing import detach, split_jws
from tests.benchmarks import naive
from tests.benchmarks.load import Answer
from tests.benchmarks.naive import Base, Lot, Notice, Offer, Party, Voucher, open_engine
from tests.benchmarks.transfers import Transfer, party_id, party_key, request
from tests.benchmarks.workload import Built

_METADATA: Final = sa.MetaData()
KEYS: Final = sa.Table(
    "signing_key",
    _METADATA,
    sa.Column("kid", sa.Text, primary_key=True),
    sa.Column("party_id", sa.Text, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
)
STATEMENTS: Final = sa.Table(
    "statement",
    _METADATA,
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("sid", sa.Text, nullable=False, unique=True),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("jws", sa.Text, nullable=False),
    sa.UniqueConstraint("by", "id"),
)


class RefusedError(Exception):
    """The request is refused."""

    def __init__(self, status: int, reason: str) -> None:
        """Keeps the status and the reason."""
        super().__init__(reason)
        self.status = status


_LOT, _VOUCHER, _OFFER, _NOTICE = (
    Base.metadata.tables[each.__tablename__] for each in (Lot, Voucher, Offer, Notice)
)
_FIND_KEY: Final = sa.select(KEYS.c.party_id, KEYS.c.raw).where(KEYS.c.kid == sa.bindparam("kid"))
_FIND_LOT: Final = (
    sa.select(
        _LOT.c.holder_id,
        _LOT.c.amount,
        _LOT.c.status,
        _VOUCHER.c.id,
        _VOUCHER.c.debtor_id,
        _VOUCHER.c.co_debtor_id,
    )
    .join(_VOUCHER, _VOUCHER.c.id == _LOT.c.voucher_id)
    .where(_LOT.c.id == sa.bindparam("lot"))
)
_FIND_PARTY: Final = sa.select(Party.id).where(Party.id == sa.bindparam("party"))
_SPEND: Final = sa.update(_LOT).values(status="spent").where(_LOT.c.id == sa.bindparam("lot"))
_ADD_LOT: Final = sa.insert(_LOT)
_ADD_OFFER: Final = sa.insert(_OFFER)
_ADD_NOTICE: Final = sa.insert(_NOTICE)
_ADD_STATEMENT: Final = sa.insert(STATEMENTS)


class Ledger:
    """The ledger, behind one connection that stays open."""

    def __init__(self, engine: sa.Engine) -> None:
        """Opens the connection."""
        self._connection = engine.connect()
        self._keys: dict[str, tuple[str, Ed25519PublicKey]] = {}

    def submit(self, signature: str, payload: bytes) -> dict[str, Any]:
        """Verifies and commits one signed offer.

        Raises:
            RefusedError: Something is wrong with it.
        """
        header, _, sealed = signature.split(".")
        signing_input = header.encode() + b"." + _encode(payload)
        owner, key = self._key(json.loads(_decode(header))["kid"])
        try:
            key.verify(_decode(sealed), signing_input)
        except InvalidSignature:
            raise RefusedError(401, "the signature is wrong") from None
        statement = json.loads(payload)
        if statement["by"] != owner:
            raise RefusedError(403, "the key is another party's")
        sid = _encode(hashlib.sha256(signing_input).digest()).decode()
        row = {
            "sid": sid,
            "by": owner,
            "id": statement["id"],
            "jws": f"{signing_input.decode()}.{sealed}",
        }
        with self._connection.begin():
            answer = self._offer(sid, statement)
            self._connection.execute(_ADD_STATEMENT, row)
        return answer

    def _key(self, kid: str) -> tuple[str, Ed25519PublicKey]:
        """Returns a key's owner and the key."""
        found = self._keys.get(kid)
        if found is None:
            with self._connection.begin():
                row = self._connection.execute(_FIND_KEY, {"kid": kid}).one_or_none()
            if row is None:
                raise RefusedError(401, "the key is unknown")
            found = self._keys[kid] = row[0], Ed25519PublicKey.from_public_bytes(row[1])
        return found

    def _offer(self, sid: str, statement: dict[str, Any]) -> dict[str, Any]:
        """Makes the transfer."""
        execute = self._connection.execute
        by, body = statement["by"], statement["body"]
        amount, assignee = int(body["amount"]), body["assignee"]
        row = execute(_FIND_LOT, {"lot": body["lot"]}).one_or_none()
        if row is None or row[0] != by:
            raise RefusedError(404, "no such lot")
        _, held, status, voucher, debtor, co_debtor = row
        if status != "free" or amount > held:
            raise RefusedError(409, "the lot is not free, or not as large")
        known = execute(_FIND_PARTY, {"party": assignee}).one_or_none()
        if known is None or assignee in (by, debtor, co_debtor):
            raise RefusedError(422, "cannot take it")
        execute(_SPEND, {"lot": body["lot"]})
        parts = [("2", assignee, amount), ("1", by, held - amount)]
        lots = [
            {
                "id": f"{sid}.{n}",
                "voucher_id": voucher,
                "holder_id": holder,
                "amount": part,
                "status": "free",
            }
            for n, holder, part in parts
            if part
        ]
        execute(_ADD_LOT, lots)
        offer = {
            "id": sid,
            "lot_id": body["lot"],
            "assignee_id": assignee,
            "amount": amount,
            "remainder": held - amount,
            "terms": body["terms"],
            "at": datetime.datetime.now(datetime.UTC),
        }
        execute(_ADD_OFFER, offer)
        recipients = [debtor, co_debtor]
        notices = [
            {"offer_id": sid, "recipient_id": each, "acknowledged": False} for each in recipients
        ]
        execute(_ADD_NOTICE, notices)
        return {
            "id": sid,
            "amount": amount,
            "remainder": held - amount,
            "assignee": assignee,
            "notices": recipients,
        }


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def create_app(ledger: Ledger) -> FastAPI:
    """Builds the application."""
    app = FastAPI()

    @app.post("/offers")
    async def offer(request: Request) -> JSONResponse:
        payload = await request.body()
        try:
            # On the event loop: with one connection a thread would only add a hand-over.
            answer = ledger.submit(request.headers["jws-signature"], payload)
        except RefusedError as error:
            return JSONResponse({"reason": str(error)}, status_code=error.status)
        return JSONResponse(answer, status_code=201)

    return app


# --- Its part of the benchmark --------------------------------------------------------


def fill(database: str, built: Built) -> None:
    """Fills an empty database as the naive one, and with the parties' keys."""
    naive.fill(database, built)
    engine = open_engine(database, pool=1)
    _METADATA.create_all(engine)
    rows = [
        {
            "kid": party_key(n).public.kid,
            "party_id": party_id(n),
            "raw": party_key(n).public.raw,
        }
        for n in range(built.scale.parties)
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(KEYS), rows)
    engine.dispose()


def request_of(transfer: Transfer) -> bytes:
    """Returns the request that makes the same transfer here: the same signed bytes."""
    payload = split_jws(transfer.text, what="statement").payload
    return request("/offers", payload, f"JWS-Signature: {detach(transfer.text)}")


def verify_answer(transfer: Transfer, answer: Answer) -> None:
    """Checks an answer."""
    naive.verify_answer(transfer, answer)


def verify_written(database: str, built: Built, sent: Sequence[Transfer]) -> None:
    """Checks that all is there and the free lots add up."""
    engine = open_engine(database, pool=1)
    with engine.connect() as connection:
        total = connection.scalar(sa.select(sa.func.sum(Lot.amount)).where(Lot.status == "free"))
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(each))
            for each in (Offer, Notice, STATEMENTS)
        ]
    engine.dispose()
    if total != sum(held.amount for held in built.holdings):
        raise AssertionError(f"the free lots add up to {total}")
    if counts != [len(sent), 2 * len(sent), len(sent)]:
        raise AssertionError(f"{counts} offers, notices and statements of {len(sent)} requests")


def main() -> None:
    """Serves a database that was filled."""
    given = naive.parse("python -m tests.benchmarks.competent").parse_args()
    engine = open_engine(given.database, pool=1)
    naive.serve(create_app(Ledger(engine)), given.port_file)


if __name__ == "__main__":
    main()
