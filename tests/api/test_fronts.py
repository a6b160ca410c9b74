"""Several fronts before one writer: real processes, real HTTP, and the same answers."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.answers import RefusedError, Result
from api.client import Client
from registry.canonical import Json, b64url_encode, salted_digest
from registry.signing import jws_id
from tests.api.served import Street, connect, server
from tests.benchmarks.measure import family
from tests.postgres import NEWEST, Server, version_of
from tests.test_crash import Ground, Registry, assert_sound, load, settle

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


# --- The same answers -------------------------------------------------------------------


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


# --- How they begin and end ---------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    ground = Ground(url=f"sqlite:///{tmp_path}/ledger.db")
    made = Registry(tmp_path / "server", ground, "--fronts", str(FRONTS))
    yield made
    made.kill()


def process_of(registry: Registry) -> "subprocess.Popen[bytes]":
    assert registry._process is not None
    return registry._process


def fronts_of(registry: Registry) -> list[int]:
    """Returns the processes of the fronts."""
    pids = family(process_of(registry).pid)[1:]
    words = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in pids}
    found = [pid for pid in pids if "spawn_main" in words[pid]]
    assert len(found) == FRONTS
    return found


def is_running(pid: int) -> bool:
    """Tells whether a process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def assert_end(pids: list[int]) -> None:
    """Waits for the end of processes."""
    until = time.monotonic() + SECONDS
    while any(map(is_running, pids)):
        assert time.monotonic() < until, "a process has outlived its server"
        time.sleep(0.05)


def test_a_front_that_is_killed_ends_the_server(registry: Registry) -> None:
    registry.start()
    first, second = fronts_of(registry)
    os.kill(first, signal.SIGKILL)
    assert process_of(registry).wait(SECONDS) == 1
    assert "a front has ended with code -9" in registry.said
    assert_end([first, second])


def test_fronts_end_with_their_server_however_it_ends_and_nothing_is_lost(
    registry: Registry,
) -> None:
    registry.start()
    with connect(registry.url) as client:
        senders = settle(client)
        for _ in range(2):
            fronts = fronts_of(registry)

            def kill() -> None:
                time.sleep(0.4)
                registry.kill()

            load(registry, senders, until=kill)
            # At the same port at once: those that are left have left it, or are about to.
            registry.start()
            assert_end(fronts)
            client.caught_up()
            for sender in senders:
                sender.resolve(client)
        head = client.caught_up()
        registry.stop()
    acknowledged = {sid: r for sender in senders for sid, r in sender.acknowledged.items()}
    assert acknowledged
    assert_sound(registry.ground, head, acknowledged)


def test_a_stop_answers_who_is_waiting_and_loses_nothing(registry: Registry) -> None:
    registry.start()
    with connect(registry.url) as client:
        senders = settle(client)
        fronts = fronts_of(registry)

        def stop() -> None:
            time.sleep(0.4)
            # To all of them, as a supervisor does.
            for pid in fronts:
                os.kill(pid, signal.SIGTERM)
            registry.stop()

        load(registry, senders, until=stop)
        assert_end(fronts)
        registry.start()
        client.caught_up()
        late = sum(sender.resolve(client) for sender in senders)
        head = client.caught_up()
        registry.stop()
    assert late == 0, "something was sealed, and nobody was told"
    acknowledged = {sid: r for sender in senders for sid, r in sender.acknowledged.items()}
    assert_sound(registry.ground, head, acknowledged)


@pytest.mark.slow
def test_a_front_that_hangs_is_killed_when_the_server_stops(registry: Registry) -> None:
    registry.start()
    first, second = fronts_of(registry)
    os.kill(first, signal.SIGSTOP)
    registry.stop()
    assert_end([first, second])


def test_more_than_the_writer_takes_in_is_refused_by_every_front(registry: Registry) -> None:
    """The writer stands still: what may wait at a front is its share of what may wait in all."""
    registry.start()
    with connect(registry.url) as client:
        genesis = Street(client).genesis()
        client.submit(genesis)
        answers: list[httpx.Response] = []
        refused = threading.Event()

        def send() -> None:
            with httpx.Client(base_url=registry.url, timeout=SECONDS) as http:
                http.get("/livez")
                answers.append(http.post("/v1/statements", content=genesis.encode()))
                if len(answers) == 4:
                    refused.set()

        os.kill(process_of(registry).pid, signal.SIGSTOP)
        threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        # Eight requests of up to a thousand statements may wait in all, four at each front.
        assert refused.wait(SECONDS)
        assert {each.status_code for each in answers} == {503}
        assert {each.headers["retry-after"] for each in answers} == {"1"}
        assert {each.json()["code"] for each in answers} == {"writer-busy"}
        os.kill(process_of(registry).pid, signal.SIGCONT)
        for thread in threads:
            thread.join(SECONDS)
        assert len(answers) == CONNECTIONS
        assert {each.status_code for each in answers} == {200, 503}
    registry.stop()


def test_two_servers_do_not_share_a_port(registry: Registry, tmp_path: Path) -> None:
    registry.start()
    other = Registry(
        tmp_path / "other", Ground(url=f"sqlite:///{tmp_path}/other.db"), "--fronts", "1"
    )
    other.port = registry.port
    other.launch()
    assert process_of(other).wait(SECONDS) == 1
    assert "cannot serve" in other.said
    assert "in use" in other.said
    registry.stop()


def test_a_ledger_in_memory_has_no_fronts(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "server", Ground(url="memory:"), "--fronts", "1")
    registry.launch()
    assert process_of(registry).wait(SECONDS) == 2
    assert "cannot serve: fronts" in registry.said


def test_a_writer_that_stops_is_no_longer_ready_at_any_front(
    registry: Registry, tmp_path: Path
) -> None:
    """Another machine takes the ledger over."""
    registry.start()
    other = Registry(tmp_path / "elsewhere", registry.ground)
    try:
        with connect(registry.url) as client:
            client.submit(Street(client).genesis())
            other.start()
            town = Street(client)
            town.name("operator", 1)
            with pytest.raises(RefusedError, match="writer-stopped"):
                client.submit(town.read_key("operator"))
        for _ in range(CONNECTIONS):
            status, said = registry.readiness()
            assert (status, said["status"]) == (503, "read-only")
            assert "StaleWriterError" in said["reason"]
        assert registry.said.count("StaleWriterError") == 1
        other.stop()
    finally:
        other.kill()
    registry.stop()
