"""A real server process on a free port, with its ledger in a file."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.client import Client, Result
from registry.signing import jws_id
from tests.api.served import Street, connect, server


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def url(directory: Path) -> Iterator[str]:
    with server(directory) as address:
        yield address


@pytest.fixture(scope="module")
def town(url: str) -> Iterator[Street]:
    with connect(url) as client:
        yield Street(client).settle_in()


def test_a_voucher_s_first_hops_over_http(town: Street) -> None:
    voucher = town.issue()
    offer = town.transfer(f"{voucher}.0", 30, by="s1", to="s2")
    (lot,) = town.client.pages("/v1/lots", by=town.ids["s2"], voucher=voucher)
    assert (lot["lot"], lot["amount"], lot["tier"]) == (f"{offer}.2", "30", 2)
    # Checkpoints come after their entries; whoever waits for one has it.
    text = town.sign("core", "notice.acknowledge", {"notices": [f"{offer}.2!0"]})
    town.client.submit(text, wait=True)
    assert town.client.checkpoint().size > 0


def test_bulk_and_what_follows_it_carry_the_seen_checkpoint(town: Street) -> None:
    lot = f"{town.issue()}.0"
    texts = []
    for _ in range(400):
        text = town.sign("s1", "transfer.offer", town.offer_body(lot, 1, "s2"))
        lot = jws_id(text.encode()) + ".1"
        texts.append(text)
    results = town.client.submit_many(texts)
    assert {result.status for result in results} == {201}
    seen = town.client.checkpoint()
    result = town.client.do("voucher.issue", by=town.ids["core"], body=town.issue_body(), wait=True)
    assert result.receipt
    assert town.client.seen is not None
    assert town.client.seen.size > seen.size


def test_of_many_who_spend_one_lot_one_wins(town: Street, url: str) -> None:
    lot = f"{town.issue()}.0"
    texts = [town.sign("s1", "transfer.offer", town.offer_body(lot, 1, "s2")) for _ in range(16)]
    outcomes: list[Result] = []

    def send(text: str) -> None:
        with Client(url, origin=town.client.origin) as client:
            outcomes.extend(client.submit_many([text]))

    threads = [threading.Thread(target=send, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.status for outcome in outcomes) == [201, *[404] * 15]


def test_a_slow_client_holds_up_nobody(town: Street, url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"POST /v1/statements HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        begin = time.monotonic()
        assert town.client.get("/livez") == {"status": "ok"}
        assert time.monotonic() - begin < 5


def test_what_was_answered_survives_a_restart(tmp_path: Path) -> None:
    with server(tmp_path) as url, connect(url) as client:
        town = Street(client)
        genesis = town.genesis()
        first = client.submit(genesis)
        key = town.read_key("operator")
        client.submit(key, wait=True)
        seen = client.seen
    with server(tmp_path) as url, connect(url) as client:
        client.seen = seen
        again = client.submit(genesis)
        assert again.replayed
        assert (again.index, again.leaf_hash) == (first.index, first.leaf_hash)
        assert client.checkpoint().head == seen
        town.client = client
        for name in ("operator", "registrar"):
            town.name(name, {"operator": 1, "registrar": 2}[name])
        assert client.get("/v1/states", by=town.ids["operator"])["data"] == []


def test_a_server_ends_in_time_although_somebody_holds_a_connection(tmp_path: Path) -> None:
    with server(tmp_path) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        slow = socket.create_connection((host, int(port)))
        slow.sendall(b"POST /v1/statements HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        begin = time.monotonic()
    assert time.monotonic() - begin < 15
    slow.close()
