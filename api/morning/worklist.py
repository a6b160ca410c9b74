"""The worklist: the piles of the caller's roles, in the order in which they are read.

A further kind of thing that waits is one function more in a list below, and its words.
"""

from collections.abc import Mapping
from typing import Final

from api.auth import Caller
from api.errors import NotFoundError
from api.morning import banks, day, dealings, debtors, holders, payments, platform, sweeps
from api.morning.piles import Finder, Morning, Pile
from api.service import Service
from registry.canonical import Json
from registry.model import PARTIES, Role

_OWN: Final[tuple[Finder, ...]] = (holders.suspended, holders.approvals)
"""Of every party that acts here."""

_HOLDER: Final[tuple[Finder, ...]] = (
    holders.vouchers_to_accept,
    holders.offers_to_answer,
    holders.voidings_to_answer,
    holders.revocations_to_agree,
    holders.accessions_to_refuse,
    dealings.to_sign,
    dealings.to_receive,
    dealings.early_to_answer,
    holders.unpaid,
    holders.paid_today,
    holders.paid_soon,
    holders.not_yet_acknowledged,
    holders.pledges_to_register,
    holders.tasks,
    holders.disputes_to_answer,
    payments.obligations_to_pay,
    payments.obligations_to_receive,
    sweeps.to_sweep,
    sweeps.to_be_swept,
)
_DEBTOR: Final[tuple[Finder, ...]] = (
    debtors.stopped,
    debtors.overdue,
    day.lists_to_approve,
    day.money_to_have,
    debtors.owed_today,
    debtors.owed_soon,
    debtors.notices_to_acknowledge,
    debtors.orders_to_pay_a_court,
    debtors.not_yet_accepted,
    debtors.near_limit,
)
_PLATFORM: Final[tuple[Finder, ...]] = (
    platform.all_overdue,
    platform.matures_today,
    platform.matures_soon,
    platform.all_approvals,
    platform.all_unanswered,
    platform.all_unacknowledged,
    platform.all_tasks,
    platform.all_limits,
    platform.all_stops,
    platform.court_orders,
    platform.all_frozen_accounts,
)

FINDERS: Final[Mapping[Role, tuple[Finder, ...]]] = {
    Role.OPERATOR: (
        *_OWN,
        day.all_lists_to_approve,
        day.all_money_to_have,
        payments.funds_to_divide,
        day.all_late,
        payments.all_refused,
        payments.all_stuck,
        payments.all_obligations,
        sweeps.all_to_sweep,
        *_PLATFORM,
    ),
    Role.REGISTRAR: (
        *_OWN,
        platform.to_admit,
        platform.to_review,
        platform.to_stop,
        *_PLATFORM,
    ),
    Role.PARTICIPANT: (*_OWN, *_HOLDER, *_DEBTOR),
    Role.FINANCIER: (
        *_OWN,
        dealings.to_quote,
        dealings.to_fulfil,
        *_HOLDER,
        holders.exposures_at_limit,
    ),
    Role.TRUSTEE: (*_OWN, banks.received, *_HOLDER),
    Role.VEHICLE: (*_OWN, banks.received, *_HOLDER),
    Role.BANK: (
        *_OWN,
        banks.batches,
        day.debits,
        day.late,
        payments.refused,
        payments.stuck,
        banks.accounts_to_verify,
        banks.frozen_accounts,
    ),
    Role.AUDITOR: _PLATFORM,
}
"""By role, what it reads; who has several roles reads each pile once."""


def worklist_of(service: Service, caller: Caller) -> dict[str, Json]:
    """Returns what waits for a caller this morning.

    Raises:
        NotFoundError: There is no ledger yet.
    """
    ledger = service.ledger
    if ledger is None:
        raise NotFoundError(what="ledger", name="before genesis")
    size = service.store.size()
    time = ledger.time if ledger.clock == "manual" else service.wall.now()
    morning = Morning(service=service, caller=caller, ledger=ledger, time=time)
    piles = _piles(morning)
    return {
        "party": caller.party,
        "name": morning.party.name,
        "roles": [*sorted(caller.roles)],
        "today": morning.today.isoformat(),
        "time": time,
        "as_of": size,
        "piles": [pile.json() for pile in piles],
        "names": _names(morning, piles),
    }


def _piles(morning: Morning) -> list[Pile]:
    """Returns the piles that are there."""
    finders = [finder for role in Role if role in morning.caller.roles for finder in FINDERS[role]]
    found = (finder(morning) for finder in dict.fromkeys(finders))
    return [pile for pile in found if pile is not None]


def _names(morning: Morning, piles: list[Pile]) -> dict[str, Json]:
    """Returns the names of the parties that lines name: whom one deals with is no secret."""
    named = sorted({line.party for pile in piles for line in pile.lines if line.party})
    return {str(key): row.name for key, row in morning.named(PARTIES, named).items()}
