"""Runs of the demonstration, as a process of its own, and what they leave behind."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TALLYSTICK = (sys.executable, "-c", "from api.cli import main; main()")
"""The command line as a process of its own."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A finished run of the demonstration: what it kept, and what it reported.

    Nobody may change the files; who wants to makes a copy.
    """

    directory: Path
    report: Mapping[str, Any]

    @property
    def vkey(self) -> str:
        return str(self.directory / "log.vkey")


def run_demo(directory: Path, *options: str) -> str:
    """Runs `tallystick demo` and returns what it printed."""
    done = subprocess.run(  # noqa: S603 (our own program)
        [*TALLYSTICK, "demo", "--dir", str(directory), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
