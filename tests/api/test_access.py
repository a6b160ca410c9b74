from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from api.access import ACCESS, WRITE_PREFIX, Access, needs_caller, row_of, verify_allowed
from api.app import create_app, operations_of, routers_of
from api.auth import Caller
from api.errors import OperationNotAllowedError
from api.service import Service
from api.visibility import READERS
from clearing.rulebook import RULEBOOK
from registry.model import Role
from tests.api.local import local_service
from tests.builders import uscc


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    path: Path = tmp_path_factory.mktemp("app")
    with local_service(path) as service:
        yield service


@pytest.fixture(scope="module")
def app(service: Service) -> FastAPI:
    return create_app(service)


def test_every_operation_has_a_row_and_every_row_an_operation(service: Service) -> None:
    routes = [route for router in routers_of(service) for route in operations_of(router)]
    operations = {route.operation_id for route in routes}
    assert len(operations) == len(routes)
    derived = {f"{WRITE_PREFIX}{kind}" for kind in RULEBOOK.kinds}
    assert operations == set(ACCESS) | derived


def test_every_kind_says_who_reads_its_statements() -> None:
    assert set(READERS) == set(RULEBOOK.kinds)


def test_an_operation_without_a_row_is_refused() -> None:
    with pytest.raises(KeyError):
        row_of("secrets.list")


def test_statements_are_authenticated_by_their_signatures() -> None:
    assert row_of("write:transfer.offer") is Access.SIGNED
    assert not needs_caller("write:transfer.offer")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("operation", ACCESS)
def test_each_role_may_call_what_its_row_says(operation: str, role: Role) -> None:
    row = ACCESS[operation]
    caller = Caller(party=uscc(7), roles=frozenset({role}))
    if not needs_caller(operation):
        return
    if row is Access.PARTY or (isinstance(row, frozenset) and role in row):
        verify_allowed(operation, caller)
        return
    with pytest.raises(OperationNotAllowedError):
        verify_allowed(operation, caller)


def test_a_scope_narrows_what_a_token_is_for() -> None:
    caller = Caller(party=uscc(7), roles=frozenset(Role), scope=frozenset({"lots.list"}))
    verify_allowed("lots.list", caller)
    with pytest.raises(OperationNotAllowedError):
        verify_allowed("vouchers.list", caller)


def test_openapi_describes_every_kind_with_its_own_body(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for kind in RULEBOOK.kinds.values():
        operation = document["paths"][f"/v1/{kind.name.replace('.', '/')}"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["body"]["$ref"].endswith(f"/{kind.body.__name__}")
        assert kind.body.__name__ in schemas
        assert operation["summary"] == kind.summary


def test_openapi_refers_to_nothing_that_is_not_there(app: FastAPI) -> None:
    document = app.openapi()
    schemas = document["components"]["schemas"]
    seen: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if isinstance(ref := value.get("$ref"), str):
                seen.append(ref)
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(document)
    assert seen
    assert [ref for ref in seen if ref.removeprefix("#/components/schemas/") not in schemas] == []
