"""One voucher from a new registry to its settlement, typed command by command.

Read it as a tutorial: every party works at its own terminal, with its own key files, and
the registry is a server process somewhere else.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from registry.calendars import start_of
from registry.canonical import Json
from registry.ids import PartyId
from registry.invoices import fingerprint
from tests.api.cli.terminal import Terminal
from tests.api.served import PROMISES, server
from tests.builders import DIGEST, OFFSET, ORIGIN, admission, key_of, uscc

TODAY = datetime.now(UTC).date()
DUE_ON = TODAY + timedelta(days=60 - TODAY.weekday())
"""A working day, so that it is paid on the day itself."""
MORNING = 9 * 3_600_000


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    directory = tmp_path_factory.mktemp("tutorial")
    names = ("operator", "registrar", "bank", "core", "s1", "s2", "auditor")
    ids = {name: str(uscc(number)) for number, name in enumerate(names, 1)}
    with server(directory / "server") as url:
        yield Terminal(directory=directory, url=url, ids=ids)


def instant(day: date) -> int:
    return start_of(day, offset_minutes=OFFSET) + MORNING


def open_registry(t: Terminal) -> None:
    """The operator makes its key and opens the ledger; the registrar is named in genesis."""
    founders: dict[str, Json] = {
        name: {
            "party": t.ids[name],
            "name": name,
            "key": t.json("key new", t.path(f"{name}.pem"))["key"],
        }
        for name in ("operator", "registrar")
    }
    genesis = {
        "format": 1,
        "key": founders["operator"]["key"],  # type: ignore[index,call-overload]
        **founders,
        "log_key": dict(key_of("log").public.jwk()),
        "currency": "CNY",
        "zone": "+08:00",
        "clock": "manual",
        "policy": {"name": "plain", "version": 1, "rules": {"pay_day": {"calendar": "weekdays"}}},
        "calendars": [
            {
                "name": "weekdays",
                "first": f"{TODAY.year}-01-01",
                "last": f"{TODAY.year + 1}-12-31",
                "holidays": [],
                "workdays": [],
            }
        ],
    }
    assert t.json("genesis --json", by="operator", body=genesis)["index"] == 0
    for name in ("operator", "registrar"):
        add_read_key(t, name)


def add_read_key(t: Terminal, name: str) -> None:
    """A key of use `read` signs bearer tokens; a key of use `sign` never does."""
    t.run("key new", t.path(f"{name}.read.pem"))
    possession = t.json("key prove --use read", t.path(f"{name}.read.pem"), by=name)
    t.run("key add", by=name, body=possession)


def join(t: Terminal, name: str, role: str) -> None:
    """A party registers with its own key; only the registrar's admission gives it rights."""
    key = t.json("key new", t.path(f"{name}.pem"))["key"]
    body = {"name": f"[b]{name}[/] Ltd.", "key": key}
    registered = t.run("party register", by=name, body=body).strip()
    t.run("party admit --re", registered, by="registrar", body=admission(role))
    add_read_key(t, name)


def publish_rules(t: Terminal) -> None:
    """The operator announces a policy and publishes the calendar that it names, from packs."""
    t.run("calendar publish --pack CN-LEGAL", by="operator")
    t.run("policy publish --pack cn-6m", by="operator")
    assert "cn-6m" in t.run("policy list", by="core")
    assert t.json("policy show current --json", by="core")["name"] == "plain"
    assert t.json("calendar show CN-LEGAL --json", by="core")["version"] == 1
    t.run("policy publish --pack CN-LEGAL", by="operator", exits=2)


def open_account(t: Terminal, name: str) -> tuple[str, str]:
    """Name and number of an account stay beside the log; only their digest goes in."""
    terms = json.dumps({"account_name": name, "account_no": "110000000001"})
    digest = t.json("terms put", terms, by=name)["digest"]
    body = {"bank": t.ids["bank"], "account_kind": "settlement", "terms": digest}
    account = t.run("account register", by=name, body=body).strip()
    t.run("account verify --re", account, by="bank")
    mandate = t.run("mandate grant", by=name, body={"account": account}).strip()
    return account, mandate


