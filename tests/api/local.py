"""The application in this process, behind the same client: no socket, nothing on disk."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from api.app import create_app
from api.client import Client
from api.service import Service, open_service
from api.settings import Settings
from registry.signing import detach, split_jws
from tests.api.served import Street, connect
from tests.builders import ORIGIN, key_of


class Local(httpx.BaseTransport):
    """Hands requests of a synchronous client to an ASGI application."""

    def __init__(self, service: Service, *, shortcut: bool = True) -> None:
        self.app = create_app(service, shortcut=shortcut)
        self._asgi = httpx.ASGITransport(self.app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers one request in an event loop of its own."""

        async def answer() -> httpx.Response:
            response = await self._asgi.handle_async_request(request)
            content = await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=content)

        return asyncio.run(answer())


@contextmanager
def local_service(
    directory: Path, *, database: str = "memory:", waiting_max: int = 8_192
) -> Iterator[Service]:
    """Opens a ledger, in memory unless a database is named, with the tests' log key."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "log-key.pem").write_bytes(key_of("log").to_pem())
    settings = Settings(
        origin=ORIGIN, database=database, directory=directory, waiting_max=waiting_max
    )
    service = open_service(settings)
    try:
        yield service
    finally:
        service.close()


@contextmanager
def street(
    directory: Path, *, database: str = "memory:", shortcut: bool = True
) -> Iterator[Street]:
    """Opens a ledger with its usual people."""
    with (
        local_service(directory, database=database) as service,
        client_of(service, shortcut=shortcut) as client,
    ):
        yield Street(client).settle_in()


def client_of(service: Service, *, shortcut: bool = True) -> Client:
    """Returns a client of an application in this process."""
    return connect("http://local", transport=Local(service, shortcut=shortcut))


def raw(town: Street, method: str, path: str, **request: Any) -> httpx.Response:
    """Sends a request as it is, without the client's care."""
    return town.client._http.request(method, path, **request)


def post(town: Street, text: str, *, path: str = "", **request: Any) -> httpx.Response:
    """Posts a statement to the path of its kind, or to another."""
    jws = split_jws(text, what="statement")
    kind = json.loads(jws.header)["typ"][3:-4]
    headers = {"JWS-Signature": detach(text), **request.pop("headers", {})}
    path = path or f"/v1/{kind.replace('.', '/')}"
    return raw(town, "POST", path, content=jws.payload, headers=headers, **request)


def code_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]
