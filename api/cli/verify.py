"""Offline verification: an export, a snapshot, a lot's proof. Needs files and one key."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from api.cli.common import USAGE, AsJson, LogKey, OriginText, pinned, print_json, talk
from api.notice_proof import read_proof, verify_proof
from clearing.rulebook import RULEBOOK
from registry.audit import Audit, audit_export
from registry.audit_state import SavedState, load_state, save_state
from registry.errors import MalformedError, MissingFileError, RegistryError
from registry.export import DirectoryFiles
from registry.ids import Origin
from registry.money import format_yuan
from registry.proofs import (
    FILES,
    LOTS_FILE,
    Holding,
    verify_lot_proof,
    verify_snapshot_files,
)
from registry.signing import PublicKey
from registry.verdicts import Verdict

BYTES_A_JOB = 1 << 24
"""Bytes of lots for each process that verifies them: some 30,000 lots, a quarter of a second."""


def audit(
    directory: Annotated[Path, typer.Argument(help="The export.")],
    log_key: LogKey,
    origin: OriginText = "",
    held: Annotated[
        Path | None, typer.Option(help="An older checkpoint that you have kept.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes to check signatures with; else one a core.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Go on from the state that an earlier audit kept.")
    ] = None,
    state_digest: Annotated[
        str, typer.Option(help="The digest that the earlier audit printed of it.")
    ] = "",
    keep_state: Annotated[
        Path | None, typer.Option(help="Keep the state here, if all is verified.")
    ] = None,
    as_json: AsJson = False,
    explained: Annotated[
        str, typer.Option("--explain", help="Then explain this entry: an index, or a statement.")
    ] = "",
) -> None:
    """Replays a whole log from its files and says what is wrong with it.

    Exit codes: 0 verified, 10 invalid, 12 diverged, 13 incomplete.
    """
    name, key = pinned(origin, log_key)
    if not directory.is_dir():
        talk.print(f"{directory} is no directory")
        raise typer.Exit(1)
    saved = _read_state(state, state_digest, name, key)
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=talk, transient=True, disable=not talk.is_terminal) as bar:
        task = bar.add_task("replay", total=None)
        try:
            found = audit_export(
                DirectoryFiles(directory),
                origin=name,
                key=key,
                rulebook=RULEBOOK,
                held=_read_held(held),
                saved=saved,
                jobs=jobs or _cores(),
                progress=lambda done, size: bar.update(task, completed=done, total=size),
            )
        except OSError as error:
            # Nothing is known then: a process or a disk has failed, not the log.
            talk.print(f"the audit has not ended: {error}")
            raise typer.Exit(1) from None
    digest = _keep_state(found, keep_state)
    if as_json:
        print_json(_as_data(found, digest))
    else:
        _tell(found, digest)
    if explained:
        _explain(directory, explained, found.verdict)
    raise typer.Exit(int(found.verdict))


def _explain(directory: Path, wanted: str, verdict: Verdict) -> None:
    """Explains an entry of a verified export: of another one there is nothing to be sure of."""
    from rich.console import Console

    from api.cli.explain import explain

    if verdict is not Verdict.VERIFIED:
        talk.print("nothing is explained of a log that is not verified")
        return
    console = Console(highlight=False, markup=False)
    console.print()
    if not explain(DirectoryFiles(directory), wanted, console):
        talk.print(f"there is no entry {wanted}: give an index, or the id of a statement")
        raise typer.Exit(USAGE)


def _cores() -> int:
    """Returns the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _read_state(
    state: Path | None, digest: str, origin: Origin, key: PublicKey
) -> SavedState | None:
    """Reads the state that an earlier audit kept."""
    if (state is None) == bool(digest):
        talk.print("--state and --state-digest go together: the file may have been changed")
        raise typer.Exit(2)
    if state is None:
        return None
    try:
        return load_state(state, digest=digest, rulebook=RULEBOOK, origin=origin, key=key)
    except (OSError, MalformedError) as error:
        talk.print(f"cannot go on from {state}: {error}")
        raise typer.Exit(1) from None


def _keep_state(found: Audit, path: Path | None) -> str:
    """Writes the final state of a verified audit; returns its digest, empty without one."""
    if path is None or found.state is None or found.verdict is not Verdict.VERIFIED:
        return ""
    try:
        return save_state(path, found.state, rulebook=RULEBOOK)
    except OSError as error:
        talk.print(f"cannot keep the state: {error}")
        raise typer.Exit(1) from None


def _read_held(held: Path | None) -> str | None:
    """Reads the checkpoint that the auditor has kept."""
    if held is None:
        return None
    try:
        return held.read_text()
    except (OSError, UnicodeDecodeError) as error:
        talk.print(f"cannot read the held checkpoint: {error}")
        raise typer.Exit(1) from None


def _tell(found: Audit, state_digest: str) -> None:
    """Prints a verdict for people."""
    print(f"{int(found.verdict)} {found.verdict.name}")
    for finding in found.findings:
        print(f"  {finding.where}: {finding.reason}")
    if found.verdict is Verdict.VERIFIED:
        print(f"  {found.size} entries, {found.statements} statements, witnesses: none")
        print(f"  root {found.root}")
        if found.resumed:
            print(f"  the first {found.resumed} entries as an earlier audit found them")
        print(f"  replay digest {found.digest}")
    if state_digest:
        print(f"  state digest {state_digest}")
    for note in found.notes:
        print(note)


