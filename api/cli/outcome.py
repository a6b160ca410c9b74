"""What became of a statement, for a clerk: its id on stdout, and a sentence beside it.

The id alone is data, so that `id=$(tallystick …)` works; sentences are talk.
"""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from api.answers import Result
from api.cli.common import talk
from api.cli.facts import is_party, value_words
from api.cli.screen import Reader
from api.client import Client, RefusedError
from api.kind_words import KINDS
from api.members import MONEY
from api.outcomes import LAST_DAYS, MOMENTS, SENTENCES
from api.words import Words
from registry.errors import RegistryError
from registry.money import format_yuan

SENTENCES_MAX = 8
"""How many are told of one statement; a plan can have thousands of effects."""


def as_data(result: Result) -> dict[str, Any]:
    """Returns what became of a statement that was sealed, as data."""
    return {
        "sid": result.sid,
        "index": result.index,
        "leaf_hash": result.leaf_hash,
        "time": result.time,
        "effects": result.effects,
        **({"approval": result.approval} if result.approval else {}),
    }


def tell_result(client: Client, party: str, kind: str, result: Result) -> None:
    """Prints the id of a statement that was sealed, and tells what it has brought about.

    Whatever cannot be read by then, the statement is sealed, and this does not fail.
    """
    print(result.sid)
    tell_effects(client, party, kind, result)


def tell_effects(client: Client, party: str, kind: str, result: Result) -> None:
    """Tells what a statement that was sealed has brought about."""
    if result.replayed:
        talk.print("此前已登记，内容未变。  It had been sealed before.")
    try:
        ask = Reader(client, party, can_read=bool(client.read_keys))
        sentences = list(dict.fromkeys(_sentences(ask, result.effects)))
        place = f"条目 entry {result.index}  {ask.moment(result.time)}"
    except (RefusedError, RegistryError) as error:
        talk.print(f"It is sealed in entry {result.index}; more cannot be told: {error}")
        return
    for zh, en in sentences[:SENTENCES_MAX] or [KINDS.get(kind, ("", kind))]:
        talk.print(zh, soft_wrap=False)
        talk.print(en, soft_wrap=False)
    if len(sentences) > SENTENCES_MAX:
        talk.print(f"and {len(sentences) - SENTENCES_MAX} more: --json shows them")
    talk.print(place, style="dim", soft_wrap=False)


def _sentences(ask: Reader, effects: Mapping[str, Any]) -> Iterator[Words]:
    """Yields a sentence in both languages for each change that has one."""
    for change in effects.get("changes", ()):
        if change["effect"] in SENTENCES:
            zh, en = SENTENCES[change["effect"]]
            yield _fill(ask, zh, change, 0), _fill(ask, en, change, 1)


def _fill(ask: Reader, sentence: str, change: Mapping[str, Any], language: int) -> str:
    """Fills the members that a sentence names."""
    named = [name for _, name, _, _ in Formatter().parse(sentence) if name]
    return sentence.format(**{name: _said(ask, name, change.get(name))[language] for name in named})


def _said(ask: Reader, name: str, value: Any) -> Words:
    """Returns a member as a sentence has it, in both languages."""
    match value:
        case int() if name in LAST_DAYS:
            text = ask.day(value - 1)
        case int() if name in MOMENTS:
            text = ask.moment(value)
        case list():
            each = [_said(ask, name, item) for item in value]
            return "、".join(zh for zh, _ in each), ", ".join(en for _, en in each)
        case str() if name in MONEY:
            text = format_yuan(int(value))
        case str() if is_party(value):
            text = ask.named(value)
        case str() if words := value_words(name, value):
            return words
        case _:
            text = str(value)
    return text, text
