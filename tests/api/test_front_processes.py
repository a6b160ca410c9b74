"""The processes of several fronts: how they begin and end, and what is lost then: nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api.answers import RefusedError
from api.listening import listener, listeners
from api.server import parse_settings
from tests.api.served import ROOT, START_SECONDS, Street, connect
from tests.benchmarks.measure import family
from tests.builders import ORIGIN
from tests.test_crash import Ground, Registry, assert_sound, load, settle

FRONTS = 2
CONNECTIONS = 12
"""New connections, which the system spreads: that one front gets them all is unlikely."""

SECONDS = 20


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
    found = started_fronts(registry)
    assert len(found) == FRONTS
    return found


def started_fronts(registry: Registry) -> list[int]:
    """Returns the processes of the fronts that there are so far."""
    pids = family(process_of(registry).pid)[1:]
    words = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in pids}
    return [pid for pid in pids if "spawn_main" in words[pid]]


def is_running(pid: int) -> bool:
    """Tells whether a process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_set_up(pid: int) -> bool:
    """Tells whether an interrupt would no longer end a process silently, as it does at first."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool((int(status["SigBlk"], 16) | int(status["SigCgt"], 16)) & 1 << signal.SIGINT - 1)


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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_two_servers_do_not_share_a_port_when_both_are_about_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.listening.PORT_SECONDS", 0.0)
    first = parse_settings(
        ["--origin", ORIGIN, "--database", "memory:", "--dir", str(tmp_path), "--fronts", "3"]
    )
    with listeners(first) as sockets:
        (port,) = {each.getsockname()[1] for each in sockets}
        assert len(sockets) == 3
        for fronts in (1, 2):
            with pytest.raises(OSError, match="in use"):
                listeners(replace(first, port=port, fronts=fronts)).__enter__()
        with pytest.raises(OSError, match="in use"):
            listener(replace(first, port=port, fronts=0))
    with listeners(replace(first, port=port)):
        # It has been left.
        pass


def test_ctrl_c_while_the_fronts_start_ends_all_without_a_word(registry: Registry) -> None:
    registry.launch()
    until = time.monotonic() + START_SECONDS
    while len(fronts := started_fronts(registry)) < FRONTS or not all(map(is_set_up, fronts)):
        assert time.monotonic() < until
        time.sleep(0.01)
    # A terminal tells all of them.
    for pid in (*fronts, process_of(registry).pid):
        os.kill(pid, signal.SIGINT)
    assert process_of(registry).wait(SECONDS) == 0
    assert registry.said == ""
    assert_end(fronts)


@pytest.mark.parametrize(
    ("module", "method", "fronts"),
    [
        ("api.front", "Front.run", 0),
        ("api.service", "Service.close", 0),
        ("api.service", "Service.close", 1),
    ],
    ids=["before it listens to signals", "again, in the end", "again, in the end, with fronts"],
)
def test_a_signal_is_obeyed_whenever_it_comes(
    tmp_path: Path, module: str, method: str, fronts: int
) -> None:
    program = f"""
import os, signal, {module}
from api.server import main

def told(self, *arguments, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    return then(self, *arguments, **options)

then, {module}.{method} = {module}.{method}, told
main()
"""
    server = subprocess.Popen(  # noqa: S603 (our own program)
        [
            *(sys.executable, "-c", program, "--origin", ORIGIN, "--fronts", str(fronts)),
            *("--database", f"sqlite:///{tmp_path}/ledger.db", "--dir", str(tmp_path)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        if method == "Service.close":
            assert server.stdout is not None
            assert server.stdout.readline().startswith(b"listening")
            server.terminate()
        _, said = server.communicate(timeout=START_SECONDS)
    finally:
        server.kill()
    assert (server.returncode, said) == (0, b"")


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
