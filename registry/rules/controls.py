"""A party's approval rules: which of its statements wait for a second person.

The rules are the party's own (内控), set with `party.policy` by its people, and say by kind
and amount how many must approve: 制单, 复核, 终审. What changes who controls the party, its
rules and its keys, is held to the strictest of them.

Source: docs/formats.md, Approvals; reference 3.2, FR-12.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, Amount, MachineText
from registry.ids import PartyId, Sid, is_vehicle
from registry.model import PARTIES, Role
from registry.people import APPROVAL_RULES, KEYS, ApprovalRule
from registry.rights import require_people
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, ReadPlan, Rows, get, replace, where


class RuleField(Body):
    """From which amount on statements of a kind need how many approvals."""

    kind: MachineText
    minimum: Amount | None = None
    approvals: Annotated[int, Field(ge=1, le=8)]
    final: bool


class PartyPolicy(Body):
    """The party's rules, in the place of those before; without any, nothing waits."""

    hours: Annotated[int, Field(ge=1, le=720)]
    rules: Annotated[tuple[RuleField, ...], LENIENT, Field(max_length=64)]


class PartyPolicySet(Effect, frozen=True, kw_only=True):
    """A party's approval rules hold for what comes after this entry."""

    policy: Sid
    party: PartyId
    rules: tuple[ApprovalRule, ...]

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Replaces the rules, and tells the party's row whether there are any."""
        party = state.get(PARTIES, self.party)
        if party is None:
            raise InvariantBrokenError(f"a policy of no party {self.party}")
        kept = {(rule.kind, rule.minimum) for rule in self.rules}
        for rule in state.where(APPROVAL_RULES, "party", self.party):
            if (rule.kind, rule.minimum) not in kept:
                state.delete(APPROVAL_RULES, rule.party, rule.kind, rule.minimum)
        for rule in self.rules:
            state.put(APPROVAL_RULES, rule)
        state.put(PARTIES, replace(party, policy=self.policy if self.rules else None))


def check_names(statement: Statement[PartyPolicy], kinds: Mapping[str, Kind[Any]]) -> None:
    """Checks that rules name kinds that can wait: a misspelt one would control nothing.

    Raises:
        MalformedError: A rule names another kind, or an amount of a kind that has none.
    """
    for rule in statement.body.rules:
        kind = kinds.get(rule.kind)
        if kind is None or not kind.waits or not kind.signers:
            raise MalformedError(what="rules", reason=f"{rule.kind} is no kind that can wait")
        if rule.minimum is not None and kind.amount is None:
            raise MalformedError(what="rules", reason=f"{rule.kind} is about no amount")


def reads_party_policy(statement: Statement[PartyPolicy], _now: Now) -> ReadPlan:
    """Asks for the party's keys, its rules and the party itself."""
    yield from where(KEYS, "party", statement.by)
    yield from get(PARTIES, statement.by)
    yield from where(APPROVAL_RULES, "party", statement.by)


def decide_party_policy(
    state: Rows, statement: Statement[PartyPolicy], _now: Now
) -> tuple[Effect, ...]:
    """Sets which statements of the signer need approvals of its people, in the place of before.

    A change needs the approvals that the strictest of the rules before asks for.

    Raises:
        MalformedError: The signer is a trust vehicle, for which its trustee's rules hold; a
            rule names no kind that can wait, or an amount of a kind without one; the rules
            are not sorted by kind and amount, or name one twice.
        TooFewPeopleError: The keys name too few people to meet a rule.
    """
    if is_vehicle(statement.by):
        raise MalformedError(what="by", reason="a trust vehicle's rules are its trustee's")
    body = statement.body
    places = [(rule.kind, rule.minimum or 0) for rule in body.rules]
    if places != sorted(set(places)):
        raise MalformedError(what="rules", reason="not sorted by kind and amount, and unique")
    rules = tuple(
        ApprovalRule(
            party=statement.by,
            kind=rule.kind,
            minimum=Minor(rule.minimum or 0),
            approvals=rule.approvals,
            final=rule.final,
            hours=body.hours,
        )
        for rule in body.rules
    )
    require_people(statement.by, state.where(KEYS, "party", statement.by), rules)
    return (PartyPolicySet(policy=statement.sid, party=statement.by, rules=rules),)


POLICY = Kind(
    name="party.policy",
    body=PartyPolicy,
    signers=frozenset(Role),
    relation="the party whose rules they are",
    reads=reads_party_policy,
    decide=decide_party_policy,
    guards=True,
)

KINDS = (POLICY,)
