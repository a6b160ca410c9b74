"""One object as facts for people: words for its members, names beside ids, yuan, local time."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.cli.screen import Reader, show_facts
from api.members import INSTANT_MIN, INSTANTS, MEMBERS, MONEY, SPECIFIC
from api.words import PURPOSES, ROLES, STATUSES, Words, said
from registry.errors import MalformedError
from registry.ids import parse_party_id
from registry.money import format_yuan

YES, NO, NONE = "是 yes", "否 no", "无 none"
_STEPS = frozenset({"order", "done", "missing"})


def words_of(name: str) -> Words:
    """Returns a member's words; its own name where nobody has words for it."""
    return MEMBERS.get(name) or ("", name.replace("_", " "))


def show_object(ask: Reader, found: Mapping[str, Any]) -> None:
    """Prints one object, its members in the order in which they are read."""
    order = {name: place for place, name in enumerate(MEMBERS)}
    rows = sorted(found.items(), key=lambda row: order.get(row[0], len(order)))
    show_facts((words, text) for name, value in rows for words, text in _facts(ask, name, value))


def _facts(ask: Reader, name: str, value: Any) -> Iterator[tuple[Words | None, str]]:
    """Yields the lines of a member: one, or one for each of several."""
    name = _particular(name, value)
    words = words_of(name)
    if name == "ranks":
        for place, rank in enumerate(value, 1):
            for claim in rank:
                yield (f"第{place}顺位", f"rank {place}"), _claim(ask, claim)
        return
    if name == "keys":
        for key in value:
            yield words, f"{key['kid']}\n{_key(key)}"
        return
    if name == "accessories":
        for right in value:
            yield words, security_of(ask, right)
        return
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for each in value:
            yield words, text_of(ask, name, each)
        return
    yield words, text_of(ask, name, value)


def security_of(ask: Reader, row: Mapping[str, Any]) -> str:
    """Returns who secures a lot, how, and up to what: its part of the voucher's cap."""
    part = f"{format_yuan(int(row['cap_of_lot']))} / {format_yuan(int(row['cap']))}"
    return f"{said(STATUSES, row['right'])}: {ask.name(row['provider'])}, {part}"


def _particular(name: str, value: Any) -> str:
    """Returns a name of its own for a member that means another thing in another object."""
    match name, value:
        case "payee", str() if not is_party(value):
            return "payee_account"
        case "withheld", str():
            return "held_back"
        case _:
            return name


def _claim(ask: Reader, claim: Mapping[str, Any]) -> str:
    """Returns a claim to a lot: whose, how much, and since when others could know."""
    party, _, pledge = claim["claim"].partition(" by ")
    lines = [party_of(ask, party), format_yuan(int(claim["financed"]))]
    if pledge:
        lines.insert(1, f"质押 pledge {pledge}")
    for name, said_words in (("registered_at", "登记 registered"), ("noticed_at", "通知 told")):
        if name in claim:
            lines.append(f"{said_words} {ask.moment(claim[name])}")
    return "\n".join(lines)


def _key(key: Mapping[str, Any]) -> str:
    """Returns what a key is for, whose hand it is, and since when."""
    parts = [" ".join(SPECIFIC["use"].get(key["use"], (key["use"],))), key["suite"]]
    parts += [str(key[name]) for name in ("person", "duty") if name in key]
    if "limit" in key:
        parts.append(f"≤ {format_yuan(int(key['limit']))}")
    parts.append(f"自条目 from entry {key['added']}")
    if "revoked" in key:
        parts.append(f"吊销 revoked in entry {key['revoked']}")
    return ", ".join(parts)


def party_of(ask: Reader, party: str) -> str:
    """Returns a party's name beside its id."""
    name = ask.known(party)
    return f"{name}  {party}" if name else party


def is_party(value: str) -> bool:
    """Tells whether a text is a party's id."""
    try:
        parse_party_id(value)
    except MalformedError:
        return False
    return True


def text_of(ask: Reader, name: str, value: Any) -> str:
    """Returns a member's value for people."""
    match value:
        case bool():
            return YES if value else NO
        case list():
            each = "step" if name in _STEPS else name
            texts = [text_of(ask, each, item) for item in value]
            between = (
                "\n" if any(isinstance(item, str) and is_party(item) for item in value) else ", "
            )
            return between.join(texts) or NONE
        case dict():
            pairs = (f"{' '.join(words_of(key))} {text_of(ask, key, value[key])}" for key in value)
            return ", ".join(pair.strip() for pair in pairs)
        case int() if name in INSTANTS and value > INSTANT_MIN:
            return ask.moment(value)
        case str() if name in MONEY:
            return format_yuan(int(value))
        case str() if name != "party" and is_party(value):
            return party_of(ask, value)
        case str() if name == "voucher":
            number = ask.voucher(value)["voucher_no"]
            return f"{number}  {value}" if "…" not in number else value
        case str():
            return " ".join(value_words(name, value) or (value,))
        case _:
            return str(value)


def value_words(name: str, value: str) -> Words | None:
    """Returns the words of a value under a name; None where nobody has words for it."""
    return SPECIFIC.get(name, {}).get(value) or _TABLES.get(name, {}).get(value)


_TABLES: Final[Mapping[str, Mapping[str, Words]]] = {
    "purpose": PURPOSES,
    "roles": ROLES,
    **dict.fromkeys(("status", "flags", "mode", "route"), STATUSES),
}
