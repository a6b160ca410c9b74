"""What the tests of bank files are written with: accounts, payments, and banks' messages."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from clearing.model import InstructionRecord
from clearing.rails.findings import Expected, Ignored, Matched, Reason
from clearing.rails.payments import AccountDetails, Payment
from registry.ids import PartyId, Sid
from registry.model import ACCOUNTS
from tests.clearing.test_rules import adopt, instructions
from tests.clearing.world import World, gv01, sid

PLAN = sid("plan")
OTHER_PLAN = sid("other plan")
BANK = PartyId("bank")
OTHER_BANK = PartyId("other bank")
ON = date(2026, 3, 2)
CREATED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"


def details(name: str, *, bank: PartyId = BANK, number: str = "") -> AccountDetails:
    """Returns an account at a bank, whose number follows from the name."""
    digits = str(int.from_bytes(name.encode()) % 10**15).zfill(15)
    return AccountDetails(
        bank=bank,
        name=f"{name}（天津）有限公司",
        number=number or f"0302{digits}",
        branch="中国工商银行天津和平支行",
        clearing_code="102110000123",
    )


def payment(
    n: int = 0, *, amount: int = 60_000_000, plan: Sid = PLAN, **changes: object
) -> Payment:
    """Returns a payment of S1 to S2."""
    facts: dict[str, object] = {
        "plan": plan,
        "n": n,
        "payer": details("S1"),
        "payee": details("S2"),
        "amount_minor": amount,
        "remittance": "TS-2026-0001",
        "authority": sid("mandate"),
        "on": ON,
    }
    return Payment(**{**facts, **changes})  # type: ignore[arg-type]


def awaited(payments: Iterable[Payment], *, status: str = "pending") -> list[Expected]:
    """Returns payments as instructions of which word is awaited."""
    return [
        Expected(
            plan=each.plan,
            n=each.n,
            amount_minor=each.amount_minor,
            payer_bank=each.payer.bank,
            payer_number=each.payer.number,
            payee_bank=each.payee.bank,
            payee_number=each.payee.number,
            status=status,
        )
        for each in payments
    ]


def gv01_records() -> tuple[tuple[InstructionRecord, ...], dict[Sid, AccountDetails]]:
    """Returns the five instructions of GV-01 on the tiered route, and who has which account."""
    world = World()
    gv01(world)
    records = instructions(world, adopt(world))
    names = {world.party(name): name for name in ("C", "S1", "S2", "S3", "F", "T#trust")}
    book = {}
    for account in {each for r in records for each in (r.payer_account, r.payee_account)}:
        row = world.rows.get(ACCOUNTS, account)
        assert row is not None
        book[account] = details(names[row.owner], bank=row.bank)
    return records, book


def said(matched: Matched) -> list[tuple[int, str, str | None]]:
    """Returns what is reported, as number, status and reason."""
    return [
        (item.instruction, item.status.value, item.reason)
        for report in matched.reports
        for item in report.items
    ]


def reasons(matched: Matched) -> list[Reason]:
    """Returns why things were put before a person."""
    return [each.reason for each in matched.unmatched]


def why(matched: Matched) -> list[Ignored]:
    """Returns why things changed nothing."""
    return [each.why for each in matched.ignored]


# --- Messages, as text -----------------------------------------------------------------


def document(name: str, body: str) -> bytes:
    """Returns a message as a file."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}<Document xmlns="{NAMESPACE}{name}">{body}</Document>'.encode()


def yuan(minor: int) -> str:
    """Returns fen as a bank writes them."""
    return f"{minor // 100}.{minor % 100:02}"


