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
    AccountNotVerifiedError,
    AccountUnknownError,
    NotBankError,
    NotOwnerError,
)
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, get, replace


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
    """The owner's authority to debit the account for the clearing of vouchers."""

    account: SidField


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
    """An account can be debited for clearing."""

    mandate: Sid
    owner: PartyId
    account: Sid

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the mandate."""
        state.put(MANDATES, Mandate(mandate=self.mandate, owner=self.owner, account=self.account))


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
    """Asks for the account."""
    yield from get(ACCOUNTS, statement.body.account)


def decide_mandate_grant(
    state: Rows, statement: Statement[MandateGrant], _now: Now
) -> tuple[Effect, ...]:
    """Authorises the debiting of an account of the signer for clearing.

    Raises:
        AccountUnknownError: There is no such account.
        NotOwnerError: The account is somebody else's.
        AccountNotVerifiedError: Its bank has not verified it.
    """
    account = state.get(ACCOUNTS, statement.body.account)
    if account is None:
        raise AccountUnknownError(account=statement.body.account)
    if account.owner != statement.by:
        raise NotOwnerError(account=account.account, by=statement.by)
    if not account.verified:
        raise AccountNotVerifiedError(account=account.account)
    granted = MandateGranted(mandate=statement.sid, owner=statement.by, account=account.account)
    return (granted,)


KINDS = (
    Kind(
        name="account.register",
        body=AccountRegister,
        signers=HOLDER_ROLES,
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
        signers=HOLDER_ROLES,
        relation="the account's owner",
        reads=reads_mandate_grant,
        decide=decide_mandate_grant,
    ),
)
