"""The link between a front and the process that writes: nothing is lost or changed on it."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.bulk import LINES_MAX
from api.fronts import Answerer
from api.link import (
    MESSAGE_MAX,
    Decided,
    Done,
    Failed,
    Link,
    ReadOnly,
    Serving,
    Submit,
    format_answer,
    format_message,
    from_front,
    from_server,
    open_failure,
    open_outcomes,
    open_statements,
)
from api.problems import leaves
from api.remote import ENDED, Calls, RemoteStore, RemoteWriter
from api.service import Service
from clearing.rulebook import RULEBOOK
from registry.engine import Outcome, Sealed
from registry.entries import ENTRY_MAX, open_entry
from registry.errors import InvariantBrokenError, RegistryError, StorageUnknownError
from registry.ids import Sid
from registry.ports import Opening
from registry.signing import PrivateKey
from registry.statements import Statement, read_statement, seal_statement
from registry.writer import Statements, StoredKeys, Writer, WriterBusyError, WriterStoppedError
from tests.api.local import client_of, local_service
from tests.api.served import Street
from tests.builders import ORIGIN, key_of, uscc
from tests.golden import story

SECONDS = 20
VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "statements"
PREFIX = 4
LEAVES = sorted(set(leaves()), key=lambda leaf: leaf.code)


class OneKey:
    """A key directory of one signer."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key.public

    def find(self, _kid: str) -> Any:
        """Returns the signer's key."""
        return self._key


def statement_of(file: Path) -> Statement[Any]:
    """Reads the golden statement of a kind."""
    given = json.loads(file.read_text())["input"]
    key, payload = key_of(given["seed_of"]), given["payload"]
    seen = payload.pop("seen", None)
    assert seen is None
    text = seal_statement(key, kind=given["kind"], **payload)
    origin = payload["aud"]
    return read_statement(text, kinds=RULEBOOK.kinds, origin=origin, keys=OneKey(key)).statement


def told(message: bytes) -> Any:
    """Takes the length off a message to a front."""
    return from_server(message[PREFIX:])


def cleared() -> list[Statement[Any]]:
    """Reads the statements of a log whose vouchers were cleared."""
    world = story().world
    texts = [entry.statement for entry in map(open_entry, world.entries()) if entry.statement]
    keys = StoredKeys(world.store)
    return [
        read_statement(text, kinds=RULEBOOK.kinds, origin=ORIGIN, keys=keys).statement
        for text in texts
    ]


STATEMENTS = [
    *(statement_of(file) for file in sorted(VECTORS.glob("*.json"))),
    *(each for each in cleared() if each.kind.startswith(("clearing.", "payee.aggregate"))),
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each.kind)
def test_a_statement_of_every_kind_arrives_as_it_was_admitted(statement: Statement[Any]) -> None:
    message = from_front(format_message(Submit(7, [statement, statement]))[PREFIX:])
    assert open_statements(message, RULEBOOK) == [statement, statement]


def test_every_kind_has_a_statement_here() -> None:
    assert {each.kind for each in STATEMENTS} == set(RULEBOOK.kinds)


def test_the_log_that_a_signer_saw_arrives(tmp_path: Path) -> None:
    with local_service(tmp_path) as service, client_of(service) as client:
        town = Street(client)
        client.submit(town.genesis(), wait=True)
        client.checkpoint()
        statement = service.admit(town.read_key("operator"))
    assert statement.seen is not None
    message = from_front(format_message(Submit(1, [statement]))[PREFIX:])
    assert open_statements(message, RULEBOOK) == [statement]


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.code)
def test_every_refusal_arrives_with_its_facts(leaf: type[RegistryError]) -> None:
    names = {"reason", "what", *(name for name in _fields(leaf.template))}
    error = leaf(**{name: number or "text" for number, name in enumerate(sorted(names))})
    sealed = Sealed(sid=Sid("s"), index=3, time=5, leaf_hash=b"h" * 32, effects_json=b"{}")
    first, second = open_outcomes(told(format_answer(1, [error, sealed])))
    assert (type(first), str(first), first.facts) == (leaf, str(error), error.facts)  # type: ignore[union-attr]
    assert second == sealed
    failure = open_failure(told(format_answer(2, error)))
    assert (type(failure), str(failure)) == (leaf, str(error))


