"""What a client reads, or has looked up: objects, lists, files, worklists."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from api.answers import RefusedError, Result, problem_of, result_of
from registry.canonical import format_json


class Reads(ABC):
    """The part of `Client` that seals nothing."""

    @abstractmethod
    def token(self, by: str, *, scope: str = "") -> str:
        """Returns a bearer token of a party."""

    @abstractmethod
    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Sends a request, again where that is safe."""

    def get(self, path: str, *, by: str = "", **params: str | int) -> Any:
        """Reads an object as JSON, as a party if one is named.

        Raises:
            RefusedError: There is no such thing, or not for the party.
        """
        return self._read(path, by=by, params=params).json()

    def get_bytes(self, path: str, *, by: str = "", **params: str | int) -> bytes:
        """Reads a file: a tile, a bundle, a snapshot, a proof, a page.

        Raises:
            RefusedError: There is no such file, or not for the party.
        """
        return self._read(path, by=by, params=params).content

    def pages(self, path: str, *, by: str, **params: str | int) -> Iterator[dict[str, Any]]:
        """Yields the rows of a list, page by page, all as of the first page's size.

        Raises:
            RefusedError: The server has refused.
        """
        while True:
            page = self.get(path, by=by, **params)
            yield from page["data"]
            if not page["has_more"]:
                return
            params["cursor"] = page["next"]

    def worklist(self, by: str) -> dict[str, Any]:
        """Reads what waits for a party this morning.

        Raises:
            RefusedError: The caller is not known.
        """
        found: dict[str, Any] = self.get("/v1/worklist", by=by)
        return found

    def check_control(self, answer: str, *, challenge: str, by: str) -> dict[str, Any]:
        """Asks whether an answer to one's own challenge shows control of a lot, now.

        Raises:
            RefusedError: It does not.
        """
        response = self._send(
            "POST",
            "/v1/control",
            content=format_json({"answer": answer, "challenge": challenge}),
            headers={"Content-Type": "application/json", **self._authorisation(by)},
        )
        if response.status_code != 200:
            raise RefusedError(problem_of(response))
        shown: dict[str, Any] = response.json()
        return shown

    def statement(self, sid: str, *, by: str) -> Result | None:
        """Resolves an unknown outcome: what became of a statement, or None if it is not sealed.

        Raises:
            RefusedError: The caller is not known.
        """
        try:
            found = self.get(f"/v1/statements/{sid}", by=by)
        except RefusedError as error:
            if error.code == "not-found":
                return None
            raise
        return result_of({"status": 200, **found})

    def _authorisation(self, by: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(by)}"} if by else {}

    def _read(self, path: str, *, by: str, params: Mapping[str, str | int]) -> httpx.Response:
        """Reads, and raises what was refused."""
        response = self._send(
            "GET", path, headers=self._authorisation(by), params=dict(params) or None
        )
        if response.status_code != 200:
            raise RefusedError(problem_of(response))
        return response
