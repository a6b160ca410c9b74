"""What a policy says of vouchers and transfers, with the numbers of the rules."""

from datetime import date
from typing import Any

import pytest

from registry.calendars import add_months, parse_date
from registry.canonical import Json
from registry.errors import MalformedError, RegistryError
from registry.limits import LARGE, remark_pay_term, require_term
from registry.model import LOTS, VOUCHERS
from registry.policy import Rules, format_rules, parse_rules
from registry.refusals import (
    AssigneeRefusedError,
    BlackoutError,
    ChainTooLongError,
    LotTooSmallError,
    TermTooLongError,
    TermUnjustifiedError,
    TooManyPartsError,
)
from registry.rules.vouchers import Size
from tests.builders import CN_LEGAL, DIGEST, World, instant
from tests.scenario import Draft, attempt, cast_world, decide, refusal, verify_everything

CN_2025: dict[str, Json] = {"hard_months": 12, "soft_months": 6, "justification": "financing"}


def rules(**members: Json) -> Rules:
    return Rules.model_validate(members)


def day(text: str) -> date:
    return parse_date(text)


class TestMonths:
    @pytest.mark.parametrize(
        ("start", "months", "end", "days"),
        [
            ("2025-06-15", 6, "2025-12-15", 183),
            ("2025-06-15", 12, "2026-06-15", 365),
            ("2025-08-31", 6, "2026-02-28", 181),
            ("2025-08-31", 12, "2026-08-31", 365),
            ("2024-02-29", 12, "2025-02-28", 365),
            ("2025-12-31", 2, "2026-02-28", 59),
        ],
    )
    def test_end_with_the_month_where_it_is_shorter(
        self, start: str, months: int, end: str, days: int
    ) -> None:
        """GV-14, RG-04."""
        found = add_months(day(start), months)
        assert (found.isoformat(), (found - day(start)).days) == (end, days)

    def test_end_with_the_last_year_that_can_be_written(self) -> None:
        with pytest.raises(MalformedError, match="after the year 9999"):
            add_months(date(9999, 7, 1), 6)


class TestTerm:
    """RG-04 and RG-05: months from the day of the issue, by the policy then in force."""

    @pytest.mark.parametrize(
        ("due_on", "want"),
        [
            ("2026-02-28", ()),
            ("2026-03-01", ("over-soft-term", "unjustified-term")),
            ("2026-08-31", ("over-soft-term", "unjustified-term")),
            ("2026-09-01", TermTooLongError),
        ],
    )
    def test_soft_and_hard_limits_of_the_31st_of_august(self, due_on: str, want: Any) -> None:
        def judge(**more: Any) -> tuple[str, ...]:
            given = {"issued_on": day("2025-08-31"), "due_on": day(due_on), **more}
            return require_term(rules(tenor=CN_2025), **given)

        if isinstance(want, tuple):
            assert judge(justified=False) == want
            assert judge(justified=True) == want[:1]
        else:
            with pytest.raises(want):
                judge(justified=True)

    def test_a_justification_can_be_asked_for_at_the_issue(self) -> None:
        asked = rules(tenor={**CN_2025, "justification": "issuance"})
        given = {"issued_on": day("2025-08-31"), "due_on": day("2026-03-01")}
        assert require_term(asked, **given, justified=True) == ("over-soft-term",)
        with pytest.raises(TermUnjustifiedError):
            require_term(asked, **given, justified=False)

    def test_no_rule_is_no_limit(self) -> None:
        found = require_term(
            Rules(), issued_on=day("2025-08-31"), due_on=day("2099-01-01"), justified=False
        )
        assert found == ()


class TestPayTerm:
    """RG-16: delivered on 2025-07-01, 60 days end on 2025-08-30; a remark, never a block."""

    @pytest.mark.parametrize(
        ("due_on", "sizes", "want"),
        [
            ("2025-08-30", ("large", "small"), ()),
            ("2025-08-31", ("large", "small"), ("payterm-60d",)),
            ("2025-08-31", ("large", "medium"), ("payterm-60d",)),
            ("2025-08-31", ("large", "large"), ()),
            ("2025-08-31", ("medium", "micro"), ()),
            ("2025-08-31", None, ("payterm-undeclared",)),
        ],
    )
    def test_of_a_large_debtor(
        self, due_on: str, sizes: tuple[str, str] | None, want: tuple[str, ...]
    ) -> None:
        found = remark_pay_term(
            rules(pay_term={"days": 60}),
            due_on=day(due_on),
            delivered_on=day("2025-07-01"),
            sizes=sizes,
        )
        assert found == want

    def test_sizes_are_the_official_four(self) -> None:
        assert [*Size] == [LARGE, "medium", "small", "micro"]

    def test_a_late_voucher_is_issued_and_says_so(self) -> None:
        world = cast_world()
        world.enforce(pay_term={"days": 60})
        sizes: dict[str, Json] = {"debtor": "large", "creditor": "small"}
        body = world.issue_body(due_on="2025-08-31", delivered_on="2025-07-01", sizes=sizes)
        assert not isinstance(attempt(world, Draft(by="core", kind="voucher.issue", body=body)),
                              RegistryError)  # fmt: skip
        (voucher,) = world.store.select(VOUCHERS)
        assert voucher.flags == ("payterm-60d",)
        verify_everything(world)


