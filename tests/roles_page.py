"""`docs/reference/roles.md`: the roles of the business, and who may sign what.

    python -m tests.roles_page --write      writes the page again

The business has 18 roles (SD-01); the registry admits parties in eight, and a relation to
the thing at hand does the rest. The table of kinds by roles is made from the kinds.
"""

import sys
from pathlib import Path
from typing import Final

from api.access import ACCESS, Access
from clearing.rulebook import RULEBOOK
from registry.model import Role

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "reference" / "roles.md"

OUTSIDE: Final = ""
"""A role of the business that takes no part here."""

BUSINESS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("core enterprise, debtor", "核心企业、开立人", Role.PARTICIPANT, "debtor of the voucher"),
    ("subsidiary debtor", "项目公司、下属公司", Role.PARTICIPANT, "debtor of the voucher"),
    ("co-debtor", "共同债务人", Role.PARTICIPANT, "has acceded to the voucher"),
    ("shortfall promisor", "差额支付承诺人", OUTSIDE, "named by an accessory right"),
    ("platform credit support", "信用支持提供方", Role.PARTICIPANT, "has acceded to the voucher"),
    (
        "supplier of any tier",
        "一级、二级至 N 级供应商",
        Role.PARTICIPANT,
        "holds or has held a lot",
    ),
    (
        "factor, originator",
        "保理公司、原始权益人",
        Role.FINANCIER,
        "holds a lot; grants and is pledged",
    ),
    ("agent factor", "代理模式保理公司", Role.FINANCIER, "as a factor, in its own name"),
    ("plan manager, trustee", "计划管理人、受托人", Role.TRUSTEE, "signs for its vehicles"),
    ("asset servicer", "资产服务机构", Role.FINANCIER, "usually the factor"),
    ("replacement servicer", "替代服务机构", Role.FINANCIER, "admitted when it replaces"),
    ("custodian bank", "托管银行、资金保管机构", Role.BANK, "keeps the vehicle's account"),
    ("supervising bank", "监管银行", Role.BANK, "keeps the servicer's account"),
    ("payment agent", "支付机构", Role.BANK, "keeps and confirms"),
    (
        "rating agency, law firm, accountant",
        "评级、律师、会计师",
        Role.AUDITOR,
        "reads and attests",
    ),
    ("registries of securities and receivables", "中证登、上清所、中登网", OUTSIDE, "by number"),
    ("investors", "资产支持证券持有人", OUTSIDE, "read what the trustee gives them"),
    ("auditor, regulator", "审计、监管", Role.AUDITOR, "reads and replays everything"),
)
"""Each with its Chinese, the role that it is admitted in, and what else makes it that."""


def signs(role: Role) -> list[str]:
    """Returns the kinds that a role may sign, its own things provided."""
    return [kind.name for kind in RULEBOOK.kinds.values() if role in kind.signers]


def _cell(text: str) -> str:
    return text or "none"


def render() -> str:
    """Returns the page."""
    lines = [
        "# Roles",
        "",
        "Made by `python -m tests.roles_page --write`; a test compares it with the program.",
        "",
        "## The business and the registry",
        "",
        "A party is admitted in registry roles. What it is in one deal follows from its relation",
        "to the thing at hand, and no role gives a right to what is another's.",
        "",
        "| role in the business | Chinese | admitted as | and |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {name} | {zh} | {_cell(role)} | {why} |" for name, zh, role, why in BUSINESS]
    lines += [
        "",
        "Genesis names the **operator** and the **registrar**, and nobody is admitted as one. The",
        "operator signs for nobody else and holds nothing (RG-02, I11): its role is among those of",
        "no kind by which something is held, offered, accepted, paid or pledged.",
        "",
        "## Who may sign what",
        "",
        f"| kind | {' | '.join(Role)} | who of these | while suspended | can wait |",
        f"|{' --- |' * (len(Role) + 4)}",
    ]
    for kind in RULEBOOK.kinds.values():
        marks = " | ".join("yes" if role in kind.signers else "" for role in Role)
        suspended = "yes" if kind.while_suspended else ""
        waits = "yes" if kind.waits and kind.signers else ""
        lines.append(f"| `{kind.name}` | {marks} | {kind.relation} | {suspended} | {waits} |")
    lines += [
        "",
        "`genesis` and `party.register` are signed by the key in their own body.",
        "",
        "## Who may read what",
        "",
        "Besides what the row says, a caller sees only what it stands in; the rest does not exist",
        "for it. Writing needs no token: the signature says who it is.",
        "",
        "| operation | for |",
        "| --- | --- |",
    ]
    for name, row in ACCESS.items():
        words = row.value if isinstance(row, Access) else ", ".join(sorted(row))
        lines.append(f"| `{name}` | {words} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    PAGE.write_text(render(), encoding="utf-8")
