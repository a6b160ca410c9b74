"""Starting and stopping as an operator sees it: one line that says why, and an exit code."""

import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from api.lock import DirectoryInUseError, held
from clearing.rulebook import RULEBOOK
from registry.store.sql import SqlStore
from tests.api.cli.terminal import Done, invoke
from tests.api.served import ROOT, START_SECONDS, Street, connect
from tests.builders import ORIGIN, key_of
from tests.demonstration import TALLYSTICK
from tests.postgres import NEWEST, Server


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Gives back what a server sets for its whole process."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def serve(directory: Path, *options: str) -> Done:
    return invoke(["serve", "--origin", ORIGIN, "--dir", str(directory), *options], {})


def said(done: Done, *, exits: int) -> str:
    """Returns the one line that a start which failed ends with."""
    assert (done.code, done.stdout) == (exits, "")
    assert "Traceback" not in done.stderr
    line, end, more = done.stderr.partition("\n")
    assert (end, more) == ("\n", ""), done.stderr
    return line


@contextmanager
def running(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Starts a server of its own process, and gives it with its address; ends it."""
    directory.mkdir(exist_ok=True)
    (directory / "log-key.pem").write_bytes(key_of("log").to_pem())
    port_file = directory / "port"
    port_file.unlink(missing_ok=True)
    process = subprocess.Popen(  # noqa: S603 (our own program)
        [
            *(*TALLYSTICK, "serve", "--origin", ORIGIN, "--dir", str(directory)),
            *("--port", "0", "--port-file", str(port_file), *options),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        end = time.monotonic() + START_SECONDS
        while not port_file.exists():
            assert process.poll() is None, "the server did not start"
            assert time.monotonic() < end, "the server took too long"
            time.sleep(0.02)
        yield process, f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


class TestSettings:
    @pytest.mark.parametrize("port", ["99999", "-1", "http"])
    def test_refuses_what_is_no_port(self, tmp_path: Path, port: str) -> None:
        done = serve(tmp_path, "--port", port)
        assert (done.code, done.stdout) == (2, "")
        assert "Invalid value for '--port'" in done.stderr

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("registry.db", "this is no URL"),
            ("mysql://host/name", "there is no store for mysql"),
            ("postgresql://host:5432x/name", "this is no URL"),
            ("postgresql://host/name?schema=a;b", "one name of a-z, 0-9 and _"),
            ("sqlite://", "needs a file"),
        ],
    )
    def test_refuses_what_names_no_database(self, tmp_path: Path, url: str, why: str) -> None:
        assert why in said(serve(tmp_path, "--database", url), exits=2)

    def test_refuses_a_name_that_no_log_can_have(self, tmp_path: Path) -> None:
        done = invoke(["serve", "--origin", "a b", "--dir", str(tmp_path)], {})
        assert said(done, exits=2).startswith("cannot serve: origin: ")


class TestSurroundings:
    def test_database_that_nobody_answers_for_is_said_to_be_so(self, tmp_path: Path) -> None:
        line = said(serve(tmp_path, "--database", "postgresql://a@127.0.0.1:1/b"), exits=1)
        assert "Connection refused" in line

    def test_file_that_cannot_be_made_is_said_to_be_so(self, tmp_path: Path) -> None:
        line = said(serve(tmp_path, "--database", f"sqlite:///{tmp_path}/none/x.db"), exits=1)
        assert line == "cannot serve: unable to open database file"

    def test_wrong_password_is_said_to_be_so_and_never_shown(self, tmp_path: Path) -> None:
        postgres = Server(NEWEST)
        try:
            rules = postgres.directory / "data" / "pg_hba.conf"
            rules.write_text("local all guest scram-sha-256\n" + rules.read_text())
            postgres.start()
            with postgres.connect() as connection:
                connection.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
            url = f"postgresql://guest:wrong-one@/postgres?host={postgres.directory}"
            line = said(serve(tmp_path, "--database", url), exits=1)
        finally:
            postgres.remove()
        assert 'password authentication failed for user "guest"' in line
        assert "wrong-one" not in line

    def test_address_that_is_taken_is_said_to_be_so(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            line = said(serve(tmp_path, "--port", str(taken.getsockname()[1])), exits=1)
        assert "Address already in use" in line

    def test_directory_that_cannot_be_made_is_said_to_be_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        line = said(serve(tmp_path / "file" / "dir", "--database", "memory:"), exits=1)
        assert "Not a directory" in line


class TestOneServer:
    def test_second_server_on_a_directory_is_refused_and_the_first_writes_on(
        self, tmp_path: Path
    ) -> None:
        with running(tmp_path) as (first, url):
            line = said(serve(tmp_path), exits=1)
            assert line == f"cannot serve: {tmp_path} is in use by process {first.pid}"
            with connect(url) as client:
                assert client.submit(Street(client).genesis()).index == 0
            assert httpx.get(f"{url}/readyz").json() == {"status": "ok"}

    def test_killed_server_leaves_no_lock_behind(self, tmp_path: Path) -> None:
        with running(tmp_path) as (first, _):
            first.kill()
            first.wait()
            with held(tmp_path):
                assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"

    def test_lock_names_its_holder_and_ends_with_it(self, tmp_path: Path) -> None:
        with held(tmp_path / "new"):
            with pytest.raises(DirectoryInUseError) as caught, held(tmp_path / "new"):
                raise AssertionError("two hold one directory")
            assert caught.value.pid == str(os.getpid())
        with held(tmp_path / "new"):
            pass
        assert stat.S_IMODE((tmp_path / "new" / "lock").stat().st_mode) == 0o600

    def test_fenced_server_says_why_and_goes_on_reading(self, tmp_path: Path) -> None:
        with running(tmp_path) as (process, url), connect(url) as client:
            store = SqlStore(f"sqlite:///{tmp_path}/registry.db", RULEBOOK.tables)
            store.acquire()
            store.close()
            genesis = Street(client).genesis()
            assert httpx.post(f"{url}/v1/statements", content=genesis).status_code == 503
            ready = httpx.get(f"{url}/readyz")
            assert ready.status_code == 503
            reason = "StaleWriterError: the lease is at epoch 2, this writer has 1"
            assert ready.json() == {"status": "read-only", "reason": reason}
            assert httpx.get(f"{url}/livez").status_code == 200
            assert httpx.get(f"{url}/log/checkpoint").status_code == 404
            process.terminate()
            assert process.wait(timeout=20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == f"read-only: {reason}\n"
