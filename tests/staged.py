"""Stages before accounts: one acceptable statement of each kind, and the story of three."""

from collections.abc import Callable

from registry.canonical import Json
from registry.ids import Sid
from tests.builders import World
from tests.draft import Draft


def stage_mandate(world: World, *, via: str = "factor", onto: str = "s1") -> Sid:
    """Has a party let its account be debited for what is to come into another's."""
    body: dict[str, Json] = {"account": world.accounts[via], "onto": world.accounts[onto]}
    return world.do(via, "mandate.grant", body).sid


def stage(world: World, *, via: str = "factor", onto: str = "s1", **body: Json) -> Sid:
    """Has a party's account reached by way of another party's."""
    return world.do(onto, "account.stage", body, re=stage_mandate(world, via=via, onto=onto)).sid


def tell_stages(world: World) -> None:
    """Tells of two trusts behind their trustee's business account; of one that is not any more."""
    world.bank_account("trustee")
    stage(world, via="trustee", onto="trustee#T2", cycle_days=7)
    former = stage(world, via="trustee", onto="trustee#T3")
    world.do("trustee#T3", "account.unstage", {}, re=former)
    unused = stage_mandate(world, via="trustee", onto="trustee#T3")
    world.do("trustee", "mandate.revoke", {}, re=unused)


def _mandate_revoke(world: World) -> Draft:
    return Draft(by="s1", kind="mandate.revoke", re=world.mandates["s1"])


def _account_stage(world: World) -> Draft:
    return Draft(by="s1", kind="account.stage", re=stage_mandate(world))


def _account_unstage(world: World) -> Draft:
    return Draft(by="s1", kind="account.unstage", re=stage(world))


STAGED: dict[str, Callable[[World], Draft]] = {
    "mandate.revoke": _mandate_revoke,
    "account.stage": _account_stage,
    "account.unstage": _account_unstage,
}
