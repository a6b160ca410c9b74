"""Words for people, in Chinese and English: piles, notes, roles, purposes, statuses.

Source: reference note 24; docs/glossary.md.
"""

from collections.abc import Mapping
from typing import Final

from api.bank_words import DAY, DAY_NOTES, STEPS, WRONG

Words = tuple[str, str]
"""Chinese, English."""


ROLES: Final[Mapping[str, Words]] = {
    "operator": ("平台运营方", "operator"),
    "registrar": ("准入审核方", "registrar"),
    "participant": ("企业", "participant"),
    "financier": ("资金方", "financier"),
    "trustee": ("计划管理人", "trustee"),
    "vehicle": ("专项计划", "vehicle"),
    "bank": ("银行", "bank"),
    "auditor": ("审计方", "auditor"),
}

PURPOSES: Final[Mapping[str, Words]] = {
    "issue": ("开立", "issue"),
    "settle": ("流转", "settle"),
    "finance": ("融资", "finance"),
    "securitise": ("入池", "securitise"),
}

CAPACITIES: Final[Mapping[str, Words]] = {
    "debtor": ("债务人（开立人）", "debtor"),
    "has-the-money": ("在途资金持有人", "has the debtor's money"),
    "co-debtor": ("共同债务人", "co-debtor"),
    "guarantee": ("保证人", "guarantor"),
    "shortfall": ("差额支付承诺人", "shortfall promisor"),
    "assignor": ("转让人（有追索权）", "assignor, with recourse"),
}
"""As what somebody may be asked to pay a lot."""

PILES: Final[Mapping[str, Words]] = {
    "suspended": ("已暂停业务", "suspended: little can be signed"),
    "approvals": ("待复核", "to approve"),
    "vouchers-to-accept": ("待签收凭证", "vouchers to accept"),
    "offers-to-answer": ("待签收转让", "offers to answer"),
    "voidings-to-answer": ("待答复作废申请", "vouchers that would be void"),
    "revocations-to-agree": ("待同意撤销通知", "notices that would be revoked"),
    "accessions-to-refuse": ("可拒绝的债务加入", "co-debtors you may still refuse"),
    "financings-to-quote": ("待报价融资申请", "applications for money to quote"),
    "financings-to-sign": ("待签约融资报价", "quotes to sign"),
    "financings-to-fulfil": ("待登记、待放款", "contracts to register or to pay"),
    "financings-to-receive": ("待确认到账", "payments to confirm"),
    "early-to-answer": ("提前兑付待答复", "early payments to answer"),
    "unpaid": ("逾期未收", "past their pay date, not paid"),
    "paid-today": ("今日兑付（应收）", "paid to you today"),
    "paid-soon": ("三日内兑付（应收）", "paid to you within three days"),
    "not-yet-acknowledged": ("债务人未确认通知", "not yet acknowledged by the debtor"),
    "pledges-to-register": ("待登记质押", "pledges to register"),
    "tasks": ("待登记", "to register elsewhere"),
    "disputes-to-answer": ("待答复争议", "disputes to answer"),
    "exposures-at-limit": ("融资限额将满", "at or near your limit for a debtor"),
    "stopped": ("已停止开立", "stopped: nothing can be issued"),
    "overdue": ("逾期未付", "overdue"),
    "owed-today": ("今日到期应付", "to pay today"),
    "owed-soon": ("三日内到期应付", "to pay within three days"),
    "notices-to-acknowledge": ("待确认转让通知", "notices to acknowledge"),
    "orders-to-pay-a-court": ("协助履行通知（可异议）", "orders to pay a court, open to objection"),
    "not-yet-accepted": ("已开立待对方签收", "issued, not yet accepted"),
    "near-limit": ("开立限额将满", "at or near your limit"),
    "batches": ("清分指令批次", "instructions to confirm"),
    "accounts-to-verify": ("待核验账户", "accounts to verify"),
    "frozen-accounts": ("已冻结账户", "frozen accounts"),
    "received": ("应收、已收、未收", "due, received, missing"),
    **DAY,
    **WRONG,
    "all-overdue": ("逾期", "overdue"),
    "matures-today": ("今日到期", "matures today"),
    "matures-soon": ("三日内到期", "matures within three days"),
    "all-approvals": ("待复核", "waiting for a second person"),
    "all-unanswered": ("待签收", "waiting for an answer"),
    "all-unacknowledged": ("债务人未确认通知", "lots not acknowledged by the debtor"),
    "all-tasks": ("待登记", "to be registered elsewhere"),
    "all-limits": ("限额将满", "at or near their limit"),
    "all-stops": ("已停止开立", "stopped from issuing"),
    "court-orders": ("司法冻结", "freezes by courts"),
    "all-frozen-accounts": ("已冻结账户", "frozen accounts"),
    "to-admit": ("待准入", "to admit"),
    "to-review": ("待人工复核", "to look at again"),
    "to-stop": ("逾期且未停止开立", "overdue, and may still issue"),
}

