"""Commands that make a claim's life readable: a lot, its lineage, a voucher, notices."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.tree import Tree

from api.answers import RefusedError
from api.cli.common import AsJson, print_json, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.cli.facts import security_of
from api.cli.screen import Reader, out, short, show_facts, show_table
from api.words import CAPACITIES, PURPOSES, STATUSES, Words, said
from registry.money import format_yuan

Name = Annotated[str, typer.Argument(help="Its id.")]
AsOf = Annotated[str, typer.Option("--as-of", help="A size of the log, or a date; else now.")]
Limit = Annotated[int, typer.Option(min=1, max=1_000, help="How many are shown.")]
Fact = tuple[Words | None, str]
CLAIMABLE: Words = ("可请求付款", "may be asked")
CLAIMABLE_LATER: Words = ("尚不可请求", "not yet")


@contextmanager
def reader(url: str, log_key: Path, party: str, read_key: Path) -> Iterator[Reader]:
    """Gives a reader; a refusal ends the command."""
    with told(), open_client(url, log_key, party=party, read_key=read_key) as client:
        try:
            yield Reader(client, party)
        except RefusedError as error:
            raise refused(error) from None


def money(row: Mapping[str, Any], name: str = "amount") -> str:
    """Returns an amount in yuan."""
    return format_yuan(int(row[name]))


# --- A lot --------------------------------------------------------------------------


def show_lot(
    name: Name,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    as_of: AsOf = "",
    as_json: AsJson = False,
) -> None:
    """Shows a lot 子凭证: whose it is and since when, what weighs on it, what secures it."""
    when = {"as_of": as_of} if as_of else {}
    with reader(url, log_key, party, read_key) as ask:
        lot = ask.get(f"/v1/lots/{quote(name, safe='')}", **when)
        if as_json:
            print_json(lot)
            return
        facts = [*_lot_facts(ask, lot, when), *_burdens(ask, lot), *_securities(ask, lot)]
        show_facts([*facts, *([] if as_of else _claimable(ask, name))])


def _lot_facts(ask: Reader, lot: Mapping[str, Any], when: Mapping[str, str]) -> Iterator[Fact]:
    """Yields what a lot is."""
    voucher = ask.voucher(lot["voucher"], **when)
    yield ("子凭证", "lot"), lot["lot"]
    number = f"{voucher['voucher_no']}  " if "debtor" in voucher else ""
    yield ("凭证", "voucher"), f"{number}{lot['voucher']}"
    yield ("金额", "amount"), money(lot)
    if "debtor" in voucher:
        yield ("债务人（开立人）", "debtor"), ask.name(voucher["debtor"])
    yield ("到期日", "due"), lot["due_on"]
    yield ("持有人", "holder"), ask.name(lot["holder"])
    yield ("级次", "tier"), f"{lot['tier']}，转让手数 assignments {len(lot['path']) - 1}"
    yield ("取得", "acquired"), _how(ask, lot)
    # Nobody can pass on what is pledged or frozen, whatever its status.
    yield ("状态", "status"), said(STATUSES, "burdened" if lot["burdens"] else lot["status"])
    if len(lot["path"]) > 1:
        told_of = "已确认 acknowledged" if lot["acknowledged"] else "未确认 not yet acknowledged"
        yield ("转让通知", "notice"), told_of
    yield ("追索权", "recourse"), "有 yes" if lot["recourse"] else "无 no"
    if lot["flags"]:
        yield ("提示", "remarks"), ", ".join(said(STATUSES, flag) for flag in lot["flags"])


def _how(ask: Reader, lot: Mapping[str, Any]) -> str:
    """Returns how the holder got a lot: from whom, for what, when."""
    try:
        found = ask.get(f"/v1/statements/{lot['acquired']}")
    except RefusedError:
        return short(lot["acquired"])
    day = ask.day(found["time"])
    if len(lot["path"]) == 1:
        return f"{day}  签收 accepted as the original creditor"
    changes = found["effects"]["changes"]
    # A financing's title may pass in a later entry than the one that numbers its lot.
    purpose = next((str(c["purpose"]) for c in changes if "purpose" in c), "finance")
    return f"{day}  {said(PURPOSES, purpose)}  from {ask.name(lot['path'][-2])}"


def _burdens(ask: Reader, lot: Mapping[str, Any]) -> Iterator[Fact]:
    """Yields what weighs on a lot."""
    for row in lot["pledges"]:
        secured = f"secured {money(row, 'secured')} to {ask.name(row['pledgee'])}"
        until = f", to register by {ask.day(row['register_by'] - 1)}"
        is_pending = row["status"] == "pending"
        status = said(STATUSES, row["status"])
        yield ("质押", "pledge"), f"{status}: {secured}{until if is_pending else ''}"
    for row in lot["freezes"]:
        yield ("司法冻结", "freeze"), f"{said(STATUSES, row['status'])}: {row['authority']}"
    for row in lot["disputes"]:
        words = f"{said(STATUSES, row['status'])}: {money(row)}, 不影响兑付 payment is not reduced"
        yield ("争议", "dispute"), words


def _securities(ask: Reader, lot: Mapping[str, Any]) -> Iterator[Fact]:
    """Yields what secures a lot, and where it is registered."""
    for row in lot["accessories"]:
        yield ("附属担保权益", "security"), security_of(ask, row)
    for row in lot["registrations"]:
        words = f"{row['number']}, until {row['expires_on']}, {said(STATUSES, row['status'])}"
        yield ("外部登记", "registered"), words


def _claimable(ask: Reader, name: str) -> Iterator[Fact]:
    """Yields whom the holder may ask to pay now, in any order, and who only comes later."""
    try:
        found = ask.get(f"/v1/lots/{quote(name, safe='')}/claimable")
    except RefusedError:
        return
    for when, words in (("now", CLAIMABLE), ("later", CLAIMABLE_LATER)):
        for row in found[when]:
            most = next((name for name in ("cap_of_lot", "cap") if name in row), "")
            cap = f", 上限 up to {money(row, most)}" if most else ""
            since = f", 自 from {ask.moment(row['from'])}" if "from" in row else ""
            until = ""
            if "refuse_by" in row and row["refuse_by"] > found["at"]:
                until = f", 债权人可拒绝至 can be refused until {ask.day(row['refuse_by'] - 1)}"
            more = f"{cap}{since if when == 'later' else ''}{until}"
            yield words, f"{ask.name(row['party'])}, {said(CAPACITIES, row['as'])}{more}"


# --- Its lineage ----------------------------------------------------------------------


def lineage(
    name: Name,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    as_of: AsOf = "",
    as_json: AsJson = False,
) -> None:
    """Draws how a voucher came down to a lot: all parts that you may see, as a tree."""
    when = {"as_of": as_of} if as_of else {}
    with reader(url, log_key, party, read_key) as ask:
        lot = ask.get(f"/v1/lots/{quote(name, safe='')}", **when)
        others = ask.rows("/v1/lots", voucher=lot["voucher"], limit=100, **when)
        lots = {lot["lot"]: lot} | {row["lot"]: row for row in islice(others, 1_000)}
        if as_json:
            print_json({"lot": name, "lots": list(lots.values())})
            return
        voucher = ask.voucher(lot["voucher"], **when)
        debtor = ask.name(voucher["debtor"]) if "debtor" in voucher else ""
        face = f" 开立 {money(voucher, 'face')}" if "face" in voucher else ""
        tree = Tree(f"{debtor}{face}  {voucher['voucher_no']}, due {lot['due_on']}")
        _grow(tree, ask, [*lots.values()], depth=0, asked=name)
        out.print(tree)


def _grow(tree: Tree, ask: Reader, lots: list[dict[str, Any]], *, depth: int, asked: str) -> None:
    """Adds the holders at a depth of some lots' chains, with what they hold and what went on."""
    by_holder: dict[str, list[dict[str, Any]]] = {}
    for lot in lots:
        if len(lot["path"]) > depth:
            by_holder.setdefault(lot["path"][depth], []).append(lot)
    for holder, theirs in by_holder.items():
        held = [lot for lot in theirs if len(lot["path"]) == depth + 1]
        went = sum(int(lot["amount"]) for lot in theirs if len(lot["path"]) > depth + 1)
        words = f"  转出 passed on {format_yuan(went)}" if went else ""
        node = tree.add(f"{ask.name(holder)}{words}")
        for lot in sorted(held, key=lambda lot: str(lot["lot"])):
            here = "  ◄" if lot["lot"] == asked else ""
            status = "" if lot["status"] == "free" else f"  {said(STATUSES, lot['status'])}"
            burden = "  权利负担 burdened" if lot["burdens"] else ""
            what = f"持有 holds {money(lot)}  {lot['tier']}级{status}{burden}"
            node.add(f"{what}{here}\n{lot['lot']}")
        _grow(node, ask, theirs, depth=depth + 1, asked=asked)


