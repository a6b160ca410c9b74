"""Clearing: runs, instructions, what would be signed next, and where money went."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from msgspec import to_builtins

from api.auth import Caller
from api.clearing_days import held_of, rules_of_plans
from api.errors import NotFoundError, RequestInvalidError
from api.money import exposure_of, way_of_lot
from api.pages import Ask, page_of
from api.reconciling import reconciliation_of
from api.requests import GUARDS, CallerOf, ServiceOf, answer
from api.routes.lists import ListingOf, LongListingOf, everybody
from api.service import Service
from api.staged import shown_sweeps
from api.visibility import (
    sees_aggregation,
    sees_instruction,
    sees_obligation,
    sees_payees_part,
    sees_stage,
)
from clearing.certificate import certificate_of
from clearing.handed import AGGREGATIONS
from clearing.model import (
    FUNDS,
    INSTRUCTIONS,
    OBLIGATIONS,
    RUNS,
    InstructionRecord,
    InstructionStatus,
    Run,
)
from clearing.plan import pay_date
from clearing.rerouting import find_rerouting
from clearing.rules.closings import find_left
from clearing.rules.funds import apportion_body, find_divided
from clearing.rules.plans import body_of, pay_calendar, plan_due
from clearing.rules.reroutes import ground_of, known_turn
from registry.batch import Batch
from registry.calendars import parse_date, parse_offset
from registry.canonical import Json
from registry.errors import RegistryError
from registry.ids import Sid
from registry.model import ACCOUNTS, Role
from registry.stages import STAGES
from registry.statements import Now
from registry.tables import Get

router = APIRouter(prefix="/v1/clearing", dependencies=GUARDS)


@router.get("/runs", operation_id="clearing.runs")
async def list_runs(
    listing: ListingOf,
    due_on: str | None = None,
) -> JSONResponse:
    """Lists clearing runs: one per adopted plan."""
    return await listing.of(RUNS, everybody, due_on=due_on)


@router.get("/instructions", operation_id="clearing.instructions")
async def list_instructions(
    listing: LongListingOf,
    plan: str | None = None,
    bank: str | None = None,
    status: Annotated[str | None, Query(pattern="^[a-z]{1,20}$")] = None,
) -> JSONResponse:
    """Lists instructions of which the caller is payer, payee, or a bank; all for the operator.

    `ready` tells whether everything that must be posted before has been, at any bank, and that
    it is not `held`: under a policy that asks for it the debtor has to approve its list before
    anything on it is sent. `payer_bank` keeps the payer's account. What the payee keeps of the
    money, and of each lot, is not told to who passes it on to the payee.
    """
    sees = _sees(listing.service)
    ask = listing.ask(INSTRUCTIONS, sees, plan=plan, bank=bank, status=status)
    return answer(await asyncio.to_thread(_with_readiness, listing.service, ask))


def _sees(service: Service) -> Callable[[Caller, InstructionRecord], bool]:
    """Returns what tells whether a caller sees an instruction; a payer's bank carries it out."""
    keeps: dict[Sid, bool] = {}

    def sees(caller: Caller, record: InstructionRecord) -> bool:
        if sees_instruction(caller, record):
            return True
        account = record.payer_account
        if Role.BANK in caller.roles and account not in keeps:
            (row,) = service.store.fetch([Get(ACCOUNTS, ((account,),))])[0]
            keeps[account] = row is not None and row.bank == caller.party
        return keeps.get(account, False)

    return sees


def _with_readiness(service: Service, ask: Ask[InstructionRecord]) -> dict[str, Any]:
    """Returns a page of instructions that says of each whether it can be posted, and by whom."""
    page = page_of(service, ask)
    accounts = tuple({(row["payer_account"],): None for row in page["data"]})
    kept = service.store.fetch([Get(ACCOUNTS, accounts)])[0] if accounts else ()
    banks = {account.account: account.bank for account in kept if account is not None}
    held = held_of(service.store, page["data"])
    before = {(row["plan"], int(n)) for row in page["data"] for n in row["after"]}
    found = service.store.fetch([Get(INSTRUCTIONS, tuple(sorted(before)))])[0] if before else ()
    posted = {
        (record.plan, record.n) for record in found if record.status == InstructionStatus.POSTED
    }
    for row in page["data"]:
        row["payer_bank"] = banks[row["payer_account"]]
        row["held"] = (row["plan"], row["n"]) in held
        row["ready"] = not row["held"] and all(
            (row["plan"], int(n)) in posted for n in row["after"]
        )
        if not sees_payees_part(ask.caller, row):
            del row["kept"], row["parts"]
    return page


