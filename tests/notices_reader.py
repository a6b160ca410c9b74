"""The second reader's folds of who is told of assignments, and what becomes of the notices.

Written from `docs/formats.md` alone; nothing of the program is imported.
"""

from typing import Any, Protocol

Row = dict[str, Any]


class Rows(Protocol):
    """What the second reader offers its folds."""

    index: int
    time: int
    rows: dict[str, dict[tuple[Any, ...], Row]]

    def put(self, table: str, **row: Any) -> None: ...
    def get(self, table: str, *key: Any) -> Row: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...


class NoticeFolds:
    """Folds, each named as its effect."""

    def inbox_designated(self: Rows, party: str, designation: str) -> None:
        self.put("inbox", party=party, designation=designation, notices=0)

    def notice_arrived(self: Rows, **notice: Any) -> None:
        assert self.get("inbox", notice["recipient"])["notices"] == notice["number"] - 1
        self.change("inbox", notice["recipient"], notices=notice["number"])
        self.put("notice", **notice, arrived=self.time, entry=self.index, acknowledged=False,
                 escalations=0)  # fmt: skip

    def answer_awaited(self: Rows, notice: str, until: int) -> None:
        self.change("notice", notice, escalate_at=until)

    def notice_withheld(self: Rows, **withheld: Any) -> None:
        self.put("withheld", **withheld, told=[], effective=self.time)

    def notice_given(self: Rows, transfer: str, told: list[str], **_: Any) -> None:
        self.change("withheld", transfer, told=told)

    def revocation_proposed(self: Rows, revocation: str, notice: str, **_: Any) -> None:
        self.put("revocation", revocation=revocation, notice=notice)

    def notice_revoked(self: Rows, revocation: str, notice: str, **_: Any) -> None:
        del self.rows["revocation"][revocation,]
        self.change("notice", notice, revoked_at=self.time, escalate_at=None)
        row = self.get("notice", notice)
        if row["capacity"] == "debtor":
            for lot in self.rows["lot"].values():
                if lot["acquired"] == row["transfer"]:
                    lot["acknowledged"] = False

    def power_granted(self: Rows, **power: Any) -> None:
        self.put("power", **power)

    def power_triggered(self: Rows, power: str, statement: str, **_: Any) -> None:
        self.change("power", power, triggered=statement)

    def notice_received(self: Rows, notice: str, **_: Any) -> None:
        self.change("notice", notice, received=self.time)

    def notice_acknowledged(self: Rows, notice: str, **_: Any) -> None:
        self.change("notice", notice, acknowledged=True, refused=None, escalate_at=None)
        row = self.get("notice", notice)
        if row["capacity"] == "debtor":
            for lot in self.rows["lot"].values():
                if lot["acquired"] == row["transfer"]:
                    lot["acknowledged"] = True

    def notice_refused(self: Rows, notice: str, refusal: str, **_: Any) -> None:
        self.change("notice", notice, refused=refusal, escalate_at=None)

    def notice_escalated(self: Rows, notice: str, escalations: int, **_: Any) -> None:
        self.change("notice", notice, escalations=escalations, escalate_at=None)
