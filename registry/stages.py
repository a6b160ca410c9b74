"""The rows of stages: by way of which account another one is reached (平台业务账户).

A stage rests on two signed statements: its owner's mandate, which names the account that it
pays on to, and the word of that account's owner that it is to be reached so.
"""

from typing import Final

from registry.ids import PartyId, Sid
from registry.tables import Record, Table

NOTICE_DAYS: Final = 4
"""After so many days a stage is passed: it changes where money goes, as another payee account
would, and that is not changed by one person in the last three days before it is due (FR-13)."""

MONTH_DAYS: Final = 31
QUARTER_DAYS: Final = 91
"""A cycle longer than a month needs its flag, and one longer than three there is not (SD-29)."""


class Stage(Record, frozen=True, kw_only=True):
    """An account before another one, through which clearing pays it.

    Attributes:
        stage: The statement of the paid account's owner that names it.
        account: The account that is paid.
        owner: Its owner.
        via: The account before it.
        via_owner: The owner of that.
        mandate: Its authority to be debited for the account, and for no other.
        begins_on: The first day of which what is due passes it.
        cycle_days: For how many days collections may stay on it; None where they go on at once.
        ended: The statement that ended it; None while it stands.
    """

    stage: Sid
    account: Sid
    owner: PartyId
    via: Sid
    via_owner: PartyId
    mandate: Sid
    begins_on: str
    cycle_days: int | None = None
    ended: Sid | None = None


STAGES = Table(name="stage", row=Stage, key=("stage",), indexes=("account", "via_owner", "owner"))

TABLES = (STAGES,)
"""In the order in which batches read them and digests hash them."""
