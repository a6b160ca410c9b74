"""Identifiers: which texts are one, and what they are made of."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvariantBrokenError, MalformedError
from registry.ids import (
    NUMBER_MAX,
    PartyId,
    format_uuid7,
    is_vehicle,
    lei_check_digits,
    lot_id,
    notice_id,
    parse_kid,
    parse_lot_id,
    parse_notice_id,
    parse_origin,
    parse_party_id,
    parse_sid,
    parse_uuid7,
    trustee_of,
    uscc_check_character,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "ids"
CASES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(VECTORS.glob("*.json"))}
PARSERS: dict[str, Callable[[str], object]] = {
    "kid": parse_kid,
    "lot": parse_lot_id,
    "notice": parse_notice_id,
    "origin": parse_origin,
    "party": parse_party_id,
    "sid": parse_sid,
    "uuid7": parse_uuid7,
}
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
SID = parse_sid("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
uscc_stems = st.from_regex(rf"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{9}}", fullmatch=True)
lei_stems = st.from_regex(r"[0-9A-Z]{18}", fullmatch=True)
numbers = st.integers(0, NUMBER_MAX)


def parsed(case: dict[str, Any]) -> object:
    return PARSERS[case["input"]["form"]](case["input"]["text"])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "want" in case])
def test_accepts_what_the_vector_says(name: str) -> None:
    found = parsed(CASES[name])
    assert (list(found) if isinstance(found, tuple) else found) == CASES[name]["want"]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "want_error" in case])
def test_refuses_the_attack_by_its_kind(name: str) -> None:
    with pytest.raises(MalformedError) as refusal:
        parsed(CASES[name])
    assert refusal.value.code == CASES[name]["want_error"]


class TestParty:
    @given(uscc_stems, st.sampled_from(ALPHABET))
    def test_one_check_character_of_a_credit_code_is_right(self, stem: str, check: str) -> None:
        right = uscc_check_character(stem)
        assert parse_party_id(stem + right) == stem + right
        if check != right:
            with pytest.raises(MalformedError, match=f"check is {check}, computed {right}"):
                parse_party_id(stem + check)

    @given(uscc_stems, st.integers(0, 16), st.sampled_from(ALPHABET))
    def test_a_mistyped_character_of_a_credit_code_shows(
        self, stem: str, place: int, typed: str
    ) -> None:
        changed = stem[:place] + typed + stem[place + 1 :]
        assert (uscc_check_character(changed) == uscc_check_character(stem)) == (changed == stem)

    @given(lei_stems, st.integers(0, 99))
    def test_one_pair_of_check_digits_of_an_lei_is_right(self, stem: str, check: int) -> None:
        right = lei_check_digits(stem)
        assert 2 <= int(right) <= 98
        assert int("".join(str(int(c, 36)) for c in stem + right)) % 97 == 1
        assert parse_party_id(stem + right) == stem + right
        if f"{check:02}" != right:
            with pytest.raises(MalformedError, match=f"check is {check:02}, computed {right}"):
                parse_party_id(f"{stem}{check:02}")

    @pytest.mark.parametrize(
        "stem", ["", "91310000MA1K00001X9", "9131000OMA1K00001", "\u0661" * 17]
    )
    def test_no_check_character_for_what_is_no_stem(self, stem: str) -> None:
        with pytest.raises(InvariantBrokenError):
            uscc_check_character(stem)

    @pytest.mark.parametrize(
        "stem", ["", "5493001KJTIIGC8Y1R1", "5493001kjtiigc8y1r", "\u0661" * 18]
    )
    def test_no_check_digits_for_what_is_no_stem(self, stem: str) -> None:
        with pytest.raises(InvariantBrokenError):
            lei_check_digits(stem)

    @pytest.mark.parametrize("legal", ["91310000MA1K000019", "5493001KJTIIGC8Y1R12"])
    def test_a_vehicle_is_signed_for_by_its_trustee(self, legal: str) -> None:
        vehicle = parse_party_id(f"{legal}#plan-1")
        assert is_vehicle(vehicle)
        assert trustee_of(vehicle) == legal

    def test_another_party_is_its_own_trustee(self) -> None:
        party = PartyId("91310000MA1K000019")
        assert not is_vehicle(party)
        assert trustee_of(party) == party


class TestDerivedIds:
    @given(numbers, numbers)
    def test_read_back_what_was_written(self, n: int, r: int) -> None:
        lot = lot_id(SID, n)
        assert lot == f"{SID}.{n}"
        assert parse_lot_id(lot) == (SID, n)
        assert parse_notice_id(notice_id(lot, r)) == (lot, r)

    @pytest.mark.parametrize("number", [-1, NUMBER_MAX + 1])
    def test_have_no_number_beyond_32_bits(self, number: int) -> None:
        with pytest.raises(InvariantBrokenError):
            lot_id(SID, number)
        with pytest.raises(InvariantBrokenError):
            notice_id(lot_id(SID, 0), number)


class TestUuid7:
    @given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
    def test_is_one_to_the_standard_library_too(self, time_ms: int, tail: bytes) -> None:
        text = format_uuid7(time_ms, tail)
        assert parse_uuid7(text) == time_ms
        uuid = UUID(text)
        assert (str(uuid), uuid.version, uuid.int >> 80) == (text, 7, time_ms)

    @given(st.binary(min_size=10, max_size=10), st.integers(0, 79))
    def test_uses_all_bits_but_those_of_version_and_variant(self, tail: bytes, bit: int) -> None:
        flipped = (int.from_bytes(tail, "big") ^ 1 << (79 - bit)).to_bytes(10, "big")
        reserved = bit in {0, 1, 2, 3, 16, 17}
        assert (format_uuid7(0, flipped) == format_uuid7(0, tail)) == reserved

    def test_writes_the_example_of_the_standard(self) -> None:
        tail = bytes.fromhex("0cc318c4dc0c0c07398f")
        assert format_uuid7(0x017F22E279B0, tail) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

    @pytest.mark.parametrize(("time_ms", "size"), [(-1, 10), (2**48, 10), (0, 9), (0, 11)])
    def test_is_not_made_from_other_sizes(self, time_ms: int, size: int) -> None:
        with pytest.raises(InvariantBrokenError):
            format_uuid7(time_ms, bytes(size))
