"""Clearing's kinds as part of the rulebook: bodies, signers, and what they read."""

from collections.abc import Sequence
from typing import Any

import pytest

from clearing.kinds import KINDS, TABLES, TIMED
from clearing.model import RUNS
from registry.batch import Batch
from registry.canonical import Json, format_json
from registry.effects import Seal, apply
from registry.errors import MalformedError
from registry.kinds import KINDS as REGISTRY_KINDS
from registry.kinds import TIMED as REGISTRY_TIMED
from registry.kinds import Rulebook
from registry.model import TABLES as REGISTRY_TABLES
from registry.model import Role
from registry.state import MemoryRows, replay_digest
from registry.statements import Body, Kind, Now, Statement, parse_body
from registry.tables import Read, Table
from tests.clearing.test_rules import KIND, PLAN, REPORT, adopt, confirm, instructions, said, stated
from tests.clearing.world import PAY_TIME, World, gv01, ledger
from tests.declared import View

APPROVE = KIND["clearing.approve"]
ALL: tuple[Table[Any], ...] = (*REGISTRY_TABLES, *TABLES)
BOOK = Rulebook((*REGISTRY_KINDS, *KINDS), (*REGISTRY_TIMED, *TIMED), ALL)


@pytest.fixture
def world() -> World:
    """The tree of GV-01, due and not planned."""
    world = World()
    gv01(world)
    return world


class TestKinds:
    def test_join_the_registrys_rulebook(self) -> None:
        assert len(BOOK.kinds) == len(REGISTRY_KINDS) + len(KINDS)
        assert len({table.name for table in BOOK.tables}) == len(BOOK.tables)

    def test_are_signed_by_the_operator_and_by_banks_and_approved_by_debtors(self) -> None:
        assert PLAN.signers == {Role.OPERATOR}
        # The operator only where the policy lets it relay what a bank says.
        assert REPORT.signers == {Role.BANK, Role.OPERATOR}
        assert APPROVE.signers == {Role.PARTICIPANT}
        assert REPORT.answers == {"clearing.plan": RUNS, "clearing.apportion": RUNS}

    def test_bodies_print_back(self, world: World) -> None:
        body = stated(world)
        assert format_json(body) == format_json(parse_body(PLAN.body, body).model_dump(mode="json"))

    @pytest.mark.parametrize(
        "change",
        [
            {"total": 100}, {"total": "01"}, {"total": "-1"}, {"gross": str(2**63)},
            {"instructions": 0}, {"instructions": "5"}, {"instructions": True}, {"vouchers": -1},
            {"digest": "x"}, {"due_on": "2026-3-1"}, {"extra": 1},
        ],
    )  # fmt: skip
    def test_refuses_malformed_plans(self, world: World, change: dict[str, Json]) -> None:
        with pytest.raises(MalformedError):
            parse_body(PLAN.body, {**stated(world), **change})

    @pytest.mark.parametrize(
        "change",
        [
            {"instruction": -1}, {"instruction": 2**32}, {"instruction": "0"}, {"amount": 1},
            {"amount": "0"}, {"status": "pending"}, {"status": "expired"}, {"reason": ""},
        ],
    )  # fmt: skip
    def test_refuses_malformed_reports(self, change: dict[str, Json]) -> None:
        item: dict[str, Json] = {"instruction": 0, "amount": "1", "status": "posted"}
        parse_body(REPORT.body, {"items": [item]})
        with pytest.raises(MalformedError):
            parse_body(REPORT.body, {"items": [{**item, **change}]})

    def test_refuses_reports_of_nothing_and_of_too_much(self) -> None:
        item: dict[str, Json] = {"instruction": 0, "amount": "1", "status": "posted"}
        for count in (0, 49):
            items: list[Json] = [item] * count
            with pytest.raises(MalformedError):
                parse_body(REPORT.body, {"items": items})


class TestBatch:
    """The engine's way: load what is declared, then decide and fold in the batch."""

    def enter(self, world: World, kind: Kind[Body], statement: Statement[Body]) -> MemoryRows:
        """Returns the state that a batch of one statement leaves; it loads nothing late."""
        is_open = True

        def fetch(reads: Sequence[Read]) -> list[tuple[Any, ...]]:
            assert is_open, reads
            return world.rows.fetch(reads)

        now = Now(index=world.index, time=PAY_TIME, ledger=ledger())
        batch = Batch(fetch, ALL, index=world.index)
        batch.prefetch([BOOK.reads(statement, now)])
        is_open = False
        effects = kind.decide(View(batch, BOOK.reads(statement, now)), statement, now)
        seal = Seal(index=world.index + 1, time=PAY_TIME, leaf_hash=bytes(32), statement="")
        apply(batch, effects, seal)
        after = MemoryRows(ALL)
        for table in ALL:
            for row in world.rows.select(table):
                after.put(table, row)
        for change in batch.changes:
            if change.row is None:
                after.delete(change.table, *change.key)
            else:
                after.put(change.table, change.row)
        return after

    def test_leaves_the_same_state_as_a_replay(self, world: World) -> None:
        statement, _ = world.decide(PLAN, stated(world), by="operator")
        after = self.enter(world, PLAN, statement)
        plan = adopt(world)
        assert replay_digest(ALL, after.select) == replay_digest(ALL, world.rows.select)
        for record in instructions(world, plan):
            body: dict[str, Json] = {"items": [said(world, plan, record.n)]}
            statement, _ = world.decide(REPORT, body, by="bank", re=plan)
            after = self.enter(world, REPORT, statement)
            confirm(world, plan, record.n)
            assert replay_digest(ALL, after.select) == replay_digest(ALL, world.rows.select)
