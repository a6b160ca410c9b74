"""What a desk does before it signs: reads what waits, makes digests of papers and invoices."""

import json
from pathlib import Path

import pytest

from registry.canonical import b64url_decode, salted_file_digest
from registry.ids import PartyId
from registry.invoices import fingerprint
from tests.api.cli.terminal import invoke
from tests.api.cli.test_facts import Town
from tests.api.cli.test_facts import town as town
from tests.builders import key_of, uscc


def test_a_checker_reads_all_that_it_would_approve(town: Town) -> None:
    street, shell = town.street, town.shell
    for person in ("zhang", "li"):
        shell.path(f"{person}.pem").write_bytes(key_of(f"s1 {person}").to_pem())
        proof = shell.run(f"key prove --person {person}", shell.path(f"{person}.pem"), by="s1")
        shell.run("key add", by="s1", body=json.loads(proof))
    rules = [{"kind": "mandate.grant", "approvals": 1, "final": False}]
    shell.run("party policy", by="s1", body={"hours": 48, "rules": rules})
    zhang = str(shell.path("zhang.pem"))
    account = street.accounts["s1"]
    waiting = shell.run("mandate grant --key", zhang, by="s1", body={"account": account}).strip()
    text = town.says("pending show", waiting, by="s1")
    for words in ("扣款授权 mandate.grant", "zhang", account, "须复核人数 approvals needed"):
        assert words in text
    assert town.shell.json("pending show --json", waiting, by="s1")["body"] == {"account": account}
    # Another party does not learn that it waits.
    assert "not-found" in shell.run("pending show", waiting, by="s2", exits=1)


def test_fr_01_the_fingerprint_of_an_invoice_is_of_its_digits() -> None:
    seller = str(uscc(7))
    for number in ("25317000000123456780", "2531 7OOO-0001 2345 678O"):
        done = invoke(["voucher", "fingerprint", "--seller", seller, "--number", number], {})
        expected = fingerprint(seller=PartyId(seller), number="25317000000123456780")
        assert done.stdout.strip() == expected
    odd = invoke(["voucher", "fingerprint", "--seller", seller, "--number", "T-1"], {})
    assert (odd.code, odd.stdout) == (2, "")


@pytest.mark.parametrize("name", ["contract.pdf", "采购 合同.pdf"])
def test_a_file_has_the_digest_that_its_salt_opens(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(b"it is agreed")
    told = json.loads(invoke(["terms", "file", str(file)], {}).stdout)
    salt = b64url_decode(told["salt"], what="salt")
    assert told["file"]["digest"] == salted_file_digest(salt, b"it is agreed")
    assert told["file"]["name"].isascii()
    assert told["file"]["name"].endswith(".pdf")
    again = invoke(["terms", "file", str(file), "--salt", told["salt"]], {})
    assert json.loads(again.stdout) == told
