"""A server that is killed under load: what it acknowledged is there, once, and nothing is half.

Several clients send signed statements, singly and in bulk, when SIGKILL comes at a
random (seeded) moment: to the registry's process, and where the ledger is in PostgreSQL to
all of its processes in turn. What was killed starts again. Then everything that was
acknowledged must be found where it was said to be, and what got no answer is sent again
with the same bytes. `KILLS=1000` runs it for longer than a test run.
"""

import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import httpx
import pytest

from api.answers import Result, result_of
from api.client import Client
from api.rebuild import check_store
from clearing.rulebook import RULEBOOK
from registry.canonical import Json, b64url_encode
from registry.entries import open_entry
from registry.ids import Sid
from registry.merkle import TreeHead, hash_leaf
from registry.signing import jws_id, split_jws
from registry.store.sql import SqlStore
from tests.api.served import ROOT, START_SECONDS, Street, connect
from tests.builders import FIRST_DAY, ORIGIN, instant, key_of
from tests.postgres import ENGINES, Server, version_of

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", "7"))
CLIENTS = 3
PAIRS_AT_ONCE = 20
"""Offers, each with its acceptance, of one bulk request."""


@dataclass(kw_only=True)
class Ground:
    """What a ledger is kept in, and who can be killed above it."""

    url: str
    postgres: Server | None = None

    @property
    def victims(self) -> tuple[str, ...]:
        return ("registry", "database") if self.postgres else ("registry",)


