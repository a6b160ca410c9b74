"""The operator's guides, typed as they stand: each command is run, and says what they say."""

import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api.rebuild import rebuild_store
from clearing.rulebook import RULEBOOK
from registry.store.sql import SqlStore
from tests.api.cli.terminal import invoke
from tests.api.served import ROOT, Street, connect
from tests.builders import ORIGIN, key_of
from tests.demonstration import TALLYSTICK
from tests.logs import story
from tests.postgres import NEWEST, Server

GUIDES = ROOT / "docs" / "guides"
CONSOLE = re.compile(r"^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
WAIT_SECONDS = 30.0


def transcript(page: str) -> list[tuple[str, list[str]]]:
    """Returns the commands of a page in order, each with the lines that it prints."""
    text = (GUIDES / page).read_text(encoding="utf-8")
    typed: list[tuple[str, list[str]]] = []
    for block in CONSOLE.finditer(text):
        for line in block["body"].replace("\\\n", "").splitlines():
            if line.startswith("$ "):
                typed.append((line.removeprefix("$ "), []))
            else:
                typed[-1][1].append(line)
    return typed


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@contextmanager
def serving(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Runs `serve` until its first line, then gives the process."""
    with (
        subprocess.Popen(  # noqa: S603 (our own program)
            [*TALLYSTICK, *words[1:]],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process
    ):
        try:
            yield process
        finally:
            process.kill()


class Place:
    """Stands for what a page names: directories, addresses, databases and the log."""

    def __init__(self, directory: Path, postgres: Server) -> None:
        socket_there = f"host={postgres.directory}"
        self._here = {
            "/srv/tallystick": str(directory),
            "/srv/other": str(directory / "other"),
            "registry.example/cn-2026": ORIGIN,
            "tally@localhost/tally?": f"tally@/postgres?{socket_there}&",
            "tally@db.internal/tally?sslmode=verify-full": f"tally@/postgres?{socket_there}",
            "8000": free_port(),
            "8001": free_port(),
        }

    def __call__(self, text: str) -> str:
        for there, here in self._here.items():
            text = text.replace(there, here)
        return text


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    postgres = Server(NEWEST).start()
    (tmp_path / "log-key.pem").write_bytes(key_of("log").to_pem())
    before = os.umask(0o077)
    yield Place(tmp_path, postgres)
    os.umask(before)
    postgres.remove()


def run(command: str, lines: list[str]) -> None:
    """Runs a command to its end; what it prints has the lines in it, whatever the process ids."""
    done = invoke(shlex.split(command)[1:], {})
    for line in lines:
        pattern = re.sub(r"process \d+", r"process \\d+", re.escape(line).replace(r"\ ", " "))
        assert re.search(pattern, done.stdout + done.stderr), f"{command}\n{done}"


def test_running_a_registry(place: Place, tmp_path: Path) -> None:
    (first, lines), *rest = transcript("operate.md")
    of_several = [each for each in rest if " --fronts " in each[0]]
    with serving(shlex.split(place(first))) as process:
        assert process.stdout is not None
        assert process.stdout.readline().rstrip() == place(lines[0])
        for command, expected in rest:
            if (command, expected) in of_several:
                continue
            if not command.startswith("curl "):
                run(place(command), [place(line) for line in expected])
                continue
            url = place(command.removeprefix("curl "))
            assert httpx.get(url).json() == {"status": "ok"}
            fence(tmp_path, url.removesuffix("/readyz"))
            assert httpx.get(url).text == expected[0]
    for command, expected in of_several:
        with serving(shlex.split(place(command))) as process:
            assert process.stdout is not None
            assert process.stdout.readline().rstrip() == place(expected[0])


def fence(directory: Path, url: str) -> None:
    """Takes the lease as a server elsewhere would, and lets the first one notice."""
    store = SqlStore(f"sqlite:///{directory}/registry.db", RULEBOOK.tables)
    store.acquire()
    store.close()
    with connect(url) as client:
        genesis = Street(client).genesis()
    assert httpx.post(f"{url}/v1/statements", content=genesis).status_code == 503


def test_databases(place: Place, tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/registry.db", RULEBOOK.tables)
    rebuild_store(story().world.store, store, RULEBOOK, origin=ORIGIN)
    store.close()
    ran = []
    for command, expected in transcript("database.md"):
        words = shlex.split(place(command))
        if words[1] == "serve":
            with serving([*words, "--port", "0"]) as process:
                assert process.stdout is not None
                assert process.stdout.readline().startswith("listening on ")
        elif words[1] != "demo":  # Its own tests run it, on this engine too.
            run(place(command), [place(line) for line in expected])
        ran.append(words[1:3])
    assert ran[2:] == [["db", "rebuild"], ["db", "migrate"], ["db", "check"]]
