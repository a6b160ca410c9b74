"""The command line: `tallystick <noun> <verb>`.

stdout is data, stderr is talk. Verifying commands are offline and import neither the
server nor a database; commands that write are derived from the table of kinds.
"""

import re
import sys
from collections.abc import Sequence

_DASHED_ID = re.compile(r"-[A-Za-z0-9_-]{42}(\.[0-9]+(![0-9])?)?")

_FLAGS = frozenset({"--json", "--print"})
"""Options that take no value."""


def shield_ids(arguments: Sequence[str]) -> list[str]:
    """Puts an id that begins with a dash behind `--`, where it cannot be taken for options.

    One id in 64 begins like that; the value of an option needs no shield.
    """
    plain: list[str] = []
    dashed: list[str] = []
    for argument in arguments:
        is_value = bool(plain) and plain[-1].startswith("--") and plain[-1] not in _FLAGS
        shielded = _DASHED_ID.fullmatch(argument) is not None and not is_value
        (dashed if shielded else plain).append(argument)
    return [*plain, "--", *dashed] if dashed else plain


def main() -> None:
    """Runs the command line."""
    from api.cli.app import app

    app(shield_ids(sys.argv[1:]))
