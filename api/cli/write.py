"""Commands that sign and send: one for every kind, derived from the table of kinds.

tallystick transfer accept --re OFFER --body '{"account": "…", "collection_route": true}'
"""

import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.common import USAGE, AsJson, KeyFile, print_json, talk, told
from api.cli.connect import LogKey, MayReadKey, Party, ReadKey, Url, open_client, refused
from api.cli.outcome import as_data, tell_result
from api.client import Client, RefusedError
from clearing.rulebook import RULEBOOK
from registry.canonical import Json, b64url_encode, salted_digest
from registry.ids import Origin, PartyId
from registry.packs import CALENDAR_PACKS, POLICY_PACKS, calendar_pack, policy_pack
from registry.rules.keys import POSSESSION_TYP, possession_payload
from registry.signing import PrivateKey, seal_jws
from registry.statements import Kind

Text = Annotated[
    str, typer.Option(help="The body as JSON, @FILE to read it from a file, - for stdin.")
]
Print = Annotated[
    bool, typer.Option("--print", help="Print the signed statement, and send nothing.")
]
Re = Annotated[str | None, typer.Option(help="The statement that this answers.")]
Pack = Annotated[
    str | None,
    typer.Option(help="What comes with the program under this name, where the body has nothing."),
]


def _write(kind: Kind[Any]) -> Callable[..., None]:
    """Returns the command that signs and sends a statement of a kind."""

    def write(
        url: Url,
        party: Party,
        key: KeyFile,
        log_key: LogKey,
        body: Text = "{}",
        re: Re = None,
        read_key: MayReadKey = None,
        dry_run: Print = False,
        as_json: AsJson = False,
    ) -> None:
        with told():
            value = _read_body(body)
            with open_client(url, log_key, party=party, key=key, read_key=read_key) as client:
                text = _sign(client, kind, party, value, re=re)
                if dry_run:
                    print(text)
                else:
                    _send(client, kind, party, text, as_json=as_json)

    write.__doc__ = _help(kind)
    return write


def _publish(kind: Kind[Any], pack_of: Callable[[str], dict[str, Json]]) -> Callable[..., None]:
    """Returns the command of a kind whose body can be filled from a pack."""

    def publish(
        url: Url,
        party: Party,
        key: KeyFile,
        log_key: LogKey,
        pack: Pack = None,
        body: Text = "{}",
        read_key: MayReadKey = None,
        dry_run: Print = False,
        as_json: AsJson = False,
    ) -> None:
        with told():
            value = _read_body(body)
            if pack is not None:
                try:
                    value = {**pack_of(pack), **value}
                except KeyError:
                    known = ", ".join((*POLICY_PACKS, *CALENDAR_PACKS))
                    talk.print(f"there is no pack {pack} for this; there are {known}")
                    raise typer.Exit(2) from None
            with open_client(url, log_key, party=party, key=key, read_key=read_key) as client:
                text = _sign(client, kind, party, value, re=None)
                if dry_run:
                    print(text)
                else:
                    _send(client, kind, party, text, as_json=as_json)

    publish.__doc__ = _help(kind)
    return publish


def _help(kind: Kind[Any]) -> str:
    """Returns what a command says of itself."""
    body = f"What its body holds: `tallystick kind list {kind.name}`."
    return f"{kind.summary}\n\nSigned by: {kind.relation}.\n\n{body}"


def _first_pack(name: str) -> dict[str, Json]:
    """Returns what a policy pack puts into genesis: itself, and every calendar."""
    calendars: list[Json] = [calendar_pack(calendar) for calendar in CALENDAR_PACKS]
    return {"policy": policy_pack(name), "calendars": calendars}


PACKS: dict[str, Callable[[str], dict[str, Json]]] = {
    "genesis": _first_pack,
    "policy.publish": policy_pack,
    "calendar.publish": calendar_pack,
}
"""By kind: what a pack puts into its body."""


def _command(kind: Kind[Any]) -> Callable[..., None]:
    """Returns the command of a kind."""
    pack_of = PACKS.get(kind.name)
    return _write(kind) if pack_of is None else _publish(kind, pack_of)


def _sign(
    client: Client, kind: Kind[Any], party: str, body: dict[str, Json], *, re: str | None
) -> str:
    """Signs a statement."""
    try:
        return client.sign(kind.name, by=party, body=body, re=re)
    except RefusedError as error:
        raise refused(error) from None


def _send(client: Client, kind: Kind[Any], party: str, text: str, *, as_json: bool) -> None:
    """Sends a statement and tells what has become of it."""
    try:
        result = client.submit(text)
    except RefusedError as error:
        raise refused(error) from None
    if as_json:
        print_json(as_data(result))
    else:
        tell_result(client, party, kind.name, result)


