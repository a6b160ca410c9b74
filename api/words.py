"""Words for people, in Chinese and English: piles, notes, roles, purposes, statuses.

Source: reference note 24; docs/glossary.md.
"""

from collections.abc import Mapping
from typing import Final

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

PILES: Final[Mapping[str, Words]] = {
    "suspended": ("已暂停业务", "suspended: little can be signed"),
    "approvals": ("待复核", "to approve"),
    "vouchers-to-accept": ("待签收凭证", "vouchers to accept"),
    "offers-to-answer": ("待签收转让", "offers to answer"),
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
    "notices-to-acknowledge": "notice acknowledge",
    "pledges-to-register": "pledge register",
    "disputes-to-answer": "dispute answer",
    "orders-to-pay-a-court": "lot object",
    "accounts-to-verify": "account verify",
    "to-admit": "party admit",
    "to-review": "party review",
    "to-stop": "issuance stop",
}
"""The command that takes a line's id further, where one does."""

DAYS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("approvals", "vouchers-to-accept", "offers-to-answer"), "by"),
    **dict.fromkeys(("pledges-to-register", "tasks", "all-tasks", "orders-to-pay-a-court"), "by"),
    **dict.fromkeys(("not-yet-accepted",), "by"),
    **dict.fromkeys(("unpaid", "paid-today", "paid-soon", "not-yet-acknowledged"), "due"),
    **dict.fromkeys(("overdue", "owed-today", "owed-soon"), "due"),
    **dict.fromkeys(("all-overdue", "matures-today", "matures-soon"), "due"),
    "notices-to-acknowledge": "since",
}
"""What the day of a pile's lines is, in a word."""

FACTS: Final[Mapping[str, Words]] = {
    "may_be_debited": ("可扣款", "may be debited"),
    "late": ("逾三个工作日", "older than three working days"),
    "looked_at": ("仅查看前若干条", "rows looked at, of more"),
    "overdue": ("逾期", "overdue"),
    "limit": ("限额", "limit"),
    "received": ("已收", "received"),
    "missing": ("未收", "missing"),
}

