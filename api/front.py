"""A front: the HTTP server of one process, over a ledger that is written here or elsewhere."""

import socket
import time
from collections.abc import Callable

import uvicorn

from api.app import create_app
from api.service import Service
from api.settings import Settings
from api.stalls import StallWatch

_TICKS_A_SECOND = 10


class Front(uvicorn.Server):
    """Tells when it serves, and ends what stalls."""

    def __init__(self, config: uvicorn.Config, *, on_started: Callable[[], None]) -> None:
        """Takes whom to tell."""
        super().__init__(config)
        self._on_started = on_started
        self._stalls = StallWatch()

    async def on_tick(self, counter: int) -> bool:
        """Looks for stalled connections once a second."""
        if counter % _TICKS_A_SECOND == 0:
            self._stalls.look(self.server_state.connections, now=time.monotonic())
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts serving, then tells."""
        await super().startup(sockets=sockets)
        if self.started:
            self._on_started()


def config_of(service: Service, settings: Settings) -> uvicorn.Config:
    """Returns how a service is served; it is closed when serving ends."""
    return uvicorn.Config(
        create_app(service, verifiers=0 if settings.fronts else 1),
        host=settings.host,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
