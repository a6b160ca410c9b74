"""What a caller sees of what there is; the rest does not exist for it.

An auditor sees everything and nobody else does. That no assignee sees another rests on
these rules: they say, per kind of row and per kind of statement, whose it is.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from api.auth import Caller
from clearing.handed import Aggregation
from clearing.model import (
    InstructionRecord,
    Obligation,
)
from registry.burdens import Dispute, Filing, Pledge, Task
from registry.canonical import Json, parse_object
from registry.dealings import Early, Financing
from registry.entries import Entry, open_entry
from registry.ids import Sid
from registry.inboxes import Notice, Power
from registry.model import (
    ACCOUNTS,
    LOTS,
    VOUCHERS,
    Account,
    Consent,
    Lot,
    Offer,
    Party,
    Role,
    Voucher,
)
from registry.people import WAITED, Affiliation, Pending, WaitEnd
from registry.ports import LedgerStore
from registry.signing import split_jws
from registry.stages import Stage
from registry.tables import Get

READERS: Final[Mapping[str, tuple[str, ...]]] = {
    "genesis": (),
    "clock.set": (),
    "policy.publish": (),
    "calendar.publish": (),
    "party.register": ("party",),
    "vehicle.register": ("party",),
    "party.admit": ("party",),
    "key.add": ("party",),
    "key.revoke": ("party",),
    "key.recover": ("party",),
    "party.review": ("party",),
    "party.suspend": ("party",),
    "party.reinstate": ("party",),
    "party.policy": ("party",),
    # Whose what was approved is, says the approved statement's own kind; see `readers_of`.
    "approve": ("party",),
    "disapprove": ("party",),
    # Either may be no party here, and the other one's other affiliates are no business of it.
    "affiliation.declare": ("first", "second"),
    "affiliation.end": ("first", "second"),
    "account.register": ("owner", "bank"),
    "account.verify": (),
    "payee.change": ("holder",),
    # A stage's mandate is answered by the owner of the account that it is for.
    "mandate.grant": ("owner", "onto_owner"),
    "mandate.revoke": ("owner",),
    "account.stage": ("owner", "via_owner"),
    "account.unstage": ("owner", "via_owner"),
    # It may name several assignors, who must not see one another.
    "consent.grant": ("party",),
    "consent.withdraw": (),
    "voucher.issue": ("debtor", "creditor"),
    "voucher.accede": (),
    "voucher.refuse-accession": ("debtor", "co_debtor"),
    "voucher.accept": ("creditor",),
    "voucher.refuse": (),
    "voucher.withdraw": (),
    "voucher.void": (),
    "voucher.agree-void": (),
    "limit.set": ("party",),
    "limit.allocate": ("party",),
    "exposure.limit": ("financier",),
    "issuance.stop": ("party",),
    "issuance.resume": ("party",),
    "transfer.offer": ("assignor", "assignee"),
    "transfer.accept": ("assignor", "assignee"),
    "transfer.reject": ("assignor",),
    "transfer.withdraw": (),
    "inbox.designate": (),
    "notice.received": (),
    "notice.refuse": ("assignee",),
    # Its recipients read the notice itself, in their inboxes.
    "notice.give": ("assignor", "assignee"),
    "notice.revoke": ("assignee",),
    "notice.agree-revoke": ("assignor",),
    "power.grant": ("assignee", "attorney", "declarer"),
    "power.trigger": ("assignor", "attorney"),
    # One acknowledgement names many assignees, who must not see one another.
    "notice.acknowledge": (),
    "snapshot.request": (),
    "early.offer": ("debtor", "holder"),
    "early.consent": ("debtor", "holder"),
    "early.receive": ("debtor", "holder"),
    # A debtor sees an application if its own word is asked for.
    "financing.apply": ("applicant", "financier", "asked"),
    "financing.quote": ("applicant", "financier"),
    "financing.confirm": ("applicant", "financier", "debtor"),
    "financing.end": ("applicant", "financier"),
    "financing.contract": ("applicant", "financier", "assignee"),
    "financing.register": ("applicant", "financier"),
    "financing.pay": ("applicant", "financier"),
    "financing.receive": ("applicant", "financier"),
    "pledge.create": ("pledgor", "pledgee"),
    "pledge.register": ("pledgor", "pledgee"),
    "pledge.enforce": ("pledgor", "pledgee"),
    "pledge.release": ("pledgor", "pledgee"),
    "lot.freeze": ("holder",),
    "lot.unfreeze": ("holder",),
    # The debtor is told to whom it may have to pay, and the bank what will come in.
    "lot.pay-to-court": ("holder", "debtor", "bank"),
    "lot.object": ("holder", "debtor"),
    "account.freeze": ("owner",),
    "account.unfreeze": ("owner",),
    "dispute.raise": ("debtor", "creditor"),
    "dispute.answer": ("debtor", "creditor"),
    "dispute.resolve": ("debtor", "creditor"),
    "dispute.withdraw": ("debtor", "creditor"),
    "registration.undertake": (),
    "registration.record": (),
    "registration.change": (),
    "registration.cancel": (),
    # It names every assignor behind a lot, who must not see one another.
    "registration.search": (),
    "accessory.attach": (),
    "clearing.plan": (),
    # One report tells of many payments, whose sides must not see one another; its bank may
    # see what was relayed in its name.
    "clearing.report": ("bank",),
    "clearing.approve": ("debtor",),
    "payee.aggregate": ("owner",),
    # The payers' bank is told of all that it carries out.
    "clearing.send": ("bank",),
    "clearing.close": (),
    "clearing.fund": ("debtor",),
    "clearing.apportion": (),
    "clearing.reroute": (),
    "clearing.top-up": (),
}
"""By kind: the members of its effects that name who may see the statement.

