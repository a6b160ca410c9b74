"""The page of kinds: what each may do and to whom, written from the rulebook and from entries.

Who signs, what is answered and what is refused stand in the code; effects, touches and
deadlines are those of entries that a real engine sealed. `python -m tests.kinds_page
--write` writes the page again.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from clearing.rulebook import RULEBOOK
from clearing.rules import closings
from registry import claims
from registry.canonical import Json
from registry.effects import Effect
from registry.entries import Entry, open_entry
from registry.errors import RegistryError
from registry.model import Role
from registry.rights import CANCELLED_AT_ONCE
from registry.statements import Kind
from registry.store.memory import MemoryStore
from tests.builders import World, instant, key_of
from tests.clearing_story import DUE_ON, adopt_due
from tests.dealings import contracted, early
from tests.encumbered import external, filing
from tests.faults import documented
from tests.golden import rulebook, story
from tests.people import approve, done, hand_key, offer_waits, rule, say, staffed
from tests.scenario import GOOD, attempt, cast_world, good, grant

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "kinds.md"

WITHOUT_STATEMENT = {
    "policy.take-effect": "The day with which a published policy takes effect begins.",
    "approval.cancel": "The key that signed an approval was revoked.",
    "pending.cancel": "The key that signed a waiting statement was revoked.",
    "pending.expire": "The time for approvals of a waiting statement is over.",
    "lot.release": "The day for which a change of its payee account holds a lot is over.",
    "consent.cancel": "The key that signed a standing consent was revoked.",
    "voucher.silence": "The first holder's silence has lasted as long as its consent says.",
    "voucher.expire": "The last day for accepting an issued voucher is over.",
    "transfer.expire": "The last day for accepting an offer is over.",
    "transfer.silence": "The assignee's silence has lasted as long as its consent says.",
    "transfer.cancel": "The key that signed an open offer was revoked.",
    "transfer.cancel-more": "A revoked key had signed more of these than fit one entry.",
    "notice.escalate": "A recipient has been silent about a notice for so many working days.",
    "early.cancel": "The key that signed an unanswered offer to pay early was revoked.",
    "financing.cancel": "A key that signed an application, a quote or a contract was revoked.",
    "early.expire": "The last day for paying early is over.",
    "financing.expire": "The last day of a financing is over, and title has not passed.",
    "pledge.lapse": "The last day for registering a pledge is over.",
    "clearing.close-more": "A closed day leaves more debtors overdue than fit one entry.",
    "clearing.unpaid": "What has not come to a plan or trust in time is found.",
    "lot.court-final": "The time to object to a court's notice is over.",
    "registration.expire": "A registration elsewhere was not renewed in time.",
    "registration.overdue": "The last day of a task is over.",
    "day.cut-off": "A due date of some accepted voucher begins.",
    "state": "A cut-off or a `snapshot.request` asked for a commitment to the whole state.",
}
"""When each entry without a statement comes."""

INTRODUCTION = """\
# Kinds

A kind is what one statement does. This page is written from the code by
`python -m tests.kinds_page --write`, and a test compares it; bytes and members stand in
[the formats](../formats.md), every refusal in [the problems](../problems.md).

Besides the signer's role, the rules ask for the relation in the second column: a valid signature
never suffices. Touched buckets are those whose histories gain the entry. A refused statement
changes nothing and is not remembered.
"""


def entries_of(worlds: Iterable[World]) -> Iterator[Entry]:
    """Yields all entries of worlds, opened."""
    for world in worlds:
        for data in world.entries():
            yield open_entry(data)


def told_worlds() -> Iterator[World]:
    """Yields worlds in which, together, every kind of entry is sealed with all its effects."""
    yield story().world
    for kind in GOOD:
        world, draft = good(kind)
        outcome = attempt(world, draft)
        assert not isinstance(outcome, RegistryError), outcome
        world.engine.submit([])
        yield world
    yield _over_time()
    yield _with_an_expired_registration()
    yield _with_approvals_that_end()
    yield _with_a_revocation()
    yield _with_two_debtors_overdue()


def _over_time() -> World:
    world = staffed(cast_world(), "s2", rule("mandate.grant"))
    world.offer(f"{world.issue()}.0", 5, by="s1", to="s2")
    world.do("core", "voucher.issue", world.issue_body())
    done(say(world, "s2", "mandate.grant", {"account": world.accounts["s2"]}, person="ma"))
    attempt(world, GOOD["payee.change"](world))
    world.advance(world.time + 365 * 86_400_000)
    world.engine.submit([])
    return world


def _with_an_expired_registration() -> World:
    world = cast_world()
    filing(world)
    world.advance(world.time + 366 * 86_400_000)
    world.engine.submit([])
    return world


def _with_approvals_that_end() -> World:
    world = staffed(cast_world(), "s1", rule("transfer.offer", 2))
    done(approve(world, "s1", offer_waits(world), person="chen"))
    for person in ("chen", "ma"):
        body: dict[str, Json] = {"kid": hand_key("s1", person).public.kid}
        done(say(world, "s1", "key.revoke", body, person="zhou"))
        world.engine.submit([])
    return world


def _with_a_revocation() -> World:
    world = cast_world()
    grant(world, by="s1")
    lot = f"{world.issue()}.0"
    for _ in range(CANCELLED_AT_ONCE + 1):
        lot = f"{world.offer(lot, 5, by='s1', to='s2')}.1"
    made = contracted(world)
    world.do("factor", "financing.register", external(world), re=made)
    early(world)
    for name in ("s1", "core"):
        world.do(name, "key.revoke", {"kid": key_of(name).public.kid})
        world.engine.submit([])
    return world


def _with_two_debtors_overdue() -> World:
    rules = rulebook()
    world = World(MemoryStore(rules.tables), rules).cast()
    world.issue()
    to: dict[str, Json] = {"creditor": world.ids["s2"], "voucher_no": "OF-S1"}
    own: dict[str, Json] = {"account": world.accounts["s1"], "mandate": world.mandates["s1"]}
    made = world.do("s1", "voucher.issue", {**world.issue_body(), **to, **own}).sid
    accept: dict[str, Json] = {"account": world.accounts["s2"], "collection_route": True}
    world.do("s2", "voucher.accept", accept, re=made)
    world.advance(instant(DUE_ON))
    world.engine.submit([])
    plan = adopt_due(world)
    body: dict[str, Json] = {"expired": len(plan.instructions), "stuck": 0}
    with patch.object(closings, "AT_ONCE", 1):
        world.do("operator", "clearing.close", body, re=plan.sid)
        world.engine.submit([])
    return world


class Seen:
    """What entries of one kind were seen to do."""

    def __init__(self) -> None:
        self.effects: dict[str, None] = {}
        self.set: set[str] = set()
        self.cleared: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Adds what an entry did."""
        effects: Any = entry.effects
        self.effects |= {change["effect"]: None for change in effects["changes"]}
        self.set |= {deadline["kind"] for deadline in effects["deadlines"]["set"]}
        self.cleared |= {deadline["kind"] for deadline in effects["deadlines"]["cleared"]}

    def cells(self) -> list[str]:
        """Returns the cells of effects, touches and deadlines."""
        classes = effects_by_name()
        touched = dict.fromkeys(_touch_words(classes[name]) for name in self.effects)
        deadlines = [
            f"{verb} {_code(sorted(kinds))}"
            for verb, kinds in (("sets", self.set), ("clears", self.cleared))
            if kinds
        ]
        touches = "; ".join(words for words in touched if words)
        return [_code(self.effects), touches or "nothing", "; ".join(deadlines) or "none"]


