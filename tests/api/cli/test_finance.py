"""Figures of a quote from the command line: to the fen, or one line and a code."""

import json

import pytest

from tests.api.cli.terminal import invoke

FIGURES = [
    *("financing", "figures", "--face", "100000000", "--rate-bp", "360"),
    *("--pay-on", "2025-06-22", "--due-on", "2025-12-19"),
]


def test_gv04_the_figures_of_a_quote() -> None:
    done = invoke([*FIGURES, "--fee", "50000:seller:handling", "--fee", "70000:other:search"], {})
    told = json.loads(done.stdout)
    assert (done.code, told["discount"], told["net"]) == (0, "1775342", "98174658")
    assert (told["cost_bp"], told["days"]) == (377, 180)
    assert [fee["bearer"] for fee in told["fees"]] == ["seller", "other"]


def test_gv04_a_year_of_360_days() -> None:
    done = invoke([*FIGURES, "--year-days", "360"], {})
    assert json.loads(done.stdout)["discount"] == "1800000"


@pytest.mark.parametrize(
    "odd",
    [
        ["--year-days", "364"],
        ["--fee", "50000"],
        ["--fee", "50000:me:handling"],
        ["--fee", "98224658:seller:everything"],
        ["--due-on", "2025-06-22"],
        ["--face", "1.5"],
    ],
)
def test_what_has_no_price_is_one_line_and_a_code(odd: list[str]) -> None:
    done = invoke([*FIGURES, *odd], {})
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_sd_71_a_financing_with_recourse_is_settled() -> None:
    owed = ("financing", "recourse", "--principal", "90000000", "--interest", "2000000")
    for collected, claimable, surplus in (
        ("100000000", "0", "8000000"),
        ("91999999", "1", "0"),
        ("0", "92000000", "0"),
    ):
        done = invoke([*owed, "--collected", collected], {})
        assert json.loads(done.stdout) == {"claimable": claimable, "surplus": surplus}
    done = invoke([*owed, "--collected", "-1"], {})
    assert (done.code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
