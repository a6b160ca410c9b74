"""Bank accounts and the authority to debit them.

An account's 户名, 账号, 开户行 and 12-digit 联行号 are confidential terms, known to the log
by their salted digest; the bank that keeps the account verifies them, the same-name
rule included, with a statement of its own. Every payment instruction names the
mandate under which its payer's account is debited (扣款授权).
"""

from enum import StrEnum
from typing import Annotated, Any

from registry.effects import Effect, Seal, Touch
from registry.encumbrance_refusals import MoveNotAllowedError
from registry.errors import InvariantBrokenError
from registry.fields import LENIENT, Digest, FileRef, PartyField, PlainText, SidField
from registry.ids import PartyId, Sid
from registry.model import (
    ACCOUNTS,
    HOLDER_ROLES,
    MANDATES,
    PARTIES,
    Account,
    Mandate,
    Role,
)
from registry.refusals import (
    AccountUnknownError,
    NotBankError,
    NotOwnerError,
)
from registry.rights import require_account
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace

OWNER_ROLES = HOLDER_ROLES | {Role.TRUSTEE}
"""Who may have an account: holders, and trustees, whose business account is a stage."""


class AccountKind(StrEnum):
    """What an account is for."""

    SETTLEMENT = "settlement"
    TRUST = "trust"


class AccountRegister(Body):
    """An account of the signer at a bank; the terms hold name, number and bank code."""

    bank: PartyField
    account_kind: Annotated[AccountKind, LENIENT]
    terms: Digest


class AccountVerify(Body):
    """The bank's word that the account exists and bears its owner's name."""


class _Order(Body):
    """What a court orders of an account; the case number is salted."""

    authority: PlainText
    number: Digest
    order: FileRef


class AccountFreeze(_Order):
    """The bank's word that a court has frozen the account; the case number is salted."""


class AccountUnfreeze(_Order):
    """The bank's word that the account is free again."""


class MandateGrant(Body):
    """The owner's authority to debit the account for the clearing of vouchers.

    `onto`: for what is to come into that account alone, before which this one is a stage.
    """

    account: SidField
    onto: SidField | None = None


class MandateRevoke(Body):
    """The owner's word that nothing more is planned under its authority."""


class AccountRegistered(Effect, frozen=True, kw_only=True):
    """An account waits for its bank's word."""

    account: Sid
    owner: PartyId
    bank: PartyId
    account_kind: str
    digest: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the account."""
        row = Account(
            account=self.account,
            owner=self.owner,
            bank=self.bank,
            account_kind=self.account_kind,
            digest=self.digest,
        )
        state.put(ACCOUNTS, row)


class AccountVerified(Effect, frozen=True, kw_only=True):
    """An account can be named as payee or payer."""

    account: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the account."""
        account = state.get(ACCOUNTS, self.account)
        if account is None:
            raise InvariantBrokenError(f"verification of no account {self.account}")
        state.put(ACCOUNTS, replace(account, verified=True))


class _OfOrder(Effect, frozen=True, kw_only=True):
    """Base of what a court's order does to an account."""

    account: Sid
    owner: PartyId
    authority: str
    number: str
    order: str

    def touched(self) -> tuple[Touch, ...]:
        """Touches the owner."""
        return (("holder", self.owner),)


class AccountFrozen(_OfOrder, frozen=True, kw_only=True):
    """An account cannot pay; the claims that are paid into it are not frozen with it."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the account."""
        state.put(ACCOUNTS, replace(_known(state, self.account), frozen=True))


class AccountUnfrozen(_OfOrder, frozen=True, kw_only=True):
    """An account can pay again."""

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the account."""
        state.put(ACCOUNTS, replace(_known(state, self.account), frozen=False))


class MandateGranted(Effect, frozen=True, kw_only=True):
    """An account can be debited for clearing, or for what is to come into one other account."""

    mandate: Sid
    owner: PartyId
    account: Sid
    onto: Sid | None = None
    onto_owner: PartyId | None = None

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the mandate."""
        row = Mandate(mandate=self.mandate, owner=self.owner, account=self.account, onto=self.onto)
        state.put(MANDATES, row)


