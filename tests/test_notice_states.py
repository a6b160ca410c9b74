"""States × statements of notices: the full square.

Only what is listed here happens. Every other pair is refused and leaves everything as it was.
"""

from collections.abc import Callable, Mapping

import pytest

from registry.errors import RegistryError
from registry.inboxes import NOTICES, Notice
from registry.notice_refusals import (
    AlreadyAcknowledgedError,
    AlreadyReceivedError,
    AlreadyRefusedError,
    NoticeRevokedError,
)
from tests.builders import World
from tests.noticed import acknowledge, notice_to_core, receive, refuse, revoke, revoked
from tests.scenario import Draft, attempt, cast_world, refusal, verify_everything

Move = Callable[[World, str], Draft]


def _agree(world: World, _notice: str) -> Draft:
    """Returns the assignee's consent to a proposal of before."""
    return Draft(by="s2", kind="notice.agree-revoke", re=_PROPOSED[id(world)])


_PROPOSED: dict[int, str] = {}
MOVES: Mapping[str, Move] = {
    "notice.received": lambda world, notice: receive(world, notice),
    "notice.acknowledge": lambda _, notice: acknowledge(notice),
    "notice.refuse": lambda _, notice: refuse(notice),
    "notice.revoke": lambda _, notice: revoke(notice),
    "notice.agree-revoke": _agree,
}


def _after(*kinds: str) -> Callable[[World, str], None]:
    def reach(world: World, notice: str) -> None:
        for kind in kinds:
            made = attempt(world, MOVES[kind](world, notice))
            assert not isinstance(made, RegistryError), made

    return reach


REACHES: Mapping[str, Callable[[World, str], None]] = {
    "arrived": _after(),
    "received": _after("notice.received"),
    "acknowledged": _after("notice.acknowledge"),
    "received, acknowledged": _after("notice.received", "notice.acknowledge"),
    "refused": _after("notice.refuse"),
    "received, refused": _after("notice.received", "notice.refuse"),
    "revoked": lambda world, notice: revoked(world, notice),
}

REFUSED: Mapping[tuple[str, str], type[RegistryError]] = {
    ("received", "notice.received"): AlreadyReceivedError,
    ("acknowledged", "notice.acknowledge"): AlreadyAcknowledgedError,
    ("acknowledged", "notice.refuse"): AlreadyAcknowledgedError,
    ("received, acknowledged", "notice.received"): AlreadyReceivedError,
    ("received, acknowledged", "notice.acknowledge"): AlreadyAcknowledgedError,
    ("received, acknowledged", "notice.refuse"): AlreadyAcknowledgedError,
    ("refused", "notice.refuse"): AlreadyRefusedError,
    ("received, refused", "notice.received"): AlreadyReceivedError,
    ("received, refused", "notice.refuse"): AlreadyRefusedError,
    **{("revoked", kind): NoticeRevokedError for kind in MOVES},
}


def _state(row: Notice) -> str:
    if row.revoked_at is not None:
        return "revoked"
    answer = "acknowledged" if row.acknowledged else "refused" if row.refused else ""
    said = ["received"] * (row.received is not None) + [answer] * bool(answer)
    return ", ".join(said) or "arrived"


BECOMES: Mapping[tuple[str, str], str] = {
    ("arrived", "notice.received"): "received",
    ("arrived", "notice.acknowledge"): "acknowledged",
    ("arrived", "notice.refuse"): "refused",
    ("received", "notice.acknowledge"): "received, acknowledged",
    ("received", "notice.refuse"): "received, refused",
    ("acknowledged", "notice.received"): "received, acknowledged",
    ("refused", "notice.received"): "received, refused",
    ("refused", "notice.acknowledge"): "acknowledged",
    ("received, refused", "notice.acknowledge"): "received, acknowledged",
    **{(state, "notice.revoke"): state for state in REACHES if state != "revoked"},
    **{(state, "notice.agree-revoke"): "revoked" for state in REACHES if state != "revoked"},
}


@pytest.mark.parametrize("kind", MOVES)
@pytest.mark.parametrize("state", REACHES)
def test_only_what_is_listed_happens(state: str, kind: str) -> None:
    world = cast_world()
    notice = notice_to_core(world)
    proposal = revoke(notice)
    _PROPOSED[id(world)] = world.do(proposal.by, proposal.kind, proposal.body).sid
    REACHES[state](world, notice)
    draft = MOVES[kind](world, notice)
    assert ((state, kind) in BECOMES) is not ((state, kind) in REFUSED)
    if (state, kind) in REFUSED:
        assert isinstance(refusal(world, draft), REFUSED[state, kind])
        wanted = state
    else:
        made = attempt(world, draft)
        assert not isinstance(made, RegistryError), made
        wanted = BECOMES[state, kind]
    (row,) = world.store.select(NOTICES)
    assert _state(row) == wanted
    verify_everything(world)
