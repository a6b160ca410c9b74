"""Set-off against an assignee: RG-22, its four tests and their edges."""

from typing import Any

import pytest

from registry.setoff import SetOffRisk, setoff_risk

NOTICED = 1_000
BASE: dict[str, Any] = {
    "is_waived": False,
    "is_same_contract": False,
    "noticed_at": NOTICED,
    "accrued_at": NOTICED - 1,
    "due_on": "2026-06-30",
    "counterclaim_due_on": "2026-06-29",
}


@pytest.mark.parametrize(
    ("case", "risk"),
    [
        ({}, SetOffRisk.STATUTORY),
        ({"accrued_at": NOTICED + 1}, SetOffRisk.NONE),
        ({"accrued_at": NOTICED}, SetOffRisk.NONE),
        (
            {"accrued_at": NOTICED + 1, "is_same_contract": True},
            SetOffRisk.STATUTORY,
        ),
        ({"is_waived": True}, SetOffRisk.WAIVED),
        ({"is_waived": True, "is_same_contract": True}, SetOffRisk.WAIVED),
        ({"counterclaim_due_on": "2026-06-30"}, SetOffRisk.STATUTORY),
        ({"counterclaim_due_on": "2026-07-01"}, SetOffRisk.NONE),
        ({"noticed_at": None, "accrued_at": NOTICED + 9}, SetOffRisk.STATUTORY),
    ],
)
def test_rg_22(case: dict[str, Any], risk: SetOffRisk) -> None:
    assert setoff_risk(**BASE | case) == risk
