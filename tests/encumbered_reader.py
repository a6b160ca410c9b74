"""The second reader's folds of what burdens, disputes, registers or secures a claim.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

from typing import Any, Protocol

Row = dict[str, Any]


class Rows(Protocol):
    """What the second reader offers its folds."""

    index: int
    rows: dict[str, dict[tuple[Any, ...], Row]]

    def put(self, table: str, **row: Any) -> None: ...
    def get(self, table: str, *key: Any) -> Row: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...
    def copy_lot(self, row: Row, offer: str, n: int, **members: Any) -> None: ...


class EncumbranceFolds:
    """Folds, each named as its effect."""

    # --- Pledges ------------------------------------------------------------------

    def lot_pledged(self: Rows, pledge: str, lot: str, remainder: str, **pledged: Any) -> None:
        row = self.rows["lot"].pop((lot,))
        cuts = row["cuts"] + (remainder != "0")
        self.copy_lot(row, pledge, 0, amount=pledged["amount"], burdens=[pledge], cuts=cuts)
        if remainder != "0":
            self.copy_lot(row, pledge, 1, amount=remainder, cuts=cuts)
        self.put("pledge", **pledged, pledge=pledge, lot=f"{pledge}.0", status="pending",
                 own_account=row["account"], own_route=row["collection_route"])  # fmt: skip

    def pledge_registered(self: Rows, pledge: str, lot: str, account: str, **_: Any) -> None:
        self.change("pledge", pledge, status="registered")
        self.change("lot", lot, account=account, collection_route=False)

    def pledge_enforced(self: Rows, pledge: str, **_: Any) -> None:
        self.change("pledge", pledge, status="enforced")

    def pledge_ended(self: Rows, pledge: str, lot: str, end: str, **_: Any) -> None:
        row = self.get("pledge", pledge)
        self.change("pledge", pledge, status=end)
        if (lot,) in self.rows["lot"]:
            burdens = [each for each in self.get("lot", lot)["burdens"] if each != pledge]
            self.change("lot", lot, burdens=burdens, account=row["own_account"],
                        collection_route=row["own_route"])  # fmt: skip

    # --- Freezes ------------------------------------------------------------------

    def lot_frozen(self: Rows, **frozen: Any) -> None:
        self.put("freeze", **frozen, status="frozen")
        burdens = self.get("lot", frozen["lot"])["burdens"]
        self.change("lot", frozen["lot"], burdens=[*burdens, frozen["freeze"]])

    def lot_unfrozen(self: Rows, freeze: str, lot: str, **_: Any) -> None:
        self.change("freeze", freeze, status="lifted")
        if (lot,) in self.rows["lot"]:
            burdens = [each for each in self.get("lot", lot)["burdens"] if each != freeze]
            self.change("lot", lot, burdens=burdens)

    def court_payment_ordered(self: Rows, freeze: str, bank: str, account: str,
                              payee_account: str, registrar: str,
                              objection_ends: int | None = None, **_: Any) -> None:  # fmt: skip
        status = "payable" if objection_ends is None else "ordered"
        self.put("account", account=payee_account, owner=registrar, bank=bank,
                 account_kind="court", digest=account, verified=True, frozen=False)  # fmt: skip
        self.change("freeze", freeze, status=status, bank=bank, account=account,
                    objection_ends=objection_ends, payee_account=payee_account)  # fmt: skip

    def court_payment_objected(self: Rows, freeze: str, **_: Any) -> None:
        self.change("freeze", freeze, status="frozen", bank=None, account=None,
                    objection_ends=None, payee_account=None)  # fmt: skip

    def court_payment_final(self: Rows, freeze: str, **_: Any) -> None:
        self.change("freeze", freeze, status="payable")

    def account_frozen(self: Rows, account: str, **_: Any) -> None:
        self.change("account", account, frozen=True)

    def account_unfrozen(self: Rows, account: str, **_: Any) -> None:
        self.change("account", account, frozen=False)

    # --- Disputes, registrations, accessory rights ----------------------------------

    def dispute_raised(self: Rows, **raised: Any) -> None:
        self.put("dispute", **raised, status="raised")

    def dispute_moved(self: Rows, dispute: str, status: str, owed: str | None = None,
                      **_: Any) -> None:  # fmt: skip
        self.change("dispute", dispute, status=status, owed=owed)

    def filing_recorded(self: Rows, **filing: Any) -> None:
        self.put("filing", **filing, status="standing")

    def filing_changed(self: Rows, filing: str, expires_on: str, certificate: str,
                       **_: Any) -> None:  # fmt: skip
        self.change("filing", filing, expires_on=expires_on, certificate=certificate)

    def filing_ended(self: Rows, filing: str, status: str, **_: Any) -> None:
        self.change("filing", filing, status=status)

    def search_recorded(self: Rows, **search: Any) -> None:
        self.put("search", **search)

    def task_set(self: Rows, **task: Any) -> None:
        self.put("task", **task, is_overdue=False)

    def task_done(self: Rows, task: str) -> None:
        del self.rows["task"][task,]

    def task_overdue(self: Rows, task: str, **_: Any) -> None:
        self.change("task", task, is_overdue=True)

    def accessory_attached(self: Rows, **attached: Any) -> None:
        self.put("accessory", **attached)
        voucher = self.get("voucher", attached["voucher"])
        told = [voucher["debtor"], *voucher["co_debtors"], *voucher["guarantors"]]
        if attached["right"] in ("guarantee", "shortfall") and attached["provider"] not in told:
            guarantors = [*voucher["guarantors"], attached["provider"]]
            self.change("voucher", attached["voucher"], guarantors=guarantors)