def _as_data(found: Audit, state_digest: str) -> dict[str, Any]:
    """Returns a verdict as data."""
    return {
        "verdict": int(found.verdict),
        "name": found.verdict.name,
        "size": found.size,
        "root": found.root,
        "resumed": found.resumed,
        "statements": found.statements,
        "replay_digest": found.digest,
        "state_digest": state_digest,
        "witnesses": "none",
        "findings": [
            {"verdict": int(f.verdict), "where": f.where, "reason": f.reason}
            for f in found.findings
        ],
        "notes": list(found.notes),
    }


def verify(
    file: Annotated[Path, typer.Argument(help="A lot's proof.")],
    log_key: LogKey,
    origin: OriginText = "",
    as_json: AsJson = False,
) -> None:
    """Verifies one lot's proof, offline."""
    name, key = pinned(origin, log_key)
    try:
        holding = verify_lot_proof(file.read_bytes(), origin=name, key=key)
    except OSError as error:
        talk.print(str(error))
        raise typer.Exit(1) from None
    except RegistryError as error:
        _refuse(error, as_json=as_json)
    else:
        _accept(holding, as_json=as_json)


def snapshot_verify(
    directory: Annotated[Path, typer.Argument(help="The snapshot's directory.")],
    log_key: LogKey,
    origin: OriginText = "",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes to verify lots with; else by their number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verifies a holder snapshot offline: nothing left out, nothing added, adding up."""
    name, key = pinned(origin, log_key)
    try:
        names = DirectoryFiles(directory).names()
        for path in FILES:
            if path not in names:
                raise MissingFileError(path=path)
        jobs = jobs or _worthwhile_jobs((directory / LOTS_FILE).stat().st_size)
        holding = verify_snapshot_files(directory, origin=name, key=key, jobs=jobs)
    except OSError as error:
        talk.print(str(error))
        raise typer.Exit(1) from None
    except RegistryError as error:
        _refuse(error, as_json=as_json)
    else:
        _accept(holding, as_json=as_json)


def _worthwhile_jobs(size: int) -> int:
    """Returns how many processes to verify lots with: one more takes a while to start."""
    return max(1, min(_cores(), size // BYTES_A_JOB))


def _refuse(error: RegistryError, *, as_json: bool) -> None:
    """Prints why something does not verify, and exits with the verdict."""
    missing = isinstance(error, MissingFileError)
    verdict = Verdict.INCOMPLETE if missing else Verdict.INVALID
    if as_json:
        print_json({"verdict": int(verdict), "code": error.code, "reason": str(error)})
    else:
        print(f"{int(verdict)} {verdict.name}\n  {error}")
    raise typer.Exit(int(verdict))


def _accept(holding: Holding, *, as_json: bool) -> None:
    """Prints what verified."""
    if as_json:
        print_json(
            {
                "verdict": 0,
                "family": holding.family,
                "bucket": holding.bucket,
                "at": holding.at,
                "size": holding.size,
                "lots": holding.count,
                "sum": str(holding.total),
                "witnesses": "none",
            }
        )
        return
    print(f"0 VERIFIED\n  {holding.family} {holding.bucket}, as of {holding.at} entries")
    print(f"  {holding.count} lots, sum {format_yuan(holding.total)}, witnesses: none")


def notice_verify(
    file: Annotated[Path, typer.Argument(help="A notice's page or PDF, as it was saved.")],
    log_key: LogKey,
    origin: OriginText = "",
    as_json: AsJson = False,
) -> None:
    """Verifies the page or PDF of a notice offline, by the entry that stands in it.

    Exit codes: 0 verified, 10 invalid, 13 if it shows the entry's hash alone.
    """
    name, key = pinned(origin, log_key)
    try:
        found = verify_proof(read_proof(file.read_bytes()), origin=name, key=key)
    except OSError as error:
        talk.print(str(error))
        raise typer.Exit(1) from None
    except RegistryError as error:
        if isinstance(error, MissingFileError) and not as_json:
            talk.print("It proves that something has arrived, and does not show the entry: who has")
            talk.print("the paper of either side of the transfer, or of an auditor, sees what.")
        _refuse(error, as_json=as_json)
    else:
        said: dict[str, Any] = {
            "verdict": 0,
            "entry": found.index,
            "size": found.size,
            "time": found.time,
            **found.notice,
        }
        if as_json:
            print_json(said)
        else:
            _tell_arrival(said)


def _tell_arrival(said: dict[str, Any]) -> None:
    """Prints what the entry says of a notice, as its letter would."""
    print("0 VERIFIED  the entry says, whatever the letter above it says:")
    for name, value in list(said.items())[1:]:
        text = str(value)
        if name == "amount":
            text = f"{format_yuan(int(value))} yuan"
        elif name == "time":
            text = f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
        print(f"  {name:<10} {text}")


COMMANDS = (("snapshot", "verify", snapshot_verify), ("notice", "verify", notice_verify))