@router.get("/proposals/{due_on}", operation_id="clearing.proposal")
async def propose(service: ServiceOf, due_on: str) -> JSONResponse:
    """Computes the body of the `clearing.plan` that would be adopted now, for a due date."""
    return answer(await asyncio.to_thread(_proposal, service, due_on))


def _proposal(service: Service, text: str) -> dict[str, Json]:
    """Compiles the plan of a due date as the state is now."""
    ledger = service.ledger
    if ledger is None:
        raise NotFoundError(what="ledger", name="before genesis")
    due_on = _day(text)
    rows = Batch(service.store.fetch, service.rulebook.tables, index=0)
    plan = plan_due(rows, due_on=due_on, pay_on=pay_date(due_on, pay_calendar(rows, ledger)))
    if not plan.instructions:
        raise NotFoundError(what="live lot due on", name=text)
    body: dict[str, Json] = body_of(plan).model_dump(mode="json")
    return body


@router.get("/funds/{fund}/proposal", operation_id="clearing.fund_proposal")
async def propose_division(service: ServiceOf, fund: str) -> JSONResponse:
    """Computes the body of the `clearing.apportion` that would divide a fund now."""
    return answer(await asyncio.to_thread(_division, service, fund))


def _division(service: Service, name: str) -> dict[str, Json]:
    """Divides a fund as the state is now."""
    rows = Batch(service.store.fetch, service.rulebook.tables, index=0)
    fund, ledger = rows.get(FUNDS, name), service.ledger
    if fund is None or ledger is None:
        raise NotFoundError(what="fund", name=name)
    now = Now(index=service.store.size(), time=service.time, ledger=ledger)
    plan = find_divided(rows, fund, now)
    if not plan.instructions:
        raise NotFoundError(what="what the fund can pay", name=name)
    body: dict[str, Json] = apportion_body(plan).model_dump(mode="json")
    return body


@router.get("/runs/{plan}/close", operation_id="clearing.close_proposal")
async def propose_close(service: ServiceOf, plan: str) -> JSONResponse:
    """Computes the body of the `clearing.close` that would end a run's day now."""
    return answer(await asyncio.to_thread(_close, service, plan))


def _close(service: Service, plan: str) -> dict[str, Json]:
    """Counts what a run has not posted."""
    rows = Batch(service.store.fetch, service.rulebook.tables, index=0)
    left = find_left(rows, _run(service, plan))
    return {"expired": len(left.expired), "stuck": len(left.stuck)}


@router.get("/runs/{plan}/reroutes/{n}", operation_id="clearing.reroute_proposal")
async def propose_reroute(service: ServiceOf, plan: str, n: int) -> JSONResponse:
    """Computes the body of the `clearing.reroute` that would send an instruction's money on now.

    Beside it stands what that replaces, by number, and who is paid how much instead.
    """
    return answer(await asyncio.to_thread(_reroute, service, plan, n))


def _reroute(service: Service, plan: str, n: int) -> dict[str, Json]:
    """Finds the other way for an instruction's money.

    Raises:
        RefusalError: As the statement would be refused.
    """
    rows = Batch(service.store.fetch, service.rulebook.tables, index=0)
    record = known_turn(rows, _run(service, plan).plan, n)
    found = find_rerouting(rows, record)
    return {
        "body": {"instruction": n, "ground": ground_of(rows, record).value},
        "replaced": [each.n for each in found.replaced],
        "added": [
            {
                "n": each.n,
                "payer": each.payer,
                "payee": each.payee,
                "amount": str(each.amount),
                "lots": len(each.lots),
            }
            for each in found.added
        ],
    }


@router.get("/runs/{plan}/status", operation_id="clearing.run_status")
async def show_status(service: ServiceOf, plan: str) -> JSONResponse:
    """Counts a run's instructions by bank and by what became of them, with what they move."""

    def found() -> dict[str, Any]:
        run = _run(service, plan)
        totals = service.store.totals(
            INSTRUCTIONS, ("bank", "status"), sums=("amount",), field="plan", value=run.plan
        )
        statuses = [
            {"bank": bank, "status": status, "instructions": count, "amount": str(amount)}
            for bank, status, count, amount in sorted(totals)
        ]
        return {"plan": run.plan, "status": run.status, "statuses": statuses}

    return answer(await asyncio.to_thread(found))


