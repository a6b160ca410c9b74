"""A row with money and one index, and the commits that hold it."""

from registry.batch import Change
from registry.model import DEADLINES
from registry.ports import Commit, NewEntry
from registry.tables import Minor, Record, Table


class Part(Record, frozen=True, kw_only=True):
    """A row with money."""

    part: str
    amount: Minor
    colour: str = "red"


PARTS = Table(name="part", row=Part, key=("part",), indexes=("colour",))
ALL = (PARTS, DEADLINES)


def commit(start: int, *parts: Part) -> Commit:
    new = NewEntry(
        index=start, time=1, kind="k", leaf_hash=bytes(32), data=b"d%d" % start,
        sid=None, by=None, id=None,
    )  # fmt: skip
    changes = [Change(index=start, table=PARTS, key=(row.part,), row=row) for row in parts]
    return Commit(entries=[new], changes=changes, tiles=[])


def part(name: str, amount: int = 1) -> Part:
    return Part(part=name, amount=Minor(amount))
