"""Asking whom to pay, over time: what the tests of notices and of payees share."""

from typing import Any

import pytest

from api.client import RefusedError
from tests.api.served import Street

HOUR = 3_600_000


def get(town: Street, by: str, path: str, **params: Any) -> dict[str, Any]:
    return dict(town.client.get(path, by=town.ids[by], **params))


def not_found(town: Street, by: str, path: str, **params: Any) -> None:
    with pytest.raises(RefusedError) as refused:
        town.client.get(path, by=town.ids[by], **params)
    assert refused.value.code == "not-found"


def now(town: Street) -> int:
    return int(town.client.get("/v1/ledger")["time"])


def wait(town: Street, time_ms: int) -> int:
    """Moves the ledger's clock on, and the client's; returns the time then."""
    time = now(town) + time_ms
    town.do("operator", "clock.set", {"time": time})
    town.client._clock = lambda: time
    return time


def paying(town: Street, by: str, lot: str, payee: str, **params: Any) -> bool:
    found = get(town, by, f"/v1/lots/{lot}/discharge", payee=town.ids[payee], **params)
    return bool(found["is_discharged"])