def voucher_body(t: Terminal, account: str, mandate: str) -> dict[str, Json]:
    evidence: list[Json] = [
        {"type": kind, "file": {"digest": DIGEST, "name": f"{kind}.pdf"}}
        for kind in ("contract", "invoice", "acceptance")
    ]
    promises: dict[str, Json] = dict.fromkeys(PROMISES, True)
    invoice = fingerprint(seller=PartyId(t.ids["s1"]), number="25317000000123456780")
    return {
        "voucher_no": "CY-2026-0001",
        "creditor": t.ids["s1"],
        "face": "100000000",
        "invoices": [{"fingerprint": invoice, "total": "100000000", "used": "100000000"}],
        "due_on": DUE_ON.isoformat(),
        "accept_by": (TODAY + timedelta(days=10)).isoformat(),
        "basis": "goods-delivered",
        "promises": promises,
        "assignment_restriction": "none",
        "evidence": evidence,
        "route": "direct",
        "account": account,
        "mandate": mandate,
    }


def test_a_voucher_from_genesis_to_its_settlement(terminal: Terminal) -> None:
    t = terminal
    open_registry(t)
    roles = {"bank": "bank", "core": "participant", "s1": "participant", "s2": "participant"}
    for name, role in {**roles, "auditor": "auditor"}.items():
        join(t, name, role)
    accounts = {name: open_account(t, name) for name in ("core", "s1", "s2")}
    publish_rules(t)
    assert "[b]s1[/] Ltd." in t.run("party show", t.ids["s1"], by="core")
    assert len(t.json("account list --json", by="core")) == 1

    inbox: dict[str, Json] = {"system": ORIGIN, "entry_is_arrival": True}
    t.run("inbox designate", by="core", body=inbox)

    # core owes s1 1,000,000.00 yuan, and s1 takes the voucher.
    voucher = t.run("voucher issue", by="core", body=voucher_body(t, *accounts["core"])).strip()
    accepted = {"account": accounts["s1"][0], "collection_route": True}
    t.run("voucher accept --re", voucher, by="s1", body=accepted)
    assert "1,000,000.00" in t.run("voucher show", voucher, by="s1")
    before = t.path("before.checkpoint")
    before.write_text(t.run("log checkpoint"))

    # s1 pays s2 with 600,000.00 of it. Everybody can compute the ids beforehand.
    offer_body = {
        "lot": f"{voucher}.0",
        "amount": "60000000",
        "assignee": t.ids["s2"],
        "purpose": "settle",
        "recourse": False,
        "accept_by": (TODAY + timedelta(days=5)).isoformat(),
        "notice": "assignment/1",
        "evidence": [],
    }
    offer = t.run("transfer offer", by="s1", body=offer_body).strip()
    told = f"Offer of 600,000.00 to [b]s2[/] Ltd. ({t.ids['s2']}) waits"
    assert told in t.talk.replace("\n", " ")
    (waiting,) = t.json("transfer list --json", by="s2")
    assert (waiting["offer"], waiting["amount"]) == (offer, "60000000")
    accepted = {"account": accounts["s2"][0], "collection_route": True}
    result = t.json("transfer accept --json --re", offer, by="s2", body=accepted)
    assert {c["effect"] for c in result["effects"]["changes"]} >= {"lot-assigned", "notice-arrived"}

    # Paying a sum picks the lots; what is too much is told before anything is signed.
    paying = f"transfer pay --accept-by {(TODAY + timedelta(days=5)).isoformat()}"
    told = t.run(f"{paying} --amount 400,000.01 --to", t.ids["s2"], by="s1", exits=1)
    assert "400,000.00 are free in 1 lots" in told
    printed = t.run(f"{paying} --amount 1,000.5 --print --to", t.ids["s2"], by="s1")
    assert printed.count(".") == 2
    (paid,) = t.json(f"{paying} --json --amount 1,000.5 --to", t.ids["s2"], by="s1")
    (waiting,) = t.json("transfer list --json", by="s2")
    assert (waiting["offer"], waiting["amount"]) == (paid["sid"], "100050")
    t.run("transfer reject --re", paid["sid"], by="s2")

    # The notice has arrived with the debtor, who acknowledges it.
    (notice,) = t.json("notice list --json", by="core")
    assert notice["notice"] == f"{offer}.2!0"
    t.run("notice acknowledge", by="core", body={"notices": [notice["notice"]]})
    (notice,) = t.json("notice list --json", by="core")
    assert notice["acknowledged"] is True
    assert t.json("inbox show --json", t.ids["core"], by="core")["notices"] == notice["number"] == 1

    # It may pay s2 now and s1 no more; on paper, the notice proves itself.
    lot_name = f"{offer}.2"
    payee = t.json("lot payee --json", lot_name, by="s2")
    assert payee["entitled_holder"] == payee["safe_payee_for_debtor"] == t.ids["s2"]
    for name, is_discharged in (("s1", False), ("s2", True)):
        said = t.json("lot discharge --json", lot_name, t.ids[name], by="core")
        assert said["is_discharged"] is is_discharged
    assert t.json("lot priority --json", lot_name, by="s2")["noticed_first"] == t.ids["s2"]
    letter = t.path("notice.html")
    letter.write_text(t.run("notice page", notice["notice"], by="s2"), encoding="utf-8")
    assert "amount     600,000.00 yuan" in t.run("notice verify", letter)
    t.run("notice page --format pdf --output", t.path("notice.pdf"), notice["notice"], by="s2")
    assert "amount     600,000.00 yuan" in t.run("notice verify", t.path("notice.pdf"))
    letter.write_text(t.run("notice page --language zh", notice["notice"], by="core"))
    assert "13 INCOMPLETE" in t.run("notice verify", letter, exits=13)

    # What s2 holds, and through whose hands it came.
    (lot,) = t.json("lot list --json", by="s2")
    assert lot["lot"] == f"{offer}.2"
    assert "600,000.00" in t.run("lot show", lot["lot"], by="s2")
    drawn = t.run("lot lineage", lot["lot"], by="s2")
    assert drawn.index("[b]s1[/] Ltd.") < drawn.index("[b]s2[/] Ltd.") < drawn.index("2级")
    assert "not-found" in t.run("lot show", f"{offer}.1", by="s2", exits=1)

    # What is only printed is signed, and not sent.
    size = t.run("log checkpoint").split("\n")[1]
    assert t.run("mandate grant --print", by="s2", body={"account": "A" * 43}).count(".") == 2
    assert t.run("log checkpoint").split("\n")[1] == size

    # At maturity the operator adopts the plan that follows; the bank posts and confirms it.
    t.run("clock set", by="operator", body={"time": instant(DUE_ON)})
    plan_body = t.json("clearing propose --json", DUE_ON.isoformat(), by="operator")
    assert (plan_body["instructions"], plan_body["total"]) == (2, "100000000")
    plan = t.run("clearing plan", by="operator", body=plan_body).strip()
    for row in t.json("clearing show --json", by="bank"):
        item = {"instruction": row["n"], "status": "posted", "amount": row["amount"]}
        t.run("clearing report --re", plan, by="bank", body={"items": [item]})
    paid = t.json("clearing show --json", by="s2")
    assert [(row["amount"], row["status"]) for row in paid] == [("60000000", "posted")]
    assert t.json("lot list --json", by="s2") == []
    assert t.run("lot list", by="s2") == "none  无\n"

    # The auditor takes the log away and needs nobody to check it.
    t.run("log export", t.path("export"), by="auditor")
    verified = t.run("audit", t.path("export"), "--held", before)
    assert verified.startswith("0 VERIFIED")
    journal = t.run("log journal", t.path("export"))
    assert journal.count("pay CY-2026-0001") == 2
    proof = t.json(f"log prove {result['index']}")
    assert proof["leaf_hash"] == result["leaf_hash"]
