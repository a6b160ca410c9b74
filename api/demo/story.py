"""The story in its order: what `tallystick demo` tells, and the report that it writes."""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

from api.client import Client
from api.demo.broken import Broken
from api.demo.cast import (
    AUDITOR,
    BANK,
    CORE,
    CUSTODIAN,
    FACTOR,
    PLAN,
    Actor,
    derive_key,
    make_cast,
)
from api.demo.deals import ISSUED_ON, Dealer
from api.demo.desk import Desk
from api.demo.evidence import Evidence
from api.demo.figures import audited, instructions, net, verdict
from api.demo.maturity import OFFSET, Maturity
from api.demo.opening import (
    STORY_DUE_ON,
    STORY_FACE,
    admit_everybody,
    designate_inboxes,
    open_accounts,
    read_keys,
    save_keys,
    tell_small_tree,
    write_genesis,
)
from api.demo.pool import (
    CUT_OFF,
    PUBLISHED_RATES,
    PUBLISHED_SIZES,
    PUBLISHED_TERMS,
    Claim,
    by_rate,
    by_size,
    by_term,
    load_claims,
    means,
)
from api.demo.processes import BankProcess, ServerProcess
from api.demo.scenes import Scenes, tell_morning
from api.demo.show import Branch, Show
from registry.calendars import start_of
from registry.checkpoint import format_verifier_key
from registry.ids import Origin
from registry.money import format_yuan
from registry.packs import packed_calendar
from registry.proofs import Holding
from registry.signing import PrivateKey

FIRST_DAY = date(2025, 6, 16)
SOLD_ON = date(2025, 7, 22)
MORNING = 9 * 3_600_000


