"""One story on three stores: the same log and the same state, to the byte."""

from functools import cache
from pathlib import Path

import pytest

from registry.kinds import Rulebook
from registry.ports import LedgerStore
from registry.store.memory import MemoryStore
from tests.builders import World
from tests.logs import tell
from tests.postgres import ENGINES
from tests.registry.store.databases import sql_store

RULEBOOK = Rulebook()


def told(store: LedgerStore) -> World:
    """A story with transfers, deadlines, cut-offs, keys and offers of every end."""
    world = World(store, RULEBOOK).cast()
    tell(world)
    return world


@cache
def in_memory() -> World:
    return told(MemoryStore(RULEBOOK.tables))


@pytest.mark.parametrize("engine", ENGINES)
def test_story_gives_the_same_root_and_digest_on_every_store(engine: str, tmp_path: Path) -> None:
    want = in_memory()
    with sql_store(engine, tmp_path, RULEBOOK.tables) as store:
        world = told(store)
        assert world.entries() == want.entries()
        assert world.engine.head == want.engine.head
        assert world.digest() == want.digest()
        size = store.size()
        assert list(store.leaf_hashes(0, size)) == list(want.store.leaf_hashes(0, size))
        for as_of in (1, size // 2, size):
            for table in RULEBOOK.tables:
                rows = list(store.select(table, as_of=as_of))
                assert rows == list(want.store.select(table, as_of=as_of))
