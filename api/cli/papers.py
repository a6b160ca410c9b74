"""Commands for the desk: what waits for a checker, what stands in the log for a paper.

tallystick pending show STATEMENT                   before `approve`: all that it says
tallystick voucher fingerprint --seller S1 --number 25317000000123456780
tallystick terms file contract.pdf                  its digest goes into a statement's evidence
"""

import re
import secrets
from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import AsJson, print_json, told
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.facts import show_object
from api.cli.lots import reader
from api.cli.read import Name
from api.errors import NotFoundError
from api.kind_words import KINDS
from registry.canonical import b64url_decode, b64url_encode, salted_file_digest
from registry.ids import parse_party_id
from registry.invoices import fingerprint

_NO_CODE = re.compile(r"[^!-~]+")


def show_pending(
    name: Name, url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Shows all that a statement says which waits for approval 待复核: read it, then approve."""
    with reader(url, log_key, party, read_key) as ask:
        rows = (row for row in ask.rows("/v1/pending", party=party) if row["statement"] == name)
        found = next(rows, None)
        if found is None:
            raise NotFoundError(what="waiting statement", name=name)
        if as_json:
            print_json(found)
            return
        body = found.pop("body")
        found["kind"] = f"{KINDS[found['kind']][0]} {found['kind']}"
        if not int(found["amount"]):
            del found["amount"]
        # What the body says stands for itself; the rest says how it waits.
        show_object(ask, {**{k: v for k, v in found.items() if k not in body}, **body})


def show_fingerprint(
    seller: Annotated[str, typer.Option(help="Who issued the invoice, by its party id.")],
    number: Annotated[str, typer.Option(help="Its number 发票号码, in any spelling.")],
    code: Annotated[str, typer.Option(help="Its code 发票代码; newer invoices have none.")] = "",
) -> None:
    """Prints the fingerprint that stands for an invoice 发票指纹 in `voucher issue`."""
    with told(malformed=2):
        print(fingerprint(seller=parse_party_id(seller), number=number, code=code))


def digest_file(
    file: Annotated[Path, typer.Argument(help="Any file, such as a contract or an order.")],
    salt: Annotated[str, typer.Option(help="That of an earlier run; else a fresh one.")] = "",
    name: Annotated[str, typer.Option(help="How statements name it; else its own name.")] = "",
) -> None:
    """Prints what stands for a file 文件摘要 in a statement; keep file and salt, they open it."""
    with told(malformed=2):
        salted = b64url_decode(salt, what="salt", length=16) if salt else secrets.token_bytes(16)
        digest = salted_file_digest(salted, file.read_bytes())
    shown = _NO_CODE.sub("-", name or file.name)[-64:]
    print_json({"file": {"digest": digest, "name": shown}, "salt": b64url_encode(salted)})


COMMANDS = (
    ("pending", "show", show_pending),
    ("voucher", "fingerprint", show_fingerprint),
    ("terms", "file", digest_file),
)
