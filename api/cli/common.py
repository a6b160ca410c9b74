"""What commands share: where the registry is, who asks, and how things are printed."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from registry.checkpoint import parse_verifier_key
from registry.errors import MalformedError, RegistryError
from registry.ids import Origin
from registry.signing import PublicKey

ENVIRONMENT = 1
USAGE = 2
DATABASE_HELP = "sqlite:///path or postgresql://user@host/name"

Url = Annotated[
    str, typer.Option(envvar="TALLYSTICK_URL", help="Where the registry is, such as http://host.")
]
Party = Annotated[str, typer.Option("--as", envvar="TALLYSTICK_PARTY", help="The party that acts.")]
KeyFile = Annotated[
    Path, typer.Option("--key", envvar="TALLYSTICK_KEY", help="Its key, a PKCS #8 file.")
]
OriginText = Annotated[
    str, typer.Option("--origin", envvar="TALLYSTICK_ORIGIN", help="The log's name, pinned.")
]
LogKey = Annotated[
    Path,
    typer.Option(
        "--log-key", envvar="TALLYSTICK_LOG_KEY", help="The log's verifier key (C2SP), pinned."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

talk = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
"""For people: what is going on, and what went wrong. Brackets in a text are brackets."""


def pinned(origin: str, log_key: Path) -> tuple[Origin, PublicKey]:
    """Reads the verifier key, which must be the origin's.

    Raises:
        typer.Exit: It cannot be read (1), or is another log's (2).
    """
    try:
        named, key = parse_verifier_key(log_key.read_text().strip())
    except OSError as error:
        talk.print(f"cannot read the log key: {error}")
        raise typer.Exit(ENVIRONMENT) from None
    except RegistryError as error:
        talk.print(f"{log_key} is no verifier key: {error}")
        raise typer.Exit(USAGE) from None
    if origin and origin != named:
        talk.print(f"{log_key} is the key of {named}, and --origin says {origin}")
        raise typer.Exit(USAGE)
    return named, key


def print_json(value: Any) -> None:
    """Prints data."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


@contextmanager
def told(*, malformed: int = ENVIRONMENT) -> Iterator[None]:
    """Turns expected errors into one line and an exit code.

    Args:
        malformed: The exit code where only an option can be malformed, and so is wrong.
    """
    try:
        yield
    except RegistryError as error:
        talk.print(f"{error.code}: {error}", style="red")
        code = malformed if isinstance(error, MalformedError) else ENVIRONMENT
        raise typer.Exit(code) from None
    except OSError as error:
        talk.print(str(error), style="red")
        raise typer.Exit(ENVIRONMENT) from None
