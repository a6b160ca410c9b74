"""A world's due date reconciled: what each lot came to when a plan was adopted is noted."""

from clearing.model import INSTRUCTIONS, OBLIGATIONS
from clearing.reconciliation import Reconciliation, Ways, reconcile
from registry.burdens import FREEZES, frozen_lots, ordered_accounts
from registry.ids import LotId, Sid
from registry.model import Lot
from tests.clearing.world import World


class Reconciled:
    """The lots of a world as they are now are what is scheduled."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scheduled: tuple[Lot, ...] = world.lots()
        self.amounts: dict[LotId, int] = {}
        self.note()

    def note(self) -> None:
        """Notes what lots come to, before a plan is adopted; no lot's amount ever changes."""
        self.amounts |= {lot.lot: lot.amount for lot in self.world.lots()}

    def left_of(self) -> dict[LotId, LotId]:
        """Tells what each rest is left of, from the effects of reports."""
        found: dict[LotId, LotId] = {}
        for entry in self.world.entries:
            effects = entry["effects"]
            assert isinstance(effects, dict)
            changes = effects["changes"]
            assert isinstance(changes, list)
            for change in changes:
                assert isinstance(change, dict)
                if change["effect"] == "lot-paid-in-part":
                    found[LotId(str(change["rest"]))] = LotId(str(change["lot"]))
        return found

    def ways(self) -> Ways:
        """Returns what was instructed, as the state has it."""
        records = list(self.world.rows.select(INSTRUCTIONS))
        plans: set[Sid] = {record.plan for record in records}
        return Ways(
            records=records,
            obligations=list(self.world.rows.select(OBLIGATIONS)),
            amounts=dict.fromkeys(plans, self.amounts),
        )

    def now(self, ways: Ways | None = None) -> Reconciliation:
        """Reconciles what was scheduled with the state as it is."""
        return reconcile(
            ways or self.ways(),
            scheduled=self.scheduled,
            live=self.world.lots(),
            frozen=frozen_lots(self.world.rows.select(FREEZES)),
            left_of=self.left_of(),
            courts=ordered_accounts(self.world.rows.select(FREEZES)),
        )
