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

from api import problems, schemas
from api.access import row_of
from api.errors import MethodNotAllowedError, RequestInvalidError, RouteNotFoundError
from api.routes import clearing, log, openings, operation, proofs, reading
from api.routes.writing import writing_router
from api.service import Service
from registry.errors import RegistryError

DESCRIPTION = """\
A verifiable registry of electronic receivable vouchers (应收账款电子凭证).

Every write is a statement that its party has signed; every read shows what is the caller's.
"""


def create_app(service: Service) -> FastAPI:
    """Builds the application over one ledger; it closes the ledger when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="Tallystick",
        version="1",
        description=DESCRIPTION,
        # The interactive pages load their scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    for router in routers_of(service):
        for route in operations_of(router):
            # An operation without a row in the table of access must not exist.
            row_of(route.operation_id or "")
        app.include_router(router)
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
        openings.router,
        clearing.router,
        proofs.router,
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


def _respond(request: Request, error: RegistryError) -> JSONResponse:
    """Answers with an error as a problem."""
    language = problems.language_of(request.headers.get("accept-language", ""))
    problem = problems.problem_of(error, instance=request.url.path, language=language)
    return _problem(problem, language=language, headers=problems.headers_of(error))


def _problem(problem: dict[str, Any], *, language: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse(
        problem,
        status_code=problem["status"],
        media_type=problems.MEDIA_TYPE,
        headers={"Content-Language": language, "Cache-Control": "no-store", **headers},
    )


async def _on_registry_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RegistryError):
        raise error
    return _respond(request, error)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Turns the framework's own complaint into a problem that names the parameter."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    name = str(first["loc"][-1])
    reason = f"{name}: {first['msg']}"
    return _respond(request, RequestInvalidError(reason=reason, parameter=name))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Turns an unknown path or method into a problem."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    if error.status_code == 405:
        return _respond(request, MethodNotAllowedError(path=path, method=request.method))
    if error.status_code == 404:
        return _respond(request, RouteNotFoundError(path=path))
    return _respond(request, RequestInvalidError(reason=str(error.detail)))


async def _on_bug(request: Request, _: Exception) -> JSONResponse:
    """Says that there is a bug, and nothing about it."""
    language = problems.language_of(request.headers.get("accept-language", ""))
    return _problem(
        problems.bug(instance=request.url.path, language=language), language=language, headers={}
    )
