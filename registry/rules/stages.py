"""Stages: by way of which account another one is paid (平台业务账户, 代付指令).

The owner of an account grants a mandate that names one other account, into which alone it
may be debited (`mandate.grant`, `onto`). The owner of that other account answers it with
`account.stage`: from the fourth day on what clearing pays into its account comes by way of
the first. So nobody's account passes money without its owner's word, and nobody's money
passes an account that it did not choose. Either ends it at once: the payee with
`account.unstage`, the stage's owner by revoking its mandate; money comes directly then.

A servicer's stage may keep what it collects for a plan or trust up to a cycle of days.

Source: reference note 18; SD-24, SD-29; FR-12 and FR-13 for the days in between.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from registry.burdens import PLEDGES, PledgeStatus
from registry.effects import Effect, Seal, Touch
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import InvariantBrokenError
from registry.fields import OnlyTrue
from registry.ids import PartyId, Sid, is_vehicle
from registry.model import ACCOUNTS, HOLDER_ROLES, MANDATES
from registry.refusals import AccountUnknownError, NotOwnerError
from registry.rights import require_account, today_at
from registry.stage_refusals import AlreadyStagedError, StageRefusedError, SweepCycleError
from registry.stages import MONTH_DAYS, NOTICE_DAYS, QUARTER_DAYS, STAGES, Stage
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace, where

_PLEDGED = frozenset({PledgeStatus.PENDING, PledgeStatus.REGISTERED, PledgeStatus.ENFORCED})


class AccountStage(Body):
    """The word of an account's owner that it is reached by way of the mandate's account.

    `cycle_days`: for so long collections may stay there; `extended`: for more than a month,
    which the plan's or trust's documents allow.
    """

    cycle_days: Annotated[int, Field(ge=1, le=366)] | None = None
    extended: OnlyTrue | None = None


class AccountUnstage(Body):
    """The word of an account's owner that it is reached directly again."""


class _OfStage(Effect, frozen=True, kw_only=True):
    """Base of what becomes of a stage."""

    stage: Sid
    account: Sid
    owner: PartyId
    via: Sid
    via_owner: PartyId

    def touched(self) -> tuple[Touch, ...]:
        """Touches both owners."""
        return tuple(("holder", party) for party in dict.fromkeys((self.owner, self.via_owner)))


class StageNamed(_OfStage, frozen=True, kw_only=True):
    """What is due from a day on is paid into an account by way of another."""

    mandate: Sid
    begins_on: str
    cycle_days: int | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the stage."""
        row = Stage(
            stage=self.stage,
            account=self.account,
            owner=self.owner,
            via=self.via,
            via_owner=self.via_owner,
            mandate=self.mandate,
            begins_on=self.begins_on,
            cycle_days=self.cycle_days,
        )
        state.add(STAGES, row)


class StageEnded(_OfStage, frozen=True, kw_only=True):
    """An account is paid directly again; what is on its way goes on as it was planned."""

    ended: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the stage."""
        row = state.get(STAGES, self.stage)
        if row is None:
            raise InvariantBrokenError(f"the end of no stage {self.stage}")
        state.put(STAGES, replace(row, ended=self.ended))


def reads_account_stage(statement: Statement[AccountStage], _now: Now) -> ReadPlan:
    """Asks for the mandate, both accounts, and stages of the one that is paid."""
    mandate = yield from get(MANDATES, statement.re or "")
    if mandate is not None:
        yield from get(ACCOUNTS, mandate.account)
        yield from get(ACCOUNTS, mandate.onto or "")
        yield from where(STAGES, "account", mandate.onto or "")
        yield from where(PLEDGES, "account", mandate.onto or "")


