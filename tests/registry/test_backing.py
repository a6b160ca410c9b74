"""No invoice backs more than its own amount, in all vouchers together (FR-01, SD-02)."""

from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.canonical import Json
from registry.credit import BACKINGS, INVOICES
from registry.errors import RegistryError
from registry.refusals import InvoiceDiffersError, InvoiceUsedError
from tests.builders import World, instant
from tests.scenario import Draft, attempt, cast_world, refusal, verify_everything


def _issue(world: World, *uses: tuple[str, int, int]) -> Draft:
    invoices: list[Json] = [
        world.invoice(number, str(total), str(used)) for number, total, used in uses
    ]
    body = world.issue_body(
        face=str(sum(used for _, _, used in uses)),
        invoices=sorted(invoices, key=str),
    )
    return Draft(by="core", kind="voucher.issue", body=body)


def _used(world: World) -> dict[str, int]:
    return {row.fingerprint: row.used for row in world.store.select(INVOICES)}


def test_an_invoice_backs_vouchers_up_to_its_amount_and_one_fen_more_is_refused() -> None:
    world = cast_world()
    assert not isinstance(attempt(world, _issue(world, ("7", 100, 60))), RegistryError)
    found = refusal(world, _issue(world, ("7", 100, 41)))
    assert isinstance(found, InvoiceUsedError)
    assert (found.facts["left"], found.facts["requested"]) == (40, 41)
    assert not isinstance(attempt(world, _issue(world, ("7", 100, 40))), RegistryError)
    assert isinstance(refusal(world, _issue(world, ("7", 100, 1))), InvoiceUsedError)
    verify_everything(world)


def test_an_invoice_under_another_spelling_is_the_same_invoice() -> None:
    world = cast_world()
    assert not isinstance(attempt(world, _issue(world, ("100258", 9, 9))), RegistryError)
    for spelling in ("IOO258", "１００２５８", "100-258", "1OO2SB"):
        assert isinstance(refusal(world, _issue(world, (spelling, 9, 1))), InvoiceUsedError)


def test_an_invoice_stated_at_another_amount_is_refused_even_within_both() -> None:
    world = cast_world()
    assert not isinstance(attempt(world, _issue(world, ("7", 100, 1))), RegistryError)
    for total in (99, 101):
        assert isinstance(refusal(world, _issue(world, ("7", total, 1))), InvoiceDiffersError)


def test_what_expired_backs_another_voucher() -> None:
    world = cast_world()
    assert not isinstance(attempt(world, _issue(world, ("7", 100, 100))), RegistryError)
    world.advance(instant(date(2025, 7, 11), hour=0))
    world.engine.submit([])
    again = _issue(world, ("7", 100, 100))
    again.body["accept_by"] = "2025-07-20"
    assert not isinstance(attempt(world, again), RegistryError)
    verify_everything(world)


def test_attack_a_competitors_invoice_is_named_at_one_fen_and_taken_back() -> None:
    world = cast_world()
    made = attempt(world, _issue(world, ("7", 1, 1)))
    assert not isinstance(made, RegistryError)
    # While that voucher stands, what it says of the invoice does.
    assert isinstance(refusal(world, _issue(world, ("7", 100, 1))), InvoiceDiffersError)
    world.do("core", "voucher.withdraw", {}, re=made.sid)
    assert list(world.store.select(BACKINGS)) == []
    assert not isinstance(attempt(world, _issue(world, ("7", 100, 100))), RegistryError)
    assert isinstance(refusal(world, _issue(world, ("7", 1, 1))), InvoiceDiffersError)


TOTALS = {"1": 10, "2": 25, "3": 40}


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_no_invoice_ever_backs_more_than_its_amount(data: st.DataObject) -> None:
    world = cast_world()
    live: dict[str, dict[str, int]] = {}
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()) and live:
            voucher = data.draw(st.sampled_from(sorted(live)))
            world.do("core", "voucher.withdraw", {}, re=voucher)
            del live[voucher]
            continue
        named = data.draw(st.sets(st.sampled_from(sorted(TOTALS)), min_size=1))
        uses = {number: data.draw(st.integers(1, TOTALS[number])) for number in sorted(named)}
        taken = {
            number: sum(backed.get(number, 0) for backed in live.values()) for number in TOTALS
        }
        made = attempt(world, _issue(world, *((n, TOTALS[n], used) for n, used in uses.items())))
        fits = all(taken[number] + used <= TOTALS[number] for number, used in uses.items())
        assert isinstance(made, RegistryError) != fits
        if not isinstance(made, RegistryError):
            live[made.sid] = uses
    counted: dict[str, int] = {}
    for backed in live.values():
        for number, used in backed.items():
            name = str(world.invoice(number, "1")["fingerprint"])
            counted[name] = counted.get(name, 0) + used
    assert {name: used for name, used in _used(world).items() if used} == counted
    verify_everything(world)


def test_a_voucher_may_stand_on_many_invoices() -> None:
    world = cast_world()
    uses = [(f"{number:04}", 9, 2) for number in range(64)]
    assert not isinstance(attempt(world, _issue(world, *uses)), RegistryError)
    more = [*uses, ("9999", 9, 2)]
    assert isinstance(attempt(world, _issue(world, *more)), RegistryError)
    verify_everything(world)
