"""The second reader's folds of clearing.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

import base64
import hashlib
import json
from typing import Any, Protocol

Row = dict[str, Any]


def digest_of(domain: bytes, rows: list[Row]) -> str:
    lines = (json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
             for row in rows)  # fmt: skip
    found = hashlib.sha256(domain + b"\0" + "".join(lines).encode()).digest()
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


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
    def list_debit(self, row: Row) -> None: ...
    def owe_still(self, row: Row) -> None: ...
    def pass_on(self, row: Row, sign: int) -> None: ...
    def expire(self, row: Row) -> None: ...
    def move(self, source: str, target: str, amount: str) -> None: ...
    def adopt(self, run: Row) -> None: ...
    def other_way(self, head: Row, rows: list[Row]) -> tuple[list[Row], list[Row]]: ...
    def instead_of(self, head: Row, n: int, payment: Row) -> Row: ...
    def instruction_added(self, **row: Any) -> None: ...
    def copy_lot(self, row: Row, offer: str, n: int, **members: Any) -> None: ...
    def lot_discharged(
        self, lot: str, voucher: str, debtor: str, holder: str, amount: str
    ) -> None: ...


def certificate(orders: list[Row]) -> str:
    """Returns the digest of what instructions leave on each account."""
    left: dict[tuple[str, str], list[int]] = {}
    for each in orders:
        came = left.setdefault((each["payee"], each["payee_account"]), [0, 0, 0])
        came[0] += int(each["amount"])
        came[2] += int(each["amount"])
        for other in orders:
            if each["n"] in other["after"]:
                came[2] -= int(other["amount"])
    for each in orders:
        if each["after"]:
            left[each["payer"], each["payer_account"]][1] += int(each["amount"])
    lines = [
        {"account": account, "direct": str(kept), "passes": str(went), "payee": payee,
         "planned": str(came - went)}
        for (payee, account), (came, went, kept) in sorted(left.items())
    ]  # fmt: skip
    text = json.dumps(lines, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(b"tallystick-certificate/1\x00" + text).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class ClearingFolds:
    """Folds, each named as its effect."""

    def plan_adopted(self: Rows, **run: Any) -> None:
        self.adopt(run)

    def fund_divided(self: Rows, **run: Any) -> None:
        del run["plans_first"]
        self.adopt({**run, "withheld": "0"})
        self.rows["fund"].pop((run["fund"],))

    def fund_stated(self: Rows, account: str, **fund: Any) -> None:
        for row in [*self.rows["fund"].values()]:
            if row["account"] == account:
                self.rows["fund"].pop((row["fund"],))
        self.put("fund", **fund, account=account)

    def adopt(self: Rows, run: Row) -> None:
        orders = self.plans[run["digest"]]
        self.put("run", **run, posted=0, ended=0, added=0, joint=0, status="planned")
        for each in orders:
            passed = sum(int(other["amount"]) for other in orders if each["n"] in other["after"])
            after = [str(n) for n in each["after"]]
            row = {**each, "plan": run["plan"], "after": after, "status": "pending"}
            row.setdefault("parts", [])
            self.put("instruction", **row, kept=str(int(each["amount"]) - passed))
            if not after:
                self.list_debit(row)
            for lot in each["lots"]:
                self.put("order", lot=lot, plan=run["plan"], n=each["n"])
        assert certificate(orders) == run["certificate"]

    def list_debit(self: Rows, row: Row) -> None:
        plan, account = row["plan"], row["payer_account"]
        if (plan, account) not in self.rows.get("debit_list", {}):
            self.put("debit_list", plan=plan, account=account, debtor=row["payer"],
                     instructions=0, amount="0", waiting=0, waiting_amount="0",
                     through=0)  # fmt: skip
        drawn = self.get("debit_list", plan, account)
        amount = str(int(drawn["amount"]) + int(row["amount"]))
        waiting = str(int(drawn["waiting_amount"]) + int(row["amount"]))
        self.change("debit_list", plan, account, instructions=drawn["instructions"] + 1,
                    amount=amount, waiting=drawn["waiting"] + 1,
                    waiting_amount=waiting)  # fmt: skip

    def list_approved(self: Rows, plan: str, account: str, approval: str, **_: Any) -> None:
        through = self.get("run", plan)["instructions"]
        self.change("debit_list", plan, account, waiting=0, waiting_amount="0", through=through,
                    approval=approval, approved_at=self.time)  # fmt: skip

    def run_goes_on(self: Rows, plan: str, closes_at: int) -> None:
        self.change("run", plan, closes_at=closes_at)

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

    def aggregation_agreed(self: Rows, account: str, owner: str, statement: str) -> None:
        self.put("aggregation", account=account, owner=owner, statement=statement)

    def aggregation_ended(self: Rows, account: str, **_: Any) -> None:
        self.rows["aggregation"].pop((account,))

    def payment_joined(self: Rows, **payment: Any) -> None:
        plan, number = payment["plan"], payment["payment"]
        assert self.get("run", plan)["joint"] == number
        self.change("run", plan, joint=number + 1)
        self.put("joint_payment", **payment)
        for n in payment["instructions"]:
            self.change("instruction", plan, int(n), joint=number)

    def instructions_sent(self: Rows, plan: str, sent: str, instructions: list[str],
                          **_: Any) -> None:  # fmt: skip
        for n in instructions:
            self.change("instruction", plan, int(n), status="sent", sent=sent)

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
        self.pass_on(row, 1)
        self.move(f"bank:{payer_account}", f"bank:{payee_account}", amount)

    def pass_on(self: Rows, row: Row, sign: int) -> None:
        debtor = self.get("voucher", row["voucher"])["debtor"]
        amount, kept, flows = int(row["amount"]), int(row["kept"]), []
        if amount > kept and row["payee"] != debtor:
            flows.append((row["payee_account"], row["payee"], sign * (amount - kept)))
        if row["after"] and row["payer"] != debtor:
            flows.append((row["payer_account"], row["payer"], -sign * amount))
        for account, party, moved in flows:
            old = self.rows["passing"].get((account,), {"came": "0", "went": "0"})
            side = "came" if moved > 0 else "went"
            total = str(int(old[side]) + abs(moved))
            self.put("passing", **{**old, "account": account, "party": party, side: total})

    def hop_limit_passed(self: Rows, account: str, amount: str, **_: Any) -> None:
        row = self.get("passing", account)
        assert int(row["came"]) - int(row["went"]) == int(amount)
        self.change("passing", account, over_at=self.time)

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
        self.pass_on(self.get("instruction", plan, n), -1)
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

    def money_rerouted(self: Rows, plan: str, n: int, replaced: int, added: int, digest: str,
                       **_: Any) -> None:  # fmt: skip
        head, run = self.get("instruction", plan, n), self.get("run", plan)
        rows = [row for (of, _), row in sorted(self.rows["instruction"].items()) if of == plan]
        over, payments = self.other_way(head, rows)
        found = [self.instead_of(head, run["instructions"] + place, payment)
                 for place, payment in enumerate(payments)]  # fmt: skip
        assert digest == digest_of(b"tallystick-rerouting/1", found)
        assert (replaced, added) == (len(over), len(found))
        for row in over:
            was = row["status"]
            status = "redirected" if was in ("returned", "replaced") else "replaced"
            self.change("instruction", plan, row["n"], status=status)
            self.free(row)
            self.count(plan, ended=was not in ("returned", "replaced", "expired"))
        for row in found:
            self.instruction_added(**row)

    def other_way(self: Rows, head: Row, rows: list[Row]) -> tuple[list[Row], list[Row]]:
        voucher = self.get("voucher", head["voucher"])
        if head["status"] == "replaced":
            turned = {row["instead"] for row in rows if "instead" in row and "pays" not in row}
            of = head
            while of["n"] not in turned:
                of = self.get("instruction", of["plan"], int(of["after"][0]))
            return [head], [{"payee": of["payer"], "payee_account": of["payer_account"],
                             "amount": head["amount"], "lots": [], "parts": []}]  # fmt: skip
        fed, over = {str(head["n"])}, [head]
        into: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for row in sorted(rows, key=lambda row: int(row["n"])):
            if row["voucher"] == head["voucher"] and fed.intersection(row["after"]):
                fed.add(str(row["n"]))
                if row["status"] in ("pending", "sent", "accepted", "rejected"):
                    over.append(row)
        in_parts, left = any(row["parts"] for row in over), int(head["amount"])
        if voucher.get("hop_risk") == "holder" and head["payer"] != voucher["debtor"]:
            left -= sum(
                int(owed["amount"]) for owed in self.rows["obligation"].values()
                if owed["sort"] == "again" and owed["plan"] == head["plan"]
                and str(owed["n"]) in fed and owed["owed_by"] == head["payer"]
            )  # fmt: skip
        frozen = {each["lot"] for each in self.rows["freeze"].values()
                  if each["status"] != "lifted"}  # fmt: skip
        courts: Row = {each["lot"]: each["payee_account"] for each in self.rows["freeze"].values()
                  if each["status"] == "payable"}  # fmt: skip
        for row in over:
            for place, name in enumerate(row["lots"]):
                order, lot = self.rows["order"].get((name,)), self.rows["lot"].get((name,))
                if lot and order and (order["plan"], order["n"]) == (row["plan"], row["n"]):
                    part = row["parts"][place] if row["parts"] else lot["amount"]
                    if name not in frozen or name in courts:
                        account = courts[name] if name in courts else lot["account"]
                        into.setdefault((lot["holder"], account), []).append((name, part))
        payments: list[Row] = []
        for (payee, account), held in sorted(into.items()):
            held.sort()
            for some in (held[start : start + 128] for start in range(0, len(held), 128)):
                amount = sum(int(part) for _, part in some)
                left -= amount
                payments.append({"payee": payee, "payee_account": account, "amount": str(amount),
                                 "lots": [name for name, _ in some],
                                 "parts": [part for _, part in some if in_parts]})  # fmt: skip
        if left:
            payments.append({"payee": voucher["debtor"], "payee_account": voucher["account"],
                             "amount": str(left), "lots": [], "parts": []})  # fmt: skip
        return over, payments

    def instead_of(self: Rows, head: Row, n: int, payment: Row) -> Row:
        names = ("plan", "voucher", "payer", "payer_account", "authority", "after", "remittance")
        into = self.get("account", payment["payee_account"])
        row = {**{name: head[name] for name in names}, **payment, "n": n, "instead": head["n"],
               "bank": into["bank"], "payee": into["owner"],
               "kept": payment["amount"] if payment["lots"] else "0",
               "route": "direct", "status": "pending"}  # fmt: skip
        if into["owner"] != payment["payee"]:
            row["holder"] = payment["payee"]
        if payment["lots"] and "stage" in head:
            row["stage"] = head["stage"]
        return row

    def instruction_added(self: Rows, **row: Any) -> None:
        self.put("instruction", **{**row, "route": "direct", "status": "pending"})
        if not row["after"]:
            self.list_debit(row)
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

    def run_closed(self: Rows, plan: str, **_: Any) -> None:
        rows = [row for (of, _), row in self.rows["instruction"].items() if of == plan]
        left: set[str] = set()
        for row in sorted(rows, key=lambda row: int(row["n"])):
            if row["status"] == "posted" or (row["after"] and left.issuperset(row["after"])):
                left.add(str(row["n"]))
            elif row["status"] in ("pending", "sent", "accepted") or (
                row["status"] == "rejected" and row["after"]
            ):
                self.expire(row)
        for of, account in [*self.rows["debit_list"]]:
            if of == plan:
                self.change("debit_list", plan, account, waiting=0, waiting_amount="0")
        self.change("run", plan, status="closed")

    def lot_paid_in_part(self: Rows, lot: str, voucher: str, debtor: str, holder: str,
                         amount: str, remainder: str, rest: str) -> None:  # fmt: skip
        row = self.get("lot", lot)
        self.lot_discharged(lot, voucher, debtor, holder, amount)
        made, n = rest.split(".")
        self.copy_lot(row, made, int(n), amount=remainder, cuts=row["cuts"] + 1)
        for burden in row["burdens"]:
            table = "pledge" if (burden,) in self.rows["pledge"] else "freeze"
            self.change(table, burden, lot=rest)

    def lot_discharged(self: Rows, lot: str, voucher: str, debtor: str, holder: str,
                       amount: str) -> None:  # fmt: skip
        self.rows["lot"].pop((lot,))
        self.rows["order"].pop((lot,), None)
        row = self.get("voucher", voucher)
        gone = int(row["discharged"]) + int(amount)
        is_settled = int(row["face"]) == gone + int(row["cancelled"])
        status = "settled" if is_settled else row["status"]
        owing = None if is_settled else row.get("owing")
        self.change("voucher", voucher, discharged=str(gone), status=status, owing=owing)
        self.owe(debtor, -int(amount))
        self.move(f"claims:{holder}", f"debts:{debtor}", amount)