@dataclass(slots=True, kw_only=True)
class Story:
    """One run of the demonstration.

    Attributes:
        directory: Where everything is kept.
        database: The registry's database.
        seed: Keys, ids, salts and deals follow from it.
        show: Where it is told.
    """

    directory: Path
    database: str
    seed: int
    show: Show
    report: dict[str, Any] = field(default_factory=dict)

    def tell(self) -> Mapping[str, Any]:
        """Tells the whole story; returns the report."""
        started = time.monotonic()
        claims = load_claims()
        cast = make_cast(claims, seed=self.seed)
        origin = Origin(f"sandbox.tallystick.example/jc144-{self.seed}")
        log_key = self._keep_log_key(origin)
        with ExitStack() as stack:
            server = stack.enter_context(
                ServerProcess(directory=self.directory, origin=origin, database=self.database)
            )
            desk = self._desk(server, origin, cast, log_key)
            self._open(desk, server, log_key)
            banks = [
                stack.enter_context(
                    BankProcess(
                        cast[short],
                        url=server.url,
                        origin=origin,
                        keys=self.directory / "keys",
                        seed=self.seed,
                    )
                )
                for short in (BANK, CUSTODIAN)
            ]
            maturity = Maturity(desk=desk, client=desk.client, banks=banks)
            evidence = Evidence(
                directory=self.directory,
                origin=origin,
                key=log_key.public,
                client=desk.client,
                auditor=cast[AUDITOR],
                plan=cast[PLAN],
            )
            self._small_tree(desk, maturity)
            self._pool(desk, claims, maturity)
            self._scenes(desk, claims)
            before = self._snapshot_before(desk, evidence)
            self._morning(desk, claims)
            self._maturities(claims, maturity)
            self._broken(desk, claims, maturity)
            self._prove(desk, evidence, before)
        self.report["seconds"] = round(time.monotonic() - started, 1)
        text = json.dumps(self.report, ensure_ascii=False, indent=2)
        (self.directory / "report.json").write_text(text + "\n", encoding="utf-8")
        return self.report

    # --- putting together -----------------------------------------------------------

    def _keep_log_key(self, origin: Origin) -> PrivateKey:
        """Puts the log key where the server looks for it, and its public half beside."""
        key = derive_key(self.seed, "log")
        where = self.directory / "server"
        where.mkdir(parents=True, exist_ok=True)
        path = where / "log-key.pem"
        path.touch(mode=0o600)
        path.write_bytes(key.to_pem())
        vkey = format_verifier_key(origin, key.public)
        (self.directory / "log.vkey").write_text(vkey + "\n")
        return key

    def _desk(
        self, server: ServerProcess, origin: Origin, cast: Mapping[str, Actor], log_key: PrivateKey
    ) -> Desk:
        """Returns the desk that signs for everybody."""
        client = Client(
            server.url,
            origin=origin,
            read_keys={
                cast[short].party: key for short, key in read_keys(cast, seed=self.seed).items()
            },
            log_key=log_key.public,
        )
        now = start_of(FIRST_DAY, offset_minutes=OFFSET) + MORNING
        return Desk(client=client, origin=origin, cast=cast, seed=self.seed, now=now)

    # --- the chapters -----------------------------------------------------------------

    def _open(self, desk: Desk, server: ServerProcess, log_key: PrivateKey) -> None:
        """1: a registry, its people, their accounts."""
        self.show.chapter(1, "A registry opens  登记系统启用")
        write_genesis(desk, log_key.public)
        admit_everybody(desk)
        save_keys(desk, self.directory / "keys")
        open_accounts(desk)
        designate_inboxes(desk)
        self.show.facts(
            (
                ("log", desk.origin),
                ("server", f"process {server.pid} at {server.url}, {self.database.split(':')[0]}"),
                ("parties", f"{len(desk.cast)}, one key each; accounts verified by their banks"),
                ("statements", f"{desk.statements}, all signed"),
            )
        )

    def _small_tree(self, desk: Desk, maturity: Maturity) -> None:
        """2: one voucher split to tier 3, cleared in both ways."""
        self.show.chapter(2, "One voucher, split down to tier 3  凭证拆分流转")
        twins = [
            tell_small_tree(desk, route=route, name=f"GV01-{number}")
            for number, route in enumerate(("direct", "tiered"), 1)
        ]
        desk.flush()
        desk.acknowledge()
        desk.flush()
        names = {str(actor.party): actor.name for actor in desk.cast.values()}
        self._draw_tree(desk)
        notice = next(desk.client.pages("/v1/notices", by=desk.cast[CORE].party))
        arrived = datetime.fromtimestamp(notice["arrived"] // 1000 + OFFSET * 60, UTC)
        notice["arrived_text"] = arrived.strftime("%Y-%m-%d %H:%M:%S +08:00")
        self.show.notice(notice, desk.cast)
        rows = maturity.clear(STORY_DUE_ON)
        self.show.twins(rows, names, [twin.voucher for twin in twins])
        paid = [net(rows, twin, names) for twin in twins]
        self.show.outcome(*paid)
        self.report["gv01"] = {
            twin.route: {
                "instructions": len(mine := [r for r in rows if r["voucher"] == twin.voucher]),
                "gross_fen": str(sum(int(row["amount"]) for row in mine)),
                "paid": {name: str(amount) for name, amount in got.items()},
            }
            for twin, got in zip(twins, paid, strict=True)
        }

    def _draw_tree(self, desk: Desk) -> None:
        """Draws the voucher of the small tree."""
        name = {short: actor.name for short, actor in desk.cast.items()}
        plan = Branch(name=name[PLAN], words="转让专项计划", came=20_000_000, keeps=20_000_000)
        factor = Branch(name=name[FACTOR], words="融资", came=20_000_000, keeps=0, below=(plan,))
        s3 = Branch(name=name["S3"], words="流转", came=25_000_000, keeps=25_000_000)
        s2 = Branch(
            name=name["S2"], words="流转", came=60_000_000, keeps=15_000_000, below=(s3, factor)
        )
        s1 = Branch(name=name["S1"], words="签收", came=STORY_FACE, keeps=40_000_000, below=(s2,))
        self.show.split_tree(name[CORE], STORY_FACE, s1)

    def _pool(self, desk: Desk, claims: Sequence[Claim], maturity: Maturity) -> None:
        """3: the pool of 584 claims, and the vouchers beside it."""
        self.show.chapter(3, "The pool of 584 claims  京诚系列14号4期")
        dealer = Dealer(desk=desk, rng=Random(self.seed))  # noqa: S311 (a story, not a secret)
        steps = 4
        with self.show.progress() as progress:
            bar = progress.add_task("issue and split", total=steps)
            maturity.move_clock(ISSUED_ON)
            issued = dealer.issue_pool(claims)
            dealer.beside_the_pool(claims)
            desk.flush()
            progress.update(bar, advance=1, description="sell to the factor")
            maturity.move_clock(SOLD_ON)
            financed = [(claim, dealer.finance(claim, parts)) for claim, parts in issued]
            desk.flush()
            progress.update(bar, advance=1, description="sell to the plan")
            maturity.move_clock(CUT_OFF)
            for claim, parts in financed:
                dealer.securitise(claim, parts)
            desk.flush()
            progress.update(bar, advance=1, description="acknowledge notices")
            notices = desk.acknowledge()
            desk.flush()
            progress.update(bar, advance=1)
        tables = {
            "by size 万元": by_size(claims),
            "by days": by_term(claims),
            "by rate": by_rate(claims),
        }
        mean = means(claims)
        checks = {
            "sizes": tuple(row.count for row in tables["by size 万元"]) == PUBLISHED_SIZES,
            "terms": tuple(row.wan for row in tables["by days"]) == PUBLISHED_TERMS,
            "rates": tuple(row.wan for row in tables["by rate"]) == PUBLISHED_RATES,
            "means": (mean.rate, mean.claim_wan, mean.months) == ("6.63 %", "171.26", "1.66"),
        }
        self.show.published(tables, mean, checks)
        self.show.tiers(dealer.deals)
        self.show.facts(
            (
                ("split by their supplier", f"{dealer.deals.split} of {len(claims)} claims"),
                ("notices of assignment", f"{notices} arrived and acknowledged"),
            )
        )
        self.report["pool"] = {
            "claims": len(claims),
            "principal_fen": str(sum(claim.principal for claim in claims)),
            "face_fen": str(sum(claim.face for claim in claims)),
            "pooled_face_fen": str(dealer.deals.pooled),
            "split_claims": dealer.deals.split,
            "published_tables": checks,
            "financed_fen_by_tier": {
                str(k): str(v) for k, v in sorted(dealer.deals.financed.items())
            },
            "kept_fen_by_tier": {str(k): str(v) for k, v in sorted(dealer.deals.kept.items())},
        }
        self.report["counts"] = {"vouchers": dealer.deals.vouchers + 2, "notices": notices}

    def _scenes(self, desk: Desk, claims: Sequence[Claim]) -> None:
        """4: what gets in the way, around one voucher."""
        self.show.chapter(4, "When something is in the way  质押、冻结、争议、复核")
        dates = sorted({claim.due_on for claim in claims})
        scenes = Scenes(desk=desk, show=self.show, today=CUT_OFF, due_on=dates[len(dates) // 2])
        self.report["scenes"] = {"refused": dict(scenes.tell())}
        self.report["counts"]["vouchers"] += 1

    def _morning(self, desk: Desk, claims: Sequence[Claim]) -> None:
        """6: what the platform, a debtor and a supplier read on the first due date."""
        self.show.chapter(6, "One morning  今日待办")
        first = min(claim.due_on for claim in claims)
        day = packed_calendar("CN-LEGAL").next_working_day(first)
        self.report["morning"] = tell_morning(desk, self.show, day)

    def _snapshot_before(self, desk: Desk, evidence: Evidence) -> Holding:
        """5: the trustee's snapshot before maturity, verified from its files."""
        self.show.chapter(5, "The trustee's snapshot  持有人名册（快照）")
        desk.say(PLAN, "snapshot.request", {})
        desk.flush()
        state = evidence.newest_state()
        holding = evidence.snapshot("before", state)
        lot = holding.lots[0]["record"]
        proof = evidence.lot_proof(lot["lot"], state)
        self._tell_holding("before maturity", holding)
        self.show.say(
            f"one lot's proof: {format_yuan(proof.total)} of {proof.bucket}, no other holder shown"
        )
        self.report["snapshots"] = {"before": verdict(holding)}
        return holding

    def _tell_holding(self, words: str, holding: Holding) -> None:
        """Prints what a verified snapshot says."""
        self.show.say(
            f"{words}: [green]verified[/] offline, {holding.count} lots, "
            f"sum {format_yuan(holding.total)}, as of {holding.at} entries"
        )

    def _maturities(self, claims: Sequence[Claim], maturity: Maturity) -> None:
        """7: the clock runs through all due dates."""
        self.show.chapter(7, "Maturity  到期清分")
        dates = sorted({claim.due_on for claim in claims})
        with self.show.progress() as progress:
            bar = progress.add_task("due dates", total=len(dates))
            maturity.clear_all(dates, lambda: progress.advance(bar))
        cleared = maturity.cleared
        self.show.facts(
            (
                ("due dates", f"{len(cleared.plans)}, a plan each, signed by the operator"),
                ("instructions", instructions(cleared.instructions)),
                ("owed and paid", f"{format_yuan(cleared.total)} yuan"),
                ("moved in all", f"{format_yuan(cleared.gross)} yuan"),
            )
        )
        self.report["clearing"] = {
            "plans": len(cleared.plans),
            "instructions": dict(cleared.instructions),
            "vouchers": cleared.vouchers,
            "total_fen": str(cleared.total),
            "gross_fen": str(cleared.gross),
            "by_due_date": cleared.plans,
        }

    def _broken(self, desk: Desk, claims: Sequence[Claim], maturity: Maturity) -> None:
        """8: an account is frozen on the way, and a debtor has too little."""
        self.show.chapter(8, "When the money does not come  断点与不足额")
        last = max(claim.due_on for claim in claims)
        broken = Broken(desk=desk, show=self.show, maturity=maturity, after=last)
        self.report["broken"] = broken.tell()
        self.report["counts"]["vouchers"] += 2

    def _prove(self, desk: Desk, evidence: Evidence, before: Holding) -> None:
        """9: export, audit, a tampered copy, the journal."""
        self.show.chapter(9, "Verify, trusting nothing but files  离线验证")
        desk.say(PLAN, "snapshot.request", {})
        desk.flush()
        after = evidence.snapshot("after", evidence.newest_state())
        self._tell_holding("before maturity", before)
        self._tell_holding("after maturity", after)
        size = evidence.export()
        with self.show.progress() as progress:
            bar = progress.add_task("replay", total=size)
            audit = evidence.audit(
                "export", lambda done, _all: progress.update(bar, completed=done)
            )
        self.show.audit(audit, f"audit of {size} entries")
        tampered = evidence.tamper()
        self.show.audit(tampered, "a copy in which one digit of one entry was changed")
        journal = evidence.journal()
        self.show.facts(
            (
                ("root", audit.root),
                ("journal", str(journal.name)),
                ("kept in", str(self.directory)),
            )
        )
        self.report["snapshots"]["after"] = verdict(after)
        self.report["counts"] |= {"statements": audit.statements, "entries": size}
        self.report["audit"] = audited(audit)
        self.report["tampered"] = audited(tampered)
        self.report["root"] = audit.root