def effects_by_name() -> dict[str, type[Effect]]:
    """Returns the program's effects by their names in the log."""

    def below(cls: type[Effect]) -> Iterator[type[Effect]]:
        for each in cls.__subclasses__():
            yield each
            yield from below(each)

    return {
        cls.effect: cls
        for cls in below(Effect)
        # Neither what several effects have in common, nor what a claim is read into.
        if cls.fold is not Effect.fold
        and cls.__module__ != claims.__name__
        and not cls.__module__.startswith("tests")
    }


def _touch_words(effect: type[Effect]) -> str:
    """Returns in words whom an effect touches: its own docstring."""
    if effect.touched is Effect.touched:
        return ""
    first = (effect.touched.__doc__ or "").partition("\n")[0]
    match = re.fullmatch(r"Touches (.+?)(, so that .+)?\.", first)
    assert match, f"{effect.__name__}.touched does not say whom it touches"
    return match[1]


@cache
def seen() -> dict[str, Seen]:
    """Returns what entries of each kind were seen to do."""
    found: dict[str, Seen] = defaultdict(Seen)
    for entry in entries_of(told_worlds()):
        found[entry.kind].add(entry)
    return dict(found)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _kind_row(kind: Kind[Any]) -> list[str]:
    roles = ", ".join(sorted(kind.signers)) or "no role is asked"
    if kind.signers == frozenset(Role):
        roles = "any role"
    answers = " or ".join(f"`{name}`" for name in kind.answers) or "nothing"
    return [f"`{kind.name}`", f"{kind.relation} ({roles})", answers, *seen()[kind.name].cells()]


def _refusals_row(kind: Kind[Any]) -> list[str]:
    errors = {cls.__name__: cls.code for cls in _leaves(RegistryError)}
    codes = [errors[name] for name in documented(kind.decide)]
    linked = ", ".join(f"[`{code}`](../problems.md#{code})" for code in codes)
    return [f"`{kind.name}`", kind.summary, linked or "none of its own"]


def _leaves(family: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for cls in family.__subclasses__():
        yield cls
        yield from _leaves(cls)


def render() -> str:
    """Returns the page."""
    kinds = RULEBOOK.kinds.values()
    columns = ["effects", "touches", "deadlines"]
    return "\n".join(
        [
            INTRODUCTION,
            "## Statements\n",
            _table(["kind", "who may sign", "answers", *columns], map(_kind_row, kinds)),
            "## Entries without a statement\n",
            "Time or an earlier entry brings them about; nobody signs or refuses them.\n",
            _table(
                ["kind", "when", *columns],
                (
                    [f"`{name}`", when, *seen()[name].cells()]
                    for name, when in WITHOUT_STATEMENT.items()
                ),
            ),
            "## Refusals, in their order\n",
            "A statement that breaks two rules gets the earlier refusal. Before these come the\n"
            "[checks that every statement passes](../formats.md#order-of-checks).\n",
            _table(["kind", "what it does", "refusals"], map(_refusals_row, kinds)),
        ]
    )


def main(arguments: list[str]) -> None:
    """Writes the page, if asked to."""
    if arguments != ["--write"]:
        sys.exit("usage: python -m tests.kinds_page --write")
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
