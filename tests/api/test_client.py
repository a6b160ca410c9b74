"""The client against a server that misbehaves."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.answers import ATTEMPTS
from api.client import Client, RefusedError
from registry.canonical import b64url_encode
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.errors import (
    LogCorruptError,
    MalformedError,
    NoteFailedError,
    ProofFailedError,
    StorageUnknownError,
)
from registry.merkle import MemoryHashes, hash_leaf, prove_consistency, root_at
from registry.signing import jws_id
from tests.builders import FIRST_DAY, ORIGIN, instant, key_of, uscc

PARTY = uscc(7)
Handler = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits for nothing, and remembers how long it would have been."""
    taken: list[float] = []
    monkeypatch.setattr("api.answers.time.sleep", taken.append)
    return taken


def client_of(handler: Handler, **options: Any) -> Client:
    return Client(
        "http://test",
        origin=ORIGIN,
        keys={PARTY: key_of("s1")},
        read_keys={PARTY: key_of("s1 reads")},
        clock=lambda: instant(FIRST_DAY),
        tail=lambda: bytes(10),
        transport=httpx.MockTransport(handler),
        **options,
    )


def sealed(request: httpx.Request) -> httpx.Response:
    """Answers as a server that seals everything at index 4."""
    header, _, signature = request.headers["jws-signature"].split(".")
    assert signature
    sid = jws_id(f"{header}.{b64url_encode(request.content)}".encode())
    result = {"sid": sid, "index": 4, "time": 5, "leaf_hash": "A" * 43, "effects": {}}
    return httpx.Response(201, json=result)


def grant(client: Client) -> str:
    return client.sign("mandate.grant", by=PARTY, body={"account": "A" * 43})


def test_ids_and_time_are_what_was_injected() -> None:
    assert grant(client_of(sealed)) == grant(client_of(sealed))


def test_the_same_bytes_are_sent_again_when_the_connection_breaks() -> None:
    sent: list[tuple[bytes, str]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append((request.content, request.headers["jws-signature"]))
        if len(sent) < 3:
            raise httpx.ReadError("connection lost")
        return sealed(request)

    client = client_of(handler)
    assert client.submit(grant(client)).index == 4
    assert len(sent) == 3
    assert len(set(sent)) == 1


def test_an_outcome_that_stays_unknown_is_said_to_be() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    client = client_of(handler)
    with pytest.raises(StorageUnknownError):
        client.submit(grant(client))


def test_a_busy_server_is_left_alone_as_long_as_it_asks(naps: list[float]) -> None:
    calls = 0

    def handler(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        busy = httpx.Response(503, headers={"Retry-After": "2"}, json={"code": "writer-busy"})
        return busy if calls == 1 else sealed(request)

    client = client_of(handler)
    client.submit(grant(client))
    assert naps == [2.0]


def test_a_server_that_stays_busy_refuses() -> None:
    calls = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        headers = {"Content-Type": "application/problem+json"}
        content = json.dumps({"code": "writer-busy", "status": 503})
        return httpx.Response(503, headers=headers, content=content)

    client = client_of(handler)
    with pytest.raises(RefusedError) as refused:
        client.submit(grant(client))
    assert refused.value.code == "writer-busy"
    assert calls == ATTEMPTS


def test_a_refusal_is_not_tried_again() -> None:
    calls = 0

    def handler(_: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        return httpx.Response(500, text="<html>")

    client = client_of(handler)
    with pytest.raises(RefusedError) as refused:
        client.submit(grant(client))
    assert (refused.value.status, calls) == (500, 1)


def test_refuses_a_result_of_another_statement() -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        result = {"sid": "B" * 43, "index": 4, "time": 5, "leaf_hash": "A" * 43, "effects": {}}
        return httpx.Response(201, json=result)

    client = client_of(handler)
    with pytest.raises(MalformedError):
        client.submit(grant(client))


def test_refuses_fewer_results_than_lines() -> None:
    client = client_of(
        lambda _: httpx.Response(200, text='{"status":409,"problem":{"code":"x"}}\n')
    )
    with pytest.raises(MalformedError):
        client.submit_many([grant(client), grant(client)])


def test_bulk_goes_in_chunks_of_a_thousand() -> None:
    sizes: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        lines = request.content.split(b"\n")
        sizes.append(len(lines))
        problem = {"status": 409, "problem": {"code": "voucher-due", "status": 409}}
        return httpx.Response(200, text=f"{json.dumps(problem)}\n" * len(lines))

    client = client_of(handler)
    results = client.submit_many([grant(client)] * 2_001)
    assert sizes == [1_000, 1_000, 1]
    assert {result.problem["code"] for result in results} == {"voucher-due"}
    with pytest.raises(RefusedError):
        results[0].require()


def test_a_token_is_kept_until_shortly_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(sealed)
    now = 1_800_000_000.0
    monkeypatch.setattr("api.client.time.time", lambda: now)
    first = client.token(PARTY)
    assert client.token(PARTY) == first
    now += 200
    assert client.token(PARTY) != first


class Log:
    """A log that shows what it is told to show."""

    def __init__(self, count: int = 8) -> None:
        self.leaves = [hash_leaf(bytes([number])) for number in range(count)]
        self.size = 3
        self.key = key_of("log")

    def note(self) -> str:
        root = root_at(MemoryHashes(self.leaves[: self.size]), self.size)
        return sign_checkpoint(Checkpoint(ORIGIN, self.size, root), self.key)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/log/checkpoint":
            return httpx.Response(200, text=self.note())
        *_, old, new = request.url.path.split("/")
        path = prove_consistency(
            MemoryHashes(self.leaves[: int(new)]), old_size=int(old), new_size=int(new)
        )
        return httpx.Response(200, json={"path": [b64url_encode(node) for node in path]})


def test_a_log_that_grows_is_seen_and_carried() -> None:
    log = Log()
    client = client_of(log, log_key=key_of("log").public, seen_every=1)
    assert client.checkpoint().size == 3
    log.size = 7
    assert client.checkpoint().size == 7
    assert client.seen is not None
    assert client.seen.size == 7
    log.size = 5
    assert client.checkpoint().size == 5
    assert client.seen.size == 7


@pytest.mark.parametrize("size", [3, 5, 7, 8])
def test_a_forked_log_is_found(size: int) -> None:
    log = Log()
    log.size = 7
    client = client_of(log, log_key=key_of("log").public)
    client.checkpoint()
    log.leaves[1] = hash_leaf(b"forged")
    log.size = size
    with pytest.raises(LogCorruptError):
        client.checkpoint()
    assert client.seen is not None
    assert client.seen.size == 7


def test_a_checkpoint_by_another_key_is_not_believed() -> None:
    log = Log()
    log.key = key_of("somebody")
    client = client_of(log, log_key=key_of("log").public)
    with pytest.raises(NoteFailedError):
        client.checkpoint()


def test_a_receipt_that_does_not_prove_is_refused() -> None:
    log = Log()

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return log(request)
        answered = sealed(request).json()
        answered |= {"index": 2, "receipt": {"checkpoint": log.note(), "path": []}}
        return httpx.Response(201, json=answered)

    client = client_of(handler, log_key=key_of("log").public, seen_every=0)
    with pytest.raises(ProofFailedError):
        client.submit(grant(client), wait=True)