class TestFinancing:
    """RG-04: over the soft term, money is given only with a justification."""

    def financed(self, *, at_issue: bool, **members: Json) -> tuple[World, Draft]:
        world = cast_world()
        world.enforce(tenor=CN_2025)
        more: dict[str, Any] = {"term_justification": DIGEST} if at_issue else {}
        lot = f"{world.issue(due_on='2026-03-02', accept_by='2025-07-20', **more)}.0"
        body = world.offer_body(lot, 100, "factor", purpose="finance", **members)
        return world, Draft(by="s1", kind="transfer.offer", body=body)

    def test_needs_a_justification(self) -> None:
        world, draft = self.financed(at_issue=False)
        assert isinstance(refusal(world, draft), TermUnjustifiedError)
        draft.body["term_justification"] = DIGEST
        assert not isinstance(attempt(world, draft), RegistryError)
        verify_everything(world)

    def test_the_debtors_own_is_one(self) -> None:
        world, draft = self.financed(at_issue=True)
        assert not isinstance(attempt(world, draft), RegistryError)

    def test_settling_needs_none(self) -> None:
        world, draft = self.financed(at_issue=False)
        body = world.offer_body(str(draft.body["lot"]), 100, "s2")
        assert not isinstance(
            attempt(world, Draft(by="s1", kind="transfer.offer", body=body)), RegistryError
        )


class TestBlackout:
    """TR-05, RG-44: T-2bd is refused and T-3bd is not, so a snapshot at T-2bd is final."""

    WORKING_DAYS = 2

    def offered(self, day_text: str, *, calendar: str = "CN-LEGAL", **changes: Any) -> Any:
        """Offers on a morning what is due on Monday 2026-03-02, after a worked Saturday."""
        world = cast_world()
        world.enforce(blackout={"calendar": calendar, "working_days": self.WORKING_DAYS})
        lot = f"{world.issue(due_on='2026-03-02', accept_by='2025-07-20')}.0"
        body = world.offer_body(lot, 100, "s2", **{"accept_by": day_text, **changes})
        draft = Draft(by="s1", kind="transfer.offer", body=body, time=instant(day(day_text)))
        try:
            return decide(world, draft)
        except RegistryError as error:
            return error

    @pytest.mark.parametrize(
        ("day_text", "calendar", "is_taken"),
        [
            # T-1bd is Saturday the 28th of February, worked; T-2bd Friday; T-3bd Thursday.
            ("2026-02-26", "CN-LEGAL", True),
            ("2026-02-27", "CN-LEGAL", False),
            ("2026-02-28", "CN-LEGAL", False),
            # By trading days T-1bd is Friday, T-2bd Thursday, T-3bd Wednesday (SD-27).
            ("2026-02-25", "CN-TRADING", True),
            ("2026-02-26", "CN-TRADING", False),
        ],
    )
    def test_begins_two_working_days_before_the_due_date(
        self, day_text: str, calendar: str, *, is_taken: bool
    ) -> None:
        found = self.offered(day_text, calendar=calendar)
        assert isinstance(found, tuple) is is_taken
        assert is_taken or isinstance(found, BlackoutError)

    def test_no_offer_can_be_accepted_in_it(self) -> None:
        assert isinstance(self.offered("2026-02-26", accept_by="2026-02-27"), BlackoutError)

    def test_the_last_millisecond_before_it_is_free(self) -> None:
        world = cast_world()
        world.enforce(blackout={"calendar": "CN-LEGAL", "working_days": 2})
        lot = f"{world.issue(due_on='2026-03-02', accept_by='2025-07-20')}.0"
        offer = world.do(
            "s1", "transfer.offer", world.offer_body(lot, 100, "s2", accept_by="2026-02-26")
        ).sid
        body: dict[str, Json] = {"account": world.accounts["s2"], "collection_route": True}
        end = instant(day("2026-02-27"), hour=0)
        answer = Draft(by="s2", kind="transfer.accept", body=body, re=offer, time=end - 1)
        assert decide(world, answer)
        answer.time = end
        assert refusal(world, answer).code == "deadline-passed"

    def test_beyond_the_calendar_it_counts_monday_to_friday(self) -> None:
        """2027-01-04 is a Monday; what 2027 brings is not known yet, and 2024 was not published."""
        worked = {text: CN_LEGAL.is_worked(day(text)) for text in (
            "2027-01-01", "2027-01-02", "2027-01-04", "2024-12-29", "2024-12-31", "9999-12-31",
        )}  # fmt: skip
        assert [text for text, is_worked in worked.items() if not is_worked] == [
            "2027-01-02", "2024-12-29",
        ]  # fmt: skip


