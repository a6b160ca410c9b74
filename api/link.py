"""The link between a front and the process that writes: what is said on it, and how.

A front is a process of the server's that answers HTTP and admits statements; one process
writes. Each front has one connected pair of sockets with it, which nobody else can reach. A
message is its length in four bytes, big-endian, and MessagePack. A question has a number, and
the answer has the same; answers come in any order.

A front is trusted to have admitted what it hands in, as a thread of the server would be. Its
messages are data all the same: whoever got into a front could not run anything here.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast

import msgspec

from api.problems import leaves
from registry.engine import Outcome, Sealed
from registry.errors import InvariantBrokenError, RegistryError
from registry.kinds import Rulebook
from registry.ports import Opening
from registry.statements import Body, Statement
from registry.tables import replace

MESSAGE_MAX: Final = 1 << 26
"""Bytes of a message: a bulk request's entries fit, each as large as one may be."""

_PREFIX: Final = 4

Refusal = tuple[str, dict[str, str | int]]
"""An error's code and facts."""


class _Message(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of what is said."""


# --- What a front says --------------------------------------------------------------


class Serving(_Message, frozen=True):
    """The front answers requests."""


class Submit(_Message, frozen=True):
    """Admitted statements, to be sealed in order; each body is JSON."""

    number: int
    statements: Sequence[Statement[Any]]


class Wait(_Message, frozen=True):
    """Asks for a signed checkpoint of at least a size."""

    number: int
    size: int


class Keep(_Message, frozen=True):
    """Openings, to be kept beside the log."""

    number: int
    openings: Sequence[Opening]


# --- What the server says -------------------------------------------------------------


class Decided(_Message, frozen=True):
    """What became of statements, each in its place."""

    number: int
    outcomes: list[Sealed | Refusal]


class Done(_Message, frozen=True):
    """What was asked for is done: a checkpoint's note, if it was for one."""

    number: int
    note: str = ""


class Failed(_Message, frozen=True):
    """What was asked for could not be done; without an error because of a bug."""

    number: int
    error: Refusal | None


class ReadOnly(_Message, frozen=True):
    """Nothing is sealed any more, and why."""

    reason: str


class Stop(_Message, frozen=True):
    """The front must end, when it has answered who waits."""


FromFront = Serving | Submit | Wait | Keep
FromServer = Decided | Done | Failed | ReadOnly | Stop


def _format_body(value: object) -> bytes:
    """Writes a statement's body, which is the only thing here that is no plain data."""
    if isinstance(value, Body):
        return value.model_dump_json().encode()
    raise NotImplementedError


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_format_body)
from_front: Final = msgspec.msgpack.Decoder(FromFront).decode
from_server: Final = msgspec.msgpack.Decoder(FromServer).decode


def format_message(message: FromFront | FromServer) -> bytes:
    """Writes a message with its length."""
    data = _encoder.encode(message)
    return len(data).to_bytes(_PREFIX, "big") + data


def open_statements(message: Submit, rulebook: Rulebook) -> list[Statement[Any]]:
    """Returns the statements that a front has admitted, their bodies as their kinds read them."""
    return [
        replace(each, body=rulebook.kinds[each.kind].body.model_validate_json(each.body))
        for each in message.statements
    ]


def format_answer(number: int, result: object) -> bytes:
    """Writes the answer to a question: outcomes, a checkpoint's note, an error, or nothing."""
    match result:
        case list():
            told = [each if isinstance(each, Sealed) else _refusal_of(each) for each in result]
            return format_message(Decided(number, told))
        case str():
            return format_message(Done(number, result))
        case RegistryError():
            return format_message(Failed(number, _refusal_of(result)))
        case BaseException():
            return format_message(Failed(number, None))
        case _:
            return format_message(Done(number))


def open_outcomes(message: Decided) -> list[Outcome]:
    """Returns what became of statements."""
    return [each if isinstance(each, Sealed) else _open_error(each) for each in message.outcomes]


def open_failure(message: Failed) -> Exception:
    """Returns why something could not be done."""
    if message.error is None:
        return InvariantBrokenError("a bug in the process that writes")
    return _open_error(message.error)


def _refusal_of(error: RegistryError) -> Refusal:
    """Returns what an error is made of."""
    return error.code, error.facts


def _open_error(refusal: Refusal) -> RegistryError:
    """Makes an error again."""
    code, facts = refusal
    return _leaves()[code](**facts)


@cache
def _leaves() -> Mapping[str, type[RegistryError]]:
    """Finds every error of the program by its code."""
    return {leaf.code: leaf for leaf in leaves()}


class Link(asyncio.Protocol):
    """One end of a link, on the event loop."""

    def __init__(self, on_message: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Is not connected yet.

        Args:
            on_message: Is given each message, without its length.
            on_end: Is told once that the other end has gone.
        """
        self._on_message = on_message
        self._on_end = on_end
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    def send(self, data: bytes) -> None:
        """Sends a message if the other end is there; what it does not take yet is kept."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Ends the link, when what was sent has gone out."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Is called by the event loop."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Takes what came apart into messages."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) >= (begin := start + _PREFIX):
            length = int.from_bytes(buffer[start:begin], "big")
            if length > MESSAGE_MAX:
                raise ValueError(f"a message of {length} bytes")
            if len(buffer) < begin + length:
                break
            start = begin + length
            self._on_message(bytes(buffer[begin:start]))
        del buffer[:start]

    def connection_lost(self, _error: Exception | None) -> None:
        """Is called by the event loop, once."""
        self._transport = None
        self._on_end()
