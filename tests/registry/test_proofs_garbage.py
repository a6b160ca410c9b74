"""Garbage in a proof: whatever stands in whichever place, only documented errors are raised."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.canonical import b64url_decode, b64url_encode, format_json
from registry.errors import RegistryError
from tests.snapshots import (
    TYPED,
    lot_proof,
    lots_of,
    snapshot,
    verified,
    verified_lot,
    with_record,
)

JSON = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.sampled_from(["", "0", "1", "-1", "A" * 43, "A" * 22, "AA", "holder", "\u00e9"]),
        st.text("ABC019-_.!", max_size=50),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["path", "entry", "index", "record", "count", "hash", "sum", "x"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Lists the way to every value inside a value."""
    yield path
    if isinstance(value, dict | list):
        for name, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(member, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@cache
def opened(what: str) -> tuple[Any, tuple[tuple[Any, ...], ...]]:
    """Returns a part as JSON, with the ways to everything in it."""
    value: Any = {
        "proof.json": lambda: json.loads(snapshot("trustee#T1")["proof.json"]),
        "manifest.json": lambda: json.loads(snapshot("trustee#T1")["manifest.json"]),
        "lots.ndjson": lambda: lots_of(snapshot("trustee#T1"))[0],
        "lot proof": lambda: json.loads(lot_proof()),
        "record": lambda: json.loads(
            b64url_decode(json.loads(lot_proof())["bucket"]["record"], what="record")
        ),
        "state": lambda: json.loads(
            b64url_decode(json.loads(lot_proof())["state"]["entry"], what="state")
        ),
    }[what]()
    return value, tuple(paths(value))


class TestGarbage:
    def refuse(self, what: str, data: bytes) -> None:
        """Verifies changed bytes of a part, which must be refused with a documented error."""
        proof = json.loads(lot_proof())
        if what == "record":
            proof["bucket"]["record"] = b64url_encode(data[:-1])
        if what == "state":
            proof["state"]["entry"] = b64url_encode(data[:-1])
        if what in ("record", "state"):
            what, data = "lot proof", format_json(proof) + b"\n"
        with pytest.raises(TYPED):
            verified_lot(data) if what == "lot proof" else verified(
                {**snapshot("trustee#T1"), what: data}
            )

    @pytest.mark.parametrize(
        "what", ["proof.json", "manifest.json", "lots.ndjson", "lot proof", "record", "state"]
    )
    @given(data=st.data())
    def test_any_member_replaced_by_anything_is_refused(self, what: str, data: Any) -> None:
        value, ways = opened(what)
        changed = replaced(value, data.draw(st.sampled_from(ways)), data.draw(JSON))
        if format_json(changed) != format_json(value):
            self.refuse(what, format_json(changed) + b"\n")

    @given(st.binary(max_size=200))
    def test_any_bytes_are_refused(self, data: bytes) -> None:
        for what in ("proof.json", "manifest.json", "lot proof", "checkpoint"):
            self.refuse(what, data)

    @given(st.binary(max_size=60))
    def test_what_is_signed_is_refused_if_it_is_not_text(self, tail: bytes) -> None:
        good = snapshot("trustee#T1")
        with pytest.raises(TYPED):
            verified({**good, "checkpoint": good["checkpoint"] + tail + b"x"})

    def test_a_dishonest_commitment_that_adds_up_by_a_negative_part_is_refused(self) -> None:
        """Only the operator could commit to it; the verifier still reads sums strictly."""
        record = json.loads(
            b64url_decode(json.loads(snapshot("voucher")["proof.json"])["bucket"]["record"],
                          what="record")
        )  # fmt: skip
        more = int(record["sum"]) + 1
        with pytest.raises(RegistryError):
            verified(with_record(snapshot("voucher"), sum=str(more), discharged="-1"))
