"""The short way of a write: to its endpoint by its path alone, past the framework's routing.

The endpoints are those of the routes, so the answers are theirs; the routes stay for the
description of the interface, and for whoever wants everything to go through the framework.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import Receive, Scope, Send

from api.requests import bug, refusal
from api.routes.writing import Endpoint
from registry.errors import RegistryError, StorageUnknownError


class Application(FastAPI):
    """An application that answers a POST at some paths at once."""

    def __init__(self, *, shortcuts: Mapping[str, Endpoint], **settings: Any) -> None:
        """Takes what answers a POST, by its path, and what the framework takes."""
        super().__init__(**settings)
        self._shortcuts = shortcuts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self._shortcuts.get(scope["path"]) if is_post else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except RegistryError as error:
            response = refusal(request, error)
        except asyncio.CancelledError:
            # The server stops and has waited long enough: the same bytes may be sent again.
            response = refusal(request, StorageUnknownError(reason="the server is stopping"))
        except Exception:
            await bug(request)(scope, receive, send)
            raise
        await response(scope, receive, send)
