"""The tiered route: along every assignment, as the claim went (逐级清分, SD-21).

The debtor pays the first holder, who pays those to whom it assigned, and so on down to
each holder; every account keeps exactly what its owner still holds. One step per node
of the tree of assignments (see `clearing.lineage`), but for two exceptions:

* **A branch goes direct** where its holder did not consent to the route when it accepted
  (`Lot.collection_route`), or where a party before it has granted no mandate, for then
  nobody may debit that party's account, or only on accounts that a court has frozen, for
  what comes there stays there. It is exactly that holder's lots that go direct; others of
  the same chain do not.
* **What a party keeps and what it passes on are two steps** where they come into
  different accounts.

**Through which account it passes.** A party's account at the time when it acquired may
stand in lots that are long consumed, so the rule asks the live state alone: of the
party's mandates, those on an account into which its own lots of the same node are paid
come first; among equals the smallest statement id decides. The mandate's account is
both credited with what passes and debited for it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from clearing.direct import route_direct
from clearing.lineage import Node, lineage_of
from clearing.routes import Claim, Debt, Mandates, RoutedStep
from registry.ids import PartyId, Sid
from registry.model import Mandate, Route


class _Source(Struct, frozen=True, gc=False):
    """Where a node's money comes from: an account, the authority to debit it, a step."""

    party: PartyId
    account: Sid
    authority: Sid
    step: int | None

    def step_to(self, node: Node, account: Sid) -> RoutedStep:
        """Begins the step that brings a node's money into an account."""
        return RoutedStep(
            route=Route.TIERED,
            payer_account=self.account,
            payer=self.party,
            payee_account=account,
            payee=PartyId(node.party),
            authority=self.authority,
            held=[],
            amount_minor=0,
            funded_by=self.step,
        )


def is_along(lot: Claim, mandates: Mandates) -> bool:
    """Tells whether a lot of a tiered voucher is paid along its chain of assignments."""
    return lot.collection_route and all(map(mandates.get, lot.path[:-1]))


def passing_mandate(mandates: Sequence[Mandate], *, accounts: Iterable[Sid]) -> Mandate:
    """Chooses the mandate on the account through which money passes.

    Args:
        mandates: The party's mandates, at least one.
        accounts: The accounts into which its own lots of the node are paid.
    """
    if len(mandates) == 1:
        return mandates[0]
    own = frozenset(accounts)
    return min(mandates, key=lambda mandate: (mandate.account not in own, mandate.mandate))


def route_tiered(voucher: Debt, lots: Sequence[Claim], mandates: Mandates, /) -> list[RoutedStep]:
    """Routes lots of a voucher along their assignments, and what cannot go there direct.

    Returns:
        The steps by path and payee account, each after the one that funds it; then the
        direct ones. The lots stand by id.
    """
    along: list[Claim] = []
    apart: list[Claim] = []
    for lot in lots:
        (along if is_along(lot, mandates) else apart).append(lot)
    debtor = _Source(voucher.debtor, voucher.account, voucher.mandate, None)
    sources: dict[tuple[str, ...], _Source] = {(): debtor}
    steps: list[RoutedStep] = []
    for node in lineage_of(along):
        source = sources[node.path[:-1]]
        into: dict[Sid, RoutedStep] = {}
        for lot in node.held:
            step = into.get(lot.account)
            if step is None:
                step = into[lot.account] = source.step_to(node, lot.account)
            step.held.append(lot)
            step.amount_minor += lot.amount
        if node.passing_minor:
            through = passing_mandate(mandates[node.party], accounts=into)
            account = through.account
            if account not in into:
                into[account] = source.step_to(node, account)
            into[account].amount_minor += node.passing_minor
            place = len(steps) + sorted(into).index(account)
            sources[node.path] = _Source(PartyId(node.party), account, through.mandate, place)
        steps += [into[account] for account in sorted(into)]
    return steps + route_direct(voucher, apart, mandates) if apart else steps