class TestSplitting:
    """RG-06, RG-44, RG-45: how small, how often, how far."""

    def world(self, **splitting: Json) -> tuple[World, str]:
        world = cast_world()
        world.enforce(splitting=splitting)
        return world, f"{world.issue(accept_by='2025-07-20')}.0"

    def offer(self, world: World, lot: str, amount: int) -> Any:
        body = world.offer_body(lot, amount, "s2")
        return attempt(world, Draft(by="s1", kind="transfer.offer", body=body))

    def test_a_part_is_not_below_the_least_and_a_remainder_may_be(self) -> None:
        world, lot = self.world(min_lot="10000")
        assert isinstance(self.offer(world, lot, 9_999), LotTooSmallError)
        made = self.offer(world, lot, 99_990_001)
        rest = f"{made.sid}.1"
        assert next(r for r in world.store.select(LOTS) if r.lot == rest).amount == 9_999
        # What is left is passed on as a whole, or it would be lost.
        assert isinstance(self.offer(world, rest, 9_998), LotTooSmallError)
        assert not isinstance(self.offer(world, rest, 9_999), RegistryError)
        verify_everything(world)

    def test_a_holder_makes_at_most_five_parts(self) -> None:
        """RG-45, the profile of five; the next holder counts from the start."""
        world, lot = self.world(max_children=5)
        parts = []
        for _ in range(4):
            made = self.offer(world, lot, 1_000)
            parts.append(made.sid)
            lot = f"{made.sid}.1"
        assert isinstance(self.offer(world, lot, 1_000), TooManyPartsError)
        world.accept(parts[0], by="s2")
        body = world.offer_body(f"{parts[0]}.2", 10, "s3")
        made = attempt(world, Draft(by="s2", kind="transfer.offer", body=body))
        assert not isinstance(made, RegistryError)
        assert not isinstance(self.offer(world, lot, 99_996_000), RegistryError)
        verify_everything(world)

    def test_a_part_that_came_back_is_one_of_them(self) -> None:
        world, lot = self.world(max_children=2)
        made = self.offer(world, lot, 1_000)
        world.do("s2", "transfer.reject", {}, re=made.sid)
        for part in (f"{made.sid}.0", f"{made.sid}.1"):
            assert isinstance(self.offer(world, part, 500), TooManyPartsError)

    def test_the_depth_counts_assignments(self) -> None:
        world, lot = self.world(max_depth=2)
        one = world.transfer(lot, 100, by="s1", to="s2")
        two = world.transfer(f"{one}.2", 100, by="s2", to="s3")
        body = world.offer_body(f"{two}.2", 100, "s2")
        found = attempt(world, Draft(by="s3", kind="transfer.offer", body=body))
        assert isinstance(found, ChainTooLongError)
        assert found.facts["limit"] == 2


class TestFinanciersOnly:
    """RG-44: transferees can be limited to financial institutions."""

    def test_lets_nobody_take_a_lot_in_payment(self) -> None:
        world = cast_world()
        world.enforce(financiers_only=True)
        lot = f"{world.issue(accept_by='2025-07-20')}.0"
        settle = Draft(by="s1", kind="transfer.offer", body=world.offer_body(lot, 100, "s2"))
        assert isinstance(refusal(world, settle), AssigneeRefusedError)
        financed = world.transfer(lot, 100, by="s1", to="factor", purpose="finance")
        world.transfer(f"{financed}.2", 100, by="factor", to="trustee#T1", purpose="securitise")
        verify_everything(world)


class TestRules:
    @pytest.mark.parametrize("name", Rules.model_fields)
    def test_each_can_be_absent(self, name: str) -> None:
        assert getattr(Rules(), name) is None
        assert format_rules(Rules()) == "{}"

    def test_are_read_as_they_were_written(self) -> None:
        given = rules(
            acceptance=["auto", "explicit"],
            blackout={"calendar": "CN-LEGAL", "working_days": 2},
            direct_only=True,
            splitting={"min_lot": "100"},
            tenor=CN_2025,
        )
        assert parse_rules(format_rules(given)) == given

    @pytest.mark.parametrize(
        "body",
        [
            {"direct_only": False},
            {"direct_only": 1},
            {"tenor": {"hard_months": 0}},
            {"tenor": {"hard_months": True}},
            {"tenor": {"hard_months": 6.0}},
            {"splitting": {"max_children": 0}},
            {"splitting": {"min_lot": 100}},
            {"blackout": {"working_days": 2}},
            {"alerts": {"burst_transfers": 0, "burst_hours": 1}},
            {"alerts": {"burst_transfers": 5}},
            {"alerts": {"burst_transfers": 5, "burst_hours": 24, "circle_hops": 1}},
            {"accession": {"working_days": 5}},
            {"accession": {"calendar": "CN-LEGAL", "working_days": 0}},
            {"sweep": True},
        ],
        ids=str,
    )
    def test_have_one_spelling(self, body: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="validation error"):
            Rules.model_validate(body)


def test_cuts_begin_anew_in_every_hand() -> None:
    world = cast_world()
    sold = world.transfer(f"{world.issue()}.0", 100, by="s1", to="s2")
    cuts = {row.lot: row.cuts for row in world.store.select(LOTS)}
    assert cuts == {f"{sold}.1": 1, f"{sold}.2": 0}
