from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import problems
from api.errors import TokenMissingError
from api.titles import TITLES
from registry.errors import LogCorruptError, MalformedError, Misfit, RegistryError
from registry.refusals import InsufficientHoldingError, LotLockedError
from registry.writer import WriterBusyError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "problems.md"
LEAVES = sorted(set(problems.leaves()), key=lambda leaf: leaf.code)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.code)
def test_every_leaf_has_a_status_and_titles(leaf: type[RegistryError]) -> None:
    assert 400 <= problems.status_of(leaf) <= 503
    assert problems.title_of(leaf).endswith((".", "?"))
    assert problems.title_of(leaf, language="zh")


def test_codes_are_unique() -> None:
    assert len({leaf.code for leaf in LEAVES}) == len(LEAVES)


def test_the_page_is_what_the_classes_say() -> None:
    # Written by `python -m api.problems > docs/problems.md`.
    assert PAGE.read_text(encoding="utf-8") == problems.format_page()


def test_chinese_titles_are_of_codes_that_exist() -> None:
    assert set(TITLES) <= {leaf.code for leaf in LEAVES}


def test_a_problem_holds_code_detail_and_facts() -> None:
    error = InsufficientHoldingError(lot="L.0", held=100, requested=101)
    problem = problems.problem_of(error, instance="/v1/transfer/offer")
    assert problem == {
        "type": "/problems/insufficient-holding",
        "title": "More was offered than the lot holds.",
        "status": 422,
        "detail": "lot L.0 holds 1.00, requested 1.01",
        "instance": "/v1/transfer/offer",
        "code": "insufficient-holding",
        "retryable": False,
        "facts": {"lot": "L.0", "held": 100, "requested": 101},
    }


def test_facts_never_replace_members_of_the_problem() -> None:
    problem = problems.problem_of(LotLockedError(lot="L.0", status="offered"), instance="/")
    assert (problem["status"], problem["facts"]["status"]) == (409, "offered")


def test_a_wrong_member_of_the_body_is_pointed_at() -> None:
    error = MalformedError(what="body/face", reason="not an amount")
    problem = problems.problem_of(error, instance="/")
    assert problem["errors"] == [{"pointer": "/body/face", "detail": "not an amount"}]


def test_all_that_is_wrong_with_a_body_is_pointed_at() -> None:
    misfits = (
        Misfit(place=("body", "face"), reason="not an amount", expected="a text"),
        Misfit(place=("body", "a/b~c"), reason="unknown", expected=""),
    )
    error = MalformedError(what="body/face", reason="not an amount", misfits=misfits, more=1)
    problem = problems.problem_of(error, instance="/")
    assert problem["detail"] == "body/face: not an amount (and 1 more)"
    assert problem["facts"] == {"what": "body/face", "reason": "not an amount"}
    assert problem["errors"] == [
        {"pointer": "/body/face", "detail": "not an amount", "expected": "a text"},
        {"pointer": "/body/a~1b~0c", "detail": "unknown"},
    ]


def test_corruption_says_nothing_about_itself() -> None:
    problem = problems.problem_of(LogCorruptError(reason="secret path"), instance="/")
    assert problem["status"] == 500
    assert "secret" not in str(problem)


def test_a_busy_writer_says_when_to_come_again() -> None:
    error = WriterBusyError(waiting=9, limit=8)
    assert problems.headers_of(error) == {"Retry-After": "1"}
    assert problems.problem_of(error, instance="/")["retryable"]


def test_a_missing_token_says_how_to_authenticate() -> None:
    assert "WWW-Authenticate" in problems.headers_of(TokenMissingError())


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB,zh;q=0.5", "en"),
        ("fr, zh;q=0.3", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense, en;q=0.1", "en"),
    ],
)
def test_language_follows_the_wish(accept: str, language: str) -> None:
    assert problems.language_of(accept) == language


@given(st.text(max_size=200))
def test_any_wish_gives_a_language(accept: str) -> None:
    assert problems.language_of(accept) in ("en", "zh")
