"""The second reader's folds of debts that travel with the money.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

from typing import Any

from tests.clearing_reader import Rows


class HopFolds:
    """Who owes what is on its way."""

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

    def obligations_passed(self: Rows, plan: str, n: int, owed_before: str, owed_by: str,
                           obligations: int) -> None:  # fmt: skip
        rows = [row for (of, _), row in self.rows["instruction"].items() if of == plan]
        fed = {str(n)}
        for row in sorted(rows, key=lambda row: int(row["n"])):
            if fed.intersection(row["after"]):
                fed.add(str(row["n"]))
        owed = [
            row for row in self.rows["obligation"].values()
            if row["plan"] == plan and str(row["n"]) in fed - {str(n)}
            and (row["sort"], row["owed_by"]) == ("again", owed_before) and row["status"] != "met"
        ]  # fmt: skip
        assert len(owed) == obligations
        for row in owed:
            self.change("obligation", "again", plan, row["n"], owed_by=owed_by, status="due")
