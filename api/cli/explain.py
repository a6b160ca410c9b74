"""What an entry is, in words: who signed it, under which policy, what it changed, what followed.

Read from an export's files alone, after its audit: that the log is right is the audit's
part, and this only says what stands in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from api.cli.screen import short
from api.files import read_entries, size_of
from api.kind_words import KINDS
from api.words import said
from registry.calendars import parse_offset
from registry.canonical import parse_object
from registry.entries import Entry, open_entry
from registry.export import DirectoryFiles
from registry.money import format_yuan
from registry.signing import jws_id, split_jws
from registry.tables import Minor

FOLLOWED_MAX: Final = 12
"""Later entries that are told."""

_MONEY: Final = frozenset(
    {"amount", "remainder", "face", "secured", "owed", "held", "limit", "cap", "total", "gross"}
)
_NUMBERING: Final = ("offer", "pledge", "voucher", "statement")
"""Members that name what time has brought something about for."""

_QUIET: Final = frozenset({"salt", "effect", "rules"})
"""Members that say nothing to people."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What the log says up to the entry and after it.

    Attributes:
        names: Names of parties by id, as their registration gave them.
        policies: Name and version of policies, by the statement that published them.
        in_force: The policy in force when the entry was sealed.
        people: Person and duty of keys, by kid.
        offset: The zone's, in minutes.
    """

    names: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    in_force: str = ""
    people: dict[str, str] = field(default_factory=dict)
    offset: int = 0

    def learn(self, changes: Sequence[Mapping[str, Any]]) -> None:
        """Learns names, policies and people from changes."""
        for change in changes:
            match change["effect"]:
                case "registration-made" | "founder-admitted":
                    self.names[str(change["party"])] = str(change["name"])
                case "policy-published":
                    named = f"{change['name']} {change['version']}"
                    self.policies[str(change["policy"])] = named
                    self.in_force = self.in_force or str(change["policy"])
                case "policy-took-effect":
                    self.in_force = str(change["policy"])
                case "key-added" if change.get("person"):
                    words = f"{change['person']} {change.get('duty', '')}".strip()
                    self.people[str(change["kid"])] = words
                case "ledger-opened":
                    self.offset = parse_offset(str(change["ledger"]["zone"]))
                case _:
                    pass


def explain(directory: DirectoryFiles, wanted: str, console: Console) -> bool:
    """Explains an entry of an export, by its index or the id of its statement.

    Returns:
        Whether there is such an entry.
    """
    size = size_of(directory.read("checkpoint").decode())
    entries = map(open_entry, read_entries(directory.read, size))
    told = Told()
    for entry in entries:
        changes = _changes(entry)
        if str(entry.index) == wanted or _sid(entry) == wanted:
            told.learn([c for c in changes if c["effect"] in ("ledger-opened", "founder-admitted")])
            _tell(entry, changes, told, console)
            ids = _ids(entry, changes)
            _tell_followed(_followed(entries, ids, told), console)
            return True
        told.learn(changes)
    return False


def _changes(entry: Entry) -> list[Mapping[str, Any]]:
    """Returns an entry's changes."""
    changes = entry.effects.get("changes")
    return [c for c in changes if isinstance(c, dict)] if isinstance(changes, list) else []


def _sid(entry: Entry) -> str:
    """Returns the id of an entry's statement; empty where there is none."""
    if not entry.statement:
        return ""
    return str(jws_id(split_jws(entry.statement, what="statement").signing_input))


def _payload(entry: Entry) -> Mapping[str, Any]:
    """Returns the payload of an entry's statement; empty where there is none."""
    if not entry.statement:
        return {}
    return parse_object(split_jws(entry.statement, what="statement").payload, what="payload")


def _kid(entry: Entry) -> str:
    header = split_jws(entry.statement, what="statement").header
    return str(parse_object(header, what="header")["kid"])


# --- The entry itself -------------------------------------------------------------------


