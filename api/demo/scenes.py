"""What gets in the way of a claim's life, and one morning: short scenes around one voucher.

A pledge, a freeze, a dispute, an offer that is turned down and one that is taken back, a
statement that needs a second person. What is refused here is refused by the registry, not
by the script: each refusal is printed by its code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from api.cli.today import show_worklist
from api.client import RefusedError
from api.demo.cast import CORE, FACTOR, OPERATOR, REGISTRAR, derive_key
from api.demo.desk import Desk, Part
from api.demo.show import Show
from registry.calendars import start_of
from registry.canonical import Json
from registry.ids import LotId, Sid, lot_id
from registry.money import format_yuan
from registry.rules.keys import POSSESSION_TYP, possession_payload
from registry.signing import PrivateKey, seal_jws

FACE: Final = 80_000_000
COURT: Final = "海淀区人民法院"
HANDS: Final = {"zhang": "maker", "li": "checker"}
"""Who acts in S1 from now on, by pseudonym and duty."""


@dataclass(slots=True, kw_only=True)
class Scenes:
    """Tells the scenes in their order; each leaves the claim so that it is paid at maturity.

    Attributes:
        desk: Signs and sends.
        show: Where it is told.
        today: The business day.
        due_on: When the voucher is due, a date that others are due on, too.
        refusals: By scene, the code of what the registry refused.
    """

    desk: Desk
    show: Show
    today: date
    due_on: date
    refusals: dict[str, str] = field(default_factory=dict)

    def tell(self) -> Mapping[str, str]:
        """Tells them all; returns what was refused, by scene."""
        whole = self._issue()
        rest = self._pledge(whole)
        at_s2, rest = self._pass_on(rest)
        self._freeze(at_s2)
        self._dispute(whole)
        rest = self._turned_down(rest)
        rest = self._taken_back(rest)
        self._two_people(rest)
        self._leave_something(at_s2)
        return self.refusals

    @property
    def _by(self) -> date:
        """The last day on which something offered here can be answered."""
        return self.today + timedelta(days=5)

    def _issue(self) -> Part:
        """CORE issues a voucher to S1."""
        whole = self.desk.issue(
            CORE,
            "S1",
            face=FACE,
            due_on=self.due_on,
            voucher_no="JL25-SCENES",
            accept_by=self._by,
        )
        self.desk.flush()
        self.show.say(
            f"{self._name(CORE)} 开立 {format_yuan(FACE)} 给 {self._name('S1')}: "
            f"voucher JL25-SCENES, due {self.due_on}"
        )
        return whole

    # --- burdens ------------------------------------------------------------------

    def _pledge(self, whole: Part) -> Part:
        """S1 pledges 300,000.00; registered, it cannot be offered; released, it can."""
        amount = 30_000_000
        body: dict[str, Json] = {
            "lot": whole.lot,
            "amount": str(amount),
            "pledgee": self.desk.cast[FACTOR].party,
            "secured": "25000000",
            "account": self.desk.accounts[FACTOR],
            "register_by": self._by.isoformat(),
            "terms": self.desk.hide("S1", {"contract": "JL25-PLEDGE"}),
        }
        pledge = self.desk.say("S1", "pledge.create", body)
        external: dict[str, Json] = {
            "number": "18230000000000000144",
            "registered_at": self.desk.now,
            "expires_on": (self.due_on + timedelta(days=90)).isoformat(),
            "certificate": self.desk.file("pledge-certificate.pdf"),
            "calendar": "CN-LEGAL",
        }
        self.desk.say(FACTOR, "pledge.register", external, re=pledge)
        self.desk.flush()
        pledged = Part(lot=lot_id(pledge, 0), amount=amount, holder="S1", tier=1)
        code = self._refused("S1", "transfer.offer", self._offer(pledged, 1_000_000, "S3"))
        self.desk.say(FACTOR, "pledge.release", {}, re=pledge)
        self.desk.flush()
        self._scene(
            "质押 pledge",
            f"{format_yuan(amount)} to {self._name(FACTOR)}, registered elsewhere (中登网)",
            refused=("an offer of it", code),
            after="released; the registration is to be taken off within 10 working days",
        )
        return Part(lot=lot_id(pledge, 1), amount=FACE - amount, holder="S1", tier=1)

    def _pass_on(self, part: Part) -> tuple[Part, Part]:
        """S1 passes 200,000.00 on to S2."""
        went, rest = self.desk.transfer(part, 20_000_000, "S2", accept_by=self._by, debtors=(CORE,))
        self.desk.flush()
        if rest is None:
            raise AssertionError("the scenes leave a remainder")
        return went, rest

    def _freeze(self, part: Part) -> None:
        """A court freezes what S2 holds, and lifts the freeze."""
        ruling: dict[str, Json] = {
            "authority": COURT,
            "number": self.desk.hide(REGISTRAR, {"case": "(2025) 0108 执 144"}),
            "order": self.desk.file("freeze-order.pdf"),
        }
        freeze = self.desk.say(REGISTRAR, "lot.freeze", {**ruling, "lot": part.lot})
        self.desk.flush()
        code = self._refused("S2", "transfer.offer", self._offer(part, 1_000_000, "S3"))
        self.desk.say(REGISTRAR, "lot.unfreeze", ruling, re=freeze)
        self.desk.flush()
        self._scene(
            "司法冻结 freeze",
            f"{COURT}, on {format_yuan(part.amount)} of {self._name('S2')}",
            refused=("an offer of it", code),
            after="lifted by a later ruling; at maturity it would have been withheld",
        )

    def _dispute(self, whole: Part) -> None:
        """CORE disputes 50,000.00; it pays its assignees all the same."""
        voucher = whole.lot.partition(".")[0]
        amount = 5_000_000
        raised: dict[str, Json] = {
            "amount": str(amount),
            "terms": self.desk.hide(CORE, {"reason": "两箱货物受潮"}),
        }
        dispute = self.desk.say(CORE, "dispute.raise", raised, re=voucher)
        resolved: dict[str, Json] = {
            "owed": "3000000",
            "terms": self.desk.hide("S1", {"settled": "同意补偿"}),
        }
        self.desk.say("S1", "dispute.resolve", resolved, re=dispute)
        self.desk.flush()
        self._scene(
            "争议 dispute",
            f"{self._name(CORE)} against {self._name('S1')}, {format_yuan(amount)}",
            after=f"{format_yuan(3_000_000)} admitted, a claim apart: no holder is paid less",
        )

    # --- offers that come back --------------------------------------------------------

    def _turned_down(self, part: Part) -> Part:
        """S3 turns an offer down: the lot is S1's as before."""
        offer = self.desk.say("S1", "transfer.offer", self._offer(part, 10_000_000, "S3"))
        self.desk.say("S3", "transfer.reject", {}, re=offer)
        self.desk.flush()
        self._scene(
            "拒签 turned down",
            f"{format_yuan(10_000_000)} offered to {self._name('S3')}, which says no",
            after=f"{self._name('S1')} holds it as before",
        )
        return self._remainder(part, offer, 10_000_000)

    def _taken_back(self, part: Part) -> Part:
        """S1 takes an offer back before it is answered; an answer comes too late."""
        offer = self.desk.say("S1", "transfer.offer", self._offer(part, 5_000_000, "S3"))
        self.desk.say("S1", "transfer.withdraw", {}, re=offer)
        self.desk.flush()
        body: dict[str, Json] = {"account": self.desk.accounts["S3"], "collection_route": True}
        code = self._refused("S3", "transfer.accept", body, re=offer)
        self._scene(
            "撤回 taken back",
            f"{format_yuan(5_000_000)} offered to {self._name('S3')}, then taken back",
            refused=("the yes that came after", code),
        )
        return self._remainder(part, offer, 5_000_000)

    @staticmethod
    def _remainder(part: Part, offer: Sid, amount: int) -> Part:
        """Returns what was not offered."""
        return Part(lot=lot_id(offer, 1), amount=part.amount - amount, holder="S1", tier=1)

    # --- maker and checker --------------------------------------------------------------

    def _two_people(self, part: Part) -> None:
        """S1's offers need a second person from now on: made, approved, accepted."""
        maker, checker = (self._hire(person) for person in HANDS)
        rule: dict[str, Json] = {"kind": "transfer.offer", "approvals": 1, "final": False}
        self.desk.say("S1", "party.policy", {"hours": 72, "rules": [rule]})
        self.desk.flush()
        offer = self._offer(part, 10_000_000, "S2")
        made = self.desk.say("S1", "transfer.offer", offer, key=maker)
        self.desk.flush()
        code = self._refused("S1", "approve", {}, re=made, key=maker)
        self.desk.say("S1", "approve", {}, re=made, key=checker)
        payee: dict[str, Json] = {"account": self.desk.accounts["S2"], "collection_route": True}
        self.desk.say("S2", "transfer.accept", payee, re=made)
        self.desk.flush()
        # One more waits for the morning.
        rest = self._remainder(part, made, 10_000_000)
        self.desk.say("S1", "transfer.offer", self._offer(rest, 2_000_000, "S3"), key=maker)
        self.desk.flush()
        self._scene(
            "制单、复核 two people",
            f"zhang offers {format_yuan(10_000_000)}: sealed, not in effect",
            refused=("zhang's own approval", code),
            after=f"li approves: it is {self._name('S2')}'s",
        )

    def _leave_something(self, part: Part) -> None:
        """An offer without an answer, and a limit that is nearly used up, for the morning."""
        self.desk.say("S2", "transfer.offer", self._offer(part, 4_000_000, "S3"))
        limit: dict[str, Json] = {
            "party": self.desk.cast[CORE].party,
            "amount": str(FACE * 100 // 95),
            "basis": self.desk.file("core-limit.pdf"),
        }
        self.desk.say(REGISTRAR, "limit.set", limit)
        self.desk.flush()

    def _hire(self, person: str) -> PrivateKey:
        """Gives S1 a key in a person's hand."""
        key = derive_key(self.desk.seed, f"S1/{person}")
        party = self.desk.cast["S1"].party
        payload = possession_payload(origin=self.desk.origin, party=party, key=key.public)
        body: dict[str, Json] = {
            "key": dict(key.public.jwk()),
            "use": "sign",
            "proof": seal_jws(key, typ=POSSESSION_TYP, payload=payload),
            "hand": {"person": person, "duty": HANDS[person]},
        }
        self.desk.say("S1", "key.add", body)
        return key

    # --- telling --------------------------------------------------------------------------

    def _name(self, short: str) -> str:
        return self.desk.cast[short].name

    def _offer(self, part: Part, amount: int, to: str) -> dict[str, Json]:
        """Returns the body of an offer in payment."""
        return {
            "lot": LotId(part.lot),
            "amount": str(amount),
            "assignee": self.desk.cast[to].party,
            "purpose": "settle",
            "recourse": False,
            "accept_by": self._by.isoformat(),
            "notice": "assignment/1",
            "evidence": [],
        }

    def _refused(
        self,
        short: str,
        kind: str,
        body: Mapping[str, Json],
        *,
        re: str | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        """Sends what must be refused, and returns the code."""
        try:
            self.desk.client.submit(self.desk.sign(short, kind, body, re=re, key=key))
        except RefusedError as error:
            return error.code
        raise AssertionError(f"{kind} should have been refused")

    def _scene(
        self, title: str, words: str, *, refused: tuple[str, str] | None = None, after: str = ""
    ) -> None:
        """Tells a scene in a few lines."""
        self.show.say(f"[bold]{title}[/]  {words}")
        if refused is not None:
            what, code = refused
            self.refusals[title] = code
            self.show.say(f"    {what}: [red]refused[/], {code}")
        if after:
            self.show.say(f"    {after}")


def tell_morning(desk: Desk, show: Show, day: date) -> dict[str, Any]:
    """Reads what the platform and a debtor read on a morning; returns both worklists."""
    opens = start_of(day, offset_minutes=480) + 8 * 3_600_000
    if opens > desk.now:
        desk.say(OPERATOR, "clock.set", {"time": opens})
        desk.flush()
        desk.now = opens
    found = {}
    for short in (OPERATOR, CORE, "S1"):
        show.say(f"\n[dim]$ tallystick today   # {desk.cast[short].name}[/]")
        worklist = desk.client.worklist(desk.cast[short].party)
        show_worklist(worklist, show.console)
        found[short] = {pile["kind"]: pile["count"] for pile in worklist["piles"]}
    return found