def _run(service: Service, plan: str) -> Run:
    """Returns a run."""
    (run,) = service.store.fetch([Get(RUNS, ((plan,),))])[0]
    if run is None:
        raise NotFoundError(what="plan", name=plan)
    found: Run = run
    return found


@router.get("/runs/{plan}/exposure", operation_id="clearing.exposure")
async def show_exposure(service: ServiceOf, caller: CallerOf, plan: str) -> JSONResponse:
    """Tells whose money lay on whose accounts, and for how long, as far as it is the caller's."""

    def found() -> dict[str, Any]:
        records = _records(service, plan)
        rules = rules_of_plans(service.store, (plan,))[plan]
        return exposure_of(records, caller, now=service.time, rules=rules)

    return answer(await asyncio.to_thread(found))


@router.get("/runs/{plan}/certificate", operation_id="clearing.certificate")
async def show_certificate(service: ServiceOf, caller: CallerOf, plan: str) -> JSONResponse:
    """Shows that the route leaves each account what direct clearing would.

    The operator and the auditor read all of the certificate, whose digest the operator has
    signed with the plan; others read of their own accounts.
    """

    def found() -> dict[str, Any]:
        run, records = _run(service, plan), _records(service, plan)
        sees_all = caller.is_auditor or Role.OPERATOR in caller.roles
        lines = [
            to_builtins(line)
            for line in certificate_of(records)
            if sees_all or caller.is_or_manages(line.payee)
        ]
        return {"plan": plan, "certificate": run.certificate, "all": sees_all, "lines": lines}

    return answer(await asyncio.to_thread(found))


def _records(service: Service, plan: str) -> list[InstructionRecord]:
    """Returns all instructions of a run, by number."""
    run = _run(service, plan)
    rows = service.store.select(INSTRUCTIONS, field="plan", value=run.plan)
    return sorted(rows, key=lambda record: record.n)


@router.get("/reconciliations/{due_on}", operation_id="clearing.reconciliation")
async def show_reconciliation(service: ServiceOf, caller: CallerOf, due_on: str) -> JSONResponse:
    """Compares what was due on a date with what came: scheduled = received + short + withheld.

    Lot by lot, with the accounts and days on which money came; one's own, and to a bank the
    accounts that it keeps. `differences` names what does not add up, of which there is
    nothing in good order.
    """

    def found() -> dict[str, Any]:
        ledger = service.ledger
        if ledger is None:
            raise NotFoundError(what="ledger", name="before genesis")
        day = _day(due_on).isoformat()
        offset = parse_offset(ledger.zone)
        return reconciliation_of(service.store, caller, day, offset_minutes=offset)

    return answer(await asyncio.to_thread(found))


def _day(text: str) -> date:
    """Reads a date that was asked for.

    Raises:
        RequestInvalidError: It is none.
    """
    try:
        return parse_date(text)
    except RegistryError as error:
        raise RequestInvalidError(reason=str(error)) from None


@router.get("/lots/{lot}", operation_id="clearing.explain")
async def explain_lot(service: ServiceOf, caller: CallerOf, lot: str) -> JSONResponse:
    """Tells where the money of a lot went, hop by hop, to who had a part in it."""
    found = await asyncio.to_thread(way_of_lot, service.store, caller, lot)
    if found is None:
        raise NotFoundError(what="clearing of lot", name=lot)
    return answer(found)


@router.get("/sweeps", operation_id="clearing.sweeps")
async def list_sweeps(service: ServiceOf, caller: CallerOf) -> JSONResponse:
    """Lists what lies on stages before the caller's accounts, or on its own, and until when."""

    def found() -> dict[str, Any]:
        stages = [row for row in service.store.select(STAGES) if sees_stage(caller, row)]
        return shown_sweeps(service, stages)

    return answer(await asyncio.to_thread(found))


@router.get("/aggregations", operation_id="clearing.aggregations")
async def list_aggregations(listing: ListingOf) -> JSONResponse:
    """Lists the accounts into which one payment may pay several instructions, as payees agreed."""
    return await listing.of(AGGREGATIONS, sees_aggregation)


@router.get("/obligations", operation_id="clearing.obligations")
async def list_obligations(listing: ListingOf) -> JSONResponse:
    """Lists what the caller owes, or is owed, because of instructions."""
    return await listing.of(OBLIGATIONS, sees_obligation)