VERBS: Final[Mapping[str, str]] = {
    "approvals": "approve",
    "vouchers-to-accept": "voucher accept",
    "offers-to-answer": "transfer accept",
    "voidings-to-answer": "voucher agree-void",
    "revocations-to-agree": "notice agree-revoke",
    "accessions-to-refuse": "voucher refuse-accession",
    "financings-to-quote": "financing quote",
    "financings-to-sign": "financing contract",
    "financings-to-fulfil": "financing show",
    "financings-to-receive": "financing receive",
    "early-to-answer": "early consent",
    "notices-to-acknowledge": "notice acknowledge",
    "pledges-to-register": "pledge register",
    "disputes-to-answer": "dispute answer",
    "orders-to-pay-a-court": "lot object",
    "accounts-to-verify": "account verify",
    "funds-to-divide": "clearing propose-apportion",
    "lists-to-approve": "clearing propose-approve",
    "batches": "clearing show",
    **dict.fromkeys(("all-refused", "all-stuck", "payments-refused"), "clearing show"),
    "to-admit": "party admit",
    "to-review": "party review",
    "to-stop": "issuance stop",
}
"""The command that takes a line's id further, where one does."""

DAYS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("approvals", "vouchers-to-accept", "offers-to-answer"), "by"),
    **dict.fromkeys(("financings-to-quote", "financings-to-sign", "not-yet-accepted"), "by"),
    **dict.fromkeys(("financings-to-fulfil", "financings-to-receive", "early-to-answer"), "by"),
    **dict.fromkeys(("pledges-to-register", "tasks", "all-tasks", "orders-to-pay-a-court"), "by"),
    "voidings-to-answer": "due",
    **dict.fromkeys(("money-to-have", "all-money-to-have", "lists-to-approve", "debits"), "on"),
    "accessions-to-refuse": "by",
    **dict.fromkeys(("sweeps", "sweeps-to-receive", "all-sweeps"), "by"),
    **dict.fromkeys(("unpaid", "paid-today", "paid-soon", "not-yet-acknowledged"), "due"),
    **dict.fromkeys(("overdue", "owed-today", "owed-soon"), "due"),
    **dict.fromkeys(("all-overdue", "matures-today", "matures-soon"), "due"),
    **dict.fromkeys(("obligations-to-pay", "obligations-to-receive", "all-obligations"), "due"),
    "notices-to-acknowledge": "since",
}
"""What the day of a pile's lines is, in a word."""

FACTS: Final[Mapping[str, Words]] = {
    "may_be_debited": ("可扣款", "may be debited"),
    "on_the_way": ("已付出、在途", "paid, and on its way"),
    "late": ("逾三个工作日", "older than three working days"),
    "looked_at": ("仅查看前若干条", "rows looked at, of more"),
    "overdue": ("逾期", "overdue"),
    "within_cycle": ("归集周期内", "on stages, within their cycle"),
    "limit": ("限额", "limit"),
    "received": ("已收", "received"),
    "missing": ("未收", "missing"),
    "stated": ("银行确认可用资金", "there, says the bank"),
}

NOTES: Final[Mapping[str, Words]] = {
    "needs-final": ("待终审", "needs a final reviewer"),
    "agreed": ("已同意，待到账", "agreed, to be received"),
    "forward": ("正向保理", "on the applicant's credit"),
    "reverse": ("反向保理", "on the debtor's credit"),
    "agency": ("代理转让", "for a trust"),
    "ordinary": ("一般应收账款", "ordinary receivable"),
    "silence": ("默示签收", "accepted by silence"),
    "overdue": ("逾期", "overdue"),
    "late": ("久未确认", "late"),
    "frozen": ("司法冻结", "frozen"),
    "pledged": ("质押", "pledged"),
    "payable": ("应向法院支付", "payable to the court"),
    "no-debit": ("账户不可扣款", "account cannot be debited"),
    "at-limit": ("已达限额", "at the limit"),
    "near-limit": ("接近限额", "near the limit"),
    "planned": ("已出清分方案", "planned"),
    **STEPS,
    **DAY_NOTES,
    "instructed": STEPS["ordered"],
    "pending": ("待确认", "pending"),
    "ordered": ("可异议", "open to objection"),
    "register": ("登记", "register"),
    "deregister": ("注销登记", "take off the register"),
    "bond-default": ("债券违约", "bond default"),
    "overdue-list": ("持续逾期名单", "on the list of persistent overdue"),
}


