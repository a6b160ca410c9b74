"""The short way of a write: to its endpoint by its path alone, past the framework's routing.

The endpoints are those of the routes, so the answers are theirs; the routes stay for the
description of the interface, and for whoever wants everything to go through the framework.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.requests import refusal
from api.routes.writing import Endpoint
from registry.errors import RegistryError


class Shortcut:
    """Answers a POST at the paths it knows, and leaves the rest to the application."""

    def __init__(self, app: ASGIApp, *, endpoints: Mapping[str, Endpoint]) -> None:
        """Stands before an application.

        Args:
            app: The application.
            endpoints: What answers a POST, by its path.
        """
        self._app = app
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; a bug goes the way of all bugs."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self._endpoints.get(scope["path"]) if is_post else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except RegistryError as error:
            response = refusal(request, error)
        await response(scope, receive, send)
