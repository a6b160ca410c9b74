"""Several fronts before one writer: real processes, real HTTP, and the same answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest

from api.answers import Result
from api.client import Client
from registry.canonical import Json, b64url_encode, salted_digest
from registry.signing import PrivateKey, jws_id
from tests.api.served import Street, connect, server
from tests.builders import ORIGIN, key_of, possession_proof
from tests.postgres import NEWEST, Server, version_of

FRONTS = 2
CONNECTIONS = 12
"""New connections, which the system spreads: that one front gets them all is unlikely."""

SECONDS = 20
TERMS: dict[str, Json] = {"price": "970000"}
SALT = b"s" * 16


@pytest.fixture(scope="module", params=["sqlite", f"postgresql-{NEWEST}"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Gives an empty database of each engine; empty for the default, a file."""
    if request.param == "sqlite":
        yield ""
        return
    postgres = Server(version_of(request.param)).start()
    yield postgres.fresh_schema().url
    postgres.remove()


@pytest.fixture(scope="module")
def url(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server(tmp_path_factory.mktemp("fronts"), database=database, fronts=FRONTS) as address:
        yield address


@pytest.fixture(scope="module")
def town(url: str) -> Iterator[Street]:
    with connect(url) as client:
        yield Street(client).settle_in()


@contextmanager
def others(town: Street, url: str) -> Iterator[list[Client]]:
    """Gives clients that have connections of their own."""
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(url)) for _ in range(CONNECTIONS)]
        for client in clients:
            client.read_keys = town.client.read_keys
            client.get("/livez")
        yield clients


def together(*actions: Callable[[], Any]) -> None:
    """Runs all at once and waits for all."""
    threads = [threading.Thread(target=action) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_what_is_written_on_one_connection_is_read_on_all_at_once(town: Street, url: str) -> None:
    lot = f"{town.issue()}.0"
    with others(town, url) as clients:
        for number in range(1, 6):
            offer = town.transfer(lot, number, by="s1", to="s2")
            lot = f"{offer}.1"
            for client in clients:
                read = client.get(f"/v1/lots/{offer}.2", by=town.ids["s2"])
                assert (read["amount"], read["holder"]) == (str(number), town.ids["s2"])


def test_a_checkpoint_that_was_waited_for_is_everywhere(town: Street, url: str) -> None:
    with others(town, url) as clients:
        for _ in range(3):
            body = town.issue_body()
            result = town.client.do("voucher.issue", by=town.ids["core"], body=body, wait=True)
            assert result.receipt
            for client in clients:
                size = client.checkpoint().size
                assert size > result.index
                client.get(f"/v1/log/proof/inclusion/{result.index}/{size}")


def test_bulk_keeps_the_order_of_its_lines(town: Street, url: str) -> None:
    """Each line spends what the line before has left."""
    starts = [f"{town.issue()}.0" for _ in range(4)]
    requests: list[list[str]] = []
    for lot in starts:
        texts = []
        for _ in range(150):
            text = town.sign("s1", "transfer.offer", town.offer_body(lot, 1, "s2"))
            lot = jws_id(text.encode()) + ".1"
            texts.append(text)
        requests.append(texts)
    outcomes: list[list[Result]] = []

    def send(client: Client, texts: list[str]) -> None:
        outcomes.append(client.submit_many(texts))

    with others(town, url) as clients:
        together(*(partial(send, *each) for each in zip(clients, requests, strict=False)))
    assert len(outcomes) == len(requests)
    for results in outcomes:
        assert [each.status for each in results] == [201] * 150
        assert [each.index for each in results] == sorted(each.index for each in results)


def test_of_many_who_spend_one_lot_on_many_connections_one_wins(town: Street, url: str) -> None:
    lot = f"{town.issue()}.0"
    texts = [
        town.sign("s1", "transfer.offer", town.offer_body(lot, 1, "s2")) for _ in range(CONNECTIONS)
    ]
    outcomes: list[Result] = []

    def send(client: Client, text: str) -> None:
        outcomes.extend(client.submit_many([text]))

    with others(town, url) as clients:
        together(*(partial(send, *each) for each in zip(clients, texts, strict=True)))
        assert sorted(each.status for each in outcomes) == [201, *[404] * (CONNECTIONS - 1)]
        won = next(each for each in outcomes if each.status == 201)
        # The same bytes, at whichever front: the first result.
        again = [
            client.submit_many([texts[[jws_id(t.encode()) for t in texts].index(won.sid)]])
            for client in clients
        ]
    assert {(each.status, each.index) for (each,) in again} == {(200, won.index)}


def test_a_key_that_is_revoked_seals_nothing_at_any_front(town: Street, url: str) -> None:
    """Every front knows the key, from before: that it may not sign any more is decided later."""
    second = key_of("s3, the second")
    body: dict[str, Json] = {
        "key": dict(second.public.jwk()),
        "use": "sign",
        "proof": possession_proof(second, origin=ORIGIN, party=town.ids["s3"]),
    }
    town.do("s3", "key.add", body)

    def send(client: Client) -> Result:
        reader = PrivateKey.generate()
        add: dict[str, Json] = {
            "key": dict(reader.public.jwk()),
            "use": "read",
            "proof": possession_proof(reader, origin=ORIGIN, party=town.ids["s3"]),
        }
        return client.submit_many([town.sign("s3", "key.add", add, key=second)])[0]

    with others(town, url) as clients:
        assert {send(client).status for client in clients} == {201}
        town.do("s3", "key.revoke", {"kid": second.public.kid})
        assert {send(client).problem["code"] for client in clients} == {"key-revoked"}


def test_refusals_come_back_with_their_facts(town: Street) -> None:
    body = town.offer_body(f"{town.issue()}.0", 10**11, "s2")
    problem = town.client.submit_many([town.sign("s1", "transfer.offer", body)])[0].problem
    assert problem["code"] == "insufficient-holding"
    assert problem["facts"]["requested"] == 10**11


def test_openings_put_on_one_connection_are_found_on_all(town: Street, url: str) -> None:
    digest, by = salted_digest(SALT, TERMS), town.ids["s1"]
    opening: dict[str, Json] = {"digest": digest, "salt": b64url_encode(SALT), "terms": TERMS}
    with others(town, url) as clients:
        clients[0].put_openings([opening], by=by)
        for client in clients:
            assert client.get(f"/v1/openings/{digest}", by=by)["terms"] == TERMS