REPORTS: Final[Mapping[str, Words]] = {
    "outstanding": ("未兑付余额与限额", "What debtors and groups owe, against their limits"),
    "overdue": ("逾期", "What is past its pay date, by debtor and days"),
    "splitting": ("拆分流转统计", "How claims are split and passed on"),
    "unacknowledged": ("未确认转让通知", "Notices that nobody has acknowledged"),
    "daily": ("每日汇总", "The day's aggregate by debtor, reconciled to the ledger"),
    "statement": ("对账单", "What you owe and hold"),
    "alerts": ("异常流转预警", "Claims that came back, bursts of transfers"),
}

STATUSES: Final[Mapping[str, Words]] = {
    **NOTES,
    "issued": ("待签收", "issued"),
    "active": ("已签收", "active"),
    "settled": ("已兑付", "settled"),
    "refused": ("已拒签", "refused"),
    "withdrawn": ("已撤回", "withdrawn"),
    "expired": ("逾期未签收", "expired"),
    "voided": ("已作废", "voided"),
    "free": ("可用", "free"),
    "offered": ("转让待签收", "offered"),
    "held": ("账户变更暂停", "held"),
    "burdened": ("有权利负担", "burdened"),
    "pending": ("待登记", "pending"),
    "registered": ("已登记", "registered"),
    "enforced": ("已行使", "enforced"),
    "released": ("已解除", "released"),
    "lapsed": ("逾期未登记", "lapsed"),
    "lifted": ("已解冻", "lifted"),
    "raised": ("已提出", "raised"),
    "answered": ("已答复", "answered"),
    "resolved": ("已解决", "resolved"),
    "standing": ("有效", "standing"),
    "cancelled": ("已注销", "cancelled"),
    "direct": ("直接清分", "direct"),
    "tiered": ("逐级清分", "tiered"),
    "guarantee": ("保证", "guarantee"),
    "shortfall": ("差额支付", "shortfall"),
    "over-soft-term": ("期限较长", "longer than in principle"),
    "unjustified-term": ("期限未说明", "term not justified"),
    "payterm-60d": ("超过60日付款期", "paid later than 60 days"),
    "payterm-undeclared": ("未申报交付", "delivery not declared"),
    "provisional": ("付款日待定", "pay date provisional"),
    "assignment-restricted": ("限制转让约定", "assignment restricted"),
    "debtor": ("债务人", "debtor"),
    "group": ("集团", "group"),
    "assignments": ("转让手数", "assignments"),
    "parts": ("拆分份数", "parts"),
    "tier": ("级次", "tier"),
    "burst": ("短时多次流转", "burst"),
    "circle": ("循环流转", "circle"),
    "max-depth": ("已达最大手数", "at max depth"),
    "max-children": ("已达最多份数", "at max parts"),
    "below-min-lot": ("低于最小金额", "below the smallest lot"),
}
"""Of vouchers, lots, burdens, disputes, registrations; and words in cells of reports."""

SIDES: Final[Mapping[str, Words]] = {"owed": ("应付", "owed"), "held": ("持有", "held")}
"""Of a statement of account."""

MEASURES: Final[Mapping[str, Words]] = {
    "opening": ("期初余额", "open before"),
    "issued": ("开立", "issued"),
    "effective": ("生效", "became effective"),
    "settle": ("流转", "transferred in payment"),
    "finance": ("融资", "financed"),
    "securitise": ("入池", "securitised"),
    "discharged": ("兑付", "paid"),
    "extinguished": ("提前兑付、混同", "ended early"),
    "cancelled": ("作废", "cancelled"),
    "closing": ("期末余额", "open after"),
    "overdue": ("其中逾期", "of it overdue"),
}
"""Of the daily aggregate, in the order in which they are read."""

TOTALS: Final[Mapping[str, Words]] = {
    **MEASURES,
    "debtors": ("债务人", "debtors"),
    "outstanding": ("未兑付余额", "outstanding"),
    "vouchers": ("凭证", "vouchers"),
    "total": ("合计", "total"),
    "lots": ("子凭证", "lots"),
    "amount": ("金额", "amount"),
    "smallest_amount": ("最小一笔", "smallest"),
    "notices": ("未确认通知", "notices"),
    "late": ("逾三个工作日", "older than three working days"),
    "first_entry": ("首条", "first entry"),
    "entries": ("条目", "entries"),
    "owed": ("应付", "owed"),
    "held": ("持有", "held"),
    "burst": ("短时多次流转", "bursts"),
    "circle": ("循环流转", "circles"),
    "burst_transfers": ("次数上限", "transfers that are no burst"),
    "burst_hours": ("小时", "within hours"),
    "max-depth": ("已达最大手数", "at max depth"),
    "max-children": ("已达最多份数", "at max parts"),
    "below-min-lot": ("低于最小金额", "below the smallest lot"),
}


def both(words: Words) -> str:
    """Returns both languages, the Chinese first."""
    return "  ".join(words)


def said(table: Mapping[str, Words], name: str) -> str:
    """Returns a name's words, or the name where nobody has words for it."""
    return " ".join(table[name]) if name in table else name
