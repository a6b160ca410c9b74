"""Settings for every test, and the one run of the demonstration that many of them look at."""

import fcntl
import json
import os

import pytest
from hypothesis import settings

from tests.demonstration import Demo, run_demo
from tests.postgres import told

# No deadline: two workers on two cores make single examples slow without any fault of theirs.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_report_header() -> str:
    """Says at the head of a test run what it is without."""
    return told()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Runs the demonstration once, however many workers ask for it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    directory, report = shared / "demo", shared / "demo.json"
    with (shared / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            assert not directory.exists(), "the demonstration has failed, for another test"
            printed = run_demo(directory, "--json")
            report.write_text(printed, encoding="utf-8")
    return Demo(directory=directory, report=json.loads(report.read_text(encoding="utf-8")))
