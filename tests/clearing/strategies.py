"""Vouchers split at random among few parties, so that chains come back to them."""

from hypothesis import strategies as st

from registry.model import Route
from tests.clearing.world import World

NAMES = ("S1", "S2", "S3", "F", "T#trust")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draws vouchers split at random among few parties, so that chains come back."""
    world = World()
    for name in NAMES:
        for n in range(draw(st.integers(0, 2))):
            world.mandate(name, draw(st.integers(0, 1)), name=str(n))
    for number in range(draw(st.integers(1, 3))):
        lots = [
            world.issue(
                f"v{number}",
                face=draw(st.integers(1, 10**15 - 1)),
                to=draw(st.sampled_from(NAMES)),
                route=draw(st.sampled_from(Route)),
                consent=draw(st.booleans()),
                n=draw(st.integers(0, 1)),
            )
        ]
        for _ in range(draw(st.integers(0, 12))):
            lot = lots.pop(draw(st.integers(0, len(lots) - 1)))
            row = world.lot(lot)
            if row.amount > 1 and draw(st.integers(0, 5)) == 0:
                pieces = min(draw(st.sampled_from((2, 3, 127, 128, 129, 300))), row.amount)
                for _ in range(pieces - 1):
                    piece, lot = world.split(lot, 1)
                    lots.append(piece)
                lots.append(lot)
                continue
            others = [name for name in NAMES if world.party(name) != row.holder]
            taken, rest = world.assign(
                lot,
                to=draw(st.sampled_from(others)),
                amount=draw(st.integers(1, row.amount)),
                consent=draw(st.integers(0, 3)) > 0,
                n=draw(st.integers(0, 1)),
            )
            lots += [taken] if rest is None else [taken, rest]
    return world
