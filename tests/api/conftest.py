"""One ledger in memory for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.api.local import street
from tests.api.served import Street


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """Opens a ledger with its usual people."""
    with street(tmp_path_factory.mktemp("town")) as made:
        yield made
