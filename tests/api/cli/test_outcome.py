"""What a clerk is told after signing: the id alone as data, a sentence in both languages beside."""

import re
from collections.abc import Iterator
from string import Formatter

import pytest
from rich.cells import cell_len

from api.outcomes import SENTENCES
from clearing.rulebook import RULEBOOK
from registry.effects import Effect
from tests.api.cli.terminal import Terminal
from tests.api.cli.test_facts import Town
from tests.api.cli.test_facts import town as town


def effects(base: type[Effect] = Effect) -> Iterator[type[Effect]]:
    for each in base.__subclasses__():
        yield each
        yield from effects(each)


def name_of(effect: type) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", effect.__name__).lower()


EFFECTS = {name_of(each): each for each in effects() if RULEBOOK.kinds}


def fields(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name)


@pytest.mark.parametrize("effect", SENTENCES)
def test_a_sentence_names_members_that_its_effect_has(effect: str) -> None:
    zh, en = SENTENCES[effect]
    members = set(EFFECTS[effect].__struct_fields__)
    assert set(fields(zh)) | set(fields(en)) <= members
    for word in ("汇票", "承兑", "背书", "贴现", "担保人"):
        assert word not in zh
    assert not set(fields(zh)) - set(fields(en)) or effect in ("lot-frozen", "offer-closed")


def lines(shell: Terminal) -> list[str]:
    found = shell.talk.splitlines()
    assert max(map(cell_len, found)) <= 80, shell.talk
    return found


def flat(shell: Terminal) -> str:
    return " ".join(line.strip() for line in lines(shell))


def test_the_id_alone_is_data_and_the_sentence_is_talk(town: Town) -> None:
    street, shell = town.street, town.shell
    body = street.offer_body(f"{town.offer}.1", 10_000_000, "s3")
    offer = town.says("transfer offer", by="s2", body=body).strip()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", offer)
    s3 = f"s3 ({street.ids['s3']})"
    assert f"Offer of 100,000.00 to {s3} waits for its acceptance until 2025-12-01." in flat(shell)
    assert f"向 {s3} 转让 100,000.00，待其于 2025-12-01（含）前签收。" in lines(shell)
    accepted = {"account": street.accounts["s3"], "collection_route": True}
    town.says("transfer accept --re", offer, by="s3", body=accepted)
    assert f"has passed from s2 ({street.ids['s2']}) to {s3}: lot {offer}.2" in flat(shell)
    assert f"Notice no. 2 has arrived at core ({street.ids['core']}): {offer}.2!0" in flat(shell)


def test_without_a_key_to_read_with_there_are_ids_alone(town: Town) -> None:
    shell = town.shell
    body = town.street.issue_body(face="100")
    shell.path("core.read.pem").rename(shell.path("kept"))
    try:
        voucher = shell.run("voucher issue", by="core", body=body).strip()
    finally:
        shell.path("kept").rename(shell.path("core.read.pem"))
    assert f"Voucher of 1.00 to {town.street.ids['s1']}, due on" in shell.talk.replace("\n", " ")
    shell.run("voucher refuse --re", voucher, by="s1")
    assert "The voucher is refused, and binds nobody." in shell.talk
    assert "凭证已拒签，未生效。" in shell.talk


def test_json_is_all_of_it_and_no_talk(town: Town) -> None:
    found = town.shell.json("snapshot request --json", by="trustee#T1", body={})
    assert set(found) == {"sid", "index", "leaf_hash", "time", "effects"}
    assert town.shell.talk == ""


def test_a_kind_without_a_sentence_is_told_by_its_words(town: Town) -> None:
    account = town.street.accounts["s3"]
    evidence = {"digest": "A" * 43, "name": "order.pdf"}
    order: dict[str, object] = {"authority": "a court", "number": "A" * 43, "order": evidence}
    town.says("account freeze --re", account, by="bank", body=order)
    assert "冻结账户" in town.shell.talk
    town.says("account unfreeze --re", account, by="bank", body=order)


def test_affiliates_are_named(town: Town) -> None:
    ids = town.street.ids
    evidence = {"digest": "A" * 43, "name": "paper.pdf"}
    body = {"first": ids["s1"], "second": ids["s2"], "basis": "control", "evidence": evidence}
    town.says("affiliation declare", by="registrar", body=body)
    assert f"s1 ({ids['s1']}) and s2 ({ids['s2']}) are declared affiliates." in flat(town.shell)
    listed = town.says("affiliation list", by="s1")
    assert "一方" in listed
    assert "控制 control" in listed


def test_pf_01_who_offers_is_told_when_silence_accepts(town: Town) -> None:
    street = town.street
    calendar = town.shell.json("calendar list --json", by="s3")[0]["name"]
    silence = {"calendar": calendar, "working_days": 2}
    consent = {"purpose": "settle", "account": street.accounts["s3"], "collection_route": True}
    sid = town.says("consent grant", by="s3", body={**consent, "silence": silence}).strip()
    lots = town.shell.json("lot list --json", by="s2")
    free = next(row["lot"] for row in lots if row["status"] == "free" and len(row["amount"]) > 7)
    body = street.offer_body(free, 1_000_000, "s3")
    offer = town.says("transfer offer", by="s2", body=body).strip()
    assert "If it says nothing, its silence accepts the offer at 2025-" in flat(town.shell)
    assert "起视为签收（默示）。" in town.shell.talk
    town.says("transfer reject --re", offer, by="s3")
    town.says("consent withdraw --re", sid, by="s3")


def test_several_offers_each_say_their_id(town: Town) -> None:
    paying = "transfer pay --accept-by 2025-12-01 --amount 1.00 --to"
    found = town.says(paying, town.street.ids["s3"], by="s2").split()
    assert len(found) == 1
    assert "Offer of 1.00 to" in flat(town.shell)


def test_all_that_is_wrong_with_a_body_is_told_at_once(town: Town) -> None:
    body = {"account": "x", "collection_route": 1}
    said = town.shell.run("transfer accept --re", "A" * 43, by="s3", body=body, exits=1)
    assert "malformed: body/account: not the base64url of 32 bytes (and 1 more)" in said
    assert "/body/collection_route: Input should be a valid boolean" in said
    assert "expected: true or false" in said
