"""The accounts that money ends on, and those before them that it passes (账户阶段).

Routes say which holder gets how much into which account. Whose account that is, and by way
of which other it is reached, is the same question on both routes, so it is answered once,
here, after the provider:

* **Who is paid** is the owner of the account. That is the holder, but for a lot that is
  pledged, whose proceeds go to the pledge's account, or that a court has ordered paid to it.
* **The last hop.** An account can have a stage: the business account of a trustee or
  servicer on the platform (平台业务账户), or a payment agent's, which pays on by its payment
  order (代付指令). What is to come into the account comes into the stage, and goes on from
  there under the mandate of the stage's owner. The lots are discharged when the account
  itself is credited.

A stage is not passed where its owner owes the voucher, for the money would not have left the
debtor; where the money lies on it already; or where its account was frozen.

Source: SD-24, SD-58; reference notes 8, 11, 12 and 18.
"""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from clearing.routes import Claim, Debt, Place, Places, RoutedStep, Via, paid_apart
from registry.ids import LotId, PartyId, Sid
from registry.model import ACCOUNTS, MANDATES, Mandate
from registry.stages import STAGES, Stage
from registry.tables import Asked, get_many, where_each


class Kept(NamedTuple):
    """What a way depends on of an account, as `registry.model.Account` has it."""

    account: Sid
    owner: PartyId
    bank: PartyId
    frozen: bool


def places_of(
    accounts: Iterable[Kept],
    *,
    stages: Iterable[Stage],
    mandates: Iterable[Mandate],
    day: date,
) -> dict[Sid, Place]:
    """Returns of each account whose it is, who keeps it, and by way of which it is reached.

    Args:
        accounts: At least those that are paid, those under mandate, and those of stages.
        stages: At least those of accounts that are paid.
        mandates: At least those of these stages.
        day: The due date, or the day of a plan that divides money: a stage that was named
            less than four days before it is not passed yet.
    """
    known = {row.account: row for row in accounts}
    revoked = {mandate.mandate for mandate in mandates if mandate.revoked is not None}
    before: dict[Sid, Via] = {}
    for stage in stages:
        if stage.ended is not None or stage.begins_on > day.isoformat() or stage.mandate in revoked:
            continue
        via = known[stage.via]
        if not via.frozen:
            before[stage.account] = Via(
                account=stage.via, owner=via.owner, mandate=stage.mandate, stage=stage.stage
            )
    return {
        account: Place(row.owner, row.bank, before.get(account), row.frozen)
        for account, row in known.items()
    }


def ask_places(named: Collection[Sid], day: date) -> Generator[Asked, Any, dict[Sid, Place]]:
    """Asks for accounts, the stages before them, and these stages' mandates.

    Args:
        named: The accounts that are paid, and those under mandate.
        day: As `places_of`.
    """
    stages = yield from where_each(STAGES, "account", sorted(named))
    standing = [stage for stage in stages if stage.ended is None]
    mandates = yield from get_many(MANDATES, sorted({stage.mandate for stage in standing}))
    accounts = yield from get_many(ACCOUNTS, sorted({*named, *(each.via for each in standing)}))
    return places_of(
        (Kept(row.account, row.owner, row.bank, row.frozen) for row in accounts if row),
        stages=standing,
        mandates=[row for row in mandates if row is not None],
        day=day,
    )


def to_courts(lots: Sequence[Claim], courts: Mapping[LotId, Sid]) -> list[Claim]:
    """Has lots that a court has ordered paid to it paid so, and directly.

    Args:
        lots: The lots, which stay in their order.
        courts: Of at least these among them, the court's account.
    """
    return [paid_apart(lot, courts[lot.lot]) if lot.lot in courts else lot for lot in lots]


def pass_stages(steps: Sequence[RoutedStep], voucher: Debt, places: Places) -> list[RoutedStep]:
    """Says of each step whose account it credits, and lets it come by way of the stage.

    Args:
        steps: What a provider says, each step to the holder of its lots.
        voucher: The voucher that they pay.
        places: At least of the accounts that are paid.

    Returns:
        The steps, each after the one that funds it.
    """
    passed: list[RoutedStep] = []
    place_of: list[int] = []
    """Where each step stands now: the one that credits its account."""
    for step in steps:
        place = places[step.payee_account]
        if place.owner != step.payee:
            step.holder, step.payee = step.payee, place.owner
        if step.funded_by is not None:
            step.funded_by = place_of[step.funded_by]
        via = place.via
        if via and via.owner != voucher.debtor and via.account != step.payer_account:
            passed.append(_into(via, step))
            step.payer_account, step.payer = via.account, via.owner
            step.authority, step.stage = via.mandate, via.stage
            step.funded_by = len(passed) - 1
        place_of.append(len(passed))
        passed.append(step)
    return passed


def _into(via: Via, step: RoutedStep) -> RoutedStep:
    """Returns the step that brings the money of another one into the stage before it."""
    return RoutedStep(
        route=step.route,
        payer_account=step.payer_account,
        payer=step.payer,
        payee_account=via.account,
        payee=via.owner,
        authority=step.authority,
        held=[],
        amount_minor=step.amount_minor,
        funded_by=step.funded_by,
    )
