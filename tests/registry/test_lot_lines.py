"""Lines of lots: what is verified together is what is verified one by one, and no more."""

import base64
import hashlib
import json
import random
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import lot_lines
from registry.errors import MalformedError, NotCanonicalError, ProofFailedError
from registry.leaves import open_salts, write_digests
from registry.lot_lines import Expected, Part, verify_each, verify_lots, verify_together
from tests.snapshots import lots_of, snapshot

LINES = snapshot("s2")["lots.ndjson"].splitlines(keepends=True)
MANIFEST = json.loads(snapshot("s2")["manifest.json"])
EXPECTED = Expected(family="holder", bucket=MANIFEST["bucket"], at=MANIFEST["at"])
NO_LINE = (
    MalformedError, NotCanonicalError, ProofFailedError,
    # What callers turn into a MalformedError.
    KeyError, TypeError, ValueError, AttributeError, IndexError,
)  # fmt: skip


def one_by_one(data: bytes, expected: Expected = EXPECTED) -> Part | None:
    try:
        return verify_each(BytesIO(data), 1, expected, after=(-1, -1), show=None)
    except NO_LINE:
        return None


def compare(data: bytes, expected: Expected = EXPECTED) -> Part | None:
    """Verifies lines in both ways: together accepts nothing that one by one refuses."""
    together, each = verify_together(data, expected), one_by_one(data, expected)
    assert together is None or together == each
    return together


class TestTogether:
    def test_all_lines_that_we_write_are_verified_together(self) -> None:
        for name, family in (("s2", "holder"), ("trustee#T1", "holder"), ("voucher", "voucher")):
            files = snapshot(name)
            manifest = json.loads(files["manifest.json"])
            expected = Expected(family=family, bucket=manifest["bucket"], at=manifest["at"])
            part = compare(files["lots.ndjson"], expected)
            assert part is not None
            assert sum(node.count for node in part.subtrees) == len(lots_of(files))

    def test_any_altered_character_is_refused_or_changes_the_root(self) -> None:
        line, more = LINES[0], b"".join(LINES[1:])
        roots = {one_by_one(line), one_by_one(line + more)}
        for at in range(len(line)):
            others = [bytes([other]) for other in b'\x00\t\n "\\,09Azw\x7f\xc3']
            for new in {*others, b"", line[at : at + 1] * 2} - {line[at : at + 1]}:
                altered = line[:at] + new + line[at + 1 :]
                assert compare(altered) not in roots
                assert compare(altered + more) not in roots

    @given(st.data())
    def test_spliced_lines_are_refused_or_change_the_root(self, data: st.DataObject) -> None:
        first, second = (data.draw(st.sampled_from(LINES)) for _ in range(2))
        start = data.draw(st.integers(0, len(first)))
        end = data.draw(st.integers(0, len(second)))
        spliced = first[:start] + second[end:]
        if spliced and spliced not in LINES:
            part = compare(spliced)
            assert part is None or part not in [one_by_one(line) for line in LINES]

    def test_lines_without_the_last_line_end_or_with_empty_ones_are_not_vouched_for(self) -> None:
        whole = b"".join(LINES)
        assert compare(whole) is not None
        for data in (whole[:-1], b"\n" + whole, whole + b"\n", LINES[0] + b"\n" + LINES[1], b"\n"):
            assert compare(data) is None

    @pytest.mark.parametrize("lots", [[1, 0], [0, 0], [0, 2, 1]])
    def test_another_order_is_not_vouched_for(self, lots: list[int]) -> None:
        assert compare(b"".join(LINES[at] for at in lots)) is None

    def test_another_bucket_or_a_later_state_is_not_vouched_for(self) -> None:
        born = [lot["record"]["born"] for lot in lots_of(snapshot("s2"))]
        data = b"".join(LINES)
        for expected in (
            Expected(family="holder", bucket="somebody", at=EXPECTED.at),
            Expected(family="voucher", bucket=EXPECTED.bucket, at=EXPECTED.at),
            Expected(family="holder", bucket=EXPECTED.bucket, at=max(born)),
        ):
            assert compare(data, expected) is None
        just = Expected(family="holder", bucket=EXPECTED.bucket, at=max(born) + 1)
        assert compare(data, just) is not None

    def test_a_line_in_another_form_is_looked_at_by_itself(self) -> None:
        """Facts that we do not write yet prove what they prove."""
        lot: Any = lots_of(snapshot("s2"))[0]
        lot["opening"]["facts"]["burdens"] = ["pledge"]
        facts = json.dumps(lot["opening"]["facts"], sort_keys=True, separators=(",", ":"))
        salt = base64.urlsafe_b64decode(lot["opening"]["salt"] + "==")
        hidden = hashlib.sha256(b"tallystick-detail/1\x00" + salt + facts.encode()).digest()
        lot["record"]["detail"] = base64.urlsafe_b64encode(hidden).decode().rstrip("=")
        line = json.dumps(lot, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        assert verify_together(line, EXPECTED) is None
        assert one_by_one(line) is not None


class TestAll:
    @pytest.mark.parametrize("lines_at_once", [1, 2, 4, 1_024])
    def test_parts_of_any_size_come_to_the_same(
        self, lines_at_once: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = b"".join(LINES)
        shown: list[Any] = []
        whole = verify_lots(BytesIO(data), EXPECTED, show=shown.append)
        monkeypatch.setattr(lot_lines, "LINES_AT_ONCE", lines_at_once)
        assert verify_lots(BytesIO(data), EXPECTED) == whole

    def test_order_is_looked_at_from_part_to_part(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lot_lines, "LINES_AT_ONCE", 1)
        for at in range(len(LINES) - 1):
            swapped = [*LINES[:at], LINES[at + 1], LINES[at], *LINES[at + 2 :]]
            for data in (swapped, [*LINES[: at + 1], *LINES[at:]]):
                with pytest.raises(ProofFailedError, match="leaf order"):
                    verify_lots(BytesIO(b"".join(data)), EXPECTED)

    def test_a_refusal_names_the_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lot_lines, "LINES_AT_ONCE", 2)
        for at in range(len(LINES)):
            spoilt = [*LINES[:at], LINES[at].replace(b'"tier":', b'"tier":7'), *LINES[at + 1 :]]
            with pytest.raises(ProofFailedError, match=f"lot {at + 1}: the opening does not give"):
                verify_lots(BytesIO(b"".join(spoilt)), EXPECTED)


class TestManyAtOnce:
    @given(st.lists(st.binary(min_size=16, max_size=16), max_size=9))
    def test_salts(self, salts: list[bytes]) -> None:
        texts = [base64.urlsafe_b64encode(salt).decode().rstrip("=") for salt in salts]
        assert open_salts(texts) == salts

    @pytest.mark.parametrize(
        "bad", ["", "A" * 21, "A" * 23, "A" * 21 + "B", "A" * 21 + "=", "*" * 22]
    )
    def test_one_bad_salt_among_good_ones_is_refused(self, bad: str) -> None:
        for salts in ([bad], ["A" * 22, bad], [bad, "A" * 22], ["A" * 20, "A" * 24]):
            with pytest.raises(MalformedError):
                open_salts(salts)

    def test_digests(self) -> None:
        digests = [random.Random(n).randbytes(32) for n in range(20)]  # noqa: S311
        texts = [base64.urlsafe_b64encode(digest).decode().rstrip("=") for digest in digests]
        for count in range(len(digests)):
            assert write_digests(digests[:count]) == texts[:count]
