"""The operator's clearing days, kept by a program: `clearing keep`, and what it does next.

It has no memory: what is to be done, and whether its time has come, the registry tells from
log, policy and clock (`GET /v1/clearing/day`). Killed at any moment and started again it goes
on where the log is; a second one beside it does no harm, for each step is accepted once.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.bank_out import PAIN_001, Book, hand_over
from api.cli.common import AsJson, KeyFile, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client
from api.cli.lots import reader
from api.cli.screen import Reader, out, short, show_facts, show_table
from api.client import Client, RefusedError
from api.words import Words, said
from clearing.keeping import KINDS, Act
from registry.errors import InputError, RefusalError, RegistryError

Once = Annotated[
    bool, typer.Option("--once", help="Do what is due now, and end; for a timetable of your own.")
]
Every = Annotated[float, typer.Option("--every", min=0.1, help="Seconds between two looks.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Write files to banks into this directory; else they ask for them."),
]
Format = Annotated[
    str, typer.Option("--format", help="pain.001, or a mapping file of the bank (JSON).")
]

ACTS: Final[Mapping[str, Words]] = {
    Act.CLOSE: ("清分日终", "close"),
    Act.DIVIDE: ("不足额分配", "divide"),
    Act.PLAN: ("出清分方案", "plan"),
    Act.SEND: ("发送指令", "send"),
    Act.TOP_UP: ("补付", "top up"),
}
HEADS: Final[Mapping[str, Words]] = {
    "when": ("时间", "from"),
    "act": ("事项", "what"),
    "of": ("对象", "of"),
    "note": ("状态", "state"),
}


def next_(
    url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Shows the clearing day 清分日: its times, what is due now, and what comes next."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get("/v1/clearing/day")
        if as_json:
            print_json(found)
            return
        show_day(ask, found)


def show_day(ask: Reader, found: Mapping[str, Any]) -> None:
    """Prints a clearing day."""
    times = [("截止", "cut-off", found["cut_off"]), ("日终", "end of day", found["day_end"])]
    times[:0] = [("批次", "round", at) for at in found["rounds"]]
    if "funding" in found:
        times.insert(0, ("备款", "funding", found["funding"]))
    show_facts(
        [
            (("现在", "now"), ask.moment(found["time"])),
            (("清分日", "clearing day"), found["day"]),
            *(((zh, en), ask.moment(at)[11:16]) for zh, en, at in times),
        ]
    )
    out.print()
    if not found["steps"]:
        out.print("nothing to do  无待办")
        return
    days = {run["plan"]: run.get("due_on") for run in ask.rows("/v1/clearing/runs")}
    show_table(
        HEADS,
        (
            {
                "when": ask.moment(step["at"])[:16],
                "act": said(ACTS, step["act"]),
                "of": f"{days.get(step['of']) or ''}  {_of(step)}".strip(),
                "note": _note(step),
            }
            for step in found["steps"]
        ),
    )


def _of(step: Mapping[str, Any]) -> str:
    """Returns what a step is about, as people tell such things apart."""
    number = f" {step['n']}" if "n" in step else ""
    return f"{short(step['of'])}{number}"


def _note(step: Mapping[str, Any]) -> str:
    """Returns what is to be said of how far a step is."""
    if step.get("pending"):
        return "待复核 to be approved"
    return "到时 now" if step["due"] else ""


def keep(
    url: Url,
    party: Party,
    key: KeyFile,
    read_key: ReadKey,
    log_key: LogKey,
    once: Once = False,
    every: Every = 30.0,
    directory: Out = None,
    format_: Format = PAIN_001,
    book: Book = None,
) -> None:
    """Keeps clearing days 清分日自动运行: plans, sends, tops up and closes, each at its time.

    The policy in force says when (`clearing_day`). It can be killed at any moment.
    """
    with told(), open_client(url, log_key, party=party, key=key, read_key=read_key) as client:
        keeper = Keeper(client, party, directory=directory, format_=format_, book=book)
        if once:
            keeper.catch_up()
            if keeper.refused:
                raise typer.Exit(1)
            return
        while True:
            try:
                keeper.catch_up()
            except (RefusedError, RegistryError, OSError) as error:
                # The registry or its network is away; what is due stays so.
                talk.print(f"{error}", style="red")
            time.sleep(every)


class Keeper:
    """Does what is due, one step after the other, as the registry shows it."""

    def __init__(
        self,
        client: Client,
        party: str,
        *,
        directory: Path | None = None,
        format_: str = PAIN_001,
        book: Path | None = None,
    ) -> None:
        """Looks at nothing yet.

        Args:
            client: Signs as the operator, and reads as it.
            party: The operator.
            directory: Where files to banks are written; None where banks ask for instructions.
            format_: Of the files.
            book: Details of accounts that the operator cannot open.
        """
        self._client, self._party = client, party
        self._directory, self._format, self._book = directory, format_, book
        self._tried: dict[tuple[Any, ...], int] = {}
        """At which size of the log a step was tried: until it grows nothing else comes of it."""
        self.refused = 0
        """How many steps were refused."""

    def catch_up(self) -> int:
        """Does all that is due; returns how many steps."""
        done = 0
        while (step := self._next()) is not None:
            done += 1
            try:
                self._do(step)
            except (RefusedError, InputError, RefusalError) as error:
                # Somebody was faster, or it needs a person: others are not kept waiting.
                self.refused += 1
                talk.print(f"{said(ACTS, step['act'])} {_of(step)}: {error}", style="red")
        return done

    def _next(self) -> dict[str, Any] | None:
        """Returns a step that is due, and was not tried since the log has grown."""
        found = self._client.get("/v1/clearing/day", by=self._party)
        for step in found["steps"]:
            named = (step["act"], step["of"], step.get("n"), step.get("sort"))
            if step["due"] and self._tried.get(named) != found["as_of"]:
                self._tried[named] = found["as_of"]
                return dict(step)
        return None

    def _do(self, step: Mapping[str, Any]) -> None:
        """Does one step.

        Raises:
            RefusedError: The registry refuses it.
            RegistryError, OSError: A file cannot be written.
        """
        act, of = Act(step["act"]), str(step["of"])
        match act:
            case Act.SEND:
                self._send(of)
            case Act.PLAN:
                self._say(step, self._get(f"/v1/clearing/proposals/{of}"))
            case Act.DIVIDE:
                self._say(step, self._get(f"/v1/clearing/funds/{of}/proposal"), re=of)
            case Act.CLOSE:
                self._say(step, self._get(f"/v1/clearing/runs/{of}/close"), re=of)
            case Act.TOP_UP:
                self._say(step, {"instruction": step["n"], "sort": step["sort"]}, re=of)

    def _get(self, path: str) -> dict[str, Any]:
        """Reads what would be signed."""
        found: dict[str, Any] = self._client.get(path, by=self._party)
        return found

    def _say(self, step: Mapping[str, Any], body: dict[str, Any], *, re: str | None = None) -> None:
        """Signs and sends a statement."""
        text = self._client.sign(KINDS[Act(step["act"])], by=self._party, body=body, re=re)
        result = self._client.submit(text)
        out.print(f"{said(ACTS, step['act'])} {_of(step)}  {result.sid}", soft_wrap=True)

    def _send(self, plan: str) -> None:
        """Writes files for banks, if that is wanted."""
        if self._directory is None:
            return
        count = hand_over(
            self._client,
            plan,
            format_=self._format,
            directory=self._directory,
            book=self._book,
            party=self._party,
        )
        if count:
            out.print(f"{said(ACTS, Act.SEND)} {short(plan)}  {count}")


COMMANDS = (("clearing", "keep", keep), ("clearing", "next", next_))
