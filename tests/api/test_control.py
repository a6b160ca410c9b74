"""Proof of control by challenge and response (RG-40)."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from api.client import RefusedError
from api.control import CONTROL_TYP, seal_control
from registry.canonical import format_json
from registry.signing import seal_jws
from tests.api.served import Street
from tests.builders import ORIGIN, key_of

CHALLENGE = "c" * 43


def answered(town: Street, lot: str, by: str, **changes: Any) -> str:
    """Returns an answer by a party's own key, or by a changed one."""
    given: dict[str, Any] = {
        "by": town.ids[by],
        "aud": ORIGIN,
        "lot": lot,
        "challenge": CHALLENGE,
        "iat": int(time.time()),
    }
    key = changes.pop("key", None) or key_of(by.partition("#")[0])
    return seal_control(key, **{**given, **changes})


def refusal(town: Street, answer: str, *, challenge: str = CHALLENGE) -> tuple[int, str, str]:
    with pytest.raises(RefusedError) as refused:
        town.client.check_control(answer, challenge=challenge, by=town.ids["factor"])
    problem = refused.value.problem
    return refused.value.status, refused.value.code, str(problem["detail"])


def test_rg_40_the_holder_shows_control_and_nothing_else_of_the_lot(town: Street) -> None:
    lot = f"{town.issue()}.0"
    answer = answered(town, lot, "s1")
    shown = town.client.check_control(answer, challenge=CHALLENGE, by=town.ids["factor"])
    assert shown == {
        "lot": lot,
        "controller": town.ids["s1"],
        "kid": key_of("s1").public.kid,
        "status": "free",
        "is_burdened": False,
        "as_of": town.client.get("/v1/ledger")["size"],
    }


def test_rg_40_a_transfer_divests_the_transferor(town: Street) -> None:
    lot = f"{town.issue()}.0"
    offer = town.transfer(lot, 100_000_000, by="s1", to="s2")
    assert refusal(town, answered(town, lot, "s1"))[:2] == (403, "control-not-shown")
    assert refusal(town, answered(town, f"{offer}.2", "s1"))[:2] == (403, "control-not-shown")
    answer = answered(town, f"{offer}.2", "s2")
    shown = town.client.check_control(answer, challenge=CHALLENGE, by=town.ids["s1"])
    assert shown["controller"] == town.ids["s2"]


def test_rg_40_a_trustee_controls_what_its_vehicle_holds(town: Street) -> None:
    offer = town.do("s1", "transfer.offer", town.offer_body(
        f"{town.issue()}.0", 5, "trustee#T1", purpose="securitise", form="sale-to-plan",
        terms="A" * 43)).sid  # fmt: skip
    town.accept("trustee#T1", offer)
    answer = answered(town, f"{offer}.2", "trustee#T1")
    shown = town.client.check_control(answer, challenge=CHALLENGE, by=town.ids["factor"])
    assert shown["controller"] == town.ids["trustee#T1"]


ATTACKS: dict[str, tuple[Callable[[Street, str], str], str]] = {
    "an old answer to another challenge": (
        lambda t, lot: answered(t, lot, "s1", challenge="d" * 43), "another challenge"),
    "another log's answer": (
        lambda t, lot: answered(t, lot, "s1", aud="sandbox.example/other"), "another log"),
    "an answer kept for later": (
        lambda t, lot: answered(t, lot, "s1", iat=int(time.time()) - 301), "not alive"),
    "an answer from the future": (
        lambda t, lot: answered(t, lot, "s1", iat=int(time.time()) + 120), "not alive"),
    "an answer that lives too long": (
        lambda t, lot: answered(t, lot, "s1", seconds=301), "does not live"),
    "another party's key": (
        lambda t, lot: answered(t, lot, "s1", key=key_of("s2")), "not the party's"),
    "a key that only reads": (
        lambda t, lot: answered(t, lot, "s1", key=key_of("s1 reads")), "of use sign"),
    "an unknown key": (
        lambda t, lot: answered(t, lot, "s1", key=key_of("nobody")), "not known"),
    "somebody else's lot": (lambda t, lot: answered(t, lot, "s2"), "no such live lot"),
    "a member more": (
        lambda _t, _lot: seal_jws(key_of("s1"), typ=CONTROL_TYP,
                                payload=format_json({"aud": ORIGIN, "extra": 1})), "members"),
    "a statement in its place": (
        lambda t, _lot: t.sign("s1", "mandate.grant", {"account": t.accounts["s1"]}), "members"),
    "a flipped signature": (
        lambda t, lot: answered(t, lot, "s1")[:-4] + "AAAA", "sign"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_rg_40_control_is_not_shown_by(town: Street, attack: str) -> None:
    make, reason = ATTACKS[attack]
    status, code, detail = refusal(town, make(town, f"{town.issue()}.0"))
    assert (status, code) == (403, "control-not-shown")
    assert reason in detail


def test_rg_40_a_short_challenge_is_no_challenge(town: Street) -> None:
    lot = f"{town.issue()}.0"
    answer = answered(town, lot, "s1", challenge="c" * 21)
    assert refusal(town, answer, challenge="c" * 21)[1] == "control-not-shown"