NOTES: Final[Mapping[str, Words]] = {
    "needs-final": ("待终审", "needs a final reviewer"),
    "silence": ("默示签收", "accepted by silence"),
    "overdue": ("逾期", "overdue"),
    "late": ("久未确认", "late"),
    "frozen": ("司法冻结", "frozen"),
    "pledged": ("质押", "pledged"),
    "ordered": ("可异议", "open to objection"),
    "payable": ("应向法院支付", "payable to the court"),
    "no-debit": ("账户不可扣款", "account cannot be debited"),
    "at-limit": ("已达限额", "at the limit"),
    "near-limit": ("接近限额", "near the limit"),
    "planned": ("已出清分方案", "planned"),
    "pending": ("待确认", "pending"),
    "posted": ("已入账", "posted"),
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

KINDS: Final[Mapping[str, Words]] = {
    "genesis": ("台账启用", "the ledger begins"),
    "clock.set": ("沙箱时钟", "the sandbox's clock is set"),
    "policy.publish": ("发布业务规则", "a policy is published"),
    "calendar.publish": ("发布日历", "a calendar is published"),
    "party.register": ("申请准入", "a party asks to be admitted"),
    "vehicle.register": ("专项计划申请准入", "a trustee registers a vehicle"),
    "party.admit": ("准入", "a party is admitted"),
    "party.review": ("人工复核", "a party's evidence is looked at again"),
    "key.add": ("新增密钥", "a key is added"),
    "key.revoke": ("吊销密钥", "a key is revoked"),
    "key.recover": ("恢复密钥", "a party recovers with its recovery key"),
    "party.policy": ("设置审批规则", "a party sets its approval rules"),
    "approve": ("复核通过", "a second person approves"),
    "disapprove": ("复核退回", "a second person disapproves"),
    "party.suspend": ("暂停业务", "a party is suspended"),
    "party.reinstate": ("恢复业务", "a party is reinstated"),
    "affiliation.declare": ("登记关联关系", "two parties are declared affiliates"),
    "affiliation.end": ("解除关联关系", "an affiliation ends"),
    "account.register": ("登记账户", "a bank account is named"),
    "account.verify": ("核验账户", "a bank verifies an account"),
    "account.freeze": ("冻结账户", "a court freezes an account"),
    "account.unfreeze": ("解冻账户", "an account's freeze is lifted"),
    "mandate.grant": ("扣款授权", "an account may be debited"),
    "payee.change": ("变更收款账户", "a lot is to be paid into another account"),
    "consent.grant": ("预先同意", "a standing consent is given"),
    "consent.withdraw": ("撤回预先同意", "a standing consent is withdrawn"),
    "limit.set": ("设置开立限额", "a debtor's limit is set"),
    "limit.allocate": ("分配限额", "a part of a limit goes to a member of the group"),
    "exposure.limit": ("设置融资限额", "a financier sets how much of a debtor it wants"),
    "issuance.stop": ("停止开立", "a debtor may issue nothing"),
    "issuance.resume": ("恢复开立", "a debtor may issue again"),
    "voucher.issue": ("开立凭证", "a debtor promises to pay"),
    "voucher.accede": ("债务加入", "a co-debtor joins the debt"),
    "voucher.accept": ("签收凭证", "the original creditor accepts"),
    "voucher.refuse": ("拒签凭证", "the original creditor refuses"),
    "voucher.withdraw": ("撤回凭证", "the debtor withdraws before a yes"),
    "voucher.void": ("申请作废", "the debtor would void a voucher"),
    "voucher.agree-void": ("同意作废", "the sole holder agrees: the voucher is void"),
    "transfer.offer": ("转让申请", "a holder offers a part of what it holds"),
    "transfer.accept": ("签收转让", "the assignee accepts: the claim passes"),
    "transfer.reject": ("拒签转让", "the assignee turns the offer down"),
    "transfer.withdraw": ("撤回转让", "the assignor takes the offer back"),
    "notice.acknowledge": ("确认转让通知", "the debtor says that it knows whom to pay"),
    "accessory.attach": ("附属担保权益", "a right secures a voucher"),
    "pledge.create": ("设立质押", "a lot is pledged, pending its registration"),
    "pledge.register": ("质押登记", "a pledge is registered and arises"),
    "pledge.enforce": ("行使质权", "a pledgee claims the proceeds"),
    "pledge.release": ("解除质押", "a pledge is released"),
    "lot.freeze": ("司法冻结", "a court freezes a lot"),
    "lot.unfreeze": ("解除冻结", "a freeze is lifted"),
    "lot.pay-to-court": ("协助履行通知", "a court orders payment to itself"),
    "lot.object": ("提出异议", "the debtor objects to a court's order"),
    "dispute.raise": ("提出争议", "the debtor disputes with the original creditor"),
    "dispute.answer": ("答复争议", "the original creditor answers"),
    "dispute.resolve": ("解决争议", "a dispute is resolved"),
    "dispute.withdraw": ("撤回争议", "a dispute is withdrawn"),
    "registration.undertake": ("承诺登记", "a party undertakes to register elsewhere"),
    "registration.record": ("外部登记", "a registration elsewhere is stated"),
    "registration.change": ("变更登记", "a registration elsewhere changes"),
    "registration.cancel": ("注销登记", "a registration elsewhere is cancelled"),
    "registration.search": ("查重", "assignors are searched for elsewhere"),
    "snapshot.request": ("申请快照", "a state of everything is asked for"),
    "clearing.plan": ("清分方案", "a due date's plan is adopted"),
    "clearing.confirm": ("入账确认", "a bank confirms that money has moved"),
    "pending.expire": ("复核逾期", "nobody approved in time"),
    "pending.cancel": ("待复核失效", "a waiting statement ends with its key"),
    "approval.cancel": ("复核失效", "an approval ends with its key"),
    "lot.release": ("账户变更生效", "a lot is free again after its change of account"),
    "policy.take-effect": ("业务规则生效", "a policy takes effect"),
    "consent.cancel": ("预先同意失效", "a standing consent ends with its key"),
    "voucher.expire": ("逾期未签收", "nobody accepted the voucher in time"),
    "voucher.silence": ("默示签收凭证", "silence about a voucher is over"),
    "transfer.expire": ("逾期未签收", "nobody answered the offer in time"),
    "transfer.cancel": ("转让失效", "an offer ends with the key that signed it"),
    "transfer.cancel-more": ("转让失效", "further offers end with the key that signed them"),
    "transfer.silence": ("默示签收转让", "silence about an offer is over"),
    "pledge.lapse": ("逾期未登记", "nobody registered the pledge in time"),
    "lot.court-final": ("异议期届满", "the time to object to a court's order is over"),
    "registration.expire": ("登记到期", "a registration elsewhere expires"),
    "registration.overdue": ("登记逾期", "a registration elsewhere is overdue"),
    "day.cut-off": ("日终", "the day is closed"),
    "state": ("状态承诺", "the ledger commits to its whole state"),
}
"""Of statements, and of what follows from time alone."""

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