class MandateRevoked(Effect, frozen=True, kw_only=True):
    """No plan from now on debits an account under this authority; those adopted keep it."""

    mandate: Sid
    owner: PartyId
    account: Sid
    revoked: Sid

    def touched(self) -> tuple[Touch, ...]:
        """Touches the owner."""
        return (("holder", self.owner),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Marks the mandate, which stays."""
        row = state.get(MANDATES, self.mandate)
        if row is None:
            raise InvariantBrokenError(f"the end of no mandate {self.mandate}")
        state.put(MANDATES, replace(row, revoked=self.revoked))


def reads_account_register(statement: Statement[AccountRegister], _now: Now) -> ReadPlan:
    """Asks for the bank."""
    yield from get(PARTIES, statement.body.bank)


def decide_account_register(
    state: Rows, statement: Statement[AccountRegister], _now: Now
) -> tuple[Effect, ...]:
    """Registers a bank account of the signer.

    Raises:
        NotBankError: The bank named is not admitted as one.
    """
    body = statement.body
    bank = state.get(PARTIES, body.bank)
    if bank is None or Role.BANK not in bank.roles:
        raise NotBankError(party=body.bank)
    registered = AccountRegistered(
        account=statement.sid,
        owner=statement.by,
        bank=body.bank,
        account_kind=body.account_kind,
        digest=body.terms,
    )
    return (registered,)


def decide_account_verify(
    state: Rows, statement: Statement[AccountVerify], _now: Now
) -> tuple[Effect, ...]:
    """Verifies an account that the signer keeps.

    Raises:
        NotBankError: The signer is not the account's bank.
    """
    account = _kept(state, statement)
    return (AccountVerified(account=account.account),)


def _known(state: Rows, account: str) -> Account:
    """Returns an account that an earlier entry has registered."""
    row = state.get(ACCOUNTS, account)
    if row is None:
        raise InvariantBrokenError(f"no account {account}")
    return row


def _kept(state: Rows, statement: Statement[Any]) -> Account:
    """Returns the account answered, if the signer keeps it.

    Raises:
        NotBankError: It does not.
    """
    account = _known(state, statement.re or "")
    if account.bank != statement.by:
        raise NotBankError(party=statement.by)
    return account


def _ordered(account: Account, order: _Order) -> dict[str, Any]:
    """Returns what an effect says of a court's order."""
    return {
        "account": account.account,
        "owner": account.owner,
        "authority": order.authority,
        "number": order.number,
        "order": order.order.digest,
    }


def decide_account_freeze(
    state: Rows, statement: Statement[AccountFreeze], _now: Now
) -> tuple[Effect, ...]:
    """States that a court has frozen an account that the signer keeps; no lot is touched.

    Raises:
        NotBankError: The signer is not the account's bank.
        MoveNotAllowedError: The account is frozen.
    """
    account, body = _kept(state, statement), statement.body
    if account.frozen:
        raise MoveNotAllowedError(of=account.account, status="frozen", to="frozen")
    return (AccountFrozen(**_ordered(account, body)),)


def decide_account_unfreeze(
    state: Rows, statement: Statement[AccountUnfreeze], _now: Now
) -> tuple[Effect, ...]:
    """States that an account that the signer keeps is no longer frozen.

    Raises:
        NotBankError: The signer is not the account's bank.
        MoveNotAllowedError: The account is not frozen.
    """
    account, body = _kept(state, statement), statement.body
    if not account.frozen:
        raise MoveNotAllowedError(of=account.account, status="open", to="open")
    return (AccountUnfrozen(**_ordered(account, body)),)


def reads_mandate_grant(statement: Statement[MandateGrant], _now: Now) -> ReadPlan:
    """Asks for the account, and the one that it is to be a stage before."""
    yield from get(ACCOUNTS, statement.body.account)
    if statement.body.onto is not None:
        yield from get(ACCOUNTS, statement.body.onto)


def decide_mandate_grant(
    state: Rows, statement: Statement[MandateGrant], _now: Now
) -> tuple[Effect, ...]:
    """Authorises the debiting of an account of the signer for clearing.

    Raises:
        AccountUnknownError: There is no such account.
        NotOwnerError: The account is somebody else's.
        AccountNotVerifiedError: Its bank has not verified it.
        AccountUnknownError: There is no account that it would be a stage before, or it is that.
    """
    body = statement.body
    account = require_account(state, body.account, owner=statement.by)
    granted = MandateGranted(mandate=statement.sid, owner=statement.by, account=account.account)
    if body.onto is None:
        return (granted,)
    onto = state.get(ACCOUNTS, body.onto)
    if onto is None or onto == account:
        raise AccountUnknownError(account=body.onto)
    return (replace(granted, onto=onto.account, onto_owner=onto.owner),)


def decide_mandate_revoke(
    state: Rows, statement: Statement[MandateRevoke], _now: Now
) -> tuple[Effect, ...]:
    """Ends an authority for what is planned from now on.

    What was signed under it stands: adopted plans, and the vouchers in whose issue a debtor
    has named it, for what a debtor promised so it does not take back.

    Raises:
        NotOwnerError: The account is somebody else's.
        MoveNotAllowedError: It is revoked.
    """
    mandate = state.get(MANDATES, statement.re or "")
    if mandate is None:
        raise InvariantBrokenError("an answer to no mandate")
    if mandate.owner != statement.by:
        raise NotOwnerError(account=mandate.account, by=statement.by)
    if mandate.revoked is not None:
        raise MoveNotAllowedError(of=mandate.mandate, status="revoked", to="revoked")
    revoked = MandateRevoked(
        mandate=mandate.mandate,
        owner=mandate.owner,
        account=mandate.account,
        revoked=statement.sid,
    )
    return (revoked,)


KINDS = (
    Kind(
        name="account.register",
        body=AccountRegister,
        signers=OWNER_ROLES,
        relation="the account's owner",
        reads=reads_account_register,
        decide=decide_account_register,
    ),
    Kind(
        name="account.verify",
        body=AccountVerify,
        signers=frozenset({Role.BANK}),
        relation="the bank that keeps the account",
        answers={"account.register": ACCOUNTS},
        decide=decide_account_verify,
    ),
    Kind(
        name="account.freeze",
        body=AccountFreeze,
        signers=frozenset({Role.BANK}),
        relation="the bank that keeps the account",
        answers={"account.register": ACCOUNTS},
        decide=decide_account_freeze,
    ),
    Kind(
        name="account.unfreeze",
        body=AccountUnfreeze,
        signers=frozenset({Role.BANK}),
        relation="the bank that keeps the account",
        answers={"account.register": ACCOUNTS},
        decide=decide_account_unfreeze,
    ),
    Kind(
        name="mandate.grant",
        body=MandateGrant,
        signers=OWNER_ROLES,
        relation="the account's owner",
        reads=reads_mandate_grant,
        decide=decide_mandate_grant,
    ),
    Kind(
        name="mandate.revoke",
        body=MandateRevoke,
        signers=OWNER_ROLES,
        relation="the account's owner",
        answers={"mandate.grant": MANDATES},
        decide=decide_mandate_revoke,
        while_suspended=True,
    ),
)
