"""What the demonstration tells when the money does not come: GV-03 by the day, then GV-02.

A voucher clears tier by tier, and a court freezes an account in the middle of the chain. The
trust waits in vain; its debtor pays it directly by a promise of its own; what was stuck comes
at last, and is owed back. Then a debtor has 700,000.01 of 1,000,000.00.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from msgspec import convert

from api.demo.cast import AUDITOR, BANK, CORE, OPERATOR, PLAN, REGISTRAR
from api.demo.desk import Desk
from api.demo.maturity import Maturity
from api.demo.opening import POLICY, STORY_FACE, Twin, tell_small_tree
from api.demo.show import Show
from clearing.certificate import Line, digest_of, format_certificate
from registry.canonical import Json
from registry.ids import Sid
from registry.money import format_yuan
from registry.packs import packed_calendar, policy_pack

FIRMS: Final = ("T001", "T002", "T003")
FUNDS: Final = 70_000_001
LONG: Final = timedelta(days=9)
"""So long the account stays frozen."""


@dataclass(slots=True, kw_only=True)
class Broken:
    """Tells both.

    Attributes:
        desk: Signs and sends.
        show: Where it is told.
        maturity: The clock and the banks.
        after: The day after which it happens.
    """

    desk: Desk
    show: Show
    maturity: Maturity
    after: date

    def tell(self) -> dict[str, Any]:
        """Tells both; returns what they came to."""
        calendar = packed_calendar("CN-LEGAL")
        opened = calendar.next_working_day(self.after + timedelta(days=3))
        self._promise_in_policy(opened)
        limit: dict[str, Json] = {
            "party": self.desk.cast[CORE].party,
            "amount": str(2 * STORY_FACE),
            "basis": self.desk.file("limit-renewed.pdf"),
        }
        self.desk.say(REGISTRAR, "limit.set", limit)
        due_on = calendar.next_working_day(opened + timedelta(days=7))
        short_on = calendar.next_working_day(due_on + LONG + timedelta(days=3))
        stuck = self._issue("GV03", "tiered", due_on, opened, top_up=True)
        self._issue("GV02", "direct", short_on, opened, top_up=False)
        self.desk.flush()
        self.desk.acknowledge()
        self.desk.flush()
        return {"gv03": self._frozen(stuck, due_on), "gv02": self._short(short_on)}

    def _promise_in_policy(self, day: date) -> None:
        """Publishes when a debtor pays plans and trusts itself, before the first such voucher."""
        rules = policy_pack(POLICY)["rules"]
        if not isinstance(rules, dict):
            raise AssertionError("a policy without rules")
        body: dict[str, Json] = {
            "name": POLICY,
            "version": 2,
            "effective_on": day.isoformat(),
            "rules": {**rules, "top_up": {"due_after": 2, "unpaid_after": 1}},
        }
        self.desk.say(OPERATOR, "policy.publish", body)
        self.desk.flush()
        self.maturity.move_clock(day)

    def _issue(self, name: str, route: str, due_on: date, today: date, *, top_up: bool) -> Twin:
        """Issues a voucher and splits it as GV-01 is."""
        return tell_small_tree(
            self.desk,
            route=route,
            name=name,
            firms=FIRMS,
            due_on=due_on,
            by=today + timedelta(days=3),
            top_up=top_up,
        )

    # --- GV-03 ------------------------------------------------------------------------

    def _frozen(self, twin: Twin, due_on: date) -> dict[str, Any]:
        """An account on the way is frozen for nine days."""
        desk, maturity = self.desk, self.maturity
        frozen = desk.accounts[FIRMS[1]]
        maturity.move_clock(due_on)
        plan = self._adopt(f"/v1/clearing/proposals/{due_on.isoformat()}", "clearing.plan")
        self._certify(plan)
        self._report(plan, most=2)
        self._report(plan, blocked=[frozen])
        self._say("clearing.close", self._get(f"/v1/clearing/runs/{plan}/close"), re=plan)
        maturity.move_clock(due_on + timedelta(days=2))
        (due,) = desk.client.pages("/v1/clearing/obligations", by=desk.cast[PLAN].party)
        self._say("clearing.top-up", {"instruction": due["n"], "sort": "top-up"}, re=plan)
        self._report(plan, blocked=[frozen])
        maturity.move_clock(due_on + LONG)
        self._report(plan, blocked=[])
        return self._tell_frozen(plan, twin, due_on)

    def _certify(self, plan: Sid) -> None:
        """Prints that both routes leave everybody the same."""
        found = self._get(f"/v1/clearing/runs/{plan}/certificate", by=AUDITOR)
        agree = all(line["direct"] == line["planned"] for line in found["lines"])
        data = format_certificate(convert(found["lines"], tuple[Line, ...]))
        if digest_of(data) != found["certificate"]:
            raise AssertionError("the certificate is not the one that was signed")
        passes = sum(int(line["passes"]) for line in found["lines"])
        self.show.facts(
            (
                ("certificate 清分等值证明", "each holder gets the same by both routes"
                 if agree else "THE ROUTES DIFFER"),
                ("signed with the plan", found["certificate"]),
                ("passes through others", f"{format_yuan(passes)} yuan, and stays with nobody"),
            )
        )  # fmt: skip

    def _tell_frozen(self, plan: Sid, twin: Twin, due_on: date) -> dict[str, Any]:
        """Prints where the trust's money went, and what the delay cost."""
        lot = twin.parts[3].lot
        way = self._get(f"/v1/clearing/lots/{lot}", by=PLAN)
        names = {str(actor.party): actor.name for actor in self.desk.cast.values()}
        self.show.ways(way, names)
        exposure = self._get(f"/v1/clearing/runs/{plan}/exposure", by=AUDITOR)
        owner = self.desk.cast[FIRMS[1]].party
        stays = [stay for stay in exposure["stays"] if stay["owner"] == owner]
        self.show.stays(stays, names)
        reconciled = self._reconcile(due_on)
        return {
            "reconciled": reconciled,
            "others_fen_days": exposure["others_fen_days"],
            "gross_fen_days": exposure["gross_fen_days"],
            "obligations": sorted(
                [row["sort"], row["amount"], row["status"]] for row in way["obligations"]
            ),
        }

    # --- GV-02 ------------------------------------------------------------------------

    def _short(self, due_on: date) -> dict[str, Any]:
        """A debtor has less than it owes."""
        desk = self.desk
        self.maturity.move_clock(due_on)
        body: dict[str, Json] = {"account": desk.accounts[CORE], "amount": str(FUNDS)}
        fund = desk.say(BANK, "clearing.fund", body)
        desk.flush()
        plan = self._adopt(f"/v1/clearing/funds/{fund}/proposal", "clearing.apportion", re=fund)
        self._report(plan)
        rows = desk.client.pages(
            "/v1/clearing/instructions", by=desk.cast[AUDITOR].party, plan=plan
        )
        names = {str(actor.party): actor.name for actor in desk.cast.values()}
        paid = {names[row["payee"]]: int(row["amount"]) for row in rows}
        self.show.facts(
            (
                ("the debtor has", f"{format_yuan(FUNDS)} of 1,000,000.00 yuan"),
                *((name, format_yuan(amount)) for name, amount in paid.items()),
                ("from now on", "it may issue nothing, until the registrar lifts that"),
            )
        )
        reconciled = self._reconcile(due_on)
        return {
            "reconciled": reconciled,
            "paid": {name: str(amount) for name, amount in paid.items()},
        }

    def _reconcile(self, due_on: date) -> dict[str, str]:
        """Prints that what was due is what came, what is missing, and what is withheld (TR-06)."""
        found = self._get(f"/v1/clearing/reconciliations/{due_on.isoformat()}")
        if found["differences"]:
            raise AssertionError(f"{due_on}: {found['differences']}")
        totals: dict[str, str] = found["totals"]
        due, came, short = (
            format_yuan(int(totals[name])) for name in ("scheduled", "received", "short")
        )
        self.show.facts((("reconciled 对账", f"{due} due = {came} came + {short} short"),))
        return totals

    # --- Saying and asking ------------------------------------------------------------

    def _adopt(self, path: str, kind: str, *, re: Sid | None = None) -> Sid:
        """Has the operator sign what follows from the state."""
        return self._say(kind, self._get(path), re=re)

    def _say(self, kind: str, body: dict[str, Any], *, re: Sid | None = None) -> Sid:
        """Has the operator say something, now."""
        sid = self.desk.say(OPERATOR, kind, body, re=re)
        self.desk.flush()
        return sid

    def _get(self, path: str, *, by: str = OPERATOR) -> dict[str, Any]:
        """Reads for somebody."""
        found: dict[str, Any] = self.desk.client.get(path, by=self.desk.cast[by].party)
        return found

    def _report(self, plan: Sid, **faults: Any) -> None:
        """Has the banks say what they can, in turn, until none has more to say."""
        while True:
            said = [bank.report(plan, now=self.desk.now, **faults) for bank in self.maturity.banks]
            self.desk.statements += sum(statements for _, statements in said)
            if "most" in faults or not any(statements for _, statements in said):
                return
