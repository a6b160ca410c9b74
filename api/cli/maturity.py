"""Commands about maturity: where a lot's money went, what lies where, who got how much."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from msgspec import convert

from api.bank_words import STEPS
from api.cli.common import ENVIRONMENT, AsJson, print_json, talk
from api.cli.connect import LogKey, Party, ReadKey, Url
from api.cli.lots import Name, money, reader
from api.cli.screen import Reader, out, short, show_facts, show_table
from api.words import Words, said
from clearing.certificate import Line, digest_of, format_certificate
from registry.money import format_yuan

Fact = tuple[Words | None, str]

REASONS: dict[str, Words] = {
    "AC04": ("账户已销户", "account closed"),
    "AC06": ("账户已冻结", "account blocked"),
    "AM04": ("余额不足", "insufficient funds"),
}
"""Banks' codes that people meet most; others are shown as they are (ISO 20022)."""


def explain(
    name: Name, url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Tells where a lot's money went 兑付路径, hop by hop, and why."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get(f"/v1/clearing/lots/{quote(name, safe='')}")
        if as_json:
            print_json(found)
            return
        show_facts(_way_facts(ask, found))


def _way_facts(ask: Reader, found: dict[str, Any]) -> Iterator[Fact]:
    """Yields a lot's ways, and what is owed because of them."""
    voucher = ask.voucher(found["voucher"])
    yield ("子凭证", "lot"), found["lot"]
    number = "" if voucher["voucher_no"] == short(found["voucher"]) else voucher["voucher_no"]
    yield ("凭证", "voucher"), f"{number}  {found['voucher']}".lstrip()
    ways, over = _told_ways(found["ways"])
    for way in ways:
        yield ("方案", "plan"), f"{way['plan']}{_why(way)}"
        if "amount" in way:
            count = f"，{way['lots']} lots" if way["lots"] > 1 else ""
            status = said(STEPS, way["status"])
            yield ("金额", "amount"), f"{format_yuan(int(way['amount']))}{count}  {status}"
        for hop in way["hops"]:
            sides = f"{ask.name(hop['payer'])} → {ask.name(hop['payee'])}"
            if "stage" in hop:
                sides = f"{sides} (经业务账户 from its stage)"
            if "holder" in hop:
                sides = f"{sides} (代 for {ask.name(hop['holder'])})"
            yield (("路径", "hop"), f"{sides}  {_outcome(ask, hop)}")
        if "amount" in way and "sent" in way["hops"][-1]:
            yield ("付款文件", "file sent by"), way["hops"][-1]["sent"]
    if over:
        counts = ", ".join(f"{said(STEPS, status)}: {count}" for status, count in over.items())
        yield ("其他路径", "other ways"), counts
    for row in found["obligations"]:
        due = f", {row['due_on']}" if "due_on" in row else ""
        sides = f"{ask.name(row['owed_by'])} → {ask.name(row['owed_to'])}"
        words = f"{said(STEPS, row['sort'])}: {money(row)} {sides}{due}"
        yield ("应付", "owed"), f"{words}  {said(STEPS, row['status'])}"


def _told_ways(ways: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Returns the ways to be told of, and how many others came to nothing, by their status.

    Once a lot is paid, what never brought anything is only counted: it fits a screen years later.
    """
    carried = [way for way in ways if any("posted_at" in hop for hop in way["hops"])]
    if not any(way.get("status") == "posted" for way in carried):
        return [*ways], Counter()
    over = Counter(str(way.get("status", "")) for way in ways if way not in carried)
    return carried, over


def _why(way: dict[str, Any]) -> str:
    """Returns why an instruction stands in another's place, if it does."""
    if "instead" not in way:
        return ""
    if way.get("pays"):
        return f"  {said(STEPS, way['pays'])}"
    return "  清分路径变更 another way"


def _outcome(ask: Reader, hop: dict[str, Any]) -> str:
    """Returns what became of a hop, when, and why, and whether a bank has signed that itself."""
    words = said(STEPS, hop["status"])
    if "joint" in hop:
        words = f"{words} 合并付款 joint payment {hop['joint']}"
    if "relayed" in hop:
        words = f"{words} 平台转递 relayed"
    if "reason" in hop:
        reason = REASONS.get(hop["reason"])
        return f"{words}: {hop['reason']}{'' if reason is None else ' ' + ' '.join(reason)}"
    if "posted_at" in hop:
        later = f"，计入 counts for {hop['counts_on']}" if "counts_on" in hop else ""
        return f"{words} {ask.moment(hop['posted_at'])}{later}"
    return words


STAYS: dict[str, Words] = {
    "owner": ("账户所有人", "on the account of"),
    "beneficiary": ("资金归属", "whose money"),
    "amount": ("金额", "amount"),
    "from": ("自", "from"),
    "until": ("至", "until"),
    "days": ("元·日", "yuan-days"),
}


def exposure(
    name: Name, url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Measures others' money on intermediate accounts 资金混同敞口, of one plan."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get(f"/v1/clearing/runs/{name}/exposure")
        if as_json:
            print_json(found)
            return
        if not found["stays"] and found["peak"] == "0" and not found["late"]:
            out.print("nothing of yours, and on your account nobody else's  无资金混同")
            return
        show_table(
            STAYS,
            (
                {
                    "owner": ask.name(stay["owner"]),
                    "beneficiary": ask.name(stay["beneficiary"]),
                    "amount": money(stay),
                    "from": ask.day(stay["since"]),
                    "until": ask.day(stay["until"]) if "until" in stay else "…",
                    "days": money(stay, "fen_days"),
                }
                for stay in found["stays"]
            ),
            right=("amount", "days"),
            folded=("owner", "beneficiary"),
        )
        facts: list[Fact] = [
            (("他人资金", "others' money"), f"{money(found, 'others_fen_days')} yuan-days"),
            (("含自有资金", "with their own"), f"{money(found, 'gross_fen_days')} yuan-days"),
            (("峰值", "peak"), money(found, "peak")),
            (
                ("直接清分可省", "direct would have saved"),
                f"{money(found, 'saved_fen_days')} yuan-days",
            ),
        ]
        if "limit" in found:
            facts.append((("单户上限", "limit on one account"), money(found, "limit")))
        for late in found["late"]:
            hours = f"{late['ms'] / 3_600_000:.1f} h, {late['hops']} hops"
            limit = found["chain_ms"] // 60_000
            words = (f"超过{limit}分钟", f"over {limit} minutes")
            facts.append((words, f"{ask.name(late['payee'])}  {hours}"))
        for late in found["late_hops"]:
            sides = f"{ask.name(late['payer'])} → {ask.name(late['payee'])}"
            limit = found["hop_ms"] // 60_000
            words = (f"停留超过{limit}分钟", f"lay over {limit} minutes")
            facts.append((words, f"{sides}  {late['ms'] / 60_000:.0f} min"))
        show_facts(facts)


LINES: dict[str, Words] = {
    "payee": ("收款人", "payee"),
    "direct": ("直接清分", "direct"),
    "planned": ("本方案", "by the plan"),
    "passes": ("过路", "passes through"),
}


def certificate(
    name: Name,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to save the signed bytes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compares a plan with direct clearing 清分等值证明: each account is left with the same."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get(f"/v1/clearing/runs/{name}/certificate")
        data = format_certificate(convert(found["lines"], tuple[Line, ...]))
        is_signed = digest_of(data) == found["certificate"]
        if file is not None:
            if not is_signed:
                talk.print("the signed certificate is of all accounts: who reads all can save it")
                raise typer.Exit(ENVIRONMENT)
            file.write_bytes(data)
            talk.print(f"saved {file}")
        if as_json:
            print_json(found)
            return
        show_table(
            LINES,
            (
                {
                    "payee": ask.name(line["payee"]),
                    **{name: money(line, name) for name in ("direct", "planned", "passes")},
                }
                for line in found["lines"]
            ),
            right=("direct", "planned", "passes"),
            folded=("payee",),
        )
        differ = [line for line in found["lines"] if line["direct"] != line["planned"]]
        words = ("不一致", "THEY DIFFER") if differ else ("两种路径结果一致", "both routes agree")
        signed = ("随方案签署", "signed with the plan")
        if found["all"] and not is_signed:
            signed = ("与签署摘要不符", "NOT WHAT WAS SIGNED")
        show_facts([(words, ""), (signed, found["certificate"])])


SWEEPS: dict[str, Words] = {
    "servicer": ("资金所在", "lies with"),
    "payee": ("收款人", "payee"),
    "amount": ("金额", "amount"),
    "came": ("到账日", "came on"),
    "due": ("划转期限", "goes on by"),
    "late": ("", ""),
}


def sweeps(
    url: Url, party: Party, read_key: ReadKey, log_key: LogKey, as_json: AsJson = False
) -> None:
    """Lists what lies on stages 归集待划转, and by when it is to go on."""
    with reader(url, log_key, party, read_key) as ask:
        found = ask.get("/v1/clearing/sweeps")
        if as_json:
            print_json(found)
            return
        if not found["data"]:
            out.print("nothing lies on a stage  业务账户无待划转资金")
            return
        show_table(
            SWEEPS,
            (
                {
                    "servicer": ask.name(sweep["servicer"]),
                    "payee": ask.name(sweep["payee"]),
                    "amount": money(sweep),
                    "came": sweep["came_on"],
                    "due": sweep["due_on"],
                    "late": "逾期 overdue" if sweep["overdue"] else "",
                }
                for sweep in found["data"]
            ),
            right=("amount",),
            folded=("servicer", "payee"),
        )
        show_facts(
            [(("合计", "total"), money(found)), (("其中逾期", "overdue"), money(found, "late"))]
        )


COMMANDS = (
    ("clearing", "explain", explain),
    ("clearing", "exposure", exposure),
    ("clearing", "certificate", certificate),
    ("clearing", "sweeps", sweeps),
)
