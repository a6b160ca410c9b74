"""What people read on a terminal of 80 columns: today, lots, lineage, notices, reports, entries."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from api.kind_words import KINDS
from clearing.rulebook import RULEBOOK
from registry.entries import open_entry
from registry.export import write_export
from tests.api.cli.terminal import Terminal, invoke, shell_of
from tests.api.served import DIGEST, ROOT, Street, connect, server
from tests.logs import note_of, story

GUIDES = ROOT / "docs" / "guides"
CONSOLE = re.compile(r"^```console\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Street, Terminal]]:
    """A real server with its usual people, and a shell beside it."""
    directory = tmp_path_factory.mktemp("reading")
    with server(directory / "server") as url, connect(url) as client:
        street = Street(client).settle_in()
        yield street, shell_of(street, directory, url)


@pytest.fixture(scope="module")
def lot(town: tuple[Street, Terminal]) -> str:
    """A lot that went from s1 over s2 to the factor, and what else there is to read."""
    street, _ = town
    voucher = street.issue()
    first = street.transfer(f"{voucher}.0", 60_000_000, by="s1", to="s2")
    body = street.offer_body(f"{first}.2", 20_000_000, "factor", purpose="finance", terms=DIGEST)
    second = street.do("s2", "transfer.offer", body).sid
    street.accept("factor", second)
    street.do("core", "voucher.issue", street.issue_body(face="30000000"))
    return f"{second}.2"


def said(town: tuple[Street, Terminal], command: str, *more: str, by: str, exits: int = 0) -> str:
    """Runs a command on a terminal of 80 columns, none of whose lines is longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.api.cli.terminal.invoke", narrow)
        text = town[1].run(command, *more, by=by, exits=exits)
    for line in text.splitlines():
        assert cell_len(line) <= 80, line
    return text


def narrow(arguments: list[str], environment: dict[str, str], *, stdin: str = "") -> object:
    return invoke(arguments, {**environment, "COLUMNS": "80"}, stdin=stdin)


@pytest.mark.usefixtures("lot")
def test_today_says_what_waits_and_which_command_goes_on(town: tuple[Street, Terminal]) -> None:
    text = said(town, "today", by="s1")
    assert "待签收凭证  vouchers to accept" in text
    assert "300,000.00" in text
    assert "tallystick voucher accept" in text
    assert "nothing waits" in said(town, "today", by="bank")
    found = town[1].json("today --json", by="core")
    assert [pile["kind"] for pile in found["piles"]] == [
        "notices-to-acknowledge",
        "not-yet-accepted",
    ]


def test_a_lot_is_told_in_words(town: tuple[Street, Terminal], lot: str) -> None:
    text = said(town, "lot show", lot, by="factor")
    for words in ("200,000.00", "融资 finance  from s2", "未确认", "债务人（开立人） debtor  core"):
        assert words in text
    # Who is not to be asked yet is named, too.
    assert "尚不可请求 not yet" in text
    # Not one of the words of a bill.
    for word in ("汇票", "承兑", "背书", "贴现"):
        assert word not in text


def test_a_lineage_is_a_tree_of_what_one_may_see(town: tuple[Street, Terminal], lot: str) -> None:
    whole = said(town, "lot lineage", lot, by="auditor")
    assert "passed on 600,000.00" in whole
    assert lot in whole
    assert whole.count("holds") == 3
    assert "◄" in whole
    mine = said(town, "lot lineage", lot, by="factor")
    assert mine.count("holds") == 1
    assert "400,000.00" not in mine


@pytest.mark.usefixtures("lot")
def test_notices_stand_in_order_with_their_receipts(town: tuple[Street, Terminal]) -> None:
    text = said(town, "notice list", by="core")
    assert text.count("待确认") == 2
    assert "V00000" in text
    assert "no notices" in said(town, "notice list", by="s3")


@pytest.mark.usefixtures("lot")
@pytest.mark.parametrize(
    "name", ["outstanding", "overdue", "splitting", "unacknowledged", "daily", "alerts"]
)
def test_a_report_is_read_as_text_json_and_csv(town: tuple[Street, Terminal], name: str) -> None:
    text = said(town, f"report {name}", by="auditor")
    assert "DIFFERS" not in text
    found = json.loads(town[1].run(f"report {name} --json", by="auditor"))
    rows = list(csv.DictReader(io.StringIO(town[1].run(f"report {name} --csv", by="auditor"))))
    assert len(rows) == len(found["data"])
    for row, told in zip(rows, found["data"], strict=True):
        assert {n for n, v in row.items() if v} == set(told)


