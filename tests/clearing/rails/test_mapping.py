"""Mappings: data that is refused where no file could be written or read by it."""

import re
from pathlib import Path
from typing import Any

import pytest

from clearing.rails.batchfile import write_batch
from clearing.rails.errors import BankFileError
from clearing.rails.mapping import MAPPING_BYTES_MAX, read_mapping
from registry.errors import TooLargeError
from tests.clearing.rails.mappings import CSV, FIXED, mapping
from tests.clearing.rails.paper import payment

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "bank-files.md"
LINE = CSV["payment"]["line"]
BAD: dict[str, dict[str, Any]] = {
    "unknown-member": {**CSV, "encode": "gb18030"},
    "unknown-field": {**CSV, "payment": {"line": [*LINE, {"field": "balance"}]}},
    "field-of-the-other-file": {**CSV, "payment": {"line": [*LINE, {"field": "result"}]}},
    "payee-in-a-header": {**CSV, "payment": {"line": LINE, "header": [{"field": "payee_name"}]}},
    "no-amount": {**CSV, "payment": {"line": [c for c in LINE if c["field"] != "amount"]}},
    "no-payee": {**CSV, "payment": {"line": [c for c in LINE if c["field"] != "payee_number"]}},
    "names-no-payment": {**CSV, "reply": {"line": [{"field": "amount"}, {"field": "result"}]}},
    "no-result": {**CSV, "reply": {"line": [{"field": "amount"}, {"field": "instruction"}]}},
    "result-means-nothing": {**CSV, "results": {"0": "fine"}},
    "other-encoding": {**CSV, "encoding": "utf-16"},
    "fixed-without-width": {**CSV, "layout": "fixed"},
    "name-with-space": {**CSV, "name": "a b"},
    "name-in-other-letters": {**CSV, "name": "银行"},
    "number-filled-with-zeros": {
        **FIXED,
        "reply": {"line": [{"field": "payee_number", "width": 34, "align": "right", "pad": "0"}]},
    },
    "filled-with-two-characters": {
        **FIXED,
        "reply": {"line": [{"field": "amount", "width": 15, "pad": "00"}]},
    },
    "titles-in-fixed-width": {**FIXED, "payment": {**FIXED["payment"], "titled": True}},
}


@pytest.mark.parametrize("name", BAD)
def test_refuses_a_mapping(name: str) -> None:
    with pytest.raises(BankFileError):
        mapping(BAD[name])


def test_the_mapping_of_the_guide_is_one() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    by = read_mapping(block.encode())
    assert len(write_batch([payment(4), payment(5)], by, message_id="B1").data.split(b"\r\n")) == 4


def test_a_mapping_that_is_no_json_or_too_large_is_refused() -> None:
    with pytest.raises(BankFileError):
        read_mapping(b"{")
    with pytest.raises(TooLargeError):
        read_mapping(b" " * (MAPPING_BYTES_MAX + 1))
