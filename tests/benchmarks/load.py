"""The load generator: how many requests a second, and how long does each wait?

It runs in a process of its own, sends requests that were made before the clock starts over
connections that stay open, and reads no more of an answer than it must to find its end;
answers are checked when the clock has stopped. A closed loop: each of the clients sends its
next request when it has its answer. Estimate: 15 microseconds of its own CPU a request.

    python -m tests.benchmarks.load --port 8080 --requests FILE --clients 32
"""

import argparse
import json
import multiprocessing
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 18
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it came: its status and its body."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load came to; `answers` are in the order of the requests.

    Attributes:
        seconds: From the first request sent to the last answer received.
        cpu_seconds: CPU time of the load generator itself in that span.
        waits_ns: How long each request waited for the whole of its answer.
        answers: What was answered.
    """

    seconds: float
    cpu_seconds: float
    waits_ns: list[int]
    answers: list[Answer]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.answers) / self.seconds

    def wait_ms(self, share: float) -> float:
        """Returns the wait that this share of the requests did not exceed."""
        ordered = sorted(self.waits_ns)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] / 1e6


class _Client:
    """One connection, and the request that it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.length = 0
        self.number = -1
        self.sent_ns = 0


def drive(port: int, requests: Sequence[bytes], *, clients: int) -> Load:
    """Sends requests from this process and waits for all answers.

    Raises:
        ConnectionError: The server has closed a connection.
        TimeoutError: Nothing was answered for two minutes.
    """
    selector = selectors.DefaultSelector()
    answers: list[bytes] = [b""] * len(requests)
    waits = [0] * len(requests)
    numbers = iter(range(len(requests)))
    clock = time.perf_counter_ns
    everybody = [_Client(port) for _ in range(min(clients, len(requests)))]
    cpu = time.process_time()
    start = clock()
    for client in everybody:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.number = next(numbers)
        client.sent_ns = clock()
        client.socket.sendall(requests[client.number])
    waiting = len(everybody)
    while waiting:
        ready = selector.select(TIMEOUT_S)
        if not ready:
            raise TimeoutError(f"no answer for {TIMEOUT_S} s")
        for key, _ in ready:
            client = key.data
            data = client.socket.recv(_CHUNK)
            if not data:
                raise ConnectionError(f"closed instead of answering {client.number}")
            buffer = client.buffer
            buffer += data
            if not client.length:
                client.length = _length_of(buffer)
            if not client.length or len(buffer) < client.length:
                continue
            waits[client.number] = clock() - client.sent_ns
            answers[client.number] = bytes(buffer)
            buffer.clear()
            client.length = 0
            client.number = next(numbers, -1)
            if client.number < 0:
                waiting -= 1
                continue
            client.sent_ns = clock()
            client.socket.sendall(requests[client.number])
    seconds = (clock() - start) / 1e9
    cpu = time.process_time() - cpu
    for client in everybody:
        client.socket.close()
    selector.close()
    return Load(
        seconds=seconds, cpu_seconds=cpu, waits_ns=waits, answers=[*map(_answer_of, answers)]
    )


def _length_of(buffer: bytearray) -> int:
    """Returns how long an answer is in all; 0 if its head has not come yet."""
    end = buffer.find(_HEAD_END)
    if end < 0:
        return 0
    head = bytes(buffer[:end]).lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise ConnectionError("an answer without a length")
    stop = head.find(b"\r\n", at)
    length = int(head[at + len(_LENGTH) : stop if stop > 0 else len(head)])
    return end + len(_HEAD_END) + length


def _answer_of(data: bytes) -> Answer:
    """Takes an answer apart."""
    head, _, body = data.partition(_HEAD_END)
    return Answer(status=int(head[9:12]), body=body)


def run(port: int, requests: Sequence[bytes], *, clients: int) -> Load:
    """Sends requests from a process of its own and waits for all answers.

    Raises:
        RuntimeError: The process could not do it; its own words stand on stderr.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, port, clients))
    process.start()
    theirs.close()
    try:
        ours.send(list(requests))
        load: Load = ours.recv()
    except EOFError:
        raise RuntimeError("the load generator failed") from None
    finally:
        ours.close()
        process.join()
    return load


def _serve(pipe: Connection, port: int, clients: int) -> None:
    """Drives what comes through a pipe, and sends back what it came to."""
    pipe.send(drive(port, pipe.recv(), clients=clients))
    pipe.close()


def read_requests(file: Path) -> list[bytes]:
    """Reads requests from a file: each a line with its length, then so many bytes."""
    requests = []
    with file.open("rb") as opened:
        while line := opened.readline():
            requests.append(opened.read(int(line)))
    return requests


def write_requests(file: Path, requests: Sequence[bytes]) -> None:
    """Writes requests to a file that `read_requests` reads."""
    file.write_bytes(b"".join(b"%d\n%b" % (len(each), each) for each in requests))


def main() -> None:
    """Drives a server that runs already."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests", type=Path, required=True, help="as write_path --keep writes")
    parser.add_argument("--clients", type=int, default=32)
    given = parser.parse_args()
    load = drive(given.port, read_requests(given.requests), clients=given.clients)
    statuses = [answer.status for answer in load.answers]
    facts = {
        "requests_per_s": round(load.rate),
        "p50_ms": round(load.wait_ms(0.5), 2),
        "p99_ms": round(load.wait_ms(0.99), 2),
        "own_cpu_us": round(load.cpu_seconds / len(statuses) * 1e6, 1),
        "statuses": {each: statuses.count(each) for each in sorted(set(statuses))},
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