def decide_account_stage(
    state: Rows, statement: Statement[AccountStage], now: Now
) -> tuple[Effect, ...]:
    """Has an account of the signer paid by way of another, whose owner has agreed to that.

    Raises:
        StageRefusedError: The mandate names no account that it is for, or is revoked.
        AccountUnknownError, NotOwnerError, AccountNotVerifiedError: The account that it is for.
        StageRefusedError: A pledge that the signer has given is paid there: its pledgee
            watches over that account, and not over another.
        AlreadyStagedError: That is reached by way of one already.
        SweepCycleError: Collections would stay for more than 31 days without the flag, or for
            more than 91 with it; or the account is not a plan's or trust's.
    """
    mandate = state.get(MANDATES, statement.re or "")
    if mandate is None:
        raise InvariantBrokenError("an answer to no mandate")
    if mandate.onto is None:
        raise StageRefusedError(mandate=mandate.mandate, reason="it is for no one account")
    if mandate.revoked is not None:
        raise StageRefusedError(mandate=mandate.mandate, reason="it is revoked")
    account = require_account(state, mandate.onto, owner=statement.by)
    for pledge in state.where(PLEDGES, "account", account.account):
        if pledge.pledgor == statement.by and pledge.status in _PLEDGED:
            reason = f"pledge {pledge.pledge} is paid there"
            raise StageRefusedError(mandate=mandate.mandate, reason=reason)
    for row in state.where(STAGES, "account", account.account):
        if row.ended is None:
            raise AlreadyStagedError(account=row.account, via=row.via, stage=row.stage)
    cycle_days = statement.body.cycle_days
    if cycle_days is not None:
        _require_cycle(cycle_days, statement, is_plans=is_vehicle(account.owner))

    # Past this line the stage must be named.
    named = StageNamed(
        stage=statement.sid,
        account=account.account,
        owner=account.owner,
        via=mandate.account,
        via_owner=mandate.owner,
        mandate=mandate.mandate,
        begins_on=(today_at(now) + timedelta(days=NOTICE_DAYS)).isoformat(),
        cycle_days=cycle_days,
    )
    return (named,)


def _require_cycle(days: int, statement: Statement[AccountStage], *, is_plans: bool) -> None:
    """Checks for how long collections may stay on a stage.

    Raises:
        SweepCycleError: Not for so long.
    """
    reason = ""
    if not is_plans:
        reason = "the account is no plan's or trust's"
    elif days > QUARTER_DAYS:
        reason = f"{QUARTER_DAYS} are the most there can be"
    elif days > MONTH_DAYS and not statement.body.extended:
        reason = f"more than {MONTH_DAYS} need to be extended"
    if reason:
        raise SweepCycleError(days=days, reason=reason)


def decide_account_unstage(
    state: Rows, statement: Statement[AccountUnstage], _now: Now
) -> tuple[Effect, ...]:
    """Has an account of the signer paid directly again, by plans from now on.

    Raises:
        NotOwnerError: The account is somebody else's.
        MoveNotAllowedError: The stage has ended.
    """
    row = state.get(STAGES, statement.re or "")
    if row is None:
        raise AccountUnknownError(account=statement.re or "")
    if row.owner != statement.by:
        raise NotOwnerError(account=row.account, by=statement.by)
    if row.ended is not None:
        raise MoveNotAllowedError(of=row.stage, status="ended", to="ended")
    ended = StageEnded(
        stage=row.stage,
        account=row.account,
        owner=row.owner,
        via=row.via,
        via_owner=row.via_owner,
        ended=statement.sid,
    )
    return (ended,)


KINDS = (
    Kind(
        name="account.stage",
        body=AccountStage,
        signers=HOLDER_ROLES,
        relation="the owner of the account that is paid",
        answers={"mandate.grant": MANDATES},
        reads=reads_account_stage,
        decide=decide_account_stage,
    ),
    Kind(
        name="account.unstage",
        body=AccountUnstage,
        signers=HOLDER_ROLES,
        relation="the owner of the account that is paid",
        answers={"account.stage": STAGES},
        decide=decide_account_unstage,
        while_suspended=True,
    ),
)
