"""What a server answers, as values: results and refusals; and how to ask until it does."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from registry.canonical import b64url_decode
from registry.checkpoint import Checkpoint, open_checkpoint
from registry.errors import InvariantBrokenError, MalformedError, StorageUnknownError
from registry.ids import Origin, Sid
from registry.merkle import verify_inclusion
from registry.signing import PublicKey

LINES_MAX: Final = 1_000
BULK_BYTES_MAX: Final = 4 * 1024 * 1024
ATTEMPTS: Final = 6
RETRY_SECONDS_FIRST: Final = 0.05
RETRY_SECONDS_MAX: Final = 5.0


class RefusedError(Exception):
    """The server has refused; `problem` is its RFC 9457 document."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        """Keeps the problem."""
        self.problem = dict(problem)
        self.status = int(problem.get("status", 0))
        self.code = str(problem.get("code", "unknown"))
        super().__init__(f"{self.code}: {problem.get('detail', problem.get('title', ''))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one statement: sealed, or `problem` says why not.

    Attributes:
        sid: The statement's id.
        status: The HTTP status of its line.
        index: The entry's index; -1 if it was refused.
        time: The entry's time in milliseconds.
        leaf_hash: The entry's leaf hash; empty if it was refused.
        effects: What changed.
        problem: Why it was refused; empty if it was sealed.
        receipt: The proof of inclusion, if it was asked for.
        approval: How its approval stands, if its party's rules made it wait.
    """

    sid: Sid
    status: int
    index: int = -1
    time: int = 0
    leaf_hash: str = ""
    effects: Mapping[str, Any] = field(default_factory=dict)
    problem: Mapping[str, Any] = field(default_factory=dict)
    receipt: Mapping[str, Any] = field(default_factory=dict)
    approval: Mapping[str, Any] = field(default_factory=dict)

    @property
    def replayed(self) -> bool:
        """Tells whether the statement had been sealed before."""
        return self.status == 200

    def require(self) -> "Result":
        """Returns itself.

        Raises:
            RefusedError: The statement was refused.
        """
        if self.problem:
            raise RefusedError(self.problem)
        return self


def send_safely(http: httpx.Client, method: str, path: str, **request: Any) -> httpx.Response:
    """Sends a request, again if the connection broke or the server was busy.

    Args:
        http: The connection.
        method: The method.
        path: The path.
        request: What else httpx takes; the request must be safe to repeat with the same bytes.

    Returns:
        The answer; one of status 503 only if the server stayed busy.

    Raises:
        StorageUnknownError: No answer came, however often it was tried.
    """
    pause = RETRY_SECONDS_FIRST
    for attempt in range(1, ATTEMPTS + 1):
        is_last = attempt == ATTEMPTS
        try:
            response = http.request(method, path, **request)
        except httpx.TransportError as error:
            if is_last:
                reason = f"no answer after {attempt} attempts: {error}"
                raise StorageUnknownError(reason=reason) from None
        else:
            if response.status_code != 503 or is_last:
                return response
            pause = max(pause, _retry_after(response))
        time.sleep(min(pause, RETRY_SECONDS_MAX))
        pause *= 2
    raise InvariantBrokenError("the last attempt returns or raises")


def _retry_after(response: httpx.Response) -> float:
    """Returns the seconds that a busy server asks to be left alone."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def problem_of(response: httpx.Response) -> Mapping[str, Any]:
    """Returns a response's problem, or what can be said without one."""
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        problem: Mapping[str, Any] = response.json()
        return problem
    return {"status": response.status_code, "code": "unknown", "title": response.reason_phrase}


def result_of(line: Mapping[str, Any], *, sid: Sid | None = None) -> Result:
    """Reads a result, which must be of the statement that was sent."""
    problem = line.get("problem", {})
    if problem:
        return Result(sid=sid or Sid(""), status=line["status"], problem=problem)
    if sid is not None and line["sid"] != sid:
        raise MalformedError(what="result", reason="is of another statement")
    return Result(
        sid=Sid(line["sid"]),
        status=line["status"],
        index=line["index"],
        time=line["time"],
        leaf_hash=line["leaf_hash"],
        effects=line["effects"],
        receipt=line.get("receipt", {}),
        approval=line.get("approval", {}),
    )


def verify_receipt(result: Result, *, origin: Origin, key: PublicKey) -> Checkpoint:
    """Verifies that an entry stands in the log that its receipt's checkpoint signs.

    Returns:
        The checkpoint, which is still to be compared with others.

    Raises:
        NoteFailedError: The checkpoint is not signed by the pinned key.
        ProofFailedError: The path does not lead to its root.
    """
    found = open_checkpoint(result.receipt["checkpoint"], origin=origin, key=key)
    verify_inclusion(
        [b64url_decode(node, what="path", length=32) for node in result.receipt["path"]],
        leaf_hash=b64url_decode(result.leaf_hash, what="leaf hash", length=32),
        leaf_index=result.index,
        head=found.head,
    )
    return found


def chunks_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """Yields statements in chunks that one request takes."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        if chunk and (len(chunk) == LINES_MAX or size + len(text) + 1 > BULK_BYTES_MAX):
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text) + 1
    if chunk:
        yield chunk