# --- Vouchers and notices --------------------------------------------------------------


def show_voucher(
    name: Name,
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    as_of: AsOf = "",
    as_json: AsJson = False,
) -> None:
    """Shows a voucher 凭证: who owes it to whom, what is open of it, by what policy."""
    when = {"as_of": as_of} if as_of else {}
    with reader(url, log_key, party, read_key) as ask:
        row = ask.get(f"/v1/vouchers/{name}", **when)
        if as_json:
            print_json(row)
            return
        is_open = int(row["face"]) - int(row["discharged"]) - int(row["cancelled"])
        facts: list[Fact] = [
            (("凭证", "voucher"), f"{row['voucher_no']}  {row['voucher']}"),
            (("状态", "status"), said(STATUSES, row["status"])),
            (("凭证金额", "face"), money(row, "face")),
            (("未兑付金额", "outstanding"), format_yuan(is_open)),
            (("债务人（开立人）", "debtor"), ask.name(row["debtor"])),
            *((("共同债务人", "co-debtor"), ask.name(each)) for each in row["co_debtors"]),
            *((GUARANTORS, ask.name(each)) for each in row["guarantors"]),
            (("原始债权人", "original creditor"), ask.name(row["creditor"])),
            (("到期日", "due"), row["due_on"]),
            (("清分路径", "route"), said(STATUSES, row["route"])),
            (("规则", "policy"), row["policy"]),
        ]
        if row["status"] == "issued":
            facts.append((("签收截止", "to accept by"), ask.day(row["accept_by"] - 1)))
        if row["flags"]:
            remarks = ", ".join(said(STATUSES, flag) for flag in row["flags"])
            facts.append((("提示", "remarks"), remarks))
        show_facts(facts)


