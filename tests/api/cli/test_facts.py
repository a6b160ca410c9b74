"""What commands print of one object at 80 columns: names beside ids, whole ids, yuan, words."""

from collections.abc import Iterable, Iterator

import pytest
from rich.cells import cell_len

from api.cli.facts import words_of
from api.cli.read import COMMANDS
from api.members import MEMBERS, SPECIFIC
from registry.dealings import FinancingStatus, PaymentForm
from registry.frozen import COURT
from registry.inboxes import Capacity, Sender
from registry.people import Binding, KeyUse
from registry.rules.accounts import AccountKind
from registry.rules.affiliations import AffiliationBasis
from registry.words import AcceptanceMode, Step
from tests.api.cli.terminal import Terminal, invoke, shell_of
from tests.api.served import DIGEST, Street, connect, server
from tests.api.test_financings import applied, quoted, terms_of
from tests.builders import key_of


class Town:
    """A street and a shell beside it, 80 columns wide."""

    def __init__(self, street: Street, shell: Terminal) -> None:
        self.street, self.shell = street, shell
        voucher = street.issue()
        first = street.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
        self.lot, self.notice = f"{first}.2", f"{first}.2!0"
        body = street.offer_body(self.lot, 20_000_000, "factor", purpose="finance", terms=DIGEST)
        self.offer = street.do("s2", "transfer.offer", body).sid
        self.financing = applied(street)
        quoted(street, self.financing, terms_of())

    def says(self, command: str, *more: str, by: str, body: object = None, exits: int = 0) -> str:
        def narrow(arguments: list[str], environment: dict[str, str], *, stdin: str) -> object:
            return invoke(arguments, {**environment, "COLUMNS": "80"}, stdin=stdin)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tests.api.cli.terminal.invoke", narrow)
            text = self.shell.run(command, *more, by=by, body=body, exits=exits)
        assert max(map(cell_len, text.splitlines()), default=0) <= 80, text
        assert "…" not in text
        return text

    def named(self, party: str) -> str:
        return f"{party}  {self.street.ids[party]}"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("facts")
    with server(directory / "server") as url, connect(url) as client:
        street = Street(client).settle_in()
        yield Town(street, shell_of(street, directory, url))


def test_whom_to_pay_is_told_by_name_and_id_for_any_moment(town: Town) -> None:
    text = town.says("lot payee", town.lot, by="s2")
    assert f"债务人可向其付款 safe to pay  {town.named('s2')}" in text
    assert f"债权归属 entitled             {town.named('s2')}" in text
    assert "司法冻结 frozen               否 no" in text
    before = town.says("lot payee --at 2024-05-01T12:00", town.lot, by="s2")
    assert town.named("s1") in before
    assert "2024-05-01 12:00:00" in before
    assert town.named("core") in before
    told = town.says("lot payee --at tomorrow", town.lot, by="s2", exits=2)
    assert "neither milliseconds nor" in told


def test_a_discharge_is_a_yes_or_a_no(town: Town) -> None:
    for party, word in (("s1", "否 no"), ("s2", "是 yes")):
        text = town.says("lot discharge", town.lot, town.street.ids[party], by="core")
        assert town.named(party) in text
        assert f"付款即清偿 discharges  {word}" in text
    ago = town.says("lot discharge --at 2024-05-01", town.lot, town.street.ids["s1"], by="core")
    assert "付款即清偿 discharges  是 yes" in ago


def test_ranks_are_counted_and_their_claims_named(town: Town) -> None:
    text = town.says("lot priority", f"{town.offer}.1", by="s2")
    assert f"第1顺位 rank 1                {town.named('s2')}" in text
    assert "400,000.00" in text
    assert "通知 told 2025-07-01 09:00:00" in text


def test_a_notice_a_party_and_a_financing_name_who_they_are_about(town: Town) -> None:
    notice = town.says("notice show", town.notice, by="core")
    assert all(town.named(party) in notice for party in ("core", "s1", "s2"))
    assert town.notice in notice
    assert "到达 arrived         2025-07-01 09:00:00" in notice
    party = town.says("party show", town.street.ids["core"], by="s1")
    assert "企业 participant" in party
    assert "签署 sign, Ed25519" in party
    assert key_of("core").public.kid in party
    financing = town.says("financing show", town.financing, by="factor")
    assert all(town.named(party) in financing for party in ("s1", "factor"))
    assert "已报价 quoted" in financing
    assert "600,000.00" in financing
    assert f"收款账户 paid into             {town.street.accounts['factor']}" in financing


def test_ids_in_lists_are_whole_and_parties_named(town: Town) -> None:
    text = town.says("transfer list", by="factor")
    assert town.offer in text
    assert "200,000.00  s2" in text
    assert f"{town.offer}.1  400,000.00  2025-12-19" in town.says("lot list", by="s2")


def test_a_refusal_is_told_in_both_languages(town: Town) -> None:
    text = town.says("lot show", "A.0", by="s2", exits=1)
    assert "404 not-found: " in text
    assert "不存在或无权查看。" in text


def test_every_column_of_a_list_has_words() -> None:
    assert len([command for command in COMMANDS if command[1] == "list"]) > 10
    assert all(zh and en for zh, en in MEMBERS.values())
    assert words_of("unheard_of") == ("", "unheard of")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("use", KeyUse),
        ("capacity", Capacity),
        ("sender", Sender),
        ("step", Step),
        ("binding", Binding),
        ("payment", PaymentForm),
        # Nobody registers a court's account: the order writes it.
        ("account_kind", (*AccountKind, COURT)),
        ("basis", AffiliationBasis),
        ("mode", AcceptanceMode),
    ],
)
def test_every_value_has_words(name: str, values: Iterable[object]) -> None:
    assert set(SPECIFIC[name]) == {str(value) for value in values}


def test_every_status_of_a_financing_has_words() -> None:
    from api.words import STATUSES

    assert {str(each) for each in FinancingStatus} <= {*SPECIFIC["status"], *STATUSES}