@pytest.mark.usefixtures("lot")
def test_a_statement_is_compared_with_a_snapshot(
    town: tuple[Street, Terminal], tmp_path: Path
) -> None:
    street, shell = town
    street.do("trustee#T1", "snapshot.request", {})
    shell.run("snapshot take", tmp_path / "mine", by="s1")
    text = shell.run("party statement --against", tmp_path / "mine", by="s1")
    assert "400,000.00" in text
    shell.run("snapshot take", tmp_path / "theirs", by="s2")
    shell.run("party statement --against", tmp_path / "theirs", by="s1", exits=10)
    nowhere = tmp_path / "nowhere"
    told = shell.run("party statement --against", nowhere, by="s1", exits=1)
    assert f"{nowhere}: there is no such directory" in told
    (tmp_path / "mine" / "lots.ndjson").write_bytes(b"")
    assert "no verified snapshot" in shell.run(
        "party statement --against", tmp_path / "mine", by="s1", exits=10
    )


def test_rg_40_control_is_shown_from_terminal_to_terminal(
    town: tuple[Street, Terminal], lot: str
) -> None:
    _, shell = town
    challenge = shell.run("lot challenge").strip()
    answer = shell.run("lot control", lot, "--challenge", challenge, by="factor").strip()
    text = said(town, "lot check-control", answer, "--challenge", challenge, by="s3")
    assert "factor" in text
    other = shell.run("lot challenge").strip()
    refused = shell.run("lot check-control", answer, "--challenge", other, by="s3", exits=1)
    assert "control-not-shown" in refused


class TestExplain:
    @pytest.fixture
    def export(self, tmp_path: Path) -> Path:
        write_export(tmp_path / "export", note=note_of(story().entries), entries=story().entries)
        return tmp_path / "export"

    def explained(self, tmp_path: Path, export: Path, entry: str, *, exits: int = 0) -> str:
        shell = Terminal(directory=tmp_path)
        return shell.run("audit --explain", entry, export, exits=exits)

    def test_an_entry_is_told_with_signer_policy_changes_and_what_followed(
        self, tmp_path: Path, export: Path
    ) -> None:
        entries = map(open_entry, story().entries)
        index = next(entry.index for entry in entries if entry.kind == "voucher.issue")
        issue = self.explained(tmp_path, export, str(index))
        for words in ("0 VERIFIED", "开立凭证", "signed by", "decided by policy", "签收凭证"):
            assert words in issue
        sid = next(line for line in issue.splitlines() if "statement  " in line).split()[-1]
        assert self.explained(tmp_path, export, sid) == issue

    def test_nothing_is_explained_that_is_not_there_or_not_verified(
        self, tmp_path: Path, export: Path
    ) -> None:
        assert "there is no entry" in self.explained(tmp_path, export, "99999", exits=2)
        path = next(path for path in sorted((export / "tile/entries").rglob("*")) if path.is_file())
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
        said_ = self.explained(tmp_path, export, "30", exits=10)
        assert "not verified" in said_
        assert "signed by" not in said_

    def test_every_kind_has_words(self) -> None:
        known = {*RULEBOOK.kinds, *RULEBOOK.timed, "state"}
        assert set(KINDS) == known
        assert all(zh and en for zh, en in KINDS.values())


# --- The guides, typed as they stand -------------------------------------------------------


def typed(page: str) -> list[tuple[str, list[str]]]:
    """Returns the commands of a page in order, each with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for block in CONSOLE.finditer((GUIDES / page).read_text(encoding="utf-8")):
        for line in block["body"].splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ tallystick "), []))
            else:
                found[-1][1].append(line)
    return found


@pytest.mark.usefixtures("lot")
@pytest.mark.parametrize("page", ["morning.md", "reports.md"])
def test_a_guide_says_what_its_commands_say(
    town: tuple[Street, Terminal], page: str, tmp_path: Path
) -> None:
    street, shell = town
    street.do("trustee#T1", "snapshot.request", {})
    last = {"CHALLENGE": "", "ANSWER": "", "LOT": ""}
    lots = list(street.client.pages("/v1/lots", by=street.ids["s1"]))
    last["LOT"] = lots[0]["lot"]
    names = {f"${name.upper()}": street.ids[name] for name in street.ids if "#" not in name}
    for command, lines in typed(page):
        if command.startswith("audit "):
            write_export(
                tmp_path / "export", note=note_of(story().entries), entries=story().entries
            )
            command = command.replace("--log-key log.vkey", "")
        words = [
            last.get(word, names.get(word, word))
            for word in command.replace("mine", str(tmp_path / "mine"))
            .replace("audit export", f"audit {tmp_path / 'export'}")
            .split()
        ]
        words = [str(shell.path(w)) if w.endswith(".pem") else w for w in words]
        text = shell.run("", *words)
        if command.startswith("lot challenge"):
            last["CHALLENGE"] = text.strip()
        if command.startswith("lot control"):
            last["ANSWER"] = text.strip()
        for line in lines:
            assert " ".join(line.split()) in " ".join(text.split()), f"{command}\n{text}"
