"""Writes pain.001: a bank's orders to pay, one file for each bank of payers.

Payments stand by payer's account and day, and within these as they were given. The
bytes follow from the arguments alone. What is paid for is told in the remittance text
alone, the voucher's number; the mandate stands in the instruction for the payer's bank.

Source: ISO 20022, pain.001.001.09 (message definition report, 2019).
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from pyiso20022.pain import pain_001_001_09 as pain
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.models.datatype import XmlDate, XmlDateTime

from clearing.rails.errors import BankTextRefusedError
from clearing.rails.payments import (
    CURRENCY,
    AccountDetails,
    Payment,
    SentBatch,
    SentFile,
    by_payer,
    check_file,
    check_text,
)
from registry.errors import InvariantBrokenError

FORMAT: Final = "pain.001.001.09"
_NAMESPACE: Final = f"urn:iso:std:iso:20022:tech:xsd:{FORMAT}"
_CLEARING_SYSTEM: Final = "CNAPS"
_LENGTHS: Final = {"name": 140, "branch": 140, "remittance": 140, "initiator": 140}


def write_pain001(
    payments: Sequence[Payment], *, message_id: str, created: datetime, initiator: str
) -> SentFile:
    """Writes the payments out of accounts at one bank.

    Args:
        payments: At least one, each instruction once.
        message_id: 1 to 28 letters and digits, another for each file that a bank ever gets.
        created: With its zone, to the second.
        initiator: The name of whoever sends the file.

    Raises:
        InvariantBrokenError: No payment, payers of several banks, or a time without zone
            (caller bug).
        BankFileError: The message id has another form; an amount is outside what is paid;
            an instruction comes twice.
        CurrencyRefusedError: A payment is not in the ledger's currency.
        BankTextRefusedError: A text is longer than the format allows, or holds what XML
            or a bank's screen cannot show.
    """
    check_file(payments, message_id=message_id)
    if created.tzinfo is None:
        raise InvariantBrokenError("a file is written at a time with its zone")
    _check_length(initiator, field="initiator")
    for payment in payments:
        _check_texts(payment)
    batches: list[SentBatch] = []
    orders: list[pain.PaymentInstruction30] = []
    for place, ((payer, _), group) in enumerate(by_payer(payments).items(), 1):
        batch = SentBatch(
            batch=f"{message_id}-{place}",
            instructions=tuple(payment.instruction for payment in group),
        )
        batches.append(batch)
        orders.append(_order(payer, group, batch=batch.batch))
    header = pain.GroupHeader85(
        msg_id=message_id,
        cre_dt_tm=XmlDateTime.from_datetime(created.replace(microsecond=0)),
        nb_of_txs=str(len(payments)),
        ctrl_sum=_yuan(sum(payment.amount_minor for payment in payments)),
        initg_pty=pain.PartyIdentification135(nm=initiator),
    )
    initiation = pain.CustomerCreditTransferInitiationV09(grp_hdr=header, pmt_inf=orders)
    document = pain.Document(cstmr_cdt_trf_initn=initiation)
    text: str = XmlSerializer().render(document, ns_map={None: _NAMESPACE})
    return SentFile(
        format=FORMAT, message_id=message_id, data=text.encode(), batches=tuple(batches)
    )


def _check_texts(payment: Payment) -> None:
    """Checks the texts of a payment.

    Raises:
        BankTextRefusedError: As `write_pain001`.
    """
    _check_length(payment.remittance, field="remittance")
    for details in (payment.payer, payment.payee):
        _check_length(details.name, field="name")
        _check_length(details.branch, field="branch")


def _check_length(text: str, *, field: str) -> None:
    """Checks a text; nothing is cut.

    Raises:
        BankTextRefusedError: It is too long, or cannot be shown.
    """
    check_text(text, field=field)
    if len(text) > _LENGTHS[field]:
        reason = f"{len(text)} characters, the format has {_LENGTHS[field]}"
        raise BankTextRefusedError(field=field, reason=reason)


def _order(
    payer: AccountDetails, group: Sequence[Payment], *, batch: str
) -> pain.PaymentInstruction30:
    """Returns the payments out of one account on one day."""
    on = group[0].on
    return pain.PaymentInstruction30(
        pmt_inf_id=batch,
        pmt_mtd=pain.PaymentMethod3Code.TRF,
        # Each payment is booked by itself, so that each can be found in a statement.
        btch_bookg=False,
        nb_of_txs=str(len(group)),
        ctrl_sum=_yuan(sum(payment.amount_minor for payment in group)),
        reqd_exctn_dt=pain.DateAndDateTime2Choice(dt=XmlDate.from_date(on)),
        dbtr=pain.PartyIdentification135(nm=payer.name),
        dbtr_acct=_account(payer),
        dbtr_agt=_agent(payer),
        # Each side bears its own bank's charges: no bank takes its fee from the face.
        chrg_br=pain.ChargeBearerType1Code.SLEV,
        cdt_trf_tx_inf=[_transfer(payment) for payment in group],
    )


def _transfer(payment: Payment) -> pain.CreditTransferTransaction34:
    """Returns one payment."""
    amount = pain.ActiveOrHistoricCurrencyAndAmount(
        value=_yuan(payment.amount_minor), ccy=payment.currency
    )
    return pain.CreditTransferTransaction34(
        pmt_id=pain.PaymentIdentification6(
            instr_id=payment.instruction, end_to_end_id=payment.instruction
        ),
        amt=pain.AmountType4Choice(instd_amt=amount),
        cdtr_agt=_agent(payment.payee),
        cdtr=pain.PartyIdentification135(nm=payment.payee.name),
        cdtr_acct=_account(payment.payee),
        instr_for_dbtr_agt=f"AUTHORITY/{payment.authority}",
        rmt_inf=pain.RemittanceInformation16(ustrd=[payment.remittance]),
    )


def _account(details: AccountDetails) -> pain.CashAccount38:
    """Returns an account by its number at its bank: there is no IBAN."""
    other = pain.GenericAccountIdentification1(id=details.number)
    return pain.CashAccount38(id=pain.AccountIdentification4Choice(othr=other), ccy=CURRENCY)


def _agent(details: AccountDetails) -> pain.BranchAndFinancialInstitutionIdentification6:
    """Returns a branch by its twelve digits."""
    member = pain.ClearingSystemMemberIdentification2(
        clr_sys_id=pain.ClearingSystemIdentification2Choice(cd=_CLEARING_SYSTEM),
        mmb_id=details.clearing_code,
    )
    return pain.BranchAndFinancialInstitutionIdentification6(
        fin_instn_id=pain.FinancialInstitutionIdentification18(
            clr_sys_mmb_id=member, nm=details.branch
        )
    )


def _yuan(minor: int) -> Decimal:
    """Returns fen as the decimal that is written with exactly two places."""
    return Decimal(minor).scaleb(-2)
