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
    def cancel(self, voucher: str, status: str) -> None: ...


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

    def debtor_limited(self: Rows, party: str, amount: str, source: str) -> None:
        unknown = {"party": party, "outstanding": "0", "allocated": "0"}
        row = self.rows["debtor"].get((party,), unknown)
        for head, change in ((row.get("source"), -int(row.get("limit", 0))), (source, int(amount))):
            gave = self.rows["debtor"].get((str(head),), {})
            if "limit" in gave:
                allocated = str(int(gave["allocated"]) + change)
                self.change("debtor", str(head), allocated=allocated)
        self.put("debtor", **{**row, "limit": amount, "source": source})

    def exposure_limited(self: Rows, financier: str, debtor: str, amount: str) -> None:
        unknown = {"financier": financier, "debtor": debtor, "held": "0"}
        row = self.rows["exposure"].get((financier, debtor), unknown)
        self.put("exposure", **{**row, "limit": amount})

    def issuance_stopped(self: Rows, party: str, reason: str, statement: str, **_: Any) -> None:
        self.put("issuance_stop", party=party, reason=reason, statement=statement)

    def issuance_resumed(self: Rows, party: str, reason: str, **_: Any) -> None:
        del self.rows["issuance_stop"][party, reason]

    def co_debtor_joined(self: Rows, voucher: str, co_debtor: str, **row: Any) -> None:
        joined = [*self.get("voucher", voucher)["co_debtors"], co_debtor]
        self.change("voucher", voucher, co_debtors=joined)
        self.put("accession", voucher=voucher, co_debtor=co_debtor, **row)

    def accession_refused(
        self: Rows, accession: str, voucher: str, co_debtor: str, **_: Any
    ) -> None:
        left = [each for each in self.get("voucher", voucher)["co_debtors"] if each != co_debtor]
        self.change("voucher", voucher, co_debtors=left)
        del self.rows["accession"][accession,]

    def voucher_closed(self: Rows, voucher: str, status: str, **_: Any) -> None:
        self.cancel(voucher, status)

    def void_proposed(self: Rows, voiding: str, voucher: str, **_: Any) -> None:
        self.put("voiding", voiding=voiding, voucher=voucher)

    def voucher_voided(self: Rows, voiding: str, voucher: str, lots: list[str], **_: Any) -> None:
        for lot in lots:
            del self.rows["lot"][lot,]
        del self.rows["voiding"][voiding,]
        self.cancel(voucher, "voided")

    def cancel(self: Any, voucher: str, status: str) -> None:
        row = self.get("voucher", voucher)
        members = {"status": status, "cancelled": row["face"], "consent": None, "silent_at": None}
        self.change("voucher", voucher, **members, owing=None)
        self.owe(row["debtor"], -int(row["face"]))
