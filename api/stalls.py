"""Stalled connections: found by looking at all of them now and then, not by a timer for each.

Nobody may hold a connection, and what it has sent, by sending the rest of a request slowly
or by not reading an answer. A request must be here within the time allowed from when it was
first seen; an answer must be read on within it. Between requests a connection may idle as
long as the server's keep-alive lets it.
"""

from collections.abc import Hashable, Iterable
from typing import Any, Final

REQUEST_SECONDS: Final = 60.0


class StallWatch:
    """Ends connections that have waited for their client too long."""

    def __init__(self, *, seconds: float = REQUEST_SECONDS) -> None:
        """Has seen nothing yet.

        Args:
            seconds: How long a client may keep a connection waiting.
        """
        self._seconds = seconds
        self._seen: dict[Any, tuple[Hashable, float]] = {}

    def look(self, connections: Iterable[Any], *, now: float) -> None:
        """Ends what has stalled.

        Args:
            connections: The server's open connections, as uvicorn's protocols.
            now: Seconds on a clock that does not step.
        """
        seen: dict[Any, tuple[Hashable, float]] = {}
        for connection in connections:
            state = _state_of(connection)
            if state is None:
                continue
            before, since = self._seen.get(connection, (None, now))
            seen[connection] = (state, since if before == state else now)
            if now - seen[connection][1] > self._seconds:
                connection.transport.abort()
        self._seen = seen


def _state_of(connection: Any) -> Hashable | None:
    """Returns what a connection waits for its client with; None if it does not wait for it."""
    unread: int = connection.transport.get_write_buffer_size()
    if unread:
        return ("reads", id(connection.cycle), unread)
    cycle = connection.cycle
    if cycle is None:
        return ("sends", 0)
    if not cycle.response_complete:
        return ("sends", id(cycle)) if cycle.more_body else None
    # The timer runs until the first byte of the next request.
    return ("sends", id(cycle)) if connection.timeout_keep_alive_task is None else None
