"""Members of bodies: what a pattern accepts its parser accepts, and each value has one spelling.

A body is not printed back at admission. That rests on what is shown here for every kind:
whatever its model accepts, it prints as it was read.
"""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, create_model

from clearing.rulebook import RULEBOOK
from registry.calendars import parse_date
from registry.canonical import b64url_decode
from registry.errors import RegistryError
from registry.fields import (
    Amount,
    BusinessDate,
    Digest,
    LotField,
    NoticeField,
    OriginField,
    PartyField,
    SidField,
)
from registry.ids import (
    NUMBER_MAX,
    parse_lot_id,
    parse_notice_id,
    parse_origin,
    parse_party_id,
    parse_sid,
)
from registry.money import parse_amount
from registry.statements import Body, Kind
from tests.builders import key_of

SID = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
KINDS = sorted(RULEBOOK.kinds.values(), key=lambda kind: kind.name)


def read(field: Any, value: object) -> object:
    """Returns what a body with this field reads, or None."""
    try:
        return vars(body_with(field).model_validate({"member": value}))["member"]
    except ValidationError:
        return None


@cache
def body_with(field: Any) -> type[Body]:
    """Returns a model of one member."""
    return create_model("One", __base__=Body, member=(field, ...))


def parsed(parse: Callable[[str], object], text: str, *, keeps: bool) -> object:
    """Returns what the parser reads, or None."""
    try:
        return text if parse(text) is not None and keeps else parse(text)
    except RegistryError:
        return None


FIELDS: dict[str, tuple[Any, Callable[[str], object], bool]] = {
    "amount": (Amount, parse_amount, False),
    "date": (BusinessDate, parse_date, False),
    "sid": (SidField, parse_sid, True),
    "lot": (LotField, parse_lot_id, True),
    "notice": (NoticeField, parse_notice_id, True),
    "party": (PartyField, parse_party_id, True),
    "origin": (OriginField, parse_origin, True),
    "digest": (Digest, lambda text: b64url_decode(text, what="digest", length=32), True),
}
numbers = st.integers(0, 2 * NUMBER_MAX).map(str) | st.integers(
    NUMBER_MAX - 30, NUMBER_MAX + 30
).map(str)
near = st.one_of(
    st.from_regex(r"[0-9]{0,17}", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True),
    st.dates().map(str),
    st.from_regex(r"[A-Za-z0-9_-]{42,44}", fullmatch=True),
    numbers.map(lambda number: f"{SID}.{number}"),
    st.tuples(numbers, numbers).map(lambda pair: f"{SID}.{pair[0]}!{pair[1]}"),
    st.sampled_from(["91310000MA1K000019", "5493001KJTIIGC8Y1R12", "registry.example/a"]),
    st.text(max_size=5),
)
slips = st.sampled_from(
    ["", "", "", "\n", " ", "0", "\u0661", "\uff11", ".", "!", "#a", "A", "\x00"]
)


class TestPatterns:
    @pytest.mark.parametrize("name", FIELDS)
    @given(text=near, slip=slips, at=st.integers(0, 60))
    @example(text="0000-01-01", slip="", at=0)
    @example(text="2025-02-29", slip="", at=0)
    @example(text=f"{SID}.{NUMBER_MAX}", slip="", at=0)
    @example(text=f"{SID}.{NUMBER_MAX + 1}", slip="", at=0)
    @example(text=f"{SID}.0!{NUMBER_MAX + 1}", slip="", at=0)
    @example(text=f"{SID}.00", slip="", at=0)
    @example(text=SID[:-1] + "V", slip="", at=0)
    @example(text=SID, slip="\n", at=43)
    @example(text="9" * 15, slip="", at=0)
    @example(text="9" * 16, slip="", at=0)
    @example(text="1", slip="\n", at=1)
    def test_say_what_the_parser_says(self, name: str, text: str, slip: str, at: int) -> None:
        field, parse, keeps = FIELDS[name]
        slipped = text[:at] + slip + text[at:]
        assert read(field, slipped) == parsed(parse, slipped, keeps=keeps)

    @pytest.mark.parametrize("name", FIELDS)
    @pytest.mark.parametrize("value", [0, 1, True, [], {}, None, b"1", 1.0])
    def test_take_nothing_but_strings(self, name: str, value: object) -> None:
        assert read(FIELDS[name][0], value) is None


