"""One sentence for what a statement has brought about, in Chinese and English, by its effects.

Names in braces are members of the effect, said as people read them. An effect without a
sentence goes with another one that has it, or is told by its statement's kind.

Source: reference note 24; docs/glossary.md.
"""

from collections.abc import Mapping
from typing import Final

from api.words import Words

LAST_DAYS: Final = frozenset({"accept_by", "register_by", "close_by", "pay_by", "objection_ends"})
"""Instants that end a day: the day is said."""
MOMENTS: Final = frozenset({"approve_by", "refuse_by", "held_until", "until", "at", "time"})

SENTENCES: Final[Mapping[str, Words]] = {
    # People.
    "statement-pending": (
        "本报文待 {approvals} 人复核，截止 {approve_by}；尚未生效。",
        "It waits for {approvals} to approve, until {approve_by}; nothing else has changed.",
    ),
    "approval-given": ("已复核，待他人再复核。", "Approved; it waits for another approval."),
    "statement-approved": ("复核完成，报文生效。", "That was the last approval: it stands."),
    "statement-ended": (
        "待复核报文已终止。",
        "The waiting statement has ended and will not stand.",
    ),
    # Parties, keys, accounts.
    "registration-made": (
        "{name}（{party}）已申请准入，待审核方准入。",
        "{name} ({party}) asks to be admitted, and waits for the registrar.",
    ),
    "party-admitted": ("已准入 {party}，角色 {roles}。", "{party} is admitted, as {roles}."),
    "key-added": (
        "密钥 {kid} 自下一条目起有效，用途 {use}。",
        "Key {kid} is valid from the next entry on, for {use}.",
    ),
    "key-revoked": ("密钥 {kid} 已吊销。", "Key {kid} is revoked."),
    "party-suspended": ("{party} 已暂停业务。", "{party} is suspended."),
    "party-reinstated": ("{party} 已恢复业务。", "{party} is reinstated."),
    "account-registered": (
        "账户 {account} 已登记，待 {bank} 核验。",
        "Account {account} is named, and waits for {bank} to verify it.",
    ),
    "account-verified": (
        "账户 {account} 已核验，可收付款。",
        "Account {account} is verified: it can pay and be paid.",
    ),
    "mandate-granted": (
        "账户 {account} 已授权扣款。",
        "Account {account} may be debited for clearing.",
    ),
    "mandate-revoked": (
        "账户 {account} 的扣款授权已撤销；已采用的方案与已开立的凭证不受影响。",
        "The authority over account {account} has ended; adopted plans and vouchers keep it.",
    ),
    "stage-named": (
        "自 {begins_on} 到期的款项起，账户 {account} 经账户 {via} 收款。",
        "What is due from {begins_on} on reaches account {account} by way of {via}.",
    ),
    "stage-ended": (
        "账户 {account} 恢复直接收款。",
        "Account {account} is paid directly again.",
    ),
    "inbox-designated": (
        "{party} 的转让通知自此送达本登记系统。",
        "Notices to {party} arrive here from now on.",
    ),
    "consent-granted": (
        "预先同意自下一条目起有效，用途 {purpose}。",
        "The standing consent holds from the next entry on, for {purpose}.",
    ),
    "consent-ended": ("预先同意已终止。", "The standing consent has ended."),
    "party-policy-set": (
        "{party} 的审批规则已更新。",
        "The approvals that {party} needs are set anew.",
    ),
    "affiliation-declared": (
        "{first} 与 {second} 登记为关联方。",
        "{first} and {second} are declared affiliates.",
    ),
    "affiliation-ended": (
        "{first} 与 {second} 不再登记为关联方。",
        "{first} and {second} are affiliates no more.",
    ),
    "debtor-limited": ("{party} 的额度为 {amount}。", "{party} may owe up to {amount}."),
    "exposure-limited": (
        "对 {debtor} 的持有限额为 {amount}。",
        "No more than {amount} of {debtor} is to be held.",
    ),
    "issuance-stopped": (
        "{party} 已停止开立，事由：{reason}。",
        "{party} may issue nothing: {reason}.",
    ),
    "issuance-resumed": (
        "{party} 的停止开立事由已解除：{reason}。",
        "{party} is stopped no more for this reason: {reason}.",
    ),
    "payee-changed": (
        "子凭证 {lot} 改付账户 {account}，暂停至 {held_until}。",
        "Lot {lot} is to be paid into account {account}, and is held until {held_until}.",
    ),
    # Vouchers.
    "voucher-issued": (
        "已向 {creditor} 开立 {face} 的凭证，{due_on} 到期，待其于 {accept_by}（含）前签收。",
        "Voucher of {face} to {creditor}, due on {due_on}, waits for its acceptance "
        "until {accept_by}.",
    ),
    "voucher-activated": (
        "凭证已签收生效；{creditor} 持有子凭证 {voucher}.0",
        "The voucher binds; {creditor} holds lot {voucher}.0",
    ),
    "voucher-closed": ("凭证{status}，未生效。", "The voucher is {status}, and binds nobody."),
    "void-proposed": (
        "已申请作废，待唯一持有人同意。",
        "It is to be voided, and waits for its sole holder's word.",
    ),
    "voucher-voided": ("凭证已作废。", "The voucher is void."),
    "co-debtor-joined": (
        "{co_debtor} 已加入债务；债权人可于 {refuse_by} 前拒绝。",
        "{co_debtor} owes the voucher too; its creditor can refuse it before {refuse_by}.",
    ),
    "accession-refused": (
        "{creditor} 拒绝 {co_debtor} 加入债务；其不再承担该债务。",
        "{creditor} refuses {co_debtor}, which owes the voucher no more.",
    ),
    "voucher-silence-begun": (
        "若其未答复，{until} 起视为签收（默示）。",
        "If it says nothing, its silence accepts the voucher at {until}.",
    ),
    "accessory-attached": (
        "{provider} 的担保权益已附于凭证，上限 {cap}。",
        "The voucher is secured by {provider}, up to {cap}.",
    ),
    # Transfers and notices.
    "lot-offered": (
        "向 {assignee} 转让 {amount}，待其于 {accept_by}（含）前签收。",
        "Offer of {amount} to {assignee} waits for its acceptance until {accept_by}.",
    ),
    "offer-silence-begun": (
        "若其未答复，{until} 起视为签收（默示）。",
        "If it says nothing, its silence accepts the offer at {until}.",
    ),
    "lot-assigned": (
        "{amount} 已由 {assignor} 转让给 {assignee}：子凭证 {offer}.2",
        "{amount} has passed from {assignor} to {assignee}: lot {offer}.2",
    ),
    "lot-transferred": (
        "{amount} 已依预先同意转让给 {assignee}：子凭证 {offer}.2",
        "{amount} has passed to {assignee} under its standing consent: lot {offer}.2",
    ),
    "offer-closed": (
        "转让未成立，子凭证 {lot} 恢复可用。",
        "The offer has ended without a transfer; what was offered is free again.",
    ),
    "notice-arrived": (
        "转让通知第 {number} 号已送达 {recipient}：{notice}",
        "Notice no. {number} has arrived at {recipient}: {notice}",
    ),
    "notice-withheld": (
        "尚未通知债务人。",
        "Nobody who owes has been told: `notice give` tells them later.",
    ),
    "notice-received": ("已回执通知 {notice}", "Notice {notice} has come through."),
    "notice-acknowledged": (
        "已确认通知 {notice}：应向 {assignee} 付款。",
        "Notice {notice} is acknowledged: {assignee} is to be paid.",
    ),
    "notice-refused": (
        "已对通知 {notice} 提出异议；其送达不受影响。",
        "Notice {notice} is refused; that it has arrived stands.",
    ),
    "revocation-proposed": (
        "已申请撤销通知，待 {assignee} 同意。",
        "The notice is to be revoked, and waits for the word of {assignee}.",
    ),
    "notice-revoked": ("通知 {notice} 已撤销。", "Notice {notice} is revoked."),
    # Burdens.
    "lot-pledged": (
        "{amount} 已质押给 {pledgee}，须于 {register_by}（含）前登记。",
        "{amount} is pledged to {pledgee}, which has to register it until {register_by}.",
    ),
    "pledge-registered": ("质押已设立。", "The pledge has arisen: its lot is paid to {pledgee}."),
    "pledge-enforced": ("已行使质权。", "The pledgee claims the proceeds."),
    "pledge-ended": ("质押已解除。", "The pledge has ended."),
    "lot-frozen": ("子凭证 {lot} 已冻结。", "Lot {lot} is frozen."),
    "lot-unfrozen": ("子凭证 {lot} 的该项冻结已解除。", "This freeze of lot {lot} is lifted."),
    "dispute-raised": (
        "已对 {creditor} 提出 {amount} 的争议；不影响兑付。",
        "Dispute of {amount} with {creditor} is raised; no payment is reduced by it.",
    ),
    "filing-recorded": (
        "外部登记 {number} 已记录，{expires_on} 届满。",
        "Registration {number} elsewhere is recorded, until {expires_on}.",
    ),
    "task-set": (
        "{party} 须于 {due_on}（含）前办理：{work}。",
        "{party} has to do this elsewhere until {due_on}: {work}.",
    ),
    # Financing, early payment.
    "financing-applied": (
        "已就 {amount} 向 {financier} 申请融资，最迟 {close_by}。",
        "Application for {amount} to {financier} waits for its quote; it must close by {close_by}.",
    ),
    "financing-quoted": (
        "已向 {applicant} 报价，待其签约。",
        "The quote waits for {applicant} to sign the contract.",
    ),
    "financing-contracted": (
        "与 {financier} 的融资合同成立，子凭证已预留。",
        "The contract with {financier} is made, and the lot is reserved.",
    ),
    "financing-title-passed": (
        "{amount} 已转让给 {assignee}：子凭证 {contract}.2",
        "{amount} has passed to {assignee}: lot {contract}.2",
    ),
    "financing-payment-stated": (
        "已声明放款，待收款确认。",
        "The price is stated as paid; a receipt is waited for.",
    ),
    "financing-ended": ("融资已终止。", "The financing has ended."),
    "early-offered": (
        "向 {holder} 提出提前兑付 {amount}，最迟 {pay_by}。",
        "Early payment of {amount} is offered to {holder}, until {pay_by}.",
    ),
    "early-moved": (
        "提前兑付{status}：子凭证 {lot}",
        "The early payment is {status}: lot {lot}",
    ),
    "lot-extinguished": ("{amount} 的债务已消灭。", "{amount} of the debt is gone."),
    # The ledger.
    "ledger-opened": ("台账已启用。", "The ledger is open."),
    "clock-advanced": (
        "沙箱时钟自下一条目起为 {time}。",
        "The sandbox's clock shows {time} from the next entry on.",
    ),
    "policy-published": (
        "业务规则 {name} 第 {version} 版已发布。",
        "Policy {name}, version {version}, is published.",
    ),
    "calendar-published": (
        "日历 {name} 第 {version} 版已发布：{first} 至 {last}。",
        "Calendar {name}, version {version}, is published: {first} to {last}.",
    ),
    "state-requested": (
        "已申请快照，状态将随后登记。",
        "A state of everything is asked for, and follows.",
    ),
    "plan-adopted": (
        "{due_on} 的清分方案已采纳：合计 {total}，{instructions} 条指令。",
        "The plan for {due_on} is adopted: {total} in {instructions} instructions.",
    ),
    "aggregation-agreed": (
        "{owner} 同意该账户合并收款。",
        "{owner} agrees to one payment of several instructions into the account.",
    ),
    "aggregation-ended": (
        "{owner} 不再同意该账户合并收款。",
        "{owner} no longer agrees to payments of several instructions into the account.",
    ),
    "payment-joined": (
        "合并付款 {payment}：合计 {amount}。",
        "Payment {payment} is of several instructions: {amount}.",
    ),
    "instructions-sent": (
        "付款指令已发送 {bank}。",
        "The instructions are sent to {bank}.",
    ),
    "instruction-posted": (
        "第 {n} 条指令已入账：{payer} 向 {payee} 付 {amount}。",
        "Instruction {n} is posted: {payer} has paid {amount} to {payee}.",
    ),
    "word-relayed": (
        "以上为{bank}的回报，由平台转递。",
        "That is the word of {bank}, relayed by the operator.",
    ),
    "instruction-accepted": (
        "指令 {n} 银行已受理。",
        "Instruction {n}: a bank will carry it out.",
    ),
    "instruction-rejected": (
        "指令 {n} 被银行拒绝：{reason}。资金仍在原处。",
        "Instruction {n} is rejected ({reason}): the money is where it was.",
    ),
    "instruction-returned": (
        "指令 {n} 的款项 {amount} 已退回：{reason}。",
        "Instruction {n}: {amount} has come back ({reason}).",
    ),
    "money-rerouted": (
        "指令 {n} 的资金已改路径：停用 {replaced} 条，新增 {added} 条。",
        "Money of instruction {n} goes another way: {replaced} replaced, {added} added.",
    ),
    "instruction-added": (
        "新增指令 {n}：{payer} 直接付 {payee} {amount}。",
        "Instruction {n} is added: {payer} pays {payee} {amount} directly.",
    ),
    "return-owed": (
        "{owed_by} 应退回 {owed_to} {amount}：所付子凭证已兑付或已冻结。",
        "{owed_by} owes {owed_to} {amount} back: what it was for is paid, or frozen.",
    ),
    "payment-undone": (
        "{owed_by} 应向 {owed_to} 重付 {amount}。",
        "{owed_by} owes {owed_to} {amount} again.",
    ),
    "run-closed": (
        "清分日终：{expired} 条指令失效，{stuck} 条在途。",
        "The day is closed: {expired} instructions expire, {stuck} are on their way.",
    ),
    "list-approved": (
        "{debtor} 已确认兑付清单：{instructions} 笔，{amount}。",
        "{debtor} approves what is drawn on its account: {instructions} payments, {amount}.",
    ),
    "run-goes-on": (
        "新增指令在下一清分日日终前有效。",
        "What was added may be carried out until a further day is over.",
    ),
    "fund-stated": (
        "{debtor} 可用资金 {amount}；在分配前该账户不出其他款项。",
        "{debtor} has {amount}; nothing else is drawn on the account until that is divided.",
    ),
    "fund-divided": (
        "不足额资金已分配：合计 {total}，{instructions} 条指令。",
        "The money is divided: {total} in {instructions} instructions.",
    ),
}
