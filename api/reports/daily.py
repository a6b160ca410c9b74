"""The day's aggregate by debtor, as a supervisor collects it, reconciled to the ledger (RG-10).

The day's figures are added up from the effects of its entries; what was open before it and
after it is read from the rows. So a day that was told wrongly, or an entry that nobody
counted, shows as a difference.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Final

from api.find import changes_made_by
from api.reports.debts import PARTY
from api.reports.report import Cell, Check, Column, Report, View
from api.states import size_at
from api.visibility import changes_of
from api.words import MEASURES
from registry.canonical import Json
from registry.entries import open_entry
from registry.ids import Sid
from registry.model import VOUCHERS, Voucher, VoucherStatus
from registry.tables import Get

AT_ONCE: Final = 500
"""Entries in memory at a time."""


def daily(view: View) -> Report:
    """What was issued, passed on, financed and paid on a day, by debtor, and what is overdue."""
    start = size_at(view.store, view.day, zone=view.ledger.zone)
    after = view.day + timedelta(days=1)
    end = max(start, min(view.size, size_at(view.store, after, zone=view.ledger.zone)))
    told = _Day(view)
    for entries in _chunks(view, start, end):
        told.read(entries)
    opening, closing = _open(view, start), _open(view, end)
    for measure, found in (("opening", opening), ("closing", closing)):
        for debtor, (count, amount) in found.items():
            told.add(debtor, measure, amount, count=count)
    _add_overdue(view, end, told)
    return Report(
        columns=(
            *PARTY,
            Column(name="measure", words=("项目", "measure")),
            Column(name="number", words=("笔数", "number"), form="count"),
            Column(name="amount", words=("金额", "amount"), form="money"),
        ),
        rows=told.rows(),
        totals={
            "first_entry": start,
            "entries": end - start,
            **told.totals(),
        },
        checks=told.checks(),
    )


def _chunks(view: View, start: int, end: int) -> Iterator[list[Mapping[str, Json]]]:
    """Yields the changes of the day's entries, those of some entries at a time."""
    entries = view.store.entries(start, end)
    while part := list(islice(entries, AT_ONCE)):
        yield [change for data in part for change in changes_of(open_entry(data))]


def _open(view: View, size: int) -> dict[str, tuple[int, int]]:
    """Returns number and open sum of effective vouchers by debtor, as of a size."""
    found = view.open_by_debtor(size=size)
    return {d: (n, amount) for d, status, n, amount in found if status == VoucherStatus.ACTIVE}


def _add_overdue(view: View, end: int, told: "_Day") -> None:
    """Adds what was past its pay date when the day ended."""
    names = ("debtor", "due_on", "status")
    found = view.store.totals(VOUCHERS, names, sums=("face", "discharged", "cancelled"), as_of=end)
    for debtor, due_on, status, count, face, discharged, cancelled in found:
        if status == VoucherStatus.ACTIVE and view.days_late(due_on) > 0:
            told.add(debtor, "overdue", face - discharged - cancelled, count=count)


class _Day:
    """Adds up the effects of a day by debtor."""

    def __init__(self, view: View) -> None:
        """Starts with nothing."""
        self._view = view
        self._purposes: dict[str, str] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._sums: Counter[tuple[str, str]] = Counter()

    def add(self, debtor: str, measure: str, amount: int, *, count: int = 1) -> None:
        """Adds to a measure."""
        self._counts[debtor, measure] += count
        self._sums[debtor, measure] += amount

    def read(self, changes: list[Mapping[str, Json]]) -> None:
        """Adds some changes."""
        keys = tuple({(str(c["voucher"]),): None for c in changes if "voucher" in c})
        rows = self._view.store.fetch([Get(VOUCHERS, keys)])[0] if keys else ()
        vouchers = {row.voucher: row for row in rows if row is not None}
        for change in changes:
            voucher = vouchers.get(str(change.get("voucher", "")))
            if voucher is not None:
                self._read(change, voucher)

    def _read(self, change: Mapping[str, Json], voucher: Voucher) -> None:
        """Adds one change of a voucher."""
        match change["effect"]:
            case "voucher-issued":
                self.add(voucher.debtor, "issued", voucher.face)
            case "voucher-activated":
                self.add(voucher.debtor, "effective", voucher.face)
            case "voucher-voided":
                self.add(voucher.debtor, "cancelled", voucher.face)
            case "lot-offered":
                self._purposes[str(change["offer"])] = str(change["purpose"])
            case "lot-transferred" | "financing-title-passed":
                self.add(voucher.debtor, str(change["purpose"]), int(str(change["amount"])))
            case "lot-assigned":
                purpose = self._purpose_of(str(change["offer"]))
                self.add(voucher.debtor, purpose, int(str(change["amount"])))
            case "lot-discharged":
                self.add(voucher.debtor, "discharged", int(str(change["amount"])))
            case "lot-extinguished":
                # Early, or because debtor and holder became one.
                self.add(voucher.debtor, "extinguished", int(str(change["amount"])))
            case _:
                pass

    def _purpose_of(self, offer: str) -> str:
        """Returns what an offer was for, which may have been made on another day."""
        if offer not in self._purposes:
            for change in changes_made_by(self._view.store, Sid(offer)):
                if change["effect"] == "lot-offered":
                    self._purposes[offer] = str(change["purpose"])
        return self._purposes[offer]

    def rows(self) -> Iterator[Mapping[str, Cell]]:
        """Yields the measures of each debtor that had any."""
        debtors = sorted({debtor for debtor, _ in self._counts})
        names = self._view.names(debtors)
        for debtor in debtors:
            for measure in MEASURES:
                if (debtor, measure) in self._counts:
                    yield {
                        "party": debtor,
                        "name": names.get(debtor, ""),
                        "measure": measure,
                        "number": self._counts[debtor, measure],
                        "amount": self._sums[debtor, measure],
                    }

    def totals(self) -> dict[str, Json]:
        """Returns each measure over all debtors."""
        return {measure: str(self._all(measure)) for measure in MEASURES}

    def _all(self, measure: str) -> int:
        return sum(amount for (_, each), amount in self._sums.items() if each == measure)

    def checks(self) -> tuple[Check, ...]:
        """Returns what reconciles the day to the ledger, over all debtors and for each."""
        debtors = {debtor for debtor, _ in self._sums}
        differ = sum(self._moved(d) != self._sums[d, "closing"] for d in debtors)
        return (
            Check(
                what="open before + effective - paid, ended early, cancelled is what is open after",
                here=sum(map(self._moved, debtors)),
                there=self._all("closing"),
            ),
            Check(what="debtors of whom that is not so", here=differ, there=0, form="count"),
        )

    def _moved(self, debtor: str) -> int:
        """Returns what should be open of a debtor after the day."""
        of = {measure: self._sums[debtor, measure] for measure in MEASURES}
        less = of["discharged"] + of["extinguished"] + of["cancelled"]
        return of["opening"] + of["effective"] - less
