"""Claims: what an entry says has followed from it, before anybody has judged it.

Effects stand in the log, so a state can be folded from the log alone, in a fraction of the
time that judging takes. Whoever judges only a share of the log believes the others' entries
for the moment:

    judge 0   judges   entries 0 to 255, follows  256 to 511, judges   512 to 767, …
    judge 1   follows  entries 0 to 255, judges   256 to 511, follows  512 to 767, …

That proves as much as one judge does who judges all. Let entry i be the first that is wrong.
All before it are what the rules say, so that their claimed effects are the decided ones, and
every judge comes to i with the very state that a single judge would have. The one whose share
it is finds it. What the others make of i and of what follows is of no account: of all faults
found only the first counts.

A claim is read only of what a statement brought about and what has the form of effects; every
judge judges all other entries.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple, Union, get_args, get_type_hints

import msgspec

from registry.canonical import b64url_decode
from registry.effects import DeadlineCleared, DeadlineSet, Effect, Touch
from registry.errors import RegistryError


class Named(msgspec.Struct, frozen=True):
    """How a statement is named, once for ever: what `iat`, `by` and `id` in it say."""

    by: str
    iat: int
    id: str


class Claim(NamedTuple):
    """What an entry says for itself.

    Attributes:
        time: The entry's time, in milliseconds.
        statement: Its statement as JWS text.
        named: How that is named.
        effects: What it says has followed.
        touches: The buckets that it says are touched.
    """

    time: int
    statement: str
    named: Named
    effects: Sequence[Effect]
    touches: Sequence[Touch]


class _Deadlines(msgspec.Struct):
    cleared: list[DeadlineCleared]
    set: list[DeadlineSet]


class _Touches(msgspec.Struct):
    holder: list[str]
    voucher: list[str]


_parse_named = msgspec.json.Decoder(Named).decode
_place = attrgetter("at", "kind", "id")


def read_claim(data: bytes) -> Claim | None:
    """Reads what an entry claims; None for one that every judge has to judge."""
    try:
        entry = _decoder()(data)
        (text,) = entry.statements
        named = _parse_named(b64url_decode(text.split(".")[1], what="payload"))
    except (RegistryError, msgspec.MsgspecError, RecursionError, ValueError, IndexError):
        # No statement, an effect that does not say all, or no entry at all.
        return None
    said: Any = entry.effects
    cleared, begun, touches = said.deadlines.cleared, said.deadlines.set, said.touches
    if cleared and begun and not {*map(_place, cleared)}.isdisjoint(map(_place, begun)):
        # Which came first is not told.
        return None
    return Claim(
        time=entry.time,
        statement=text,
        named=named,
        effects=[*said.changes, *cleared, *begun],
        touches=[
            *(("holder", name) for name in touches.holder),
            *(("voucher", name) for name in touches.voucher),
        ],
    )


@cache
def _decoder() -> Callable[[bytes], Any]:
    """Makes the decoder of entries, with all effects of the program."""
    told = [_as_said(effect) for effect in tuple(_effects(Effect))]
    changes: Any = Union[tuple(told)]  # noqa: UP007 (made here)
    effects = msgspec.defstruct(
        "Effects",
        [("changes", list[changes]), ("deadlines", _Deadlines), ("touches", _Touches)],
    )
    entry = msgspec.defstruct(
        "Entry", [("effects", effects), ("statements", list[str]), ("time", int)]
    )
    # Not strict, because money stands there as text.
    return msgspec.json.Decoder(entry, strict=False).decode


def _effects(base: type[Effect]) -> Iterator[type[Effect]]:
    """Yields the effects that say all that follows from them."""
    for effect in base.__subclasses__():
        if not effect.derived and effect.fold is not Effect.fold:
            yield effect
        yield from _effects(effect)


def _as_said(effect: type[Effect]) -> Any:
    """Returns an effect that is told by its name, and may leave out what is absent."""
    absent = [
        (name, hint, None)
        for name, hint in get_type_hints(effect).items()
        if type(None) in get_args(hint)
    ]
    return msgspec.defstruct(
        effect.__name__,
        absent,
        bases=(effect,),
        tag_field="effect",
        tag=effect.effect,
        frozen=True,
        kw_only=True,
    )