def entry(
    said: Payment | str,
    *,
    amount: str = "",
    side: str = "CRDT",
    currency: str = "CNY",
    reference: str = "R1",
    status: str = "<Cd>BOOK</Cd>",
    reversal: str = "",
    returned: str = "",
    charges: str = "",
) -> str:
    """Returns a booking of one payment."""
    named = said if isinstance(said, str) else said.instruction
    text = amount or yuan(said.amount_minor if isinstance(said, Payment) else 100)
    back = f"<RtrInf><Rsn><Cd>{returned}</Cd></Rsn></RtrInf>" if returned else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{text}</Amt><CdtDbtInd>{side}</CdtDbtInd>{reversal}'
        f"<Sts>{status}</Sts><BookgDt><Dt>2026-03-02</Dt></BookgDt>"
        f"<AcctSvcrRef>{reference}</AcctSvcrRef><BkTxCd/>{charges}"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{named}</EndToEndId></Refs>"
        f"<RmtInf><Ustrd>TS-2026-0001</Ustrd></RmtInf>{back}</TxDtls></NtryDtls></Ntry>"
    )


def camt054(
    *entries: str, account: str = "", name: str = "camt.054.001.08", message_id: str = "N1"
) -> bytes:
    """Returns a notification of bookings on an account, S2's if none is named."""
    number = account or details("S2").number
    return document(
        name,
        f"<BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>{message_id}</MsgId></GrpHdr><Ntfctn><Id>1</Id>"
        f"<Acct><Id><Othr><Id>{number}</Id></Othr></Id><Ccy>CNY</Ccy></Acct>"
        f"{''.join(entries)}</Ntfctn></BkToCstmrDbtCdtNtfctn>",
    )


def pain002(
    *statuses: tuple[Payment | str, str, str],
    file: str = "M1",
    group: str = "",
    reason: str = "",
    batch: str = "M1-1",
    batch_status: str = "",
) -> bytes:
    """Returns a report of (payment, status, reason) and of the whole file."""
    told = "".join(
        f"<TxInfAndSts><OrgnlEndToEndId>{said if isinstance(said, str) else said.instruction}"
        f"</OrgnlEndToEndId><TxSts>{status}</TxSts>{_rejected(why)}</TxInfAndSts>"
        for said, status, why in statuses
    )
    of_all = f"<GrpSts>{group}</GrpSts>{_rejected(reason)}" if group else ""
    of_batch = f"<PmtInfSts>{batch_status}</PmtInfSts>" if batch_status else ""
    batches = (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{batch}</OrgnlPmtInfId>{of_batch}{told}"
        "</OrgnlPmtInfAndSts>"
        if told or of_batch
        else ""
    )
    return document(
        "pain.002.001.10",
        "<CstmrPmtStsRpt><GrpHdr><MsgId>S1</MsgId></GrpHdr><OrgnlGrpInfAndSts>"
        f"<OrgnlMsgId>{file}</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{of_all}"
        f"</OrgnlGrpInfAndSts>{batches}</CstmrPmtStsRpt>",
    )


def _rejected(reason: str) -> str:
    """Returns a reason."""
    return f"<StsRsnInf><Rsn><Cd>{reason}</Cd></Rsn></StsRsnInf>" if reason else ""


def pacs004(said: Payment, *, amount: str = "", reason: str = "AC04", account: str = "") -> bytes:
    """Returns a return of a payment."""
    of = f"<OrgnlTxRef><CdtrAcct><Id><Othr><Id>{account}</Id></Othr></Id></CdtrAcct></OrgnlTxRef>"
    return document(
        "pacs.004.001.09",
        "<PmtRtr><GrpHdr><MsgId>P1</MsgId></GrpHdr><TxInf><RtrId>T1</RtrId>"
        f"<OrgnlEndToEndId>{said.instruction}</OrgnlEndToEndId>"
        f'<RtrdIntrBkSttlmAmt Ccy="CNY">{amount or yuan(said.amount_minor)}</RtrdIntrBkSttlmAmt>'
        f"<IntrBkSttlmDt>2026-03-05</IntrBkSttlmDt><RtrRsnInf><Rsn><Cd>{reason}</Cd></Rsn></RtrRsnInf>"
        f"{of if account else ''}</TxInf></PmtRtr>",
    )
