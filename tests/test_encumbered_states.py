"""States × statements of burdens, disputes, registrations, dealings: the full square.

Only what is listed here happens. Every other pair is refused, names both states, and
leaves everything as it was. A kind or a status without a row fails.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from registry.burdens import (
    DISPUTE_MOVES,
    DISPUTES,
    FILING_MOVES,
    FILINGS,
    FREEZE_MOVES,
    FREEZES,
    PLEDGE_MOVES,
    PLEDGES,
    DisputeStatus,
    FilingStatus,
    FreezeStatus,
    PledgeStatus,
    require_move,
)
from registry.canonical import Json
from registry.dealings import (
    EARLY_MOVES,
    EARLY_PAYMENTS,
    FINANCING_MOVES,
    FINANCINGS,
    EarlyStatus,
    FinancingStatus,
)
from registry.encumbrance_refusals import (
    MoveNotAllowedError,
)
from registry.tables import Table
from tests.builders import DIGEST, World, instant, key_of
from tests.dealings import PAID, SIGNED, apply, early, quote_body, receipt
from tests.encumbered import (
    FILE,
    RULING,
    cancel_body,
    change_body,
    court_body,
    dispute,
    external,
    filing,
    freeze,
    pledge,
)
from tests.people import key_body
from tests.scenario import RULEBOOK, Draft, attempt, cast_world, refusal, verify_everything

Move = Callable[[World, str], Draft]
"""Returns a statement about a thing."""


def _by(name: str, kind: str, body: Callable[[World], dict[str, Json]] = lambda _: {}) -> Move:
    return lambda world, of: Draft(by=name, kind=kind, body=body(world), re=of)


DUE_DEBT = _by("registrar", "lot.pay-to-court", court_body)
DEDUCTION = _by("registrar", "lot.pay-to-court", lambda world: court_body(world, "deduction"))
TERMS: dict[str, Json] = {"terms": DIGEST}

PLEDGE = {
    "pledge.register": _by("factor", "pledge.register", external),
    "pledge.enforce": _by("factor", "pledge.enforce", lambda _: {"evidence": [FILE]}),
    "pledge.release": _by("factor", "pledge.release"),
}
FREEZE = {
    "lot.unfreeze": _by("registrar", "lot.unfreeze", lambda _: {**RULING}),
    "lot.pay-to-court (notice)": DUE_DEBT,
    "lot.pay-to-court (deduction)": DEDUCTION,
    "lot.object": _by("core", "lot.object", lambda _: TERMS),
}
DISPUTE = {
    "dispute.answer": _by("s1", "dispute.answer", lambda _: TERMS),
    "dispute.resolve": _by("s1", "dispute.resolve", lambda _: {**TERMS, "owed": "5"}),
    "dispute.withdraw": _by("core", "dispute.withdraw"),
}
FILING = {
    "registration.change": _by("factor", "registration.change", change_body),
    "registration.cancel": _by("factor", "registration.cancel", cancel_body),
}
EARLY = {
    "early.consent": _by("s1", "early.consent"),
    "early.receive": _by("s1", "early.receive", lambda _: receipt()),
}
FINANCING = {
    "financing.quote": _by("factor", "financing.quote", quote_body),
    "financing.confirm": _by("core", "financing.confirm", lambda _: {"document": FILE}),
    "financing.contract": _by("s1", "financing.contract", lambda _: SIGNED),
    "financing.register": _by("factor", "financing.register", external),
    "financing.pay": _by("factor", "financing.pay", lambda _: PAID),
    "financing.receive": _by("s1", "financing.receive", lambda _: receipt()),
    "financing.end": _by("s1", "financing.end"),
}
SIGN = tuple(FINANCING[f"financing.{step}"] for step in ("confirm", "quote", "contract", "pay"))

HAPPENS: Mapping[tuple[str, str], str] = {
    ("pending", "pledge.register"): "registered",
    ("pending", "pledge.release"): "released",
    ("registered", "pledge.enforce"): "enforced",
    ("registered", "pledge.release"): "released",
    ("enforced", "pledge.release"): "released",
    ("frozen", "lot.unfreeze"): "lifted",
    ("frozen", "lot.pay-to-court (notice)"): "ordered",
    ("frozen", "lot.pay-to-court (deduction)"): "payable",
    ("ordered", "lot.unfreeze"): "lifted",
    ("ordered", "lot.pay-to-court (deduction)"): "payable",
    ("ordered", "lot.object"): "frozen",
    ("payable", "lot.unfreeze"): "lifted",
    ("raised", "dispute.answer"): "answered",
    ("raised", "dispute.resolve"): "resolved",
    ("raised", "dispute.withdraw"): "withdrawn",
    ("answered", "dispute.resolve"): "resolved",
    ("answered", "dispute.withdraw"): "withdrawn",
    ("early: offered", "early.consent"): "agreed",
    ("early: agreed", "early.receive"): "paid",
    ("financing: applied", "financing.quote"): "quoted",
    ("financing: applied", "financing.confirm"): "applied",
    ("financing: applied", "financing.end"): "withdrawn",
    ("financing: quoted", "financing.quote"): "quoted",
    ("financing: quoted", "financing.contract"): "contracted",
    ("financing: quoted", "financing.end"): "withdrawn",
    ("financing: contracted", "financing.register"): "contracted",
    ("financing: contracted", "financing.pay"): "contracted",
    ("financing: contracted", "financing.receive"): "completed",
    ("financing: transferred", "financing.register"): "transferred",
    ("financing: transferred", "financing.pay"): "transferred",
    ("financing: transferred", "financing.receive"): "completed",
    ("standing", "registration.change"): "standing",
    ("standing", "registration.cancel"): "cancelled",
}


def _until(day: date) -> Callable[[World, str], None]:
    def wait(world: World, _of: str) -> None:
        world.advance(instant(day, hour=0))
        world.engine.submit([])

    return wait


def _after(*moves: Move) -> Callable[[World, str], None]:
    def make(world: World, of: str) -> None:
        for move in moves:
            made = attempt(world, move(world, of))
            assert not isinstance(made, Exception), made

    return make


def _title_first(world: World, of: str) -> None:
    world.enforce(financing={"order": ["title", "pay"]})
    _after(*SIGN)(world, of)


def _key_ends(world: World, _of: str) -> None:
    """Ends a financing with the key that applied for it; the applicant goes on with another."""
    world.do("s1", "key.add", key_body(world, "s1", "s1 next"))
    world.do("s1", "key.revoke", {"kid": world.keys["s1"].public.kid})
    world.keys["s1"] = key_of("s1 next")
    world.engine.submit([])


def _in_reverse(world: World) -> str:
    return apply(world, mode="reverse")


REACHES: Mapping[str, Callable[[World, str], None]] = {
    "pending": _after(),
    "registered": _after(PLEDGE["pledge.register"]),
    "enforced": _after(PLEDGE["pledge.register"], PLEDGE["pledge.enforce"]),
    "released": _after(PLEDGE["pledge.release"]),
    "lapsed": _until(date(2025, 7, 16)),
    "frozen": _after(),
    "ordered": _after(DUE_DEBT),
    "payable": _after(DEDUCTION),
    "lifted": _after(FREEZE["lot.unfreeze"]),
    "raised": _after(),
    "answered": _after(DISPUTE["dispute.answer"]),
    "resolved": _after(DISPUTE["dispute.resolve"]),
    "withdrawn": _after(DISPUTE["dispute.withdraw"]),
    "early: offered": _after(),
    "early: agreed": _after(EARLY["early.consent"]),
    "early: paid": _after(EARLY["early.consent"], EARLY["early.receive"]),
    "early: lapsed": _until(date(2025, 8, 2)),
    "financing: applied": _after(),
    "financing: quoted": _after(*SIGN[:2]),
    "financing: contracted": _after(*SIGN),
    "financing: transferred": _title_first,
    "financing: completed": _after(*SIGN, FINANCING["financing.receive"]),
    "financing: withdrawn": _after(FINANCING["financing.end"]),
    "financing: declined": _after(_by("factor", "financing.end")),
    "financing: expired": _until(date(2025, 10, 1)),
    "financing: cancelled": _key_ends,
    "standing": _after(),
    "cancelled": _after(FILING["registration.cancel"]),
    "expired": _until(date(2026, 7, 2)),
}

THINGS: tuple[tuple[Any, Callable[[World], str], Mapping[str, Move], Table[Any]], ...] = (
    (PledgeStatus, pledge, PLEDGE, PLEDGES),
    (FreezeStatus, freeze, FREEZE, FREEZES),
    (DisputeStatus, dispute, DISPUTE, DISPUTES),
    (FilingStatus, filing, FILING, FILINGS),
    (EarlyStatus, early, EARLY, EARLY_PAYMENTS),
    (FinancingStatus, _in_reverse, FINANCING, FINANCINGS),
)


def named(status: Any) -> str:
    """Names a status; those of dealings are called like others."""
    dealing = {EarlyStatus: "early: ", FinancingStatus: "financing: "}.get(type(status), "")
    return f"{dealing}{status}"


SQUARE = [
    pytest.param(make, moves[kind], table, named(status), kind, id=f"{named(status)} x {kind}")
    for statuses, make, moves, table in THINGS
    for status in statuses
    for kind in moves
]


def _status(world: World, table: Table[Any], of: str) -> str:
    (row,) = (row for row in world.store.select(table) if table.key_of(row) == (of,))
    return str(row.status)


@pytest.mark.parametrize(("make", "move", "table", "status", "kind"), SQUARE)
def test_only_what_is_listed_happens(
    make: Callable[[World], str], move: Move, table: Table[Any], status: str, kind: str
) -> None:
    world = cast_world()
    of = make(world)
    REACHES[status](world, of)
    said = status.rpartition(" ")[2]
    assert _status(world, table, of) == said
    draft = move(world, of)
    if (status, kind) in HAPPENS:
        made = attempt(world, draft)
        assert not isinstance(made, Exception), made
        assert _status(world, table, of) == HAPPENS[status, kind]
    else:
        found = refusal(world, draft)
        assert isinstance(found, MoveNotAllowedError)
        assert (found.facts["of"], found.facts["status"]) == (of, said)
        assert found.facts["to"] != ""
    verify_everything(world)


def test_every_kind_that_answers_one_of_these_has_its_row() -> None:
    asked = {kind.partition(" ")[0] for _, _, moves, _ in THINGS for kind in moves}
    tables = {table.name for _, _, _, table in THINGS}
    answering = {
        kind.name
        for kind in RULEBOOK.kinds.values()
        if tables & {table.name for table in kind.answers.values()}
    }
    assert asked == answering


@pytest.mark.parametrize(
    "moves", [PLEDGE_MOVES, FREEZE_MOVES, DISPUTE_MOVES, FILING_MOVES, EARLY_MOVES, FINANCING_MOVES]
)
def test_the_tables_of_moves_are_whole_and_say_what_is_refused(moves: Mapping[Any, Any]) -> None:
    statuses: Any = type(next(iter(moves)))
    assert list(moves) == list(statuses)
    for status in statuses:
        for to in statuses:
            if to in moves[status]:
                require_move(moves, "x", status=status, to=to)
            else:
                with pytest.raises(MoveNotAllowedError) as caught:
                    require_move(moves, "x", status=status, to=to)
                assert caught.value.facts == {"of": "x", "status": status, "to": to}


def test_an_account_is_frozen_once_and_freed_once() -> None:
    world = cast_world()
    account = world.accounts["s1"]
    for kind in ("account.freeze", "account.unfreeze"):
        draft = Draft(by="bank", kind=kind, body={**RULING}, re=account)
        assert not isinstance(attempt(world, draft), Exception)
        assert isinstance(refusal(world, draft), MoveNotAllowedError)
    verify_everything(world)
