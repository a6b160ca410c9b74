"""A terminal: runs commands of the command line as a party, in this process."""

import io
import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from api.cli import shield_ids
from api.cli.app import app
from registry.checkpoint import format_verifier_key
from tests.api.served import Street
from tests.builders import ORIGIN, key_of


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a command."""

    code: int
    stdout: str
    stderr: str


@cache
def commands() -> Any:
    """Builds all commands, which takes a while."""
    return get_command(app)


def invoke(arguments: Sequence[str], environment: Mapping[str, str], *, stdin: str = "") -> Done:
    """Runs a command in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in [name for name in os.environ if name.startswith("TALLYSTICK_")]:
            patch.delenv(name)
        for name, value in {"COLUMNS": "100", **environment}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            commands().main(shield_ids(arguments), prog_name="tallystick")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Done(code=code, stdout=out.getvalue(), stderr=err.getvalue())


@dataclass(kw_only=True)
class Terminal:
    """Somebody's shell: a directory with keys, and the environment that names the registry."""

    directory: Path
    url: str = "http://127.0.0.1:9"
    ids: dict[str, str] = field(default_factory=dict)
    talk: str = ""
    """What the last command said beside its data."""

    def __post_init__(self) -> None:
        vkey = format_verifier_key(ORIGIN, key_of("log").public)
        self.path("log.vkey").write_text(vkey + "\n")

    def path(self, name: str) -> Path:
        return self.directory / name

    def run(
        self,
        command: str,
        *more: str | Path,
        by: str = "",
        body: object = None,
        exits: int = 0,
    ) -> str:
        """Runs a command as a party, whose key files bear its name; returns what it printed.

        Args:
            command: As one would type it.
            more: Arguments that need no quoting.
            by: The party.
            body: Given as `--body -` and typed in.
            exits: The exit code that must come of it.
        """
        environment = {
            "TALLYSTICK_URL": self.url,
            "TALLYSTICK_ORIGIN": ORIGIN,
            "TALLYSTICK_LOG_KEY": str(self.path("log.vkey")),
        }
        if by:
            name = by.partition("#")[0]
            environment |= {
                "TALLYSTICK_PARTY": self.ids[by],
                "TALLYSTICK_KEY": str(self.path(f"{name}.pem")),
                "TALLYSTICK_READ_KEY": str(self.path(f"{name}.read.pem")),
            }
        arguments = [*shlex.split(command), *map(str, more)]
        if body is not None:
            arguments += ["--body", "-"]
        done = invoke(arguments, environment, stdin="" if body is None else json.dumps(body))
        self.talk = done.stderr
        assert done.code == exits, f"{command}: {done.code}\n{done.stdout}{done.stderr}"
        return done.stdout if exits == 0 else done.stdout + done.stderr

    def json(self, command: str, *more: str | Path, by: str = "", body: object = None) -> Any:
        """Runs a command that prints JSON."""
        return json.loads(self.run(command, *more, by=by, body=body))


def shell_of(street: Street, directory: Path, url: str) -> Terminal:
    """Gives everybody a shell with their keys."""
    shell = Terminal(directory=directory, url=url, ids=dict(street.ids))
    for name in street.ids:
        if "#" not in name:
            shell.path(f"{name}.pem").write_bytes(key_of(name).to_pem())
            shell.path(f"{name}.read.pem").write_bytes(key_of(f"{name} reads").to_pem())
    return shell
