"""The second reader's folds of keys, approvals, suspensions, affiliations and payee accounts.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

from typing import Any, Protocol

Row = dict[str, Any]


class Reader(Protocol):
    """What these folds need of the second reader."""

    index: int
    statement: str
    rows: dict[str, dict[tuple[Any, ...], Row]]

    def put(self, table: str, **row: Any) -> None: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...


def end_wait(reader: Reader, statement: str, party: str, end: str) -> None:
    del reader.rows["pending"][statement,]
    approvals = reader.rows["approval"]
    for key in [key for key, row in approvals.items() if row["statement"] == statement]:
        del approvals[key]
    reader.put("waited", statement=statement, party=party, end=end, index=reader.index)


class PeopleFolds:
    """Folds, each named as its effect."""

    def key_revoked(self: Reader, kid: str, **revoked: Any) -> None:
        self.change("key_record", kid, revoked=self.index, suspect_from=revoked.get("suspect_from"))

    def party_reviewed(self: Reader, party: str, binding: str, evidence: list[str]) -> None:
        self.change("party", party, binding=binding, evidence=evidence, manual_review=False)

    def party_policy_set(self: Reader, policy: str, party: str, rules: list[Row]) -> None:
        for key in [key for key in self.rows["approval_rule"] if key[0] == party]:
            del self.rows["approval_rule"][key]
        for rule in rules:
            self.put("approval_rule", **rule)
        self.change("party", party, policy=policy if rules else None)

    def statement_pending(self: Reader, **pending: Any) -> None:
        self.put("pending", **pending, text=self.statement)

    def approval_given(self: Reader, **approval: Any) -> None:
        self.put("approval", **approval)

    def approval_ended(self: Reader, approval: str, **_: Any) -> None:
        del self.rows["approval"][approval,]

    def statement_approved(self: Reader, statement: str, party: str, **_: Any) -> None:
        end_wait(self, statement, party, "approved")

    def statement_ended(self: Reader, statement: str, party: str, end: str, **_: Any) -> None:
        end_wait(self, statement, party, end)

    def party_suspended(self: Reader, **suspension: Any) -> None:
        self.put("suspension", **suspension)
        self.change("party", suspension["party"], suspended=suspension["suspension"])

    def party_reinstated(self: Reader, suspension: str, party: str, **_: Any) -> None:
        del self.rows["suspension"][suspension,]
        self.change("party", party, suspended=None)

    def affiliation_declared(self: Reader, **affiliation: Any) -> None:
        self.put("affiliation", **affiliation)

    def affiliation_ended(self: Reader, affiliation: str, **_: Any) -> None:
        del self.rows["affiliation"][affiliation,]

    def payee_changed(self: Reader, lot: str, account: str, **_: Any) -> None:
        self.change("lot", lot, account=account, status="held")

    def lot_released(self: Reader, lot: str, **_: Any) -> None:
        self.change("lot", lot, status="free")