GUARANTORS: Words = ("增信方", "secured by")
"""Guarantors and shortfall promisors, in one list; which of them each is stands with its lots."""

NOTICE_HEADS: dict[str, Words] = {
    "number": ("号", "no."),
    "arrived": ("到达", "arrived"),
    "voucher": ("凭证", "voucher"),
    "amount": ("金额", "amount"),
    "assignor": ("转让人", "assignor"),
    "assignee": ("受让人", "assignee"),
    "receipt": ("回执", "receipt"),
}


def list_notices(
    url: Url,
    party: Party,
    read_key: ReadKey,
    log_key: LogKey,
    limit: Limit = 100,
    as_json: AsJson = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only unacknowledged ones.")] = False,
) -> None:
    """Lists notices of assignment 债权转让通知 in your inbox, and whether you acknowledged them."""
    which = {"acknowledged": "false"} if waiting else {}
    with reader(url, log_key, party, read_key) as ask:
        found = ask.rows("/v1/notices", limit=min(limit + 1, 1_000), **which)
        rows = list(islice(found, limit + 1))
        if as_json:
            print_json(rows[:limit])
            return
        if not rows:
            out.print("no notices  无转让通知")
            return
        rows.sort(key=lambda row: (row["arrived"], row["number"], row["notice"]))
        show_table(
            NOTICE_HEADS,
            (
                {
                    "number": str(row["number"]),
                    "arrived": ask.day(row["arrived"]),
                    "voucher": str(ask.voucher(row["voucher"])["voucher_no"]),
                    "amount": money(row),
                    "assignor": ask.name(row["assignor"]),
                    "assignee": ask.name(row["assignee"]),
                    "receipt": _receipt(row),
                }
                for row in rows[:limit]
            ),
            right=("number", "amount"),
            folded=("assignor", "assignee"),
        )
        for row in rows[:limit]:
            out.print(f"  {row['number']:>4}  {row['notice']}", style="dim", soft_wrap=True)
        if len(rows) > limit:
            out.print(f"and more: --limit {limit * 10} or --json")


def _receipt(row: Mapping[str, Any]) -> str:
    """Returns what the recipient has said of a notice."""
    if row["acknowledged"]:
        return "已确认"
    return "有异议" if "refused" in row else "已撤销" if "revoked_at" in row else "待确认"


COMMANDS = (
    ("lot", "show", show_lot),
    ("lot", "lineage", lineage),
    ("voucher", "show", show_voucher),
    ("notice", "list", list_notices),
)
