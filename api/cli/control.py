"""Commands for proof of control: make a challenge, answer it, check the answer."""

import secrets
import time
from typing import Annotated

import typer

from api.cli.common import AsJson, KeyFile, LogKey, Party, Url, pinned, print_json, told
from api.cli.connect import ReadKey, load_key, open_client, refused
from api.cli.screen import out
from api.client import RefusedError
from api.words import STATUSES, said

Challenge = Annotated[str, typer.Option(help="The verifier's challenge.")]


def challenge() -> None:
    """Makes a challenge by chance, to be used once; keep it until the answer comes."""
    print(secrets.token_urlsafe(32))


def control(
    lot: Annotated[str, typer.Argument(help="The lot.")],
    challenge: Challenge,
    party: Party,
    key: KeyFile,
    log_key: LogKey,
) -> None:
    """Answers a challenge: proves to who made it that you control the lot. Needs no server."""
    from api.control import seal_control

    with told():
        origin, _ = pinned("", log_key)
        print(
            seal_control(
                load_key(key),
                by=party,
                aud=origin,
                lot=lot,
                challenge=challenge,
                iat=int(time.time()),
            )
        )


def check(
    answer: Annotated[str, typer.Argument(help="The answer.")],
    challenge: Challenge,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    as_json: AsJson = False,
) -> None:
    """Asks the registry whether an answer to your challenge shows control of a lot, now."""
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            shown = client.check_control(answer, challenge=challenge, by=party)
            name = client.get(f"/v1/parties/{shown['controller'].replace('#', '%23')}", by=party)
        except RefusedError as error:
            raise refused(error) from None
    if as_json:
        print_json(shown)
        return
    burden = ", 权利负担 burdened" if shown["is_burdened"] else ""
    out.print(f"{name['name']} ({shown['controller']}) controls {shown['lot']}")
    out.print(f"{said(STATUSES, shown['status'])}{burden}, as of {shown['as_of']:,} entries")


COMMANDS = (
    ("lot", "challenge", challenge),
    ("lot", "control", control),
    ("lot", "check-control", check),
)