@pytest.fixture(params=ENGINES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    """Gives an empty database of each engine; a PostgreSQL is the test's own."""
    if request.param == "sqlite":
        yield Ground(url=f"sqlite:///{tmp_path}/ledger.db")
        return
    postgres = Server(version_of(request.param)).start()
    yield Ground(url=postgres.url(), postgres=postgres)
    postgres.remove()


class Registry:
    """A server process on a ledger, which is killed and started again."""

    def __init__(self, directory: Path, ground: Ground, *options: str) -> None:
        directory.mkdir()
        (directory / "log-key.pem").write_bytes(key_of("log").to_pem())
        self.ground = ground
        self.port = 0
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Starts the process, at the same port each time."""
        port_file = self._directory / "port"
        port_file.unlink(missing_ok=True)
        with (self._directory / "stderr").open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                [
                    *(sys.executable, "-m", "api.server", "--origin", ORIGIN),
                    *("--database", self.ground.url, "--dir", str(self._directory)),
                    *("--port", str(self.port), "--port-file", str(port_file)),
                    *self._options,
                ],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def start(self) -> None:
        """Starts the process and waits until it serves."""
        self.launch()
        port_file, end = self._directory / "port", time.monotonic() + START_SECONDS
        while not port_file.exists():
            assert self._process is not None
            assert self._process.poll() is None, f"the server did not start: {self.said}"
            assert time.monotonic() < end, "the server took too long"
            time.sleep(0.02)
        self.port = int(port_file.read_text())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def said(self) -> str:
        """What the process has said to its operator."""
        return (self._directory / "stderr").read_text()

    def readiness(self) -> tuple[int, dict[str, str]]:
        """Asks whether statements are sealed."""
        response = httpx.get(f"{self.url}/readyz")
        return response.status_code, response.json()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Ends the process as a power switch would, as far as the process can tell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ends the process as its operator would."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(timeout=20) == 0


@pytest.fixture
def server(tmp_path: Path, ground: Ground) -> Iterator[Registry]:
    server = Registry(tmp_path / "server", ground)
    yield server
    server.kill()


class Sender:
    """Splits its own lot fen by fen: each offer is of what the one before left over."""

    def __init__(self, town: Street, number: int, lot: str) -> None:
        self.acknowledged: dict[Sid, Result] = {}
        self.unknown: list[str] = []
        self.not_kept: list[str] = []
        self.failure: BaseException | None = None
        self._town = town
        self._lot = lot
        self._pairs = PAIRS_AT_ONCE if number % 2 else 0
        counter = itertools.count()
        self._signer = Client(
            "http://nowhere",
            origin=ORIGIN,
            keys=town.client.keys,
            clock=lambda: instant(FIRST_DAY),
            tail=lambda: hashlib.sha256(f"{number}/{next(counter)}".encode()).digest()[:10],
            seen_every=0,
        )

    def run(self, url: str) -> None:
        """Sends until the server is gone; then the last statements' outcome is not known."""
        self._signer.seen = self._town.client.seen
        try:
            with httpx.Client(base_url=url, timeout=20) as http:
                while not self.unknown:
                    self._send(http)
        except BaseException as error:
            self.failure = error

    def _send(self, http: httpx.Client) -> None:
        """Sends pairs in bulk, or one statement after the other; nothing is sent twice."""
        if self._pairs:
            texts = [text for _ in range(self._pairs) for text in self._next_pair()]
            requests = [texts]
        else:
            requests = [[text] for text in self._next_pair()]
        for number, texts in enumerate(requests):
            later = [text for request in requests[number:] for text in request]
            try:
                response = http.post("/v1/statements", content="\n".join(texts).encode())
            except httpx.TransportError:
                self.unknown = later
                return
            if response.status_code == 503:
                self.unknown = later
                if response.json()["code"] == "storage-failed":
                    self.not_kept = texts
                return
            lines = response.text.splitlines()
            for text, line in zip(texts, lines, strict=True):
                self._acknowledge(text, result_of(json.loads(line), sid=sid_of(text)))

    def _next_pair(self) -> tuple[str, str]:
        """Signs an offer of one fen and its acceptance."""
        town = self._town
        body = town.offer_body(self._lot, 1, "s2")
        offer = self._signer.sign("transfer.offer", by=town.ids["s1"], body=body)
        consent: dict[str, Json] = {"account": town.accounts["s2"], "collection_route": True}
        acceptance = self._signer.sign(
            "transfer.accept", by=town.ids["s2"], body=consent, re=sid_of(offer)
        )
        self._lot = f"{sid_of(offer)}.1"
        return offer, acceptance

    def _acknowledge(self, text: str, result: Result) -> None:
        """Keeps a result, which must be of a statement that nobody had a result of."""
        assert result.require().sid == sid_of(text)
        assert result.sid not in self.acknowledged
        self.acknowledged[result.sid] = result

    def resolve(self, client: Client) -> int:
        """Asks what became of the unknown, and sends the same bytes again.

        Returns:
            How many had been sealed without an answer.
        """
        if self.failure is not None:
            raise self.failure
        texts, self.unknown = self.unknown, []
        by = self._town.ids["s1"]
        found = [client.statement(sid_of(text), by=by) for text in texts]
        sealed = len(found) - found.count(None)
        broken = [sid_of(text) for text, known in zip(texts, found, strict=True) if known]
        assert not set(broken) & set(map(sid_of, self.not_kept)), "said to have failed, and kept"
        self.not_kept = []
        assert None not in found[:sealed], "statements were not sealed in order"
        for text, known, again in zip(texts, found, client.submit_many(texts), strict=True):
            assert again.require().replayed == (known is not None)
            assert known is None or (known.index, known.leaf_hash) == (again.index, again.leaf_hash)
            self._acknowledge(text, again)
        if self.acknowledged:
            last = next(reversed(self.acknowledged.values()))
            found_now = client.statement(last.sid, by=by)
            assert found_now is not None
            assert found_now.leaf_hash == last.leaf_hash
        return sealed


def sid_of(text: str) -> Sid:
    return jws_id(split_jws(text, what="statement").signing_input)


def load(server: Registry, senders: list[Sender], *, until: Callable[[], None]) -> None:
    """Has all senders send at once, until something happens that ends it."""
    threads = [threading.Thread(target=sender.run, args=(server.url,)) for sender in senders]
    for thread in threads:
        thread.start()
    until()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()


def settle(client: Client) -> list[Sender]:
    """Opens the ledger, and gives each sender a lot."""
    town = Street(client).settle_in()
    return [Sender(town, number, f"{town.issue()}.0") for number in range(CLIENTS)]


@pytest.mark.slow
def test_a_killed_server_loses_and_repeats_nothing(server: Registry, ground: Ground) -> None:
    rng = random.Random(SEED)  # noqa: S311 (a test's choices)
    server.start()
    answered_late = went_on = 0

    def kill(victim: str) -> None:
        time.sleep(rng.uniform(0.02, 0.5))
        if victim == "registry":
            server.kill()
        elif ground.postgres is not None:
            ground.postgres.kill()

    with connect(server.url) as client:
        senders = settle(client)
        for victim in islice(itertools.cycle(ground.victims), KILLS):
            load(server, senders, until=partial(kill, victim))
            if victim == "database" and ground.postgres is not None:
                assert httpx.get(f"{server.url}/livez").status_code == 200
                ground.postgres.start()
                if server.readiness()[0] == 200:
                    # Nothing was under way that it could not be sure of: it goes on by itself.
                    went_on += 1
                else:
                    assert "read-only" in server.said
                    server.kill()
            elif rng.random() < 0.3:
                # Killed again while it opens the ledger.
                server.launch()
                time.sleep(rng.uniform(0.0, 1.0))
                server.kill()
            if not server.is_running:
                server.start()
            # What was signed before the crash is what the log goes on from.
            client.caught_up()
            answered_late += sum(sender.resolve(client) for sender in senders)
        head = client.caught_up()
        server.stop()
    acknowledged = {sid: r for sender in senders for sid, r in sender.acknowledged.items()}
    print(
        f"{KILLS} kills, {len(acknowledged)} acknowledged, {answered_late} sealed unanswered, "
        f"{went_on} times the server went on"
    )
    assert_sound(ground, head, acknowledged)


@pytest.mark.slow
def test_split_brain_second_writer_under_load_is_the_only_one(
    server: Registry, ground: Ground, tmp_path: Path
) -> None:
    """Another machine takes over while the first one writes on: the database knows one of them."""
    server.start()
    second = Registry(tmp_path / "elsewhere", ground)
    try:
        with connect(server.url) as client:
            senders = settle(client)
            load(server, senders, until=second.start)
            status, said = server.readiness()
            assert (status, said["status"]) == (503, "read-only")
            assert "StaleWriterError" in said["reason"]
            assert said["reason"] in server.said
            before = {sid for sender in senders for sid in sender.acknowledged}
            assert before, "the first writer wrote nothing"
            assert client.get("/v1/ledger")["size"] > 0, "reads have ended too"
            keys = client.read_keys
        with connect(second.url) as client:
            client.read_keys.update(keys)
            for sender in senders:
                sender.resolve(client)
            head = client.caught_up()
        second.stop()
        server.stop()
    finally:
        second.kill()
    acknowledged = {sid: r for sender in senders for sid, r in sender.acknowledged.items()}
    assert before < acknowledged.keys()
    assert_sound(ground, head, acknowledged)


def assert_sound(ground: Ground, head: TreeHead, acknowledged: dict[Sid, Result]) -> None:
    """The ledger holds each statement once, where it was said to be, and follows from the log."""
    store = SqlStore(ground.url, RULEBOOK.tables)
    try:
        checked = check_store(store, RULEBOOK, origin=ORIGIN)
        assert checked.findings == []
        assert (checked.size, checked.root) == (head.size, b64url_encode(head.root))
        entries = list(store.entries(0, store.size()))
    finally:
        store.close()
    stand = [
        (sid_of(entry.statement), entry.index)
        for entry in map(open_entry, entries)
        if entry.statement
    ]
    indexes = dict(stand)
    assert len(indexes) == len(stand), "a statement stands twice"
    assert {sid: result.index for sid, result in acknowledged.items()}.items() <= indexes.items()
    for result in acknowledged.values():
        assert b64url_encode(hash_leaf(entries[result.index])) == result.leaf_hash
