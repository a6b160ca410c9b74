"""A second opinion on who holds what: dictionaries and sums, sharing no code with the registry.

It knows vouchers, lots, offers, consents, notices and days, and nothing of signatures, hashes or
rows. Every method says whether the registry should accept, and does what should follow.
"""

from collections import Counter
from dataclasses import dataclass, field

DAY = 86_400_000
PARTICIPANT, FINANCIER, VEHICLE = "participant", "financier", "vehicle"
TAKES = {"settle": PARTICIPANT, "finance": FINANCIER, "securitise": VEHICLE}


@dataclass
class Model:
    """A registry with one debtor.

    Attributes:
        debtor: The party that issues every voucher.
        roles: Every party's one role, by name.
        epoch: The instant at which day 0 begins, in milliseconds.
        now: The time, in milliseconds.
    """

    debtor: str
    roles: dict[str, str]
    epoch: int
    now: int
    face: dict[str, int] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    creditor: dict[str, str] = field(default_factory=dict)
    due_day: dict[str, int] = field(default_factory=dict)
    accept_end: dict[str, int] = field(default_factory=dict)
    co_debtors: dict[str, list[str]] = field(default_factory=dict)
    holder: dict[str, str] = field(default_factory=dict)
    """Of live lots; as are the next four."""
    amount: dict[str, int] = field(default_factory=dict)
    voucher_of: dict[str, str] = field(default_factory=dict)
    chain: dict[str, list[str]] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    discharged: Counter[str] = field(default_factory=Counter)
    confused: Counter[str] = field(default_factory=Counter)
    """By voucher, what its debtor has come to hold itself; it is discharged, and nobody is paid."""
    """Of each voucher."""
    offers: dict[str, tuple[str, str, str, int, str]] = field(default_factory=dict)
    """Open ones: assignor, assignee, voucher, end, and the key that signed."""
    consents: dict[str, tuple[str, str, tuple[str, ...], int, str]] = field(default_factory=dict)
    """Standing ones: party, purpose, assignors (none for anybody), minimum, and the key."""
    notices: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """Recipient, and whether it has acknowledged."""
    cut_offs: set[int] = field(default_factory=set)
    """Days that are some active voucher's due date, still ahead."""
    lots_seen: list[str] = field(default_factory=list)
    offers_seen: list[str] = field(default_factory=list)
    consents_seen: list[str] = field(default_factory=list)

    # --- vouchers -----------------------------------------------------------------

    def today(self) -> int:
        """Returns the number of the day."""
        return (self.now - self.epoch) // DAY

    def issue(
        self, voucher: str, *, face: int, creditor: str, accept_day: int, due_day: int
    ) -> bool:
        """Issues a voucher."""
        if creditor == self.debtor or self.roles.get(creditor) not in TAKES.values():
            return False
        if due_day <= self.today() or not self.today() <= accept_day < due_day:
            return False
        self.face[voucher], self.status[voucher] = face, "issued"
        self.creditor[voucher], self.due_day[voucher] = creditor, due_day
        self.accept_end[voucher] = self.epoch + (accept_day + 1) * DAY
        self.co_debtors[voucher] = []
        return True

    def accept(self, voucher: str, *, by: str) -> bool:
        """Accepts a voucher: its whole face becomes one lot."""
        if self.status[voucher] != "issued" or by != self.creditor[voucher]:
            return False
        self.status[voucher] = "active"
        self.cut_offs.add(self.due_day[voucher])
        self._add(f"{voucher}.0", voucher, by, self.face[voucher], [by])
        return True

    def refuse(self, voucher: str, *, by: str) -> bool:
        """Refuses a voucher."""
        return self._close(voucher, "refused", is_right=by == self.creditor[voucher])

    def withdraw(self, voucher: str, *, by: str) -> bool:
        """Withdraws a voucher."""
        return self._close(voucher, "withdrawn", is_right=by == self.debtor)

    def _close(self, voucher: str, status: str, *, is_right: bool) -> bool:
        if self.status[voucher] != "issued" or not is_right:
            return False
        self.status[voucher] = status
        return True

    def accede(self, voucher: str, *, by: str) -> bool:
        """Joins a voucher's debt."""
        if self.status[voucher] not in ("issued", "active") or self.roles.get(by) != PARTICIPANT:
            return False
        if self.today() >= self.due_day[voucher] or by in self.owing(voucher):
            return False
        self.co_debtors[voucher].append(by)
        return True

    def owing(self, voucher: str) -> list[str]:
        """Returns who owes a voucher, the debtor first."""
        return [self.debtor, *self.co_debtors[voucher]]

    # --- transfers ----------------------------------------------------------------

    def _add(self, lot: str, voucher: str, holder: str, amount: int, chain: list[str]) -> None:
        self.holder[lot], self.amount[lot] = holder, amount
        self.voucher_of[lot], self.chain[lot] = voucher, chain
        self.lots_seen.append(lot)

    def _consume(self, lot: str) -> None:
        for facts in (self.holder, self.amount, self.voucher_of, self.chain):
            del facts[lot]
        self.locked.discard(lot)

    def offer(
        self,
        offer: str,
        *,
        lot: str,
        amount: int,
        by: str,
        to: str,
        purpose: str,
        day: int,
        key: str,
    ) -> bool:
        """Offers part of a lot."""
        if self.holder.get(lot) != by or lot in self.locked or amount > self.amount[lot]:
            return False
        voucher = self.voucher_of[lot]
        if to == by or to in self.co_debtors[voucher] or self.roles.get(to) != TAKES[purpose]:
            return False
        if self.today() >= self.due_day[voucher]:
            return False
        if not self.today() <= day < self.due_day[voucher]:
            return False
        rest, chain = self.amount[lot] - amount, self.chain[lot]
        self._consume(lot)
        if rest:
            self._add(f"{offer}.1", voucher, by, rest, chain)
        self.offers_seen.append(offer)
        consent = self.covering(by=by, to=to, purpose=purpose, amount=amount)
        if consent and to != self.debtor:
            self._assign(offer, voucher, to, amount, chain)
            return True
        self._add(f"{offer}.0", voucher, by, amount, chain)
        self.locked.add(f"{offer}.0")
        self.offers[offer] = (by, to, voucher, self.epoch + (day + 1) * DAY, key)
        return True

    def covering(self, *, by: str, to: str, purpose: str, amount: int) -> str:
        """Returns the consent by which the assignee has said yes in advance, or nothing."""
        for consent, (party, what, names, least, _) in self.consents.items():
            if (party, what) == (to, purpose) and amount >= least and (not names or by in names):
                return consent
        return ""

    def _assign(self, offer: str, voucher: str, to: str, amount: int, chain: list[str]) -> None:
        self._add(f"{offer}.2", voucher, to, amount, [*chain, to])
        for rank, name in enumerate(self.owing(voucher)):
            self.notices[f"{offer}.2!{rank}"] = (name, False)

    def take(self, offer: str, *, by: str) -> bool:
        """Accepts an offer: every debtor is told."""
        if offer not in self.offers or by != self.offers[offer][1]:
            return False
        if by in self.co_debtors[self.offers[offer][2]]:
            return False
        _, assignee, voucher, _, _ = self.offers.pop(offer)
        amount, chain = self.amount[f"{offer}.0"], self.chain[f"{offer}.0"]
        self._consume(f"{offer}.0")
        if by == self.debtor:
            self.confused[voucher] += amount
            self.discharge(voucher, amount)
            return True
        self._assign(offer, voucher, assignee, amount, chain)
        return True

    def discharge(self, voucher: str, amount: int) -> None:
        """Takes from what is owed."""
        self.discharged[voucher] += amount
        if self.discharged[voucher] == self.face[voucher]:
            self.status[voucher] = "settled"

    def reject(self, offer: str, *, by: str) -> bool:
        """Rejects an offer."""
        return self._free(offer, is_right=offer in self.offers and by == self.offers[offer][1])

    def recall(self, offer: str, *, by: str) -> bool:
        """Withdraws an offer."""
        return self._free(offer, is_right=offer in self.offers and by == self.offers[offer][0])

    def _free(self, offer: str, *, is_right: bool) -> bool:
        if is_right:
            del self.offers[offer]
            self.locked.discard(f"{offer}.0")
        return is_right

    def consent(
        self,
        consent: str,
        *,
        by: str,
        purpose: str,
        assignors: tuple[str, ...],
        minimum: int,
        key: str,
    ) -> bool:
        """Says yes in advance, in the place of what was said before."""
        for former, (party, what, *_) in list(self.consents.items()):
            if (party, what) == (by, purpose):
                del self.consents[former]
        self.consents[consent] = (by, purpose, assignors, minimum, key)
        self.consents_seen.append(consent)
        return True

    def unsay(self, consent: str, *, by: str) -> bool:
        """Withdraws a consent."""
        if consent not in self.consents or self.consents[consent][0] != by:
            return False
        del self.consents[consent]
        return True

    def acknowledge(self, notices: list[str], *, by: str) -> bool:
        """Acknowledges notices."""
        if any(self.notices.get(notice) != (by, False) for notice in notices):
            return False
        self.notices.update((notice, (by, True)) for notice in notices)
        return self.roles.get(by) == PARTICIPANT

    # --- time and keys --------------------------------------------------------------

    def tick(self, now: int) -> bool:
        """Moves the clock, with all that time brings about."""
        if now <= self.now:
            return False
        self.now = now
        for voucher, end in self.accept_end.items():
            if end <= now and self.status[voucher] == "issued":
                self.status[voucher] = "expired"
        for offer, (_, _, _, end, _) in list(self.offers.items()):
            if end <= now:
                self._free(offer, is_right=True)
        self.cut_offs = {day for day in self.cut_offs if self.epoch + day * DAY > now}
        return True

    def revoke(self, key: str) -> bool:
        """Ends a key, and the open offers and standing consents that it signed."""
        self.consents = {name: facts for name, facts in self.consents.items() if facts[4] != key}
        for offer, (_, _, _, _, signed) in list(self.offers.items()):
            if signed == key:
                self._free(offer, is_right=True)
        return True

    # --- looking --------------------------------------------------------------------

    def deadlines(self) -> set[tuple[int, str]]:
        """Returns what time will bring about: the instant and its subject."""
        waiting = {(end, name) for name, (_, _, _, end, _) in self.offers.items()}
        waiting |= {
            (end, voucher)
            for voucher, end in self.accept_end.items()
            if self.status[voucher] == "issued"
        }
        return waiting | {(self.epoch + day * DAY, f"day {day}") for day in self.cut_offs}

    def verify(self) -> None:
        """Checks that live lots and what is discharged are each binding voucher's face."""
        sums = Counter(self.discharged)
        for lot, amount in self.amount.items():
            assert amount > 0
            sums[self.voucher_of[lot]] += amount
        for voucher, face in self.face.items():
            is_binding = self.status[voucher] in ("active", "settled")
            assert sums[voucher] == (face if is_binding else 0)
