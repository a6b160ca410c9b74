"""What a person sees of the demonstration: trees, tables, the notice, the verdicts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.tree import Tree

from api.bank_words import STEPS
from api.demo.cast import Actor
from api.demo.deals import Deals
from api.demo.pool import Bucket, Means
from api.words import said
from registry.audit import Audit
from registry.money import format_wan, format_yuan


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A holder of the small tree: what came in, how, and what it keeps, in fen."""

    name: str
    words: str
    came: int
    keeps: int
    below: tuple["Branch", ...] = ()


class Show:
    """Prints the story to a console; silent with `--json`."""

    def __init__(self, console: Console) -> None:
        """Writes to a console."""
        self.console = console

    def chapter(self, number: int, title: str, words: str = "") -> None:
        """Begins a chapter."""
        self.console.print()
        self.console.rule(f"[bold]{number}  {title}[/bold]", align="left")
        if words:
            self.console.print(words)

    def say(self, words: str) -> None:
        """Prints a line."""
        self.console.print(words)

    def progress(self) -> Progress:
        """Returns a progress bar that a terminal shows and a file does not."""
        return Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def split_tree(self, debtor: str, face: int, root: Branch) -> None:
        """Draws a voucher and its parts."""
        tree = Tree(f"[bold]{debtor}[/bold] 开立 {format_yuan(face)}")
        _grow(tree, root)
        self.console.print(tree)

    def notice(self, notice: Mapping[str, Any], cast: Mapping[str, Actor]) -> None:
        """Prints a notice of assignment in Chinese, and its receipt."""
        names = {actor.party: actor.name for actor in cast.values()}
        self.console.print(
            Panel(
                f"致：{names[notice['recipient']]}\n"
                f"贵司开立的电子凭证 {notice['voucher'][:12]}… 项下应收账款债权，\n"
                f"金额人民币 {format_yuan(int(notice['amount']))} 元，\n"
                f"已由 {names[notice['assignor']]} 转让予 {names[notice['assignee']]}。\n"
                "自本通知到达时起，请向受让人履行付款义务。\n"
                f"通知人：{names[notice['assignor']]}（本平台仅代为送达）\n"
                f"编号：{notice['notice'][:20]}…   到达：{notice['arrived_text']}\n"
                f"[green]回执：{'已确认' if notice['acknowledged'] else '待确认'}[/green]",
                title="应收账款债权转让通知书",
                subtitle="notice of assignment, and its acknowledgement",
                expand=False,
            )
        )

    def twins(
        self, plan: Sequence[Mapping[str, Any]], names: Mapping[str, str], vouchers: Sequence[str]
    ) -> None:
        """Prints the instructions of two vouchers side by side, a hop a row."""
        hops: dict[tuple[str, str], list[int]] = {}
        counts, sums = [0, 0], [0, 0]
        for row in plan:
            side = list(vouchers).index(row["voucher"])
            amounts = hops.setdefault((names[row["payer"]], names[row["payee"]]), [0, 0])
            amounts[side] += int(row["amount"])
            counts[side] += 1
            sums[side] += int(row["amount"])
        table = Table("from", "to", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        table.add_column("直接清分\ndirect", justify="right")
        table.add_column("逐级清分\ntiered", justify="right")
        for (payer, payee), amounts in hops.items():
            table.add_row(payer, payee, *(format_yuan(each) if each else "" for each in amounts))
        table.add_section()
        table.add_row("instructions", "", *map(str, counts))
        table.add_row("moved in all", "", *(f"[bold]{format_yuan(each)}[/]" for each in sums))
        self.console.print(table)

    def outcome(self, direct: Mapping[str, int], tiered: Mapping[str, int]) -> None:
        """Prints what each holder was paid by both routes."""
        table = Table("holder", box=SIMPLE_HEAD)
        table.add_column("by direct", justify="right")
        table.add_column("by tiered", justify="right")
        table.add_column("")
        for name in direct:
            same = "[green]same[/]" if direct[name] == tiered.get(name) else "[red]differs[/]"
            table.add_row(name, format_yuan(direct[name]), format_yuan(tiered.get(name, 0)), same)
        self.console.print(table)

    def published(
        self, tables: Mapping[str, Sequence[Bucket]], means: Means, checks: Mapping[str, bool]
    ) -> None:
        """Prints the pool's published tables by claim and principal."""
        drawn = []
        for title, buckets in tables.items():
            table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
            table.add_column("bucket")
            table.add_column("claims", justify="right")
            table.add_column("万元", justify="right")
            for bucket in buckets:
                table.add_row(bucket.label, str(bucket.count), bucket.wan)
            drawn.append(table)
        self.console.print(Columns(drawn, padding=(0, 1)))
        self.console.print(
            f"mean rate {means.rate}   mean claim {means.claim_wan} 万元   "
            f"mean remaining term {means.months} months"
        )
        verdict = "[green]digit for digit[/]" if all(checks.values()) else "[red]differs[/]"
        self.console.print(f"against the published tables: {verdict}")

    def tiers(self, deals: Deals) -> None:
        """Prints who was financed, by lot and tier."""
        table = Table(title="by lot and tier", box=SIMPLE_HEAD, title_justify="left")
        table.add_column("tier")
        for heading in ("lots financed", "principal 万元", "lots kept", "face kept 万元"):
            table.add_column(heading, justify="right")
        for tier in sorted({*deals.financed, *deals.kept}):
            table.add_row(
                f"{tier} 级",
                str(deals.financed_lots[tier]),
                format_wan(deals.financed[tier]),
                str(deals.kept_lots[tier]),
                format_wan(deals.kept[tier]),
            )
        self.console.print(table)

    def ways(self, found: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Prints the ways of one lot's money, a hop a row."""
        table = Table(title="where the trust's money went", box=SIMPLE_HEAD, title_justify="left")
        for heading in ("from", "to", "", "on"):
            table.add_column(heading, overflow="fold")
        for way in found["ways"]:
            for hop in way["hops"]:
                ends = names[hop["payer"]], names[hop["payee"]]
                table.add_row(*ends, said(STEPS, hop["status"]), _day(hop.get("posted_at")))
            table.add_section()
        self.console.print(table)
        for row in found["obligations"]:
            amount = format_yuan(int(row["amount"]))
            words = f"{said(STEPS, row['sort'])} {amount}: {said(STEPS, row['status'])}"
            self.console.print(f"  {words}")
            self.console.print(f"    {names[row['owed_by']]} → {names[row['owed_to']]}")

    def stays(self, stays: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
        """Prints whose money lay on a frozen account, and for how long."""
        title = "other people's money on the frozen account  资金混同敞口"
        table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
        table.add_column("whose")
        table.add_column("yuan", justify="right")
        table.add_column("yuan-days", justify="right")
        for stay in stays:
            days = format_yuan(int(stay["fen_days"]))
            table.add_row(names[stay["beneficiary"]], format_yuan(int(stay["amount"])), days)
        table.add_section()
        total = sum(int(stay["fen_days"]) for stay in stays)
        table.add_row("", "", f"[bold]{format_yuan(total)}[/]")
        self.console.print(table)

    def audit(self, audit: Audit, title: str) -> None:
        """Prints a verdict with its findings."""
        colour = "green" if audit.verdict == 0 else "red"
        lines = [
            f"[{colour} bold]{int(audit.verdict)} {audit.verdict.name}[/]",
            *(f"{finding.where}: {finding.reason}" for finding in audit.findings),
        ]
        self.console.print(Panel(Group(*lines), title=title, expand=False))

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Prints names and values."""
        table = Table(box=None, show_header=False, padding=(0, 2))
        for name, value in pairs:
            table.add_row(name, value)
        self.console.print(table)


def _grow(tree: Tree, branch: Branch) -> None:
    """Adds a branch and everything below it."""
    kept = f"  持有 [green]{format_yuan(branch.keeps)}[/]" if branch.keeps else ""
    node = tree.add(f"{branch.words} {format_yuan(branch.came)} → [bold]{branch.name}[/]{kept}")
    for below in branch.below:
        _grow(node, below)


def _day(time: int | None) -> str:
    """Returns the day of an instant in the ledger's zone, if there is one."""
    if time is None:
        return ""
    return f"{datetime.fromtimestamp(time / 1000, UTC) + timedelta(hours=8):%Y-%m-%d}"