Besides them its signer may, and those who may see the statement that it answers.
"""

_ANSWERS_SHOWN: Final = frozenset(
    {"account.register", "voucher.issue", "transfer.offer", "party.register", "vehicle.register"}
)
"""Kinds whose readers see the answers too."""


def sees_statement(caller: Caller, entry: Entry, store: LedgerStore) -> bool:
    """Tells whether a caller may see a sealed statement."""
    return caller.is_auditor or any(map(caller.is_or_manages, readers_of(entry, store)))


def readers_of(entry: Entry, store: LedgerStore) -> Iterator[str]:
    """Yields the parties of a sealed statement.

    What a statement that waited has changed stands in its last approval's entry; both are
    seen by whoever would see it, had it not waited.
    """
    payload = payload_of(entry)
    yield str(payload["by"])
    yield from _named_in(entry)
    answered = _sealed(store, payload.get("re"))
    if entry.kind == "approve" and answered is not None:
        answered = _sealed(store, payload_of(answered).get("re"))
    for change in changes_of(entry):
        if change["effect"] == "statement-pending":
            yield from _named_by_approval(store, Sid(str(change["statement"])))
    if answered is not None and answered.kind in _ANSWERS_SHOWN:
        yield from readers_of(answered, store)


def _named_in(entry: Entry) -> Iterator[str]:
    """Yields the parties that an entry's changes name as readers of its kind."""
    kind = entry.kind
    for change in changes_of(entry):
        if change["effect"] == "statement-approved":
            # What follows is another kind's.
            kind = str(change["kind"])
        for member in READERS.get(kind, ()):
            if isinstance(name := change.get(member), str):
                yield name


def _named_by_approval(store: LedgerStore, sid: Sid) -> Iterator[str]:
    """Yields the parties that a statement which waited names, once it is approved."""
    (waited,) = store.fetch([Get(WAITED, ((sid,),))])[0]
    if waited is not None and waited.end == WaitEnd.APPROVED:
        yield from _named_in(open_entry(next(iter(store.entries(waited.index, waited.index + 1)))))


def _sealed(store: LedgerStore, sid: object) -> Entry | None:
    """Returns the entry of a statement, if there is one."""
    index = store.find_statements([Sid(sid)]).get(Sid(sid)) if isinstance(sid, str) else None
    return None if index is None else open_entry(next(iter(store.entries(index, index + 1))))


def payload_of(entry: Entry) -> Mapping[str, Json]:
    """Returns the payload of an entry's statement."""
    return parse_object(split_jws(entry.statement, what="statement").payload, what="payload")


def changes_of(entry: Entry) -> Iterator[Mapping[str, Json]]:
    """Yields an entry's changes."""
    changes = entry.effects.get("changes")
    for change in changes if isinstance(changes, list) else ():
        if isinstance(change, dict):
            yield change


def sees_pending(caller: Caller, pending: Pending) -> bool:
    """Tells whether what waits is the caller's own to approve."""
    return caller.is_auditor or caller.is_or_manages(pending.party)


def sees_party_file(caller: Caller, party: Party) -> bool:
    """Tells whether a caller sees who acts in a party, and on what evidence it was admitted."""
    return caller.is_auditor or Role.REGISTRAR in caller.roles or caller.is_or_manages(party.party)


AFFILIATION_READERS: Final = frozenset(
    {Role.AUDITOR, Role.FINANCIER, Role.OPERATOR, Role.REGISTRAR, Role.TRUSTEE}
)
"""Who counts related parties (SD-35, EL-22) or looks for claims that come back (FR-05)."""


def sees_affiliation(caller: Caller, pair: Affiliation) -> bool:
    """Tells whether a caller has to count with affiliations, or is one of the two."""
    counts = not AFFILIATION_READERS.isdisjoint(caller.roles)
    return counts or any(map(caller.is_or_manages, (pair.first, pair.second)))


def sees_lot(caller: Caller, lot: Lot) -> bool:
    """Tells whether a caller may see a lot: who holds it, as of the size asked for."""
    return caller.is_auditor or caller.is_or_manages(lot.holder)


def sees_voucher(caller: Caller, voucher: Voucher) -> bool:
    """Tells whether a caller is a party to a voucher itself, or secures it."""
    parties = (voucher.debtor, voucher.creditor, *voucher.co_debtors, *voucher.guarantors)
    return caller.is_auditor or any(map(caller.is_or_manages, parties))


