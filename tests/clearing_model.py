"""A second opinion on who is paid what: hops counted lot by lot, sharing no code with clearing.

Where clearing builds a tree and sums up its nodes, this sends every lot's money down its
own chain of holders, hop by hop, and adds up what falls on the same hop. Of the plan's
bytes it knows what docs/formats.md says, and writes them with the standard library.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.model import DAY, Model

HopKey = tuple[str, bool, tuple[str, ...], str]
"""Voucher, whether direct, the holders' ids so far, and the account: the order of a plan."""
Figures = dict[str, str | int]
"""The body of a plan's statement."""


@dataclass
class Hop:
    """Money that moves from one account to the next for one voucher."""

    voucher: str
    payer: str
    payer_account: str
    authority: str
    payee: str
    payee_account: str
    before: HopKey | None
    amount: int = 0
    lots: list[str] = field(default_factory=list)
    n: int = 0
    after: list[int] = field(default_factory=list)
    is_posted: bool = False


@dataclass
class Plan:
    """An adopted plan, and what it owes to each account for the lots that it found."""

    figures: Figures
    hops: list[Hop]
    owed: Counter[str]


@dataclass(kw_only=True)
class ClearingModel(Model):
    """A registry with one debtor, and what clears its vouchers.

    Attributes:
        ids: Every party's id, by name.
        bank_of: The bank that keeps an account, by name.
        debtor_account: The account from which the debtor pays.
        debtor_mandate: The authority to debit it.
        weekday: The weekday of day 0, Monday being 0. There are no other holidays.
    """

    ids: dict[str, str]
    bank_of: dict[str, str]
    debtor_account: str
    debtor_mandate: str
    weekday: int
    operator: str = "operator"
    route: dict[str, str] = field(default_factory=dict)
    """Of vouchers, by id; as is the next one."""
    voucher_no: dict[str, str] = field(default_factory=dict)
    stated: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """What the last acceptance of a voucher or an offer says, or a standing consent: account, and
    consent to the route."""
    payee: dict[str, tuple[str, bool]] = field(default_factory=dict)
    """The same of lots, of those that are gone too."""
    mandates: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Of each party: the mandate and its account."""
    plans: dict[str, Plan] = field(default_factory=dict)
    plan_of_day: dict[int, str] = field(default_factory=dict)
    paid: Counter[str] = field(default_factory=Counter)
    """Into each account, for lots that are discharged."""
    debits: Counter[str] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)

    # --- what a lot remembers of its acceptance ---------------------------------------

    def accept(self, voucher: str, *, by: str) -> bool:
        """Accepts a voucher, as the base does; its lot is paid as the acceptance says."""
        is_accepted = super().accept(voucher, by=by)
        if is_accepted:
            self.payee[f"{voucher}.0"] = self.stated[voucher]
        return is_accepted

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
        """Offers part of a lot, as the base does; its parts are paid as it or a consent says."""
        consent = self.covering(by=by, to=to, purpose=purpose, amount=amount)
        is_offered = super().offer(
            offer, lot=lot, amount=amount, by=by, to=to, purpose=purpose, day=day, key=key
        )
        if is_offered:
            self.payee[f"{offer}.0"] = self.payee[f"{offer}.1"] = self.payee[lot]
            if consent:
                self.payee[f"{offer}.2"] = self.stated[consent]
        return is_offered

    def take(self, offer: str, *, by: str) -> bool:
        """Accepts an offer, as the base does; the lot is paid as the acceptance says."""
        is_taken = super().take(offer, by=by)
        if is_taken:
            self.payee[f"{offer}.2"] = self.stated[offer]
        return is_taken

    def grant(self, mandate: str, *, by: str, account: str, is_owner: bool) -> bool:
        """Lets an account be debited."""
        if is_owner:
            self.mandates.setdefault(by, []).append((mandate, account))
        return is_owner

    # --- what follows for a due date --------------------------------------------------

    def pay_day(self, day: int) -> int:
        """Returns the first working day from a day on."""
        while (self.weekday + day) % 7 >= 5:
            day += 1
        return day

    def due_lots(self, day: int) -> list[str]:
        """Returns the live lots that fall due on a day."""
        return sorted(lot for lot in self.holder if self.due_day[self.voucher_of[lot]] == day)

    def goes_along(self, lot: str) -> bool:
        """Tells whether a lot's money goes along its chain."""
        if self.route[self.voucher_of[lot]] != "tiered" or not self.payee[lot][1]:
            return False
        return all(self.mandates.get(name) for name in self.chain[lot][:-1])

    def passes_through(self, voucher: str, path: list[str]) -> tuple[str, str]:
        """Returns the mandate and the account through which money passes at a place in a chain."""
        own = {
            self.payee[lot][0]
            for lot, chain in self.chain.items()
            if chain == path and self.voucher_of[lot] == voucher and self.goes_along(lot)
        }
        granted = sorted(self.mandates[path[-1]])
        return next((each for each in granted if each[1] in own), granted[0])

    def way(self, lot: str) -> Iterator[tuple[HopKey, Hop]]:
        """Sends a lot's money on its way, hop by hop."""
        voucher, chain = self.voucher_of[lot], self.chain[lot]
        is_direct = not self.goes_along(lot)
        payer, authority, account = self.debtor, self.debtor_mandate, self.debtor_account
        before: HopKey | None = None
        stops = [chain] if is_direct else [chain[: n + 1] for n in range(len(chain))]
        for path in stops:
            mandate, into = "", self.payee[lot][0]
            if path != chain:
                mandate, into = self.passes_through(voucher, path)
            names = path[-1:] if is_direct else path
            key = (voucher, is_direct, tuple(self.ids[name] for name in names), into)
            yield key, Hop(voucher, payer, account, authority, path[-1], into, before)
            payer, authority, account, before = path[-1], mandate, into, key

    def hops(self, day: int) -> dict[HopKey, Hop]:
        """Returns everything that moves for a due date, numbered."""
        found: dict[HopKey, Hop] = {}
        for lot in self.due_lots(day):
            last: HopKey | None = None
            for key, hop in self.way(lot):
                found.setdefault(key, hop).amount += self.amount[lot]
                last = key
            assert last is not None
            found[last].lots.append(lot)
        ordered = {key: found[key] for key in sorted(found)}
        for n, hop in enumerate(ordered.values()):
            hop.n = n
        for hop in ordered.values():
            hop.after = [] if hop.before is None else [ordered[hop.before].n]
        return ordered

    def instruction(self, key: HopKey, hop: Hop) -> dict[str, object]:
        """Returns what the plan's bytes say of a hop."""
        return {
            "after": hop.after,
            "amount": str(hop.amount),
            "authority": hop.authority,
            "bank": self.ids[self.bank_of[hop.payee_account]],
            "lots": hop.lots,
            "n": hop.n,
            "payee": self.ids[hop.payee],
            "payee_account": hop.payee_account,
            "payer": self.ids[hop.payer],
            "payer_account": hop.payer_account,
            "remittance": self.voucher_no[hop.voucher],
            "route": "direct" if key[1] else "tiered",
            "voucher": hop.voucher,
        }

    def certificate(self, day: int) -> str:
        """Returns the digest of what each account is left with: by the lots, and by the money."""
        direct: dict[tuple[str, str], int] = {}
        moved: dict[tuple[str, str], list[int]] = {}
        hops = self.hops(day).values()
        for hop in hops:
            payee = (self.ids[hop.payee], hop.payee_account)
            direct[payee] = direct.get(payee, 0) + sum(self.amount[lot] for lot in hop.lots)
            moved.setdefault(payee, [0, 0])[0] += hop.amount
        for hop in hops:
            if hop.before is not None:
                moved[self.ids[hop.payer], hop.payer_account][1] += hop.amount
        lines = [
            {"account": account, "direct": str(direct[payee, account]), "passes": str(went),
             "payee": payee, "planned": str(came - went)}
            for (payee, account), (came, went) in sorted(moved.items())
        ]  # fmt: skip
        text = json.dumps(lines, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(b"tallystick-certificate/1\x00" + text.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def figures(self, day: int, *, due_on: str, pay_on: str) -> Figures:
        """Returns what the operator signs for a due date."""
        hops = self.hops(day)
        document = {
            "due_on": due_on,
            "instructions": [self.instruction(key, hop) for key, hop in hops.items()],
            "pay_on": pay_on,
            "withheld": [],
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(b"tallystick-plan/1\x00" + text.encode()).digest()
        due = self.due_lots(day)
        return {
            "due_on": due_on,
            "pay_on": pay_on,
            "digest": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "certificate": self.certificate(day),
            # A statement of no instructions is none; nothing due is refused before it counts.
            "instructions": len(hops) or 1,
            "vouchers": len({self.voucher_of[lot] for lot in due}) or 1,
            "total": str(sum(self.amount[lot] for lot in due)),
            "gross": str(sum(hop.amount for hop in hops.values())),
            "withheld": "0",
        }

    # --- plan and confirmations -------------------------------------------------------

    def plan(self, plan: str, *, by: str, day: int, stated: Figures, right: Figures) -> bool:
        """Adopts a plan."""
        if by != self.operator or day in self.plan_of_day or not self.due_lots(day):
            return False
        if self.now < self.epoch + self.pay_day(day) * DAY or stated != right:
            return False
        owed: Counter[str] = Counter()
        for lot in self.due_lots(day):
            owed[self.payee[lot][0]] += self.amount[lot]
        self.plans[plan] = Plan(figures=right, hops=[*self.hops(day).values()], owed=owed)
        self.plan_of_day[day] = plan
        return True

    def confirm(self, plan: str, n: int, *, by: str, amount: int) -> bool:
        """Posts an instruction: its money moves, and the payee's lots are gone."""
        hops = self.plans[plan].hops if plan in self.plans else []
        if n >= len(hops):
            return False
        hop = hops[n]
        if by != self.bank_of[hop.payee_account] or hop.is_posted or amount != hop.amount:
            return False
        if not all(hops[earlier].is_posted for earlier in hop.after):
            return False
        hop.is_posted = True
        self._book(f"bank:{hop.payee_account}", f"bank:{hop.payer_account}", amount)
        for lot in hop.lots:
            face = self.amount[lot]
            self._book(f"debts:{self.ids[self.debtor]}", f"claims:{self.ids[hop.payee]}", face)
            self.paid[self.payee[lot][0]] += face
            self.discharge(hop.voucher, face)
            self._consume(lot)
        return True

    def _book(self, debit: str, credit: str, amount: int) -> None:
        self.debits[debit] += amount
        self.credits[credit] += amount

    # --- looking ----------------------------------------------------------------------

    def unplanned(self) -> list[int]:
        """Returns the due dates that have live lots and no plan."""
        days = {self.due_day[voucher] for voucher in self.voucher_of.values()}
        return sorted(days - self.plan_of_day.keys())

    def pending(self) -> list[tuple[str, Hop]]:
        """Returns what is not posted yet, each after what brings its money."""
        return [
            (plan, hop)
            for plan, facts in self.plans.items()
            for hop in facts.hops
            if not hop.is_posted
        ]
