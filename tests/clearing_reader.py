"""The second reader's folds of clearing.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

from typing import Any, Protocol

Row = dict[str, Any]


class Rows(Protocol):
    """What the second reader offers its folds."""

    rows: dict[str, dict[tuple[Any, ...], Row]]
    plans: dict[str, list[Row]]
    time: int

    def put(self, table: str, **row: Any) -> None: ...
    def get(self, table: str, *key: Any) -> Row: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...
    def owe(self, party: str, amount: int) -> None: ...
    def book(self, account: str, amount: int) -> None: ...
    def count(self, plan: str, *, posted: int = 0, ended: int = 0) -> None: ...
    def free(self, row: Row) -> None: ...
    def owe_still(self, row: Row) -> None: ...
    def expire(self, row: Row) -> None: ...
    def move(self, source: str, target: str, amount: str) -> None: ...
    def adopt(self, run: Row) -> None: ...
    def copy_lot(self, row: Row, offer: str, n: int, **members: Any) -> None: ...
    def lot_discharged(
        self, lot: str, voucher: str, debtor: str, holder: str, amount: str
    ) -> None: ...


class ClearingFolds:
    """Folds, each named as its effect."""

    def plan_adopted(self: Rows, **run: Any) -> None:
        del run["policy"]
        self.adopt(run)

    def fund_divided(self: Rows, **run: Any) -> None:
        del run["policy"], run["plans_first"]
        self.adopt({**run, "withheld": "0"})
        self.change("fund", run["fund"], status="divided")

    def fund_stated(self: Rows, account: str, **fund: Any) -> None:
        for row in [*self.rows["fund"].values()]:
            if (row["account"], row["status"]) == (account, "open"):
                self.change("fund", row["fund"], status="replaced")
        self.put("fund", **fund, account=account, status="open")

    def adopt(self: Rows, run: Row) -> None:
        orders = self.plans[run["digest"]]
        self.put("run", **run, posted=0, ended=0, added=0, status="planned")
        for each in orders:
            passed = sum(int(other["amount"]) for other in orders if each["n"] in other["after"])
            after = [str(n) for n in each["after"]]
            row = {**each, "plan": run["plan"], "after": after, "status": "pending"}
            row.setdefault("parts", [])
            self.put("instruction", **row, kept=str(int(each["amount"]) - passed))
            for lot in each["lots"]:
                self.put("order", lot=lot, plan=run["plan"], n=each["n"])

    def count(self: Rows, plan: str, *, posted: int = 0, ended: int = 0) -> None:
        run = self.get("run", plan)
        posted, ended = run["posted"] + posted, run["ended"] + ended
        is_cleared = run["status"] == "planned" and posted == run["instructions"]
        status = "cleared" if is_cleared else run["status"]
        self.change("run", plan, posted=posted, ended=ended, status=status)

    def free(self: Rows, row: Row) -> None:
        for lot in row["lots"]:
            order = self.rows["order"].get((lot,))
            if order and (order["plan"], order["n"]) == (row["plan"], row["n"]):
                del self.rows["order"][lot,]

    def owe_still(self: Rows, row: Row) -> None:
        key = (row["pays"], row["plan"], row["instead"]) if row.get("pays") else ()
        if key and self.rows["obligation"][key]["status"] == "ordered":
            self.change("obligation", *key, status="due")

    def expire(self: Rows, row: Row) -> None:
        self.change("instruction", row["plan"], row["n"], status="expired")
        self.free(row)
        self.owe_still(row)
        self.count(row["plan"], ended=1)

    def move(self: Rows, source: str, target: str, amount: str) -> None:
        self.book(source, -int(amount))
        self.book(target, int(amount))

    def instruction_accepted(self: Rows, plan: str, n: int, **_: Any) -> None:
        self.change("instruction", plan, n, status="accepted")

    def word_relayed(self: Rows, plan: str, bank: str, instructions: list[str],
                     **_: Any) -> None:  # fmt: skip
        for n in instructions:
            self.change("instruction", plan, int(n), relayed=bank)

    def instruction_posted(self: Rows, plan: str, n: int, amount: str, payer_account: str,
                           payee_account: str, **_: Any) -> None:  # fmt: skip
        row = self.get("instruction", plan, n)
        was_over = row["status"] in ("expired", "replaced")
        self.change("instruction", plan, n, status="posted", posted_at=self.time, reason=None,
                    refused_by=None, relayed=None)  # fmt: skip
        self.count(plan, posted=1, ended=-was_over)
        self.move(f"bank:{payer_account}", f"bank:{payee_account}", amount)

    def instruction_rejected(self: Rows, plan: str, n: int, bank: str, reason: str,
                             **_: Any) -> None:  # fmt: skip
        self.change("instruction", plan, n, status="rejected", reason=reason, refused_by=bank,
                    relayed=None)  # fmt: skip
        row = self.get("instruction", plan, n)
        if not row["after"] or row.get("pays"):
            self.free(row)
            self.owe_still(row)

    def instruction_expired(self: Rows, plan: str, n: int, **_: Any) -> None:
        self.expire(self.get("instruction", plan, n))

    def instruction_returned(self: Rows, plan: str, n: int, amount: str, payer_account: str,
                             payee_account: str, reason: str, **_: Any) -> None:  # fmt: skip
        self.change("instruction", plan, n, status="returned", returned_at=self.time,
                    reason=reason, relayed=None)  # fmt: skip
        self.count(plan, posted=-1, ended=1)
        self.move(f"bank:{payee_account}", f"bank:{payer_account}", amount)

    def return_owed(self: Rows, **owed: Any) -> None:
        self.put("obligation", **owed, sort="return", status="due")
        self.free(owed)

    def top_up_owed(self: Rows, **owed: Any) -> None:
        self.put("obligation", **owed, sort="top-up", status="due")

    def obligation_moved(self: Rows, sort: str, plan: str, n: int, status: str) -> None:
        self.change("obligation", sort, plan, n, status=status)

    def paid_again(self: Rows, plan: str, n: int, debtor: str, holder: str, amount: str,
                   **_: Any) -> None:  # fmt: skip
        self.change("obligation", "again", plan, n, status="met")
        self.owe(debtor, -int(amount))
        self.move(f"claims:{holder}", f"debts:{debtor}", amount)

    def instruction_replaced(self: Rows, plan: str, n: int, **_: Any) -> None:
        was = self.get("instruction", plan, n)["status"]
        status = "redirected" if was == "returned" else "replaced"
        self.change("instruction", plan, n, status=status)
        self.free(self.get("instruction", plan, n))
        self.count(plan, ended=was not in ("returned", "expired"))

    def instruction_added(self: Rows, **row: Any) -> None:
        self.put("instruction", **row, route="direct", status="pending")
        for lot in row["lots"]:
            self.put("order", lot=lot, plan=row["plan"], n=row["n"])
        run = self.get("run", row["plan"])
        status = "planned" if run["status"] == "cleared" else run["status"]
        self.change("run", row["plan"], instructions=row["n"] + 1, added=run["added"] + 1,
                    status=status)  # fmt: skip

    def payment_undone(self: Rows, **owed: Any) -> None:
        self.put("obligation", **owed, sort="again", status="due")
        debtor = self.get("voucher", owed["voucher"])["debtor"]
        self.owe(debtor, int(owed["amount"]))
        self.move(f"debts:{debtor}", f"claims:{owed['owed_to']}", owed["amount"])

    def debt_passed(self: Rows, voucher: str, debtor: str, owed_before: str, owed_by: str,
                    amount: str, **_: Any) -> None:  # fmt: skip
        sides = []
        for party, sign in ((owed_by, 1), (owed_before, -1)):
            if party == debtor:
                self.owe(party, sign * int(amount))
                sides.append(f"debts:{party}")
                continue
            row = self.rows["hop"].pop((voucher, party), {"amount": "0"})
            if total := int(row["amount"]) + sign * int(amount):
                self.put("hop", voucher=voucher, party=party, debtor=debtor, amount=str(total))
            sides.append(f"hops:{party}")
        self.move(sides[0], sides[1], amount)

    def obligation_passed(self: Rows, sort: str, plan: str, n: int, owed_by: str) -> None:
        self.change("obligation", sort, plan, n, owed_by=owed_by, status="due")

    def run_closed(self: Rows, plan: str, **_: Any) -> None:
        rows = [row for (of, _), row in self.rows["instruction"].items() if of == plan]
        left: set[str] = set()
        for row in sorted(rows, key=lambda row: int(row["n"])):
            if row["status"] == "posted" or (row["after"] and left.issuperset(row["after"])):
                left.add(str(row["n"]))
            elif row["status"] in ("pending", "accepted") or (
                row["status"] == "rejected" and row["after"]
            ):
                self.expire(row)
        self.change("run", plan, status="closed")

    def lot_paid_in_part(self: Rows, lot: str, voucher: str, debtor: str, holder: str,
                         amount: str, remainder: str, rest: str) -> None:  # fmt: skip
        row = self.get("lot", lot)
        self.lot_discharged(lot, voucher, debtor, holder, amount)
        made, n = rest.split(".")
        self.copy_lot(row, made, int(n), amount=remainder, cuts=row["cuts"] + 1)
        for burden in row["burdens"]:
            if (burden,) in self.rows["pledge"]:
                self.change("pledge", burden, lot=rest)

    def lot_discharged(self: Rows, lot: str, voucher: str, debtor: str, holder: str,
                       amount: str) -> None:  # fmt: skip
        self.rows["lot"].pop((lot,))
        self.rows["order"].pop((lot,), None)
        row = self.get("voucher", voucher)
        gone = int(row["discharged"]) + int(amount)
        is_settled = int(row["face"]) == gone + int(row["cancelled"])
        status = "settled" if is_settled else row["status"]
        self.change("voucher", voucher, discharged=str(gone), status=status)
        self.owe(debtor, -int(amount))
        self.move(f"claims:{holder}", f"debts:{debtor}", amount)
