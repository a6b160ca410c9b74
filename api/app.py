"""The application: routes, problems, and nothing between them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api import schemas
from api.access import row_of
from api.errors import MethodNotAllowedError, RequestInvalidError, RouteNotFoundError
from api.intake import Intake
from api.requests import bug, refusal
from api.routes import (
    clearing,
    clearing_day,
    control,
    dealings,
    encumbrances,
    log,
    morning,
    notices,
    openings,
    operation,
    people,
    policies,
    proofs,
    reading,
)
from api.routes.writing import endpoints_of, writing_router
from api.service import Service
from api.shortcut import Application
from registry.errors import RegistryError

DESCRIPTION = """\
A verifiable registry of electronic receivable vouchers (应收账款电子凭证).

Every write is a statement that its party has signed; every read shows what is the caller's.
"""


def create_app(service: Service, *, shortcut: bool = True, verifiers: int = 1) -> FastAPI:
    """Builds the application over one ledger; it closes the ledger when it ends.

    Args:
        service: The ledger.
        shortcut: Whether writes go past the framework's routing.
        verifiers: Threads that verify signatures; see `Intake`.
    """
    intake = Intake(service, verifiers=verifiers)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.keys.warm()
        yield
        intake.close()
        service.close()

    app = Application(
        shortcuts=endpoints_of(service.rulebook) if shortcut else {},
        title="Tallystick",
        version="1",
        description=DESCRIPTION,
        # The interactive pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.state.intake = intake
    for router in routers_of(service):
        for route in operations_of(router):
            # An operation without a row in the table of access must not exist.
            row_of(route.operation_id or "")
        # Not included, for the framework would look for an included route in two steps.
        app.router.routes.extend(router.routes)
    app.add_exception_handler(RegistryError, _on_registry_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]
    return app


def routers_of(service: Service) -> tuple[APIRouter, ...]:
    """Returns all routers; those of statements are made from the table of kinds."""
    return (
        operation.router,
        writing_router(service.rulebook),
        reading.router,
        people.router,
        encumbrances.router,
        notices.router,
        dealings.router,
        policies.router,
        morning.router,
        openings.router,
        clearing.router,
        clearing_day.router,
        proofs.router,
        control.router,
        log.router,
    )


def operations_of(router: APIRouter) -> list[APIRoute]:
    """Returns a router's operations."""
    return [route for route in router.routes if isinstance(route, APIRoute)]


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """Returns the OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        app.openapi_schema = schemas.complete(document, service.rulebook.kinds.values())
    return app.openapi_schema


async def _on_registry_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RegistryError):
        raise error
    return refusal(request, error)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Turns the framework's own complaint into a problem that names the parameter."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    name = str(first["loc"][-1])
    reason = f"{name}: {first['msg']}"
    return refusal(request, RequestInvalidError(reason=reason, parameter=name))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Turns an unknown path or method into a problem."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    if error.status_code == 405:
        return refusal(request, MethodNotAllowedError(path=path, method=request.method))
    if error.status_code == 404:
        return refusal(request, RouteNotFoundError(path=path))
    return refusal(request, RequestInvalidError(reason=str(error.detail)))


async def _on_bug(request: Request, _: Exception) -> JSONResponse:
    return bug(request)