def sample_of(schema: dict[str, Any], models: dict[str, Any], *, name: str = "") -> Any:
    """Returns the smallest value of a schema, every optional member included."""
    if name in ("key", "log_key"):
        return dict(key_of("sample").public.jwk())
    if "$ref" in schema:
        return sample_of(models[schema["$ref"].rpartition("/")[2]], models)
    if "anyOf" in schema:
        return sample_of(schema["anyOf"][0], models)
    for word in ("const", "enum", "examples"):
        if word in schema:
            return schema[word] if word == "const" else schema[word][0]
    match schema["type"]:
        case "object":
            members = schema.get("properties", {})
            return {each: sample_of(members[each], models, name=each) for each in members}
        case "array":
            least = max(schema.get("minItems", 0), 1)
            return [sample_of(schema["items"], models) for _ in range(least)]
        case other:
            number = max(schema.get("minimum", 1), 1)
            return {"string": "a", "integer": number, "boolean": True}[other]


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every container of a value with every place in it."""
    for place in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, place
        if isinstance(value[place], dict | list):
            yield from places_in(value[place])


def body_of(kind: Kind[Any]) -> Any:
    schema = kind.body.model_json_schema()
    return sample_of(schema, schema.get("$defs", {}))


def in_order(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def printed(body: BaseModel) -> Any:
    return body.model_dump(mode="json", exclude_none=True)


CHANGES: list[Any] = [
    *(True, False, 0, 1, -1, 2, 2**53 - 1, "", "0", "1", "01", "1.0", "+1", "1e2", "1_0", "true"),
    *(
        "True",
        "None",
        "a",
        "A",
        "\uff11",
        " 1",
        "1\n",
        "2026-03-02",
        "20260302",
        "2026-03-02T00:00:00",
    ),
    *("1772409600", 1772409600, [], {}, [1], ["a"], {"a": 1}, SID, f"{SID}.0", f"{SID}.00"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
class TestBodies:
    def test_print_as_they_were_read(self, kind: Kind[Any]) -> None:
        sample = body_of(kind)
        assert printed(kind.body.model_validate(sample)) == sample

    def test_print_as_they_were_read_whatever_is_changed(self, kind: Kind[Any]) -> None:
        sample = body_of(kind)
        for number in range(len(list(places_in(sample)))):
            for change in range(len(CHANGES) + 6):
                body = copy.deepcopy(sample)
                holder, place = list(places_in(body))[number]
                changed(holder, place, change)
                try:
                    found = kind.body.model_validate(body)
                except ValidationError:
                    continue
                # As bytes, for to Python 1 is True.
                assert in_order(printed(found)) == in_order(body)

    @given(data=st.data())
    def test_print_as_they_were_read_whatever_is_changed_at_random(
        self, kind: Kind[Any], data: st.DataObject
    ) -> None:
        body = body_of(kind)
        for _ in range(data.draw(st.integers(1, 3))):
            if places := list(places_in(body)):
                holder, place = data.draw(st.sampled_from(places))
                holder[place] = data.draw(
                    st.integers(-9, 2**53 - 1) | near | st.text(max_size=4) | st.booleans()
                )
        try:
            found = kind.body.model_validate(body)
        except ValidationError:
            return
        assert printed(found) == body


def changed(holder: Any, place: Any, change: int) -> None:
    """Changes one place: another value, or the same one in another guise, or not at all there."""
    value = holder[place]
    if change < len(CHANGES):
        holder[place] = copy.deepcopy(CHANGES[change])
        return
    match change - len(CHANGES):
        case 0:
            del holder[place]
        case 1:
            holder[place] = str(value).upper()
        case 2:
            holder[place] = f"{value}\n"
        case 3:
            holder[place] = [value]
        case 4 if isinstance(value, list):
            holder[place] = {str(at): member for at, member in enumerate(value)}
        case 5 if isinstance(holder, dict):
            holder["unknown"] = value
