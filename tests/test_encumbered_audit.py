"""An operator that lies about a burden is found: replay judges every pledge and freeze.

Each lie is one change in one entry's effects, with all later entries chained and the
checkpoint signed again, as the keeper of database and log key could do it.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from registry.audit import audit_export
from registry.checkpoint import Checkpoint, sign_checkpoint
from registry.entries import Entry, open_entry, seal_entry
from registry.errors import ProofFailedError
from registry.export import DirectoryFiles, write_export
from registry.inboxes import NOTICES
from registry.merkle import hash_leaf, root_of
from registry.model import LOTS, VOUCHERS
from registry.proofs import verify_snapshot
from registry.snapshots import take_snapshot
from registry.verdicts import Verdict
from tests.builders import ORIGIN, World, key_of
from tests.golden import rulebook, story

Lie = Callable[[dict[str, Any]], Any]


def _set(**members: Any) -> Lie:
    return lambda change: change.update(members)


def _another(member: str) -> Lie:
    def lie(change: dict[str, Any]) -> None:
        names: dict[str, Any] = dict(story().world.ids)
        change[member] = next(name for name in names.values() if name != change[member])

    return lie


def _other_notice() -> str:
    return next(str(row.notice) for row in story().world.store.select(NOTICES))


LIES: dict[str, tuple[str, str, Lie]] = {
    "a pledge of less": ("pledge.create", "lot-pledged", _set(amount="1", remainder="49999999")),
    "a pledge to the operator's friend": ("pledge.create", "lot-pledged", _another("pledgee")),
    "proceeds to another account": (
        "pledge.register", "pledge-registered",
        lambda change: change.update(account=story().world.accounts["s2"]),
    ),
    "an earlier rank": ("pledge.register", "filing-recorded", _set(registered_at=1)),
    "a release that nobody signed": ("pledge.enforce", "pledge-enforced",
                                     _set(effect="pledge-ended", end="released")),
    "a freeze of another's lot": ("lot.freeze", "lot-frozen", _another("holder")),
    "another freeze lifted": (
        "lot.unfreeze", "lot-unfrozen",
        lambda change: change.update(freeze=change["freeze"][::-1]),
    ),
    "money to another bank than the court's": (
        "lot.pay-to-court", "court-payment-ordered", _another("bank"),
    ),
    "no time to object": ("lot.pay-to-court", "court-payment-ordered", _set(objection_ends=1)),
    "an objection that was not heard": ("lot.object", "court-payment-objected",
                                        _set(effect="court-payment-final")),
    "more disputed than was said": ("dispute.raise", "dispute-raised", _set(amount="9000001")),
    "less admitted than was said": ("dispute.resolve", "dispute-moved", _set(owed="1")),
    "a search by another": ("registration.search", "search-recorded", _another("party")),
    "a later last day": ("registration.undertake", "task-set", _set(due_on="2025-12-31")),
    "no alarm": ("registration.overdue", "task-overdue", _set(effect="task-done")),
    "another inbox": ("inbox.designate", "inbox-designated", _another("party")),
    "a notice out of number": ("notice.give", "notice-arrived", _set(number=99)),
    "a notice by another": ("notice.give", "notice-given", _set(sender="assignor")),
    "a guarantor that was told too": (
        "notice.give", "notice-given",
        lambda change: change.update(told=[*change["told"], story().world.ids["s3"]]),
    ),
    "a receipt of another notice": (
        "notice.received", "notice-received", lambda change: change.update(notice=_other_notice()),
    ),
    "a refusal as an acknowledgement": (
        "notice.refuse", "notice-refused", _set(effect="notice-acknowledged"),
    ),
    "another ground": ("notice.refuse", "notice-refused", _set(ground="paid")),
    "a notice that nobody took back": (
        "notice.revoke", "revocation-proposed", _set(effect="notice-revoked"),
    ),
    "a power for another": ("power.grant", "power-granted", _another("attorney")),
    "another's power": ("power.trigger", "power-triggered", _another("attorney")),
    "told on once more": ("notice.escalate", "notice-escalated", _set(escalations=2)),
    "a lower cap": ("accessory.attach", "accessory-attached", _set(cap="1")),
}  # fmt: skip


@cache
def _entries() -> tuple[bytes, ...]:
    world: World = story().world
    return tuple(world.entries())


def _told(kind: str, effect: str, lie: Lie) -> tuple[int, list[bytes]]:
    """Returns the log up to a little behind the lie, and the index of the lie's entry."""
    entries = _entries()
    at = next(n for n, data in enumerate(entries) if open_entry(data).kind == kind)
    told: list[bytes] = list(entries[:at])
    for n in range(at, min(at + 2, len(entries))):
        entry = open_entry(entries[n])
        effects: Any = json.loads(json.dumps(entry.effects))
        if n == at:
            (change,) = (each for each in effects["changes"] if each["effect"] == effect)
            before = dict(change)
            lie(change)
            assert change != before
        made = Entry(
            index=n, time=entry.time, kind=entry.kind, origin=entry.origin,
            previous=hash_leaf(told[-1]), statement=entry.statement,
            effects_json=json.dumps(effects, sort_keys=True, separators=(",", ":"),
                                    ensure_ascii=False).encode(),
        )  # fmt: skip
        told.append(seal_entry(made))
    return at, told


def _audit(entries: list[bytes], directory: Any) -> Any:
    root = root_of(map(hash_leaf, entries))
    checkpoint = Checkpoint(origin=ORIGIN, size=len(entries), root=root)
    note = sign_checkpoint(checkpoint, key_of("log"))
    write_export(directory, note=note, entries=entries)
    return audit_export(
        DirectoryFiles(directory), origin=ORIGIN, key=key_of("log").public, rulebook=rulebook()
    )


@pytest.mark.parametrize("what", LIES)
def test_an_audit_names_the_entry_that_lies(what: str, tmp_path: Any) -> None:
    kind, effect, lie = LIES[what]
    at, told = _told(kind, effect, lie)
    audit = _audit(told, tmp_path / "export")
    assert audit.verdict is Verdict.INVALID
    assert [finding.where for finding in audit.findings] == [f"entry {at}"]


def test_the_same_log_without_a_lie_is_sound(tmp_path: Any) -> None:
    assert _audit(list(_entries()), tmp_path / "export").verdict is Verdict.VERIFIED


def test_a_snapshot_shows_what_burdens_each_lot() -> None:
    told = story()
    voucher = next(
        row.voucher for row in told.world.store.select(VOUCHERS) if row.voucher_no == "BURDENED"
    )
    files = take_snapshot(
        told.world.store, note=told.note, state_index=told.state_index,
        family="voucher", bucket=voucher,
    )  # fmt: skip
    verify_snapshot(files, origin=ORIGIN, key=key_of("log").public)
    lines = [json.loads(line) for line in files["lots.ndjson"].splitlines()]
    shown = {line["record"]["lot"]: line["opening"]["facts"]["burdens"] for line in lines}
    lots = told.world.store.select(LOTS, as_of=told.state_index)
    assert shown == {row.lot: list(row.burdens) for row in lots if row.voucher == voucher}
    assert sorted(map(len, shown.values())) == [0, 0, 1, 1, 1]
    # One burden left out, and the snapshot proves nothing.
    burden = next(each for each in shown.values() if each)[0]
    text = files["lots.ndjson"].decode().replace(f'"burdens":["{burden}"]', '"burdens":[]')
    with pytest.raises(ProofFailedError):
        verify_snapshot(
            {**files, "lots.ndjson": text.encode()}, origin=ORIGIN, key=key_of("log").public
        )
