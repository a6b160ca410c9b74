"""The second reader's folds of early payment and of financing.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

import base64
import hashlib
from typing import Any, Protocol

Row = dict[str, Any]


class Rows(Protocol):
    """What the second reader offers its folds."""

    statement: str
    rows: dict[str, dict[tuple[Any, ...], Row]]

    def put(self, table: str, **row: Any) -> None: ...
    def get(self, table: str, *key: Any) -> Row: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...
    def copy_lot(self, row: Row, offer: str, n: int, **members: Any) -> None: ...
    def owe(self, party: str, amount: int) -> None: ...
    def cut(self, contract: str, lot: str, remainder: str) -> Row: ...


def lot_salt(statement: str, n: int) -> str:
    text = b"tallystick-salt/1\0" + n.to_bytes(4, "big") + statement.encode()
    return base64.urlsafe_b64encode(hashlib.sha256(text).digest()[:16]).decode().rstrip("=")


class DealingFolds:
    """Folds, each named as its effect."""

    def lot_extinguished(self: Rows, statement: str, lot: str, voucher: str, amount: str,
                         remainder: str, **_: Any) -> None:  # fmt: skip
        gone = self.rows["lot"].pop((lot,))
        if remainder != "0":
            self.copy_lot(gone, statement, 0, amount=remainder, status="free",
                          cuts=gone["cuts"] + 1)  # fmt: skip
        row = self.get("voucher", voucher)
        discharged = int(row["discharged"]) + int(amount)
        is_settled = int(row["face"]) == discharged + int(row["cancelled"])
        self.change("voucher", voucher, discharged=str(discharged),
                    status="settled" if is_settled else row["status"],
                    owing=None if is_settled else row.get("owing"))  # fmt: skip
        self.owe(row["debtor"], -int(amount))

    # --- Early payment ------------------------------------------------------------

    def early_offered(self: Rows, **early: Any) -> None:
        self.put("early", **early, status="offered")

    def early_moved(self: Rows, early: str, lot: str, status: str, **_: Any) -> None:
        before = self.get("early", early)["status"]
        self.change("early", early, status=status, kid=None)
        if (lot,) in self.rows["lot"]:
            if status == "agreed":
                self.change("lot", lot, status="reserved")
            elif before == "agreed":
                self.change("lot", lot, status="free")

    # --- Financing ----------------------------------------------------------------

    def financing_applied(self: Rows, **applied: Any) -> None:
        for name in ("policy", "asked"):
            applied.pop(name, None)
        self.put("financing", **applied, status="applied", collection_route=False, order=[],
                 done=[])  # fmt: skip

    def financing_quoted(self: Rows, financing: str, kid: str, payee: str | None = None,
                         **quoted: Any) -> None:  # fmt: skip
        self.change("financing", financing, **quoted, payee=payee, status="quoted",
                    quoted_by=kid)  # fmt: skip

    def financing_confirmed(self: Rows, financing: str, confirmation: str, **_: Any) -> None:
        self.change("financing", financing, confirmed=confirmation)

    def financing_contracted(self: Rows, financing: str, contract: str, order: list[str],
                             kid: str, search: str | None = None, **_: Any) -> None:  # fmt: skip
        self.change("financing", financing, contract=contract, order=order, search=search,
                    salt=lot_salt(self.statement, 2), status="contracted", kid=kid)  # fmt: skip

    def cut(self: Rows, contract: str, lot: str, remainder: str) -> Row:
        row = self.rows["lot"].pop((lot,))
        if remainder != "0":
            self.copy_lot(row, contract, 1, amount=remainder, cuts=row["cuts"] + 1)
        return row

    def financing_lot_reserved(self: Rows, financing: str, contract: str, lot: str, amount: str,
                               remainder: str, **_: Any) -> None:  # fmt: skip
        row = self.cut(contract, lot, remainder)
        self.copy_lot(row, contract, 0, amount=amount, status="reserved",
                      cuts=row["cuts"] + (remainder != "0"))  # fmt: skip
        self.change("financing", financing, lot=f"{contract}.0")

    def financing_title_passed(self: Rows, financing: str, contract: str, lot: str,
                               assignee: str, amount: str, remainder: str, recourse: bool,
                               account: str, collection_route: bool, status: str,
                               **_: Any) -> None:  # fmt: skip
        row, made = self.cut(contract, lot, remainder), self.get("financing", financing)
        self.copy_lot(row, contract, 2, amount=amount, holder=assignee, cuts=0,
                      path=[*row["path"], assignee], acquired=contract, account=account,
                      collection_route=collection_route, recourse=recourse, acknowledged=False,
                      status="free", salt=made["salt"])  # fmt: skip
        self.change("financing", financing, lot=f"{contract}.2", status=status,
                    done=[*made["done"], "title"], kid=None, quoted_by=None)  # fmt: skip

    def financing_step_done(self: Rows, financing: str, step: str, status: str,
                            filing: str | None = None, **_: Any) -> None:  # fmt: skip
        row = self.get("financing", financing)
        self.change("financing", financing, done=[*row["done"], step], status=status,
                    filing=filing or row.get("filing"))  # fmt: skip

    def financing_payment_stated(self: Rows, financing: str, payer: str, reference: str,
                                 **_: Any) -> None:  # fmt: skip
        self.change("financing", financing, payer=payer, reference=reference, kid=None,
                    quoted_by=None)  # fmt: skip

    def financing_ended(self: Rows, financing: str, lot: str, status: str, **_: Any) -> None:
        row = self.get("financing", financing)
        self.change("financing", financing, status=status, kid=None, quoted_by=None)
        if "contract" in row and (lot,) in self.rows["lot"]:
            self.change("lot", lot, status="free")
