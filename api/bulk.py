"""Bulk: admits many statements and seals them in the order of their lines.

A line may be signed with a key that an earlier line of the same request makes known.
So a line whose key is unknown waits until the lines before it are committed, and is
then admitted once more.

Lines are admitted some at a time, by threads, while those before them are committed. What
is admitted by then is the next commit: nothing is waited for, and nothing overtakes.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from api.service import Service
from registry.engine import Outcome
from registry.errors import (
    KeyUnknownError,
    MalformedError,
    RegistryError,
    StorageError,
    TooLargeError,
)
from registry.statements import Statement

LINES_MAX: Final = 1_000

CHUNK_LINES: Final = 50
"""Lines of one turn of a thread: enough that handing them over does not count."""

_THREADS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="admit")
"""Off the event loop. A signature, which is most of an admission, lets the others run."""

Admitted = Statement[Any] | RegistryError


def split_lines(body: bytes) -> list[str]:
    """Splits the body of a bulk request; the last line may end with a line feed.

    Raises:
        TooLargeError: There are more than 1,000 lines.
        MalformedError: There is no line.
    """
    lines = body.decode("ascii", errors="replace").split("\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) > LINES_MAX:
        raise TooLargeError(what="number of lines", size=len(lines), limit=LINES_MAX)
    if not lines:
        raise MalformedError(what="body", reason="there is no statement")
    return lines


async def seal_lines(service: Service, lines: Sequence[str]) -> list[Outcome]:
    """Seals statements in order and returns what became of each.

    After a failure of the store the lines that follow are not tried: their outcome is the
    failure, so that what is sealed is always what a client would have sealed line by line.
    """
    loop = asyncio.get_running_loop()
    chunks = [lines[at : at + CHUNK_LINES] for at in range(0, len(lines), CHUNK_LINES)]
    coming = [loop.run_in_executor(_THREADS, _admit_all, service, chunk) for chunk in chunks]
    sealing = _Sealing(service)
    for number, (chunk, admission) in enumerate(zip(chunks, coming, strict=True)):
        for line, admitted in zip(chunk, await admission, strict=True):
            each = admitted
            if isinstance(each, KeyUnknownError) and sealing.has_begun:
                # It was looked for before the lines ahead of it were committed.
                await sealing.commit()
                each = _admit(service, line)
            sealing.add(each)
        if number + 1 == len(coming) or not coming[number + 1].done():
            await sealing.commit()
    return sealing.outcomes


class _Sealing:
    """What has become of the lines of one request so far."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._places: list[int] = []
        self._failure: StorageError | None = None
        self._waiting: list[Statement[Any]] = []
        self.has_begun = False
        self.outcomes: list[Outcome] = []

    def add(self, admitted: Admitted) -> None:
        """Notes the next line: one that waits for the next commit, or its refusal."""
        if isinstance(admitted, RegistryError):
            self.outcomes.append(admitted)
        elif self._failure is not None:
            self.outcomes.append(self._failure)
        else:
            self.has_begun = True
            self._waiting.append(admitted)
            self._places.append(len(self.outcomes))
            self.outcomes.append(_PENDING)

    async def commit(self) -> None:
        """Has sealed what waits; a failure of the store is the outcome of all that follows."""
        if not self._waiting:
            return
        try:
            sealed = await asyncio.wrap_future(self._service.writer.submit(self._waiting))
        except StorageError as error:
            self._failure = error
            sealed = [self._failure for _ in self._waiting]
        for place, outcome in zip(self._places, sealed, strict=True):
            self.outcomes[place] = outcome
        self._waiting, self._places = [], []


_PENDING: Final = StorageError(reason="not tried")


def _admit_all(service: Service, lines: Sequence[str]) -> list[Admitted]:
    """Admits statements, each on its own."""
    return [_admit(service, line) for line in lines]


def _admit(service: Service, line: str) -> Admitted:
    """Admits one line, or says why not."""
    try:
        return service.admit(line)
    except RegistryError as error:
        return error
