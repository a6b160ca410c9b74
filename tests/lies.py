"""What an operator could gain by: entries whose effects the rules do not give."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from registry.assignment import LotAssigned
from registry.canonical import b64url_encode
from registry.commitments import StateCommitted
from registry.effects import DeadlineCleared, DeadlineSet
from registry.merkle import hash_leaf
from registry.notifying import NoticeArrived
from registry.rules.consents import ConsentGranted
from registry.rules.parties import PartyAdmitted
from registry.rules.transfers import LotOffered, LotTransferred
from registry.rules.vouchers import VoucherIssued
from tests.builders import instant
from tests.logs import DUE_ON, Draft, story

AT_ONCE = 8
"""Which of the story's offers is effective at once, under its assignee's standing consent."""

# Each with the entry that it is told in: kind, and which of that kind.
LIES: dict[str, tuple[str, int, Callable[[Draft], Draft]]] = {
    "a voucher of more than was signed": (
        "voucher.issue", 0, lambda d: d.swapped(VoucherIssued, face=100_000_001),
    ),
    "another debtor": (
        "voucher.issue", 0, lambda d: d.swapped(VoucherIssued, debtor=story().world.ids["s3"]),
    ),
    "another day on which it falls due": (
        "voucher.issue", 0, lambda d: d.swapped(VoucherIssued, due_on="2025-12-18"),
    ),
    "more of the lot offered than was signed": (
        "transfer.offer", 0,
        lambda d: d.swapped(LotOffered, amount=60_000_001, remainder=39_999_999),
    ),
    "an offer to another assignee": (
        "transfer.offer", 0, lambda d: d.swapped(LotOffered, assignee=story().world.ids["s3"]),
    ),
    "a later end of the time to accept": (
        "transfer.offer", 0, lambda d: d.swapped(LotOffered, accept_by=instant(DUE_ON)),
    ),
    "a lot in another holder's hands": (
        "transfer.accept", 0, lambda d: d.swapped(LotAssigned, assignee=story().world.ids["s3"]),
    ),
    "money to another account": (
        "transfer.accept", 0,
        lambda d: d.swapped(LotAssigned, account=story().world.accounts["s3"]),
    ),
    "no notice to the debtor": ("transfer.accept", 0, lambda d: d.without(NoticeArrived)),
    "a notice to somebody else": (
        "transfer.accept", 0,
        lambda d: d.swapped(NoticeArrived, recipient=story().world.ids["s3"]),
    ),
    "a notice twice": (
        "transfer.accept", 0, lambda d: replace(d, effects=(*d.effects, d.effects[1])),
    ),
    "effects in another order": (
        "transfer.accept", 0, lambda d: replace(d, effects=d.effects[::-1]),
    ),
    "a transfer at once to another assignee": (
        "transfer.offer", AT_ONCE,
        lambda d: d.swapped(LotTransferred, assignee=story().world.ids["s2"]),
    ),
    "a transfer at once under another consent": (
        "transfer.offer", AT_ONCE,
        lambda d: d.swapped(LotTransferred, consent=story().names["to_s2"]),
    ),
    "a consent to the operator's friend": (
        "consent.grant", 0,
        lambda d: d.swapped(ConsentGranted, assignors=(story().world.ids["s2"],)),
    ),
    "a consent to less than was signed": (
        "consent.grant", 0, lambda d: d.swapped(ConsentGranted, minimum=1),
    ),
    "no deadline where one is set": ("transfer.offer", 0, lambda d: d.without(DeadlineSet)),
    "a deadline at another instant": (
        "transfer.offer", 0, lambda d: d.swapped(DeadlineSet, at=instant(DUE_ON)),
    ),
    "a deadline that is not cleared": (
        "transfer.accept", 0, lambda d: d.without(DeadlineCleared),
    ),
    "a role that the registrar did not give": (
        "party.admit", 1, lambda d: d.swapped(PartyAdmitted, roles=("financier",)),
    ),
    "another ordinal": ("party.admit", 7, lambda d: d.swapped(PartyAdmitted, ordinal=8)),
    "a state of another total": (
        "state", 0, lambda d: d.swapped(StateCommitted, holder=structs.replace(
            _state(d).holder, total="100000501")),
    ),
    "a state of another root": (
        "state", 0, lambda d: d.swapped(StateCommitted, voucher=structs.replace(
            _state(d).voucher, root=b64url_encode(bytes(32)))),
    ),
    "a state with a bucket less": (
        "state", 1, lambda d: d.swapped(StateCommitted, holder=structs.replace(
            _state(d).holder, buckets=8)),
    ),
    "another kind": ("transfer.reject", 0, lambda d: replace(d, kind="transfer.withdraw")),
    "another index": ("transfer.reject", 0, lambda d: replace(d, index=7)),
    "another entry as previous": (
        "transfer.reject", 0,
        lambda d: replace(d, previous=hash_leaf(story().entries[3])),
    ),
    "time going back": ("transfer.reject", 0, lambda d: replace(d, time=d.time - 1)),
    "a time that the manual clock does not show": (
        "transfer.reject", 0, lambda d: replace(d, time=d.time + 1),
    ),
    "a deadline's entry before its time": (
        "transfer.expire", 0, lambda d: replace(d, time=d.time - 1),
    ),
}  # fmt: skip


def _state(draft: Draft) -> Any:
    return next(effect for effect in draft.effects if isinstance(effect, StateCommitted))
