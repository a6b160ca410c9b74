"""The second reader's folds of what may be owed and held, and of which invoices back it.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

from typing import Any, Protocol

Row = dict[str, Any]


class Rows(Protocol):
    """What the second reader offers its folds."""

    rows: dict[str, dict[tuple[Any, ...], Row]]

    def put(self, table: str, **row: Any) -> None: ...
    def get(self, table: str, *key: Any) -> Row: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...


class CreditFolds:
    """Folds, each named as its effect."""

    def owe(self: Rows, party: str, amount: int) -> None:
        row = self.rows["debtor"].setdefault(
            (party,), {"party": party, "outstanding": "0", "allocated": "0"}
        )
        row["outstanding"] = str(int(row["outstanding"]) + amount)

    def invoice_used(self: Rows, voucher: str, fingerprint: str, total: str, amount: str) -> None:
        known = self.rows["invoice"].get((fingerprint,), {"used": "0"})
        used = str(int(known["used"]) + int(amount))
        self.put("invoice", fingerprint=fingerprint, total=total, used=used)
        self.put("backing", voucher=voucher, fingerprint=fingerprint, amount=amount)

    def invoice_freed(self: Rows, voucher: str, fingerprint: str, amount: str) -> None:
        used = int(self.get("invoice", fingerprint)["used"]) - int(amount)
        self.change("invoice", fingerprint, used=str(used))
        del self.rows["backing"][voucher, fingerprint]

    def exposure_changed(self: Rows, financier: str, debtor: str, held: str) -> None:
        row = self.rows["exposure"].get((financier, debtor), {})
        self.put("exposure", **{**row, "financier": financier, "debtor": debtor, "held": held})
