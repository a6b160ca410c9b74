"""What must hold of the tree itself, whatever the code does."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES_MAX = 400
LOCKS = ("run", "dev")

# Written so that this file does not match itself.
REGISTRY_HOST = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|crates|deb\.debian|security\.debian|proxy\.golang|maven)"
    r"\.(?:org|io|com)\b"
)
MACHINE_PATH = re.compile(r"(?<![\w.*/-])/(?:work|root|home|Users|opt)/\w")
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;]+)")
LOCKED = re.compile(PIN.pattern + r"(?:\s*;[^#]*?)?(?:\s+--hash=sha256:[0-9a-f]{64})+")


def project_files() -> tuple[Path, ...]:
    """Lists what is or would be committed, without what is ignored."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def text_lines() -> Iterator[tuple[str, int, str]]:
    """Yields path, line number and line of every text file."""
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield str(path.relative_to(ROOT)), number, line


def lock_requirements(name: str) -> tuple[str, ...]:
    """Gives one string per requirement, continuation lines joined, comments dropped."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    joined = text.replace("\\\n", " ")
    return tuple(
        line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")
    )


def lock_pins(name: str) -> dict[str, str]:
    """Maps each locked name to its version."""
    matches = (PIN.match(requirement) for requirement in lock_requirements(name))
    return {match[1]: match[2] for match in matches if match}


def test_tests_are_not_packages() -> None:
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []


def test_modules_stay_readable() -> None:
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in project_files()
        if path.suffix == ".py"
        # What is written from the code, as long as the tables are many.
        and path.name != "rev_0001_first.py"
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_MAX
    }
    assert too_long == {}


@pytest.mark.parametrize("pattern", [REGISTRY_HOST, MACHINE_PATH], ids=["host", "path"])
def test_files_name_no_package_host_and_no_machine_path(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path}:{number}: {line}" for path, number, line in text_lines() if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_and_hashes_every_requirement(name: str) -> None:
    requirements = lock_requirements(name)
    assert requirements
    assert [line for line in requirements if not LOCKED.fullmatch(line)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    options = re.compile(r"://|file:|\s@\s|^\s*-(?!-hash=)", re.MULTILINE)
    assert options.findall(text) == []


def test_locks_agree() -> None:
    run, dev = lock_pins("run"), lock_pins("dev")
    assert {name: dev.get(name) for name in run} == run


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {
        "run": [
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["server"],
            *project["build-system"]["requires"],
        ],
        "dev": project["dependency-groups"]["dev"],
    }
    missing = {
        lock: [
            wanted
            for wanted in wishes
            if re.split(r"[<>=!~\[; ]", wanted, maxsplit=1)[0].lower() not in lock_pins(lock)
        ]
        for lock, wishes in asked.items()
    }
    assert missing == {"run": [], "dev": []}
