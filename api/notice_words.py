"""What the page of a notice says, in both languages.

Names in braces are filled in. The words are those of an assignment (通知, 债权转让), never
those of a bill (RG-30).

Source: docs/explanation/notices.md; Civil Code, arts. 546, 696 and 764.
"""

from collections.abc import Mapping
from typing import Final

ZH: Final[Mapping[str, str]] = {
    "title": "应收账款债权转让通知书",
    "number": "贵方收件箱第 {number} 号",
    "to": "致：{recipient}",
    "owes": (
        "依据《中华人民共和国民法典》第五百四十六条，{assignor} 特此通知贵方：其已将对贵"
        "方享有的下列应收账款债权转让给 {assignee}。"
    ),
    "secures": (
        "依据《中华人民共和国民法典》第六百九十六条，{assignor} 特此通知贵方：其已将对 "
        "{debtor} 享有、由贵方提供担保的下列应收账款债权转让给 {assignee}。"
    ),
    "owes_request": (
        "本通知到达后，贵方就上述债权应向 {assignee} 履行付款义务；向其他人付款不发生清偿效力。"
    ),
    "secures_request": "本通知到达后，该转让对贵方发生效力，贵方的担保责任应向 {assignee} 承担。",
    "by_assignor": "本通知由转让人 {assignor} 作出，登记系统仅负责送达并记录到达时间。",
    "by_assignee": "本通知由受让人 {assignee} 附转让证明作出，登记系统仅负责送达并记录到达时间。",
    "by_factor": (
        "本通知由保理人 {assignee} 表明身份并附必要凭证作出（民法典第七百六十四条），登记"
        "系统仅负责送达并记录到达时间。"
    ),
    "by_attorney": (
        "本通知依据转让人 {assignor} 的不可撤销授权、于所附权利完善事件发生后以其名义作出"
        "，并抄送转让人；登记系统仅负责送达并记录到达时间。"
    ),
    "voucher_no": "凭证编号",
    "debtor": "债务人",
    "assignor": "转让人",
    "assignee": "受让人",
    "amount": "转让金额",
    "due_on": "到期日",
    "account": "收款账户",
    "no_account": "以受让人最新登记的账户为准",
    "transfer": "转让编号",
    "arrived": "到达",
    "received": "回执",
    "answer": "确认",
    "none": "尚无",
    "acknowledged": "已确认",
    "refused": "已提出异议",
    "silent": "尚未答复",
    "revoked": "经受让人同意，本通知已于 {time} 撤销。",
    "proof": "到达证明",
    "proof_says": (
        "本通知的到达记录于日志第 {entry} 条（从 0 起）。按下列路径可验证该条目包含于规模"
        "为 {size} 的日志，日志检查点附签名；验证只需日志公钥，无须信任本系统。"
    ),
    "attached": "上述证明另作为附件附于本文件，可离线验证。",
}

EN: Final[Mapping[str, str]] = {
    "title": "Notice of assignment of a receivable",
    "number": "No. {number} in your inbox",
    "to": "To: {recipient}",
    "owes": (
        "Under article 546 of the Civil Code, {assignor} gives you notice that it has "
        "assigned the following claim against you to {assignee}."
    ),
    "secures": (
        "Under article 696 of the Civil Code, {assignor} gives you notice that it has "
        "assigned the following claim against {debtor}, which you secure, to {assignee}."
    ),
    "owes_request": (
        "With the arrival of this notice you owe this claim to {assignee}; paying "
        "anybody else does not discharge it."
    ),
    "secures_request": (
        "With the arrival of this notice the assignment has effect towards you, and what "
        "you promised you owe to {assignee}."
    ),
    "by_assignor": (
        "The assignor, {assignor}, is the author of this notice; the registry delivers "
        "it and records when it arrives."
    ),
    "by_assignee": (
        "The assignee, {assignee}, gives this notice with evidence of the assignment; "
        "the registry delivers it and records when it arrives."
    ),
    "by_factor": (
        "The factor, {assignee}, gives this notice, states what it is and shows the "
        "necessary evidence (article 764); the registry delivers it and records when it "
        "arrives."
    ),
    "by_attorney": (
        "This notice is given in the name of {assignor} under its irrevocable power of "
        "attorney, whose event has come about, with a copy to it; the registry delivers "
        "it and records when it arrives."
    ),
    "voucher_no": "Voucher",
    "debtor": "Debtor",
    "assignor": "Assignor",
    "assignee": "Assignee",
    "amount": "Amount assigned",
    "due_on": "Due date",
    "account": "Account to pay",
    "no_account": "the one that the assignee has registered last",
    "transfer": "Transfer",
    "arrived": "Arrived",
    "received": "Received",
    "answer": "Answer",
    "none": "not yet",
    "acknowledged": "acknowledged",
    "refused": "refused",
    "silent": "none yet",
    "revoked": "With the assignee's consent this notice was revoked on {time}.",
    "proof": "Proof of arrival",
    "proof_says": (
        "The arrival of this notice stands in entry {entry} of the log (counted from 0). "
        "The path below shows that this entry is in the log of {size} entries whose "
        "checkpoint is signed. Checking that takes the log's public key, and no trust in "
        "this system."
    ),
    "attached": (
        "This proof is also attached to this document as a file, and can be checked offline."
    ),
}
