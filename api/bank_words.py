"""Words for payments: what banks say of them, what goes wrong, what nobody could place."""

from collections.abc import Mapping
from typing import Final

_Words = tuple[str, str]
STEPS: Final[Mapping[str, _Words]] = {
    "pending": ("待处理", "pending"),
    "sent": ("已发送", "sent"),
    "accepted": ("已受理", "accepted"),
    "posted": ("已入账", "posted"),
    "rejected": ("已拒绝", "rejected"),
    "returned": ("已退回", "returned"),
    "expired": ("已失效", "expired"),
    "replaced": ("已改路径", "replaced"),
    "redirected": ("退回后已改路径", "came back, and sent another way"),
    "return": ("应退回", "to be returned"),
    "again": ("应重付", "owed again"),
    "top-up": ("补付", "the debtor's own payment"),
    "due": ("未付", "due"),
    "ordered": ("已发指令", "ordered"),
    "met": ("已付", "met"),
}
"""Of instructions, and of what is owed because of them."""

WRONG: Final[Mapping[str, _Words]] = {
    "payments-refused": ("被拒、退回的指令", "payments refused or sent back"),
    "payments-stuck": ("在途未达", "payments that have not arrived"),
    "obligations-to-pay": ("应补付、应退回、应重付", "owed by you because of payments"),
    "obligations-to-receive": ("应收补付、退款", "owed to you because of payments"),
    "all-refused": ("被拒、退回的指令", "payments refused or sent back"),
    "all-stuck": ("在途未达", "payments that have not arrived"),
    "all-obligations": ("应补付、应退回、应重付", "owed because of payments"),
    "hops-over-limit": ("他人资金超限", "others' money on an account, over the limit"),
    "funds-to-divide": ("待分配资金", "money to divide"),
    "sweeps": ("归集待划转", "on your account, to go on"),
    "sweeps-to-receive": ("业务账户待划入", "to come from a stage before your account"),
    "all-sweeps": ("业务账户待划转", "on stages, to go on"),
}
"""Of piles; see `api.morning.payments`."""

DAY: Final[Mapping[str, _Words]] = {
    "money-to-have": ("备款提醒", "money to have on your accounts"),
    "all-money-to-have": ("备款核对", "money to be on debtors' accounts"),
    "lists-to-approve": ("待确认兑付清单", "lists to approve"),
    "all-lists-to-approve": ("待债务人确认的兑付清单", "lists that debtors have to approve"),
    "debits": ("待扣款", "to be debited from your customers"),
    "payments-late": ("超时划转", "payments on their way for too long"),
    "all-late": ("超时划转", "payments on their way for too long"),
}
"""Of piles; see `api.morning.day`."""

DAY_NOTES: Final[Mapping[str, _Words]] = {
    "short": ("资金不足", "less than is due"),
    "nothing-there": ("银行确认账户无资金", "nothing there, says the bank"),
    "stated": ("资金已到位", "there, says the bank"),
    "not-approved": ("待债务人确认", "not approved yet"),
    "late-chain": ("全程超时", "the whole way"),
    "late-hop": ("单程超时", "one hop"),
}
"""Of their lines."""

UNMATCHED: Final[Mapping[str, _Words]] = {
    "unnamed": ("未注明指令", "names no instruction"),
    "no-such-instruction": ("没有这条指令", "names one that is not awaited"),
    "no-such-file": ("没有这个付款文件", "answers no file that was sent"),
    "unclear": ("回执代码无法识别", "a code without a meaning here"),
    "other-bank": ("应由另一银行回报", "another bank's to say"),
    "currency": ("币种不符", "another currency"),
    "incomplete": ("信息不全", "does not say where, or how much"),
    "account-differs": ("账号不符", "another account"),
    "fee-taken": ("已从票面扣费", "the bank took its fee from the face"),
    "amount-differs": ("金额不符", "another amount"),
    "part-of-it": ("合并付款部分已入账", "one payment of several, and some are carried out"),
    "paid-again": ("重复入账", "booked a second time"),
    "perhaps-again": ("疑似重复入账", "perhaps booked a second time"),
    "money-spent": ("款项已转出", "came back, and what was paid from it did not"),
    "contradicts": ("前后矛盾", "carried out, and not"),
    "gap": ("对账单余额不符", "the statement does not add up"),
}
"""Of `clearing.rails.findings.Reason`; and of a statement that lacks a booking."""

IGNORED: Final[Mapping[str, _Words]] = {
    "repeated": ("重复", "said again"),
    "known": ("已登记", "known"),
    "overtaken": ("已有后续状态", "overtaken"),
    "pending": ("处理中", "nothing decided"),
    "follows": ("随前序指令失效", "expires with the one before"),
    "waits": ("待前序入账", "waits for the one before"),
}
"""Of `clearing.rails.findings.Ignored`."""

DIFFERS: Final[Mapping[str, _Words]] = {
    "lot": ("子凭证不平", "a lot does not add up"),
    "unknown": ("不在应付之列", "paid, and was not scheduled"),
    "elsewhere": ("付至其他账户", "paid into another account"),
    "account": ("账户转出过多", "more has left than came to pass"),
}
"""Of `clearing.reconciliation.Differs`."""

BOOKED: Final[Mapping[str, _Words]] = {
    "gap": UNMATCHED["gap"],
    "break": ("与上期余额不连续", "does not begin where the last one ended"),
    "not-booked": ("账上已入账，对账单无记录", "posted here, and not in the statement"),
    "not-posted": ("对账单已记账，账上未入账", "in the statement, and not posted here"),
    "amount-differs": UNMATCHED["amount-differs"],
    "account-differs": UNMATCHED["account-differs"],
    "unclear": UNMATCHED["unclear"],
}
"""Of `clearing.rails.statements.Booked`."""