def _fields(template: str) -> list[str]:
    """Returns the names of the facts in a template."""
    return [part.partition("}")[0].partition("!")[0] for part in template.split("{")[1:]]


def test_of_a_bug_nothing_arrives_but_that_there_was_one() -> None:
    failure = open_failure(told(format_answer(1, ValueError("secret"))))
    assert isinstance(failure, InvariantBrokenError)
    assert "secret" not in str(failure)


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_messages_are_the_same_in_whatever_pieces_they_come(
    messages: list[bytes], cuts: list[int]
) -> None:
    found: list[bytes] = []
    link = Link(found.append, lambda: None)
    stream = b"".join(len(each).to_bytes(PREFIX, "big") + each for each in messages)
    while stream:
        size = cuts.pop() if cuts else len(stream)
        link.data_received(stream[:size])
        stream = stream[size:]
    assert found == messages


def test_a_length_beyond_all_reason_is_not_waited_for() -> None:
    with pytest.raises(ValueError, match="a message of"):
        Link(lambda _: None, lambda: None).data_received((MESSAGE_MAX + 1).to_bytes(PREFIX, "big"))


def test_the_answer_to_the_largest_bulk_request_is_no_longer_than_a_message_may_be() -> None:
    effects = b"x" * ENTRY_MAX
    sealed = Sealed(
        sid=Sid("s" * 43), index=2**53, time=2**53, leaf_hash=b"h" * 32, effects_json=effects
    )
    assert len(format_answer(2**53, [sealed] * LINES_MAX)) - PREFIX <= MESSAGE_MAX


# --- Both ends --------------------------------------------------------------------------


class Ends:
    """Both ends of a link in one event loop."""

    def __init__(self, service: Service) -> None:
        self.events: list[str] = []
        self.calls = Calls(asyncio.get_running_loop())
        self.answerer = Answerer(service, on_end=lambda: self.events.append("ends"))
        self.writer = RemoteWriter(self.calls, service.store, waiting_max=10)

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for link, end in zip(
            (self.calls.link, self.answerer.link), socket.socketpair(), strict=True
        ):
            await loop.create_unix_connection(lambda link=link: link, sock=end)  # type: ignore[misc]


def with_ends(service: Service, test: Callable[[Ends], Awaitable[None]]) -> None:
    """Runs a test with a link between a front and a service."""

    async def run() -> None:
        ends = Ends(service)
        await ends.connect()
        await asyncio.wait_for(test(ends), SECONDS)
        ends.calls.link.close()
        await asyncio.wait_for(ends.answerer.has_ended.wait(), SECONDS)
        assert ends.events == ["ends"]

    asyncio.run(run())


@pytest.fixture
def service(tmp_path: Path) -> Any:
    with local_service(tmp_path) as opened:
        yield opened


def genesis_of(service: Service) -> Statement[Any]:
    with client_of(service) as client:
        return service.admit(Street(client).genesis())


def test_a_statement_is_sealed_and_a_checkpoint_signed_at_the_other_end(service: Service) -> None:
    genesis = genesis_of(service)

    async def test(ends: Ends) -> None:
        assert (ends.writer.note, ends.writer.signed_size) == ("", 0)
        (sealed,) = await asyncio.wrap_future(ends.writer.submit([genesis]))
        assert isinstance(sealed, Sealed)
        assert sealed.sid == genesis.sid
        (again,) = await asyncio.wrap_future(ends.writer.submit([genesis]))
        assert isinstance(again, Sealed)
        assert again.replayed
        note = await asyncio.wrap_future(ends.writer.wait_checkpoint(1))
        # What a front says is signed is never behind what it has just answered.
        assert (ends.writer.note, ends.writer.signed_size) == (note, 1)
        assert StoredKeys(service.store).find(genesis.kid) is not None

    with_ends(service, test)