def _members_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Builds an object; what names a member twice is not signed as if it named it once."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("it names a member twice")
    return members


def _read_body(text: str) -> dict[str, Json]:
    """Reads a body from an option, a file or standard input."""
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        text = Path(text[1:]).read_text()
    try:
        body = json.loads(text, object_pairs_hook=_members_once)
    except ValueError as error:
        talk.print(f"the body is no JSON: {error}")
        raise typer.Exit(2) from None
    if not isinstance(body, dict):
        talk.print("the body is no JSON object")
        raise typer.Exit(2)
    return body


def new_key(
    file: Annotated[Path, typer.Argument(help="Where to keep it; must not exist yet.")],
) -> None:
    """Makes a key, keeps it as PKCS #8 that only you can read, and prints its public half."""
    if file.exists():
        talk.print(f"{file} exists, and a key is never overwritten")
        raise typer.Exit(2)
    with told():
        key = PrivateKey.generate()
        file.touch(mode=0o600, exist_ok=False)
        file.write_bytes(key.to_pem())
    print_json({"kid": key.public.kid, "key": key.public.jwk()})


def show_key(
    file: Annotated[Path, typer.Argument(help="A key, such as the log key of a server.")],
) -> None:
    """Prints the public half of a key again, as statements name it."""
    with told():
        key = PrivateKey.from_pem(file.read_bytes())
    print_json({"kid": key.public.kid, "key": key.public.jwk()})


def prove_key(
    file: Annotated[Path, typer.Argument(help="The new key.")],
    party: Party,
    origin: Annotated[str, typer.Option(envvar="TALLYSTICK_ORIGIN", help="The log's name.")],
    use: Annotated[str, typer.Option(help="sign, read, receipt or recovery.")] = "sign",
    person: Annotated[str, typer.Option(help="Whose hand a signing key is, a pseudonym.")] = "",
    duty: Annotated[str, typer.Option(help="maker, checker or final; none for all.")] = "",
    limit: Annotated[str, typer.Option(help="The largest amount that it signs for, in fen.")] = "",
) -> None:
    """Prints the body of `key add` for a new key, with the proof of its possession."""
    with told():
        key = PrivateKey.from_pem(file.read_bytes())
        payload = possession_payload(origin=Origin(origin), party=PartyId(party), key=key.public)
        proof = seal_jws(key, typ=POSSESSION_TYP, payload=payload)
    members = {"person": person, "duty": duty, "limit": limit}
    hand = {name: value for name, value in members.items() if value}
    body: dict[str, Json] = {"key": dict(key.public.jwk()), "use": use, "proof": proof}
    print_json({**body, "hand": hand} if hand else body)


def kinds(
    name: Annotated[str, typer.Argument(help="Only this kind, such as transfer.offer.")] = "",
) -> None:
    """Prints the table of kinds, or one of them, with the JSON schema of each body."""
    if name and name not in RULEBOOK.kinds:
        talk.print(f"there is no kind {name}; `kind list` without a name prints them all")
        raise typer.Exit(USAGE)
    print_json(
        {
            kind.name: {
                "summary": kind.summary,
                "signed_by": kind.relation,
                "answers": list(kind.answers),
                "body": kind.body.model_json_schema(),
            }
            for kind in RULEBOOK.kinds.values()
            if name in ("", kind.name)
        }
    )


def salt() -> None:
    """Prints a fresh salt for confidential terms."""
    print(b64url_encode(secrets.token_bytes(16)))


def put_terms(
    terms: Annotated[
        str, typer.Argument(help="The terms as JSON, @FILE to read them from a file, - for stdin.")
    ],
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
) -> None:
    """Keeps confidential terms beside the log, with a fresh salt, and prints their digest.

    The digest goes into the statement that names them; salt and terms open it.
    """
    with told():
        value, salt = _read_body(terms), secrets.token_bytes(16)
        digest, text = salted_digest(salt, value), b64url_encode(salt)
        with open_client(url, log_key, party=party, read_key=read_key) as client:
            try:
                client.put_opening(digest, by=party, salt=text, terms=value)
            except RefusedError as error:
                raise refused(error) from None
    print_json({"digest": digest, "salt": text})


COMMANDS = (
    ("key", "new", new_key),
    ("key", "show", show_key),
    ("key", "prove", prove_key),
    ("kind", "list", kinds),
    ("terms", "salt", salt),
    ("terms", "put", put_terms),
    *(
        (noun, verb, _command(kind))
        for kind in RULEBOOK.kinds.values()
        for noun, _, verb in [kind.name.partition(".")]
    ),
)
"""A kind of one word, such as genesis, is a command without a verb."""
