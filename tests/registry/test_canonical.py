"""One spelling of JSON: what it is, what is refused, and that others spell it alike."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from registry import canonical, profile
from registry.canonical import (
    Json,
    format_json,
    parse_json,
    parse_object,
)
from registry.errors import InputError, MalformedError, NotCanonicalError
from registry.profile import DEPTH_MAX, INTEGER_MAX

VECTORS = Path(__file__).parents[1] / "vectors" / "canonical"
CASES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(VECTORS.glob("*.json"))}
ACCEPTED = sorted(name for name, case in CASES.items() if "want" in case)
REFUSED = sorted(name for name, case in CASES.items() if "want_error" in case)

FORBIDDEN = (
    *range(0x20),
    *range(0x7F, 0xA0),
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    0xFEFF,
    *range(0xD800, 0xE000),
)
INVISIBLE = [chr(code) for code in FORBIDDEN if 0x200B <= code < 0xD800 or code == 0xFEFF]
texts = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=INVISIBLE), max_size=12
)
names = st.from_regex(r"[A-Za-z0-9._#-]{1,64}", fullmatch=True)
integers = st.integers(-INTEGER_MAX, INTEGER_MAX)
values: st.SearchStrategy[Json] = st.recursive(
    st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def data_of(case: dict[str, Any]) -> bytes:
    given_as = case["input"]
    if "hex" in given_as:
        return bytes.fromhex(given_as["hex"])
    return cast(str, given_as["text"]).encode()


def nested(depth: int) -> Json:
    value: Json = []
    for _ in range(depth - 1):
        value = [value]
    return value


class TestParse:
    @pytest.mark.parametrize("name", ACCEPTED)
    def test_accepts_what_the_vector_says_and_prints_it_back(self, name: str) -> None:
        data = data_of(CASES[name])
        value = parse_json(data, what="vector")
        assert value == CASES[name]["want"]
        assert format_json(value) == data

    @pytest.mark.parametrize("name", REFUSED)
    def test_refuses_the_attack_by_its_kind(self, name: str) -> None:
        with pytest.raises(InputError) as refusal:
            parse_json(data_of(CASES[name]), what="vector")
        assert refusal.value.code == CASES[name]["want_error"]
        assert refusal.value.facts["what"] == "vector"

    @given(values)
    def test_reads_back_what_was_written(self, value: Json) -> None:
        assert parse_json(format_json(value), what="value") == value

    @given(st.text(st.sampled_from('{}[],:"\\ab01-.e +tru nl\u00e9\u200b'), max_size=12))
    @example('{"a":1}')
    @example('[1 ,"a"]')
    def test_accepts_only_what_its_own_reencoding_gives(self, text: str) -> None:
        try:
            value = parse_json(text.encode(), what="text")
        except InputError:
            return
        assert format_json(value).decode() == text

    @given(values, st.data())
    def test_a_changed_byte_is_refused_or_is_another_value(
        self, value: Json, data: st.DataObject
    ) -> None:
        encoded = bytearray(format_json(value))
        place = data.draw(st.integers(0, len(encoded) - 1))
        encoded[place] ^= data.draw(st.integers(1, 255))
        try:
            changed = parse_json(bytes(encoded), what="value")
        except InputError:
            return
        assert format_json(changed) == bytes(encoded)

    @pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
    @pytest.mark.parametrize("closed", [True, False])
    def test_refuses_a_hundred_thousand_levels_without_recursion(
        self, opening: str, closed: bool
    ) -> None:
        closing = "".join({"[": "]", "{": "}"}.get(c, "") for c in reversed(opening))
        text = opening * 100_000 + (f"1{closing * 100_000}" if closed else "")
        with pytest.raises(MalformedError, match="nested deeper than 16"):
            parse_json(text.encode(), what="text")

    @pytest.mark.parametrize("unit", ["123456789012345,", '"\\\\",', '{"a":1},', "[[]],", '"aé",'])
    def test_refuses_a_long_text_with_its_fault_at_the_end_in_linear_time(self, unit: str) -> None:
        with pytest.raises(MalformedError, match="null"):
            parse_json(f"[{unit * 8000}null]".encode(), what="text")

    def test_a_duplicate_is_malformed_even_where_the_order_is_wrong(self) -> None:
        with pytest.raises(MalformedError, match="a member stands twice"):
            parse_json(b'{"b":1,"a":1,"b":1}', what="text")

    def test_names_what_it_read(self) -> None:
        with pytest.raises(NotCanonicalError, match=r"^entry 7 is not in canonical form: white"):
            parse_json(b"[1, 2]", what="entry 7")


class TestParseObject:
    def test_gives_the_members(self) -> None:
        assert parse_object(b'{"a":[1]}', what="body") == {"a": [1]}

    @pytest.mark.parametrize("data", [b"[]", b'"a"', b"1", b"true"])
    def test_refuses_another_value_at_the_top(self, data: bytes) -> None:
        with pytest.raises(MalformedError, match="body: not an object"):
            parse_object(data, what="body")


class TestFormat:
    @given(values)
    def test_agrees_with_another_implementation_of_rfc_8785(self, value: Json) -> None:
        assert format_json(value) == rfc8785.dumps(cast(Any, value))

    def test_writes_a_tuple_as_an_array_and_a_string_enum_as_its_string(self) -> None:
        class Status(StrEnum):
            FREE = "free"

        assert format_json(cast(Json, {"s": (Status.FREE, ())})) == b'{"s":["free",[]]}'

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, "null"),
            ({"a": None}, "null"),
            (1.0, "not an integer"),
            (float("nan"), "not an integer"),
            ([float("inf")], "not an integer"),
            (INTEGER_MAX + 1, "2^53 or more"),
            (-INTEGER_MAX - 1, "2^53 or more"),
            pytest.param(10**5000, "2^53 or more", id="5001-digits"),
            ("a\n", "control, invisible or surrogate"),
            ("\ud800", "control, invisible or surrogate"),
            ([{"a": "\u202e"}], "control, invisible or surrogate"),
            ({"": 1}, "member name"),
            ({"a b": 1}, "member name"),
            ({"a\n": 1}, "member name"),
            ({"\ud800": 1}, "member name"),
            ({1: "a"}, "member name"),
            ({None: 1}, "member name"),
            ({"a": [({True: 1},)]}, "member name"),
            ({"a": 1, 2: 1}, "member name"),
            (b"a", "bytes has no JSON form"),
            ({"a": {1}}, "set has no JSON form"),
            (nested(DEPTH_MAX + 1), "nested deeper than 16"),
            (nested(sys.getrecursionlimit() - 200), "nested deeper than 16"),
        ],
    )
    def test_refuses_what_is_outside_the_profile(self, value: object, reason: str) -> None:
        with pytest.raises(MalformedError) as refusal:
            format_json(cast(Json, value))
        assert reason in str(refusal.value)

    def test_refuses_a_value_that_holds_itself(self) -> None:
        loop: list[Json] = []
        loop.append(loop)
        with pytest.raises(MalformedError, match="nested deeper than 16"):
            format_json(loop)

    def test_reaches_the_greatest_depth(self) -> None:
        assert format_json(nested(DEPTH_MAX)) == b"[" * DEPTH_MAX + b"]" * DEPTH_MAX


class TestBothDefinitionsOfTheProfile:
    """The pattern decides and the words explain; they must not disagree."""

    def test_on_every_character(self) -> None:
        forbidden = frozenset(FORBIDDEN)
        allowed = "".join(chr(c) for c in range(sys.maxunicode + 1) if c not in forbidden)
        assert profile.PROFILE.fullmatch(canonical._encode(allowed))
        assert not profile.fault_of(allowed, depth=0)
        for character in map(chr, FORBIDDEN):
            for quoted in (canonical._encode(character), f'"{character}"', f'"{character}x"'):
                assert not profile.PROFILE.fullmatch(quoted)
            assert profile.fault_of(character, depth=0)

    @given(
        st.integers(0, 18).map(lambda digits: 10**digits)
        | st.integers(2**53 - 2000, 2**53 + 2000)
        | st.integers(0, 10**17)
    )
    @example(0)
    @example(INTEGER_MAX)
    @example(INTEGER_MAX + 1)
    def test_on_integers(self, magnitude: int) -> None:
        for number in (magnitude, -magnitude):
            by_pattern = profile.PROFILE.fullmatch(str(number)) is not None
            assert by_pattern == (profile.fault_of(number, depth=0) == "")
            assert by_pattern == (abs(number) <= INTEGER_MAX)

    @given(
        st.recursive(
            st.none() | st.floats() | st.integers() | st.text(max_size=3) | st.booleans(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=3)
            ),
        )
    )
    def test_on_any_value(self, value: object) -> None:
        reason = profile.fault_of(value, depth=0)
        if reason:
            with pytest.raises(MalformedError) as refusal:
                format_json(cast(Json, value))
            assert refusal.value.facts["reason"] == reason
        else:
            assert parse_json(format_json(cast(Json, value)), what="value") == value


class Plain(StrEnum):
    """A string that is not of the type `str`."""

    ONE = "one"


class Half(int):
    """An integer that is not of the type `int`."""


anything: st.SearchStrategy[object] = st.recursive(
    st.sampled_from([None, True, 0, -1, 1.0, INTEGER_MAX, INTEGER_MAX + 1, -INTEGER_MAX - 1])
    | st.sampled_from(["", "a", '"', "\\", "\n", "\x7f", "\x85", "\u200b", "\ud800", "é", "应收"])
    | st.sampled_from([b"a", Plain.ONE, Half(7), 10**50, float("nan")])
    | st.integers(-(2**54), 2**54)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(
            st.sampled_from(["a", "b", "B", "1", "", "a b", "é", "\ud800", "x" * 65])
            | st.sampled_from([1, True, None, Plain.ONE]),
            inner,
            max_size=4,
        )
    ),
)
nearly_json = st.lists(
    st.sampled_from('{}[],:"\\')
    | st.sampled_from(['"a":', '"b":', '"A":', "true", "false", "null", "0", "-0", "1.0", "1e2"])
    | st.sampled_from(
        [" ", "\n", '"é"', '"\\n"', '"\\u0041"', '"\x7f"', '"\u200b"', "9007199254740992"]
    )
    | st.sampled_from(["[]", "{}", '{"a":1}', '{"b":1,"a":1}', '{"a":1,"a":1}', "[1,2]", '"a"']),
    max_size=9,
).map("".join)


class TestTheQuickWay:
    """What is taken in quickly must be what the profile takes in, and nothing is read otherwise."""

    @given(anything)
    @example([])
    @example({"a b": 1})
    @example([INTEGER_MAX, -INTEGER_MAX])
    @example([-INTEGER_MAX - 1])
    @example([INTEGER_MAX + 1])
    @example([None])
    @example(["\n"])
    @example({"a": 1, "b": 2})
    @example({"b": 1, "a": 2})
    @example(nested(DEPTH_MAX))
    @example(nested(DEPTH_MAX + 1))
    @example({str(number).rjust(3, "0"): 1 for number in range(100)})
    def test_formats_as_the_profile_says(self, value: object) -> None:
        assert outcome(format_json, value) == outcome(canonical._format_any, value)

    @given(nearly_json)
    @example('{"a":"\x7f"}')
    @example("[1, 2]")
    @example('{"a":1,"a":2}')
    @example('{"b":1,"a":2}')
    @example("[-0]")
    @example('["\u200b"]')
    @example("[" * DEPTH_MAX + "]" * DEPTH_MAX)
    @example("[" * (DEPTH_MAX + 1) + "]" * (DEPTH_MAX + 1))
    def test_parses_as_the_profile_says(self, text: str) -> None:
        assert parsed(parse_json, text.encode()) == parsed(canonical._parse_any, text.encode())

    @given(values, st.data())
    def test_parses_changed_bytes_as_the_profile_says(
        self, value: Json, data: st.DataObject
    ) -> None:
        encoded = bytearray(format_json(value))
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.integers(0, len(encoded)))
            encoded[at : at + data.draw(st.integers(0, 1))] = data.draw(
                st.sampled_from([b"", b" ", b"0", b"-", b".", b"\\", b'"', b",", b"\x7f", b"\xff"])
            )
        assert parsed(parse_json, bytes(encoded)) == parsed(canonical._parse_any, bytes(encoded))

    def test_takes_in_what_the_ledger_writes(self) -> None:
        value = {"aud": "sandbox.example/a", "body": {"amount": "1", "recourse": False}, "exp": 7}
        assert canonical._is_plain(value, DEPTH_MAX - 1)
        assert canonical._has_plain_text(format_json(cast(Json, value)))


def outcome(encode: Any, value: object) -> tuple[str, str]:
    """Returns the bytes or the refusal, with its words."""
    try:
        return "", encode(value).decode()
    except InputError as error:
        return error.code, str(error)


def parsed(parse: Any, data: bytes) -> tuple[str, object]:
    """Returns the value, with the types of its parts, or the refusal with its words."""
    try:
        return "", repr(parse(data, what="data"))
    except InputError as error:
        return error.code, str(error)