def _tell(entry: Entry, changes: Sequence[Mapping[str, Any]], told: Told, console: Console) -> None:
    """Tells what an entry is, who signed it, under which policy, and what it changed."""
    console.print(Text(f"entry {entry.index}  {said(KINDS, entry.kind)}", style="bold"))
    rows = [("sealed", _moment(entry.time, told)), *_signer(entry, told)]
    policies = dict.fromkeys(str(c["policy"]) for c in changes if "policy" in c)
    if policies:
        rows.append(("decided by policy", ", ".join(_policy(p, told) for p in policies)))
    else:
        rows.append(("policy in force", f"{_policy(told.in_force, told)}, not asked"))
    if answered := _payload(entry).get("re"):
        rows.append(("answers", str(answered)))
    for name, value in rows:
        console.print(Text.assemble((f"  {name:<18}", "dim"), value), soft_wrap=True)
    console.print(Text("  changed", style="dim"))
    for change in changes:
        console.print(Text(f"    {str(change['effect']).replace('-', ' ')}"))
        console.print(Padding(Text(_members(change, told), style="dim"), (0, 0, 0, 6)))


def _signer(entry: Entry, told: Told) -> Iterator[tuple[str, str]]:
    """Yields who has signed an entry, with which key."""
    if not entry.statement:
        yield "signed by", "nobody: it follows from time alone, and an auditor derives it again"
        return
    by, kid = str(_payload(entry)["by"]), _kid(entry)
    person = told.people.get(kid)
    yield "statement", _sid(entry)
    yield "signed by", f"{told.names.get(by, by)} ({by})" + (f", {person}" if person else "")
    yield "with key", kid


def _policy(policy: str, told: Told) -> str:
    return told.policies.get(policy, short(policy))


def _moment(time: int, told: Told) -> str:
    """Returns an instant in the ledger's zone."""
    at = datetime.fromtimestamp(time / 1000, UTC) + timedelta(minutes=told.offset)
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _members(change: Mapping[str, Any], told: Told) -> str:
    """Returns what a change says, in words."""
    said_ones = (
        f"{name.replace('_', ' ')} {_value(name, value, told)}"
        for name, value in change.items()
        if name not in _QUIET and value not in (None, "", [], False)
    )
    return ", ".join(said_ones)


def _value(name: str, value: Any, told: Told) -> str:
    """Returns a member's value for people."""
    if name in _MONEY and isinstance(value, str) and value.isdigit():
        return format_yuan(Minor(int(value)))
    if name in ("at", "accept_by", "register_by", "until", "approve_by") and isinstance(value, int):
        return _moment(value, told)
    if isinstance(value, list):
        return f"{len(value)} of them" if len(value) > 2 else ", ".join(map(str, value))
    text = str(value)
    return told.names.get(text) or told.policies.get(text) or short(text)


# --- What followed ------------------------------------------------------------------------


def _ids(entry: Entry, changes: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Returns what later entries would name: the statement itself, and what it numbered."""
    sid = _sid(entry)
    if not sid:
        named = {str(c[name]) for c in changes for name in _NUMBERING if name in c}
    else:
        # What an approval brings about is numbered by the statement that it approves.
        named = {str(c["statement"]) for c in changes if c["effect"] == "statement-approved"}
    return frozenset({sid, *named} - {""})


def _followed(entries: Iterator[Entry], ids: frozenset[str], told: Told) -> Iterator[str]:
    """Yields the later entries that answer the statement, or change what it made."""
    for entry in entries:
        changes = _changes(entry)
        told.learn(changes)
        names = _payload(entry).get("re") in ids
        if not names:
            texts = (v for c in changes for v in c.values() if isinstance(v, str))
            # Lots and notices are numbered by their statement.
            names = any(text in ids or text.partition(".")[0] in ids for text in texts)
        if names:
            by = str(_payload(entry).get("by", ""))
            who = told.names.get(by, by) or "by time alone"
            kind = f"{KINDS[entry.kind][0]} {entry.kind}" if entry.kind in KINDS else entry.kind
            yield f"entry {entry.index:<7} {_moment(entry.time, told)[:10]}  {kind}  {who}"


def _tell_followed(followed: Iterator[str], console: Console) -> None:
    """Tells the first of what followed, and that there is more."""
    console.print(Text("  followed by", style="dim"))
    some = list(islice(followed, FOLLOWED_MAX + 1))
    for line in some[:FOLLOWED_MAX]:
        console.print(Text(f"    {line}"), no_wrap=True, overflow="ellipsis")
    if len(some) > FOLLOWED_MAX:
        console.print("    and more")
    if not some:
        console.print("    nothing that names it")