@pytest.mark.parametrize("sooner", [True, False], ids=["at once", "later"])
def test_a_writer_that_is_busy_says_so_to_the_front(
    service: Service, sooner: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    genesis, busy = genesis_of(service), WriterBusyError(waiting=9, limit=8)

    def refuse(_self: Writer, _statements: Statements) -> "Future[list[Outcome]]":
        if sooner:
            raise busy
        future: Future[list[Outcome]] = Future()
        future.set_exception(busy)
        return future

    monkeypatch.setattr(Writer, "submit", refuse)

    async def test(ends: Ends) -> None:
        with pytest.raises(WriterBusyError, match="9 statements are waiting, the limit is 8"):
            await asyncio.wrap_future(ends.writer.submit([genesis]))

    with_ends(service, test)


def test_openings_are_kept_at_the_other_end_only(service: Service, tmp_path: Path) -> None:
    """A second process that writes to SQLite would hold up the first one."""
    opening = Opening(digest="d", salt=b"s" * 16, terms=b"{}", by=uscc(1))

    async def test(ends: Ends) -> None:
        # A database of its own, so that one can tell who has written to which.
        with closing(RemoteStore(f"sqlite:///{tmp_path}/front.db", ends.calls)) as store:
            await asyncio.to_thread(store.put_openings, [opening])
            assert service.store.opening("d") == opening
            assert store.opening("d") is None

    with_ends(service, test)


def test_a_front_learns_at_its_start_and_later_that_nothing_is_written(service: Service) -> None:
    assert isinstance(service.writer, Writer)
    service.writer._fail("disk gone")

    async def test(ends: Ends) -> None:
        assert ends.writer.is_writing
        ends.calls.link.send(format_message(Serving()))
        while ends.writer.is_writing:
            await asyncio.sleep(0.01)
        assert ends.writer.failure == "disk gone"
        assert ends.answerer.serves.is_set()
        with pytest.raises(WriterStoppedError, match="disk gone"):
            ends.writer.submit([])

    with_ends(service, test)


def test_whoever_waits_when_the_other_end_goes_is_told_to_come_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    genesis = genesis_of(service)
    never: Sequence[Future[list[Outcome]]] = [Future()]
    monkeypatch.setattr(Writer, "submit", lambda *_: never[0])

    async def test(ends: Ends) -> None:
        waiting = asyncio.wrap_future(ends.writer.submit([genesis]))
        await asyncio.sleep(0.05)
        ends.answerer.link.close()
        with pytest.raises(StorageUnknownError, match=ENDED):
            await waiting
        assert (ends.writer.is_writing, ends.writer.failure) == (False, ENDED)
        assert ends.calls.must_stop
        with pytest.raises(WriterStoppedError, match=ENDED):
            ends.writer.submit([genesis])
        with pytest.raises(WriterStoppedError, match=ENDED):
            await asyncio.wrap_future(ends.writer.wait_checkpoint(1))

    with_ends(service, test)


@pytest.mark.parametrize(
    "answer",
    [
        Failed(1, ("no-such-error", {})),
        Decided(1, [("insufficient-holding", {"lot": "a fact of four"})]),
        Decided(9, []),
    ],
    ids=["an error of another program", "facts of another error", "to what nobody asked"],
)
def test_whoever_waits_for_an_answer_that_makes_no_sense_is_told_to_come_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, answer: Failed | Decided
) -> None:
    genesis = genesis_of(service)
    never: Future[list[Outcome]] = Future()
    monkeypatch.setattr(Writer, "submit", lambda *_: never)

    async def test(ends: Ends) -> None:
        waiting = asyncio.wrap_future(ends.writer.submit([genesis]))
        await asyncio.sleep(0.05)
        ends.answerer.link.send(format_message(answer))
        with pytest.raises(StorageUnknownError, match=ENDED):
            await waiting
        assert ends.calls.must_stop

    with_ends(service, test)


def test_an_answer_that_nobody_waits_for_any_more_changes_nothing(service: Service) -> None:
    genesis = genesis_of(service)

    async def test(ends: Ends) -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(ends.writer.submit([genesis])))
        await asyncio.sleep(0)
        waiting.cancel()
        (again,) = await asyncio.wrap_future(ends.writer.submit([genesis]))
        assert isinstance(again, Sealed)
        assert again.replayed
        assert ends.writer.is_writing

    with_ends(service, test)


def test_what_a_server_says_is_understood() -> None:
    assert told(format_message(ReadOnly("why"))) == ReadOnly("why")
    assert told(format_answer(4, "note")) == Done(4, "note")
    assert told(format_answer(4, None)) == Done(4)
