"""Intake: what comes together is verified and sealed together, and everybody is answered."""

import asyncio
import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.intake import GROUP_MAX, Intake
from api.service import Service
from registry.engine import Outcome, Sealed
from registry.errors import BadSignatureError, StorageFailedError
from registry.signing import detach, split_jws
from registry.statements import Statement, Unverified
from registry.writer import Writer, WriterBusyError, WriterStoppedError
from tests.api.local import client_of, local_service
from tests.api.served import Street

SECONDS = 20


class Opened:
    """A ledger with its first parties, and statements that were read but not verified."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.town = Street(client_of(service))
        self.town.client.submit(self.town.genesis())
        self._made = 0

    def unverified(self, *, genuine: bool = True) -> Unverified:
        """Returns a statement that will be sealed: a registration of a party."""
        self._made += 1
        name = f"party {self._made}"
        self.town.name(name, 500 + self._made)
        key = self.town.client.keys[self.town.ids[name]]
        body: dict[str, Any] = {"name": name, "key": dict(key.public.jwk())}
        text = self.town.sign(name, "party.register", body)
        if not genuine:
            other = self.town.sign(name, "party.register", body)
            text = f"{text.rpartition('.')[0]}.{other.rpartition('.')[2]}"
        return self.service.read(text)


@pytest.fixture
def opened(tmp_path: Path) -> Any:
    with local_service(tmp_path) as service:
        yield Opened(service)


def seal(intake: Intake, statements: Sequence[Unverified]) -> list[Outcome | BaseException]:
    """Seals statements that come all at once."""

    async def all_of_them() -> list[Outcome | BaseException]:
        answers = [intake.seal(each) for each in statements]
        together = asyncio.gather(*answers, return_exceptions=True)
        return [*await asyncio.wait_for(together, SECONDS)]

    try:
        return asyncio.run(all_of_them())
    finally:
        intake.close()


class Slow(Unverified, frozen=True):
    """A statement whose signature is verified only when a gate is open."""

    gate: threading.Event

    def admit(self) -> Statement[Any]:
        """Waits, then admits."""
        assert self.gate.wait(SECONDS)
        return super().admit()


def slowed(each: Unverified, gate: threading.Event) -> Slow:
    return Slow(
        statement=each.statement,
        key=each.key,
        message=each.message,
        signature=each.signature,
        gate=gate,
    )


@pytest.mark.parametrize("verifiers", [0, 1, 2])
def test_each_gets_its_own_answer_in_whatever_company(opened: Opened, verifiers: int) -> None:
    statements = [opened.unverified(genuine=number % 3 != 0) for number in range(120)]
    outcomes = seal(Intake(opened.service, verifiers=verifiers), statements)
    for number, (each, outcome) in enumerate(zip(statements, outcomes, strict=True)):
        if number % 3:
            assert isinstance(outcome, Sealed)
            assert outcome.sid == each.statement.sid
        else:
            assert isinstance(outcome, BadSignatureError)


def test_what_waits_is_handed_over_together_in_order(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[list[str]] = []
    submit = Writer.submit

    def watched(self: Writer, statements: Sequence[Statement[Any]]) -> Future[list[Outcome]]:
        handed.append([each.sid for each in statements])
        return submit(self, statements)

    monkeypatch.setattr(Writer, "submit", watched)
    statements = [opened.unverified() for _ in range(GROUP_MAX + 11)]
    gate = threading.Event()
    intake = Intake(opened.service)

    async def come() -> None:
        first = intake.seal(slowed(statements[0], gate))
        await asyncio.sleep(0.2)
        rest = [intake.seal(each) for each in statements[1:]]
        gate.set()
        await asyncio.wait_for(asyncio.gather(first, *rest), SECONDS)

    asyncio.run(come())
    intake.close()
    assert [len(group) for group in handed] == [1, GROUP_MAX, 10]
    assert [sid for group in handed for sid in group] == [each.statement.sid for each in statements]


def test_a_full_writer_refuses_at_once_and_takes_in_again(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened.service.writer, "waiting_max", 2)
    gate = threading.Event()
    statements = [slowed(opened.unverified(), gate) for _ in range(2)]
    intake = Intake(opened.service)

    async def come() -> None:
        answers = [intake.seal(each) for each in statements]
        with pytest.raises(WriterBusyError):
            intake.verify_room()
        gate.set()
        await asyncio.wait_for(asyncio.gather(*answers), SECONDS)
        intake.verify_room()

    asyncio.run(come())
    intake.close()


def test_a_stopped_writer_is_everybody_s_answer(opened: Opened) -> None:
    opened.service.writer.stop()
    outcomes = seal(Intake(opened.service), [opened.unverified() for _ in range(3)])
    assert all(isinstance(outcome, WriterStoppedError) for outcome in outcomes)


@pytest.mark.parametrize("failure", [StorageFailedError(reason="disk"), ValueError("bug")])
def test_what_the_writer_raises_is_everybody_s_answer(
    opened: Opened, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: Writer, _statements: Sequence[Statement[Any]]) -> Future[list[Outcome]]:
        failed: Future[list[Outcome]] = Future()
        failed.set_exception(failure)
        return failed

    monkeypatch.setattr(Writer, "submit", fail)
    outcomes = seal(Intake(opened.service), [opened.unverified() for _ in range(3)])
    assert outcomes == [failure] * 3


def test_a_bug_while_verifying_is_an_answer_and_the_next_are_verified(opened: Opened) -> None:
    class Broken(Unverified, frozen=True):
        def admit(self) -> Statement[Any]:
            raise ZeroDivisionError

    good = opened.unverified()
    bad = Broken(statement=good.statement, key=good.key, message=b"", signature=b"")
    intake = Intake(opened.service)

    async def come() -> None:
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(intake.seal(bad), SECONDS)
        assert isinstance(await asyncio.wait_for(intake.seal(good), SECONDS), Sealed)

    asyncio.run(come())
    intake.close()


def test_whoever_goes_away_holds_up_nobody(opened: Opened) -> None:
    gate = threading.Event()
    statements = [slowed(opened.unverified(), gate) for _ in range(3)]
    intake = Intake(opened.service)

    async def come() -> None:
        answers = [intake.seal(each) for each in statements]
        answers[1].cancel()
        gate.set()
        for answer in (answers[0], answers[2]):
            assert isinstance(await asyncio.wait_for(answer, SECONDS), Sealed)
        intake.verify_room()

    asyncio.run(come())
    intake.close()


Told = tuple[int, dict[bytes, bytes], dict[str, Any]]


class Posts:
    """Posts statements to an application, one request each, and counts bodies that are read."""

    def __init__(self, service: Service) -> None:
        self.app = create_app(service)
        self.reads = 0

    async def post(self, each: Unverified) -> Told:
        """Posts one statement."""
        text = each.statement.text
        payload = split_jws(text, what="statement").payload
        answers: list[Any] = []

        async def receive() -> dict[str, Any]:
            self.reads += 1
            return {"type": "http.request", "body": payload, "more_body": False}

        async def send(message: Any) -> None:
            answers.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": f"/v1/{each.statement.kind.replace('.', '/')}",
            "query_string": b"",
            "headers": [(b"jws-signature", detach(text).encode())],
        }
        await self.app(scope, receive, send)
        body = json.loads(answers[1]["body"])
        return answers[0]["status"], dict(answers[0]["headers"]), body


def test_a_statement_beyond_the_limit_is_refused_before_it_is_read(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten times as many as the writer takes in leave nothing behind but their refusals."""
    monkeypatch.setattr(opened.service.writer, "waiting_max", 4)
    gate = threading.Event()
    held: list[Future[list[Outcome]]] = []
    submit = Writer.submit

    def stopped(self: Writer, statements: Sequence[Statement[Any]]) -> Future[list[Outcome]]:
        assert gate.wait(SECONDS)
        held.append(submit(self, statements))
        return held[-1]

    monkeypatch.setattr(Writer, "submit", stopped)
    posts = Posts(opened.service)

    async def come() -> list[Told]:
        tasks = [asyncio.ensure_future(posts.post(opened.unverified())) for _ in range(40)]
        await asyncio.sleep(0.3)
        assert sum(task.done() for task in tasks) == 36
        gate.set()
        return await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)

    answers = asyncio.run(come())
    posts.app.state.intake.close()
    assert sorted(status for status, _, _ in answers) == [201] * 4 + [503] * 36
    assert posts.reads == 4
    for status, headers, body in answers:
        if status == 503:
            assert headers[b"retry-after"] == b"1"
            assert body["code"] == "writer-busy"


def test_whoever_is_cut_off_by_a_stop_is_told_to_come_again(opened: Opened) -> None:
    """The server cancels what has not been answered in time."""
    gate = threading.Event()
    posts = Posts(opened.service)
    held = slowed(opened.unverified(), gate)

    async def come() -> Told:
        intake: Intake = posts.app.state.intake
        ahead = intake.seal(held)
        task = asyncio.ensure_future(posts.post(opened.unverified()))
        await asyncio.sleep(0.2)
        task.cancel()
        told = await asyncio.wait_for(task, SECONDS)
        gate.set()
        await asyncio.wait_for(ahead, SECONDS)
        return told

    status, headers, body = asyncio.run(come())
    posts.app.state.intake.close()
    assert (status, body["code"], body["retryable"]) == (503, "storage-unknown", True)
    assert headers[b"retry-after"] == b"1"
