"""Faults: named ways to spoil a statement, and the refusal that each must get.

A fault spoils one respect of a draft or of the world. Statements with one fault get its
refusal; those with two get the earlier one, in the order of the decision's docstring.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pytest

from registry.canonical import Json
from registry.errors import RegistryError
from registry.refusals import AccountNotVerifiedError, AccountUnknownError, NotOwnerError
from registry.statements import Kind
from tests.builders import DIGEST, World
from tests.scenario import Draft, good, refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to spoil a draft.

    Attributes:
        error: The refusal that follows.
        what: What is wrong, for the test's name.
        make: Spoils the draft, or the world.
        spoils: What it takes; two faults that take the same cannot be combined.
    """

    error: type[RegistryError]
    what: str
    make: Callable[[World, Draft], None]
    spoils: frozenset[str]


def fault(
    error: type[RegistryError], what: str, make: Callable[[World, Draft], None], *spoils: str
) -> Fault:
    """Returns a fault."""
    return Fault(error=error, what=what, make=make, spoils=frozenset(spoils))


def setting(**members: Json) -> Callable[[World, Draft], None]:
    """Returns what sets members of the body."""

    def make(_world: World, draft: Draft) -> None:
        draft.body |= members

    return make


def pairs(faults: Sequence[Fault]) -> Iterator[tuple[Fault, Fault]]:
    """Yields every two faults that one statement can have, the earlier refusal first."""
    for rank, first in enumerate(faults):
        for second in faults[rank + 1 :]:
            if not first.spoils & second.spoils:
                yield first, second


def become(world: World, other: World) -> None:
    """Lets a world be another one, for faults that no single statement can bring about."""
    world.__dict__.update(other.__dict__)


def cases(table: Mapping[str, Sequence[Fault]]) -> list[Any]:
    """Returns a parameter for every fault alone and for every two in one statement."""
    found = []
    for kind, faults in table.items():
        found += [pytest.param(kind, (one,), id=f"{kind}: {one.what}") for one in faults]
        found += [
            pytest.param(kind, two, id=f"{kind}: {two[0].what}, and {two[1].what}")
            for two in pairs(faults)
        ]
    return found


def verify_refused(kind: str, faults: Sequence[Fault]) -> None:
    """Checks that a statement with these faults gets the first one's refusal."""
    world, draft = good(kind)
    for one in faults:
        one.make(world, draft)
    found = refusal(world, draft)
    assert type(found) is faults[0].error, f"{found.code}: {found}"


def verify_rows(kinds: Iterable[Kind[Any]], table: Mapping[str, Sequence[Fault]]) -> None:
    """Checks that faults stand in the order of the docstrings, and that none is missing."""
    listed = {kind.name: documented(kind.decide) for kind in kinds}
    rows = {
        name: [error.__name__ for error, _ in groupby(one.error for one in faults)]
        for name, faults in table.items()
    }
    assert rows == {name: errors for name, errors in listed.items() if errors}


def documented(decide: Callable[..., Any]) -> list[str]:
    """Returns the names of a decision's refusals in the order of its docstring."""
    _, _, raises = (decide.__doc__ or "").partition("Raises:\n")
    listed = re.findall(r"^ {8}((?:\w+Error, )*\w+Error):", raises, re.MULTILINE)
    return [name for names in listed for name in names.split(", ")]


def account_faults(owner: str) -> tuple[Fault, ...]:
    """Returns what can be wrong with an account that a body names."""

    def somebody_elses(world: World, draft: Draft) -> None:
        draft.body["account"] = world.accounts["factor"]

    def unverified(world: World, draft: Draft) -> None:
        body: dict[str, Json] = {
            "bank": world.ids["bank"],
            "account_kind": "settlement",
            "terms": DIGEST,
        }
        draft.body["account"] = world.do(owner, "account.register", body).sid

    return (
        fault(AccountUnknownError, "no such account", setting(account=DIGEST), "account"),
        fault(NotOwnerError, "somebody else's account", somebody_elses, "account"),
        fault(AccountNotVerifiedError, "account not verified", unverified, "account"),
    )
