"""Other people's money on each account, as it comes and goes, and the limit that a policy sets.

What an instruction passes on beyond what its payee keeps is other people's money on the
payee's account, until an instruction that waits for it is posted. The debtor's own account
holds nobody else's. The sums are kept by account, so that each posting tells at once whether
there is more on one account than the policy wants (`hop_limit`). That is an alert: what a
bank says has happened, and nothing is stopped.

Source: SD-21; docs/clearing.md, What it costs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from clearing.model import PASSINGS, InstructionRecord, Passing
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError
from registry.ids import PartyId, Sid
from registry.tables import Minor, MutableRows, Rows, replace

Flow = tuple[Sid, PartyId, int]
"""An account, its owner, and what of others' money came there, or went if it is negative."""


def flows_of(record: InstructionRecord, debtor: PartyId) -> Iterator[Flow]:
    """Yields what an instruction does to others' money, once it is posted."""
    onward = record.amount - record.kept
    if onward and record.payee != debtor:
        yield record.payee_account, record.payee, onward
    if record.after and record.payer != debtor:
        yield record.payer_account, record.payer, -record.amount


def pass_on(
    state: MutableRows, record: InstructionRecord, debtor: PartyId, *, is_back: bool = False
) -> None:
    """Adds to what came to accounts and what went; what comes back is the other way round."""
    for account, party, amount in flows_of(record, debtor):
        signed = -amount if is_back else amount
        row = state.get(PASSINGS, account)
        if row is None:
            row = Passing(account=account, party=party, came=Minor(0), went=Minor(0))
        came, went = row.came + max(signed, 0), row.went + max(-signed, 0)
        state.put(PASSINGS, replace(row, came=Minor(came), went=Minor(went)))


class HopLimitPassed(Effect, frozen=True, kw_only=True):
    """There is more of other people's money on an account than the policy wants."""

    account: Sid
    party: PartyId
    amount: Minor
    limit: Minor
    policy: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the account's owner."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Notes since when."""
        row = state.get(PASSINGS, self.account)
        if row is None or row.others != self.amount:
            raise InvariantBrokenError(f"entry {seal.index}: not what lies on {self.account}")
        state.put(PASSINGS, replace(row, over_at=seal.time))


def limits_passed(
    state: Rows, flows: Iterable[Flow], *, limit: int, policy: Sid
) -> Iterator[HopLimitPassed]:
    """Yields the accounts on which there is more than the limit now, and was not before.

    Args:
        state: As it was before.
        flows: What has come and gone since.
        limit: Minor units; exactly as much is within it.
        policy: The policy that says so.
    """
    moved: Counter[Sid] = Counter()
    owners: dict[Sid, PartyId] = {}
    for account, party, amount in flows:
        moved[account] += amount
        owners[account] = party
    for account, amount in sorted(moved.items()):
        row = state.get(PASSINGS, account)
        before = 0 if row is None else row.came - row.went
        if before <= limit < before + amount:
            yield HopLimitPassed(
                account=account,
                party=owners[account],
                amount=Minor(before + amount),
                limit=Minor(limit),
                policy=policy,
            )