def has_held(caller: Caller, voucher: Voucher, store: LedgerStore, *, as_of: int) -> bool:
    """Tells whether a caller stands in the chain of a lot of the voucher that was live then."""
    lots = store.select(LOTS, field="voucher", value=voucher.voucher, as_of=as_of)
    return any(caller.is_or_manages(holder) for lot in lots for holder in lot.path)


def sees_offer(caller: Caller, offer: Offer) -> bool:
    """Tells whether a caller made an offer or was made it."""
    return caller.is_auditor or any(map(caller.is_or_manages, (offer.assignor, offer.assignee)))


def sees_pledge(caller: Caller, pledge: Pledge) -> bool:
    """Tells whether a caller has made a pledge or has it."""
    return caller.is_auditor or any(map(caller.is_or_manages, (pledge.pledgor, pledge.pledgee)))


def sees_financing(caller: Caller, row: Financing) -> bool:
    """Tells whether a caller asks for money, gives it, or has the claim through it."""
    parties = (row.applicant, row.financier, row.acquirer)
    return caller.is_auditor or any(map(caller.is_or_manages, parties))


def has_a_word_in(caller: Caller, row: Financing, store: LedgerStore) -> bool:
    """Tells whether a financing asks for a caller's own word: the debtor's, or a bank's receipt.

    The debtor's is asked for in reverse mode; the bank that keeps the applicant's account may
    confirm the payment once there is a contract.
    """
    asked = [Get(VOUCHERS, ((row.voucher,),)), Get(ACCOUNTS, ((row.account,),))]
    (voucher,), (account,) = store.fetch(asked)
    if row.rules.debtor_confirms and caller.is_or_manages(voucher.debtor):
        return True
    return row.contract is not None and caller.is_or_manages(account.bank)


def sees_early(caller: Caller, row: Early) -> bool:
    """Tells whether a caller offers to pay early, or is offered it."""
    return caller.is_auditor or any(map(caller.is_or_manages, (row.debtor, row.holder)))


def sees_dispute(caller: Caller, dispute: Dispute) -> bool:
    """Tells whether a dispute is between the caller and another; assignees see it with a lot."""
    parties = (dispute.debtor, dispute.creditor)
    return caller.is_auditor or any(map(caller.is_or_manages, parties))


def sees_own(caller: Caller, row: Filing | Task) -> bool:
    """Tells whether a registration elsewhere, or a task about one, is the caller's own."""
    return caller.is_auditor or caller.is_or_manages(row.party)


def sees_consent(caller: Caller, consent: Consent) -> bool:
    """Tells whether a standing consent is the caller's own."""
    return caller.is_auditor or caller.is_or_manages(consent.party)


def sees_notice(caller: Caller, notice: Notice) -> bool:
    """Tells whether a notice is in the caller's inbox."""
    return caller.is_auditor or caller.is_or_manages(notice.recipient)


def sees_power(caller: Caller, power: Power) -> bool:
    """Tells whether a caller is named in a power of attorney."""
    named = (power.assignor, power.assignee, power.attorney, power.declarer)
    return caller.is_auditor or any(map(caller.is_or_manages, named))


def sees_account(caller: Caller, account: Account) -> bool:
    """Tells whether a caller owns an account or keeps it."""
    return caller.is_auditor or any(map(caller.is_or_manages, (account.owner, account.bank)))


def sees_payees_part(caller: Caller, row: Mapping[str, Json]) -> bool:
    """Tells whether a caller is paid by an instruction, or keeps the payee's account."""
    sides = (str(row["payee"]), str(row["bank"]), str(row.get("holder", "")))
    return caller.is_auditor or any(map(caller.is_or_manages, sides))


def sees_instruction(caller: Caller, record: InstructionRecord) -> bool:
    """Tells whether a caller pays, is paid, keeps the payee's account, or orders it carried out.

    The payer's bank, which no row names, sees it too (see `api.routes.clearing`).
    """
    parties = (record.payer, record.payee, record.bank, record.creditor)
    is_theirs = caller.is_auditor or Role.OPERATOR in caller.roles
    return is_theirs or any(map(caller.is_or_manages, parties))


def sees_stage(caller: Caller, stage: Stage) -> bool:
    """Tells whether a caller is paid by way of a stage, owns it, or runs the clearing."""
    is_theirs = caller.is_auditor or Role.OPERATOR in caller.roles
    return is_theirs or any(map(caller.is_or_manages, (stage.owner, stage.via_owner)))


def sees_aggregation(caller: Caller, row: Aggregation) -> bool:
    """Tells whether a caller has agreed to joint payments, or orders them."""
    is_theirs = caller.is_auditor or Role.OPERATOR in caller.roles
    return is_theirs or caller.is_or_manages(row.owner)


def sees_obligation(caller: Caller, row: Obligation) -> bool:
    """Tells whether a caller owes something because of an instruction, is owed it, or orders it."""
    is_theirs = caller.is_auditor or Role.OPERATOR in caller.roles
    return is_theirs or any(map(caller.is_or_manages, (row.owed_by, row.owed_to)))
