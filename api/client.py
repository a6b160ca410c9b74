"""The client: signs, sends, retries what is safe, follows pages, checks what it is told.

    client = Client("http://127.0.0.1:8000", origin=origin, keys={party: key}, log_key=pinned)
    offer = client.do("transfer.offer", by=party, body={…})
    for lot in client.pages("/v1/lots", by=party): …

A statement is never sealed twice, so the same bytes are simply sent again when a
connection breaks or the server is busy. With a pinned log key every statement carries
the newest checkpoint that was verified (`seen`). Time, ids and seed are injectable.
"""

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import httpx

from api.answers import (
    RefusedError,
    Result,
    chunks_of,
    problem_of,
    result_of,
    send_safely,
    verify_receipt,
)
from api.auth import seal_token
from api.reads import Reads
from registry.canonical import Json, b64url_decode, format_json, parse_object
from registry.checkpoint import Checkpoint, open_checkpoint
from registry.errors import InvariantBrokenError, LogCorruptError, MalformedError, ProofFailedError
from registry.ids import Origin, PartyId, format_uuid7, trustee_of
from registry.merkle import TreeHead, verify_consistency
from registry.signing import PrivateKey, PublicKey, detach, jws_id, split_jws
from registry.statements import seal_statement

TOKEN_SECONDS: Final = 240


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Client(Reads):
    """Talks to one ledger's server for any number of parties."""

    def __init__(
        self,
        url: str,
        *,
        origin: Origin,
        keys: Mapping[str, PrivateKey] | None = None,
        read_keys: Mapping[str, PrivateKey] | None = None,
        log_key: PublicKey | None = None,
        clock: Callable[[], int] = _now_ms,
        tail: Callable[[], bytes] = lambda: secrets.token_bytes(10),
        seen_every: int = 1_000,
        timeout_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepares a connection; nothing is sent yet.

        Args:
            url: The server's address.
            origin: The log's name, pinned.
            keys: Signing keys by party; a vehicle's are its trustee's.
            read_keys: Keys of use `read` by party, for bearer tokens.
            log_key: The log key, pinned; without it no checkpoint is believed or sent.
            clock: The time for statements in milliseconds: the ledger's own under a manual clock.
            tail: Gives the 10 random bytes of the next statement's id.
            seen_every: Statements after which a newer checkpoint is fetched for `seen`; 0 leaves
                that to the caller (`checkpoint`).
            timeout_seconds: Of one request.
            transport: Stands in for the network.
        """
        self.origin = origin
        self.keys = dict(keys or {})
        self.read_keys = dict(read_keys or {})
        self.log_key = log_key
        self.seen: TreeHead | None = None
        self._clock = clock
        self._tail = tail
        self._seen_every = seen_every
        self._signed = itertools.count()
        self._tokens: dict[str, tuple[int, str]] = {}
        self._http = httpx.Client(base_url=url, timeout=timeout_seconds, transport=transport)

    def __enter__(self) -> Self:
        """Returns the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the connections."""
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    # --- Writing ------------------------------------------------------------------

    def sign(
        self,
        kind: str,
        *,
        by: str,
        body: Mapping[str, Json],
        re: str | None = None,
        key: PrivateKey | None = None,
        seconds: int = 3_600,
    ) -> str:
        """Signs a statement for a party and returns it as a compact JWS; nothing is sent.

        Args:
            kind: Name of the kind.
            by: The party.
            body: The body as JSON.
            re: The statement that this one answers.
            key: A key other than the party's usual one.
            seconds: Lifetime.
        """
        number = next(self._signed)
        if self.log_key is not None and self._seen_every and number % self._seen_every == 0:
            self._refresh_seen()
        now = self._clock()
        return seal_statement(
            key or self.keys[trustee_of(PartyId(by))],
            kind=kind,
            by=by,
            aud=self.origin,
            body=body,
            iat=now // 1000,
            exp=now // 1000 + seconds,
            id=format_uuid7(now, self._tail()),
            re=re,
            seen=self.seen,
        )

    def submit(self, text: str, *, wait: bool = False) -> Result:
        """Sends one statement and returns what became of it.

        Args:
            text: The compact JWS.
            wait: Wait for a checkpoint over it; the receipt is verified if the log key is pinned.

        Raises:
            RefusedError: The server has refused it.
            StorageUnknownError: It is not known what became of it; send the same bytes again.
            ProofFailedError, NoteFailedError: The receipt does not prove.
        """
        jws = split_jws(text, what="statement")
        typ = str(parse_object(jws.header, what="header")["typ"])
        kind = typ.removeprefix("ts-").removesuffix("+jws")
        response = self._send(
            "POST",
            f"/v1/{kind.replace('.', '/')}",
            content=jws.payload,
            headers={"JWS-Signature": detach(text), "Content-Type": "application/json"},
            params={"wait": "checkpoint"} if wait else None,
        )
        if response.status_code not in (200, 201):
            raise RefusedError(problem_of(response))
        result = result_of({"status": response.status_code, **response.json()})
        if result.sid != jws_id(jws.signing_input):
            raise MalformedError(what="result", reason="is of another statement")
        if wait and self.log_key is not None:
            self._see(verify_receipt(result, origin=self.origin, key=self.log_key))
        return result

    def submit_many(self, texts: Iterable[str]) -> list[Result]:
        """Sends statements in bulk, sealed in order; a refusal of one does not stop the others.

        Raises:
            RefusedError: A whole request was refused.
            StorageUnknownError: It is not known what became of some; send the same bytes again.
        """
        results: list[Result] = []
        for chunk in chunks_of(texts):
            response = self._send(
                "POST",
                "/v1/statements",
                content="\n".join(chunk).encode("ascii"),
                headers={"Content-Type": "application/x-ndjson"},
            )
            if response.status_code != 200:
                raise RefusedError(problem_of(response))
            lines = response.text.rstrip("\n").split("\n")
            if len(lines) != len(chunk):
                raise MalformedError(what="results", reason=f"{len(lines)} for {len(chunk)} lines")
            for text, line in zip(chunk, lines, strict=True):
                results.append(result_of(json.loads(line), sid=jws_id(text.encode("ascii"))))
        return results

    def do(
        self,
        kind: str,
        *,
        by: str,
        body: Mapping[str, Json],
        re: str | None = None,
        wait: bool = False,
    ) -> Result:
        """Signs and sends one statement.

        Raises:
            RefusedError: The server has refused it.
        """
        return self.submit(self.sign(kind, by=by, body=body, re=re), wait=wait)

    def put_opening(self, digest: str, *, by: str, salt: str, terms: Mapping[str, Json]) -> None:
        """Puts an opening beside the log, before the statement that names its digest.

        Raises:
            RefusedError: The server has refused it.
        """
        response = self._send(
            "PUT",
            f"/v1/openings/{digest}",
            content=format_json({"salt": salt, "terms": dict(terms)}),
            headers={"Content-Type": "application/json", **self._authorisation(by)},
        )
        if response.status_code != 204:
            raise RefusedError(problem_of(response))

    def put_openings(self, openings: Iterable[Mapping[str, Json]], *, by: str) -> None:
        """Puts many openings, each an object of digest, salt and terms; all or none are kept.

        Raises:
            RefusedError: The server has refused them.
        """
        for chunk in chunks_of(format_json(dict(opening)).decode() for opening in openings):
            response = self._send(
                "POST",
                "/v1/openings",
                content="\n".join(chunk).encode(),
                headers={"Content-Type": "application/x-ndjson", **self._authorisation(by)},
            )
            if response.status_code != 204:
                raise RefusedError(problem_of(response))

    # --- Reading ------------------------------------------------------------------

    def token(self, by: str, *, scope: str = "") -> str:
        """Signs a bearer token for a party, with the machine's time.

        A token without a scope is kept and used again until shortly before its end.
        """
        now = int(time.time())
        until, kept = self._tokens.get(by, (0, ""))
        if not scope and now < until - 60:
            return kept
        key = self.read_keys[trustee_of(PartyId(by))]
        token = seal_token(key, by=by, aud=self.origin, iat=now, seconds=TOKEN_SECONDS, scope=scope)
        if not scope:
            self._tokens[by] = now + TOKEN_SECONDS, token
        return token

    def checkpoint(self) -> Checkpoint:
        """Fetches the newest checkpoint, and verifies it and that the log has only grown.

        Raises:
            RefusedError: There is none yet.
            NoteFailedError: It is not signed by the pinned key.
            LogCorruptError: Two signed checkpoints cannot both be true: the log has forked.
        """
        if self.log_key is None:
            raise InvariantBrokenError("no log key is pinned")
        note = self._read("/log/checkpoint", by="", params={}).text
        return self._see(open_checkpoint(note, origin=self.origin, key=self.log_key))

    def caught_up(self) -> TreeHead:
        """Waits for a checkpoint that covers everything sealed by now, and sees it.

        Raises:
            RefusedError, NoteFailedError, LogCorruptError: As `checkpoint`.
        """
        if self.log_key is None:
            raise InvariantBrokenError("no log key is pinned")
        size = int(self.get("/v1/ledger")["size"])
        if self.seen is None or self.seen.size < size:
            note = self._read(f"/v1/log/checkpoint/{size}", by="", params={}).text
            self._see(open_checkpoint(note, origin=self.origin, key=self.log_key))
        if self.seen is None:
            raise InvariantBrokenError("an empty ledger has no checkpoint")
        return self.seen

    def _see(self, found: Checkpoint) -> Checkpoint:
        """Verifies that a signed checkpoint continues the last one, and keeps the larger."""
        if self.seen is not None:
            old, new = sorted((self.seen, found.head), key=lambda head: head.size)
            path: Sequence[bytes] = ()
            if old.size != new.size:
                proof = self.get(f"/v1/log/proof/consistency/{old.size}/{new.size}")
                path = [b64url_decode(node, what="path", length=32) for node in proof["path"]]
            try:
                verify_consistency(path, old=old, new=new)
            except ProofFailedError as error:
                raise LogCorruptError(
                    reason=f"sizes {old.size} and {new.size} do not continue: {error}"
                ) from None
            if new is self.seen:
                return found
        self.seen = found.head
        return found

    def _refresh_seen(self) -> None:
        """Sees the newest checkpoint, if there is one yet."""
        try:
            self.checkpoint()
        except RefusedError as error:
            if error.code != "not-found":
                raise

    # --- Sending ------------------------------------------------------------------

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Sends a request, again if the connection broke or the server was busy.

        Every request is safe to repeat with the same bytes.

        Raises:
            StorageUnknownError: No answer came, however often it was tried.
            RefusedError: The server stayed busy.
        """
        return send_safely(self._http, method, path, **request)


__all__ = ["Client", "RefusedError", "Result"]
