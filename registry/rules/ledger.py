"""How a ledger begins, and its manual clock.

Genesis is signed by the operator's key in its own body and admits the operator and
the registrar. After it, everything is a statement of an admitted party or follows
from time.
"""

from typing import Annotated, Literal

from pydantic import Field

from registry.calendars import parse_offset
from registry.effects import Effect, Seal, Touch
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import (
    LENIENT,
    FormatOne,
    Instant,
    KeyField,
    MachineText,
    PartyField,
    PlainText,
)
from registry.ids import Kid, PartyId, Sid
from registry.model import BUCKETS, LEDGER, PARTIES, Bucket, Ledger, Party, Role
from registry.people import KEYS, KeyRecord, KeyUse
from registry.policy import FirstPolicy, PolicyPublished, check_rules, format_rules
from registry.refusals import AlreadyStartedError, ClockBackError, ClockNotManualError
from registry.signing import parse_jwk
from registry.statements import Body, Kind, Now, Statement
from registry.tables import Minor, MutableRows, Rows, replace
from registry.workdays import CalendarBody, published

SANDBOX = "sandbox."
"""Begins the names of logs whose time may be set: a notice's arrival there proves nothing."""


class FounderBody(Body):
    """A founding party."""

    party: PartyField
    name: PlainText
    key: KeyField


class Genesis(Body):
    """What a ledger is: names, keys, currency, zone, clock, and the first policy and calendars."""

    format: FormatOne
    key: KeyField
    operator: FounderBody
    registrar: FounderBody
    log_key: KeyField
    currency: Literal["CNY"]
    zone: MachineText
    clock: Literal["manual", "system"]
    policy: FirstPolicy
    calendars: Annotated[tuple[CalendarBody, ...], LENIENT, Field(max_length=8)]


class ClockSet(Body):
    """The instant that the manual clock is to show, in milliseconds."""

    time: Instant


class LedgerOpened(Effect, frozen=True, kw_only=True):
    """The ledger exists."""

    ledger: Ledger

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the ledger's row."""
        state.put(LEDGER, self.ledger)


class FounderAdmitted(Effect, frozen=True, kw_only=True):
    """The operator or the registrar is a party, with its key."""

    party: PartyId
    name: str
    role: str
    kid: Kid
    suite: str
    x: str
    statement: Sid
    ordinal: int

    def touched(self) -> tuple[Touch, ...]:
        """Touches the party."""
        return (("holder", self.party),)

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the party, its key and its bucket; each founder has a salt of its own."""
        party = Party(
            party=self.party,
            name=self.name,
            roles=(self.role,),
            statement=self.statement,
            ordinal=self.ordinal,
        )
        key = KeyRecord(
            kid=self.kid,
            party=self.party,
            use=KeyUse.SIGN,
            suite=self.suite,
            x=self.x,
            added=seal.index,
        )
        bucket = Bucket(
            family="holder",
            bucket=self.party,
            ordinal=self.ordinal,
            salt=seal.bucket_salt(self.ordinal),
            founded=seal.index,
        )
        state.put(PARTIES, party)
        state.put(KEYS, key)
        state.put(BUCKETS, bucket)


class ClockAdvanced(Effect, frozen=True, kw_only=True):
    """The manual clock shows this instant from the next entry on."""

    time: int

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Moves the clock."""
        ledger = state.get(LEDGER, "ledger")
        if ledger is None:
            raise InvariantBrokenError("a clock without a ledger")
        state.put(LEDGER, replace(ledger, time=self.time))


def decide_genesis(_state: Rows, statement: Statement[Genesis], now: Now) -> tuple[Effect, ...]:
    """Opens the ledger, with its operator, its registrar, and its first policy in force.

    Raises:
        AlreadyStartedError: The log is not empty.
        MalformedError: The signer is not the operator named, a key is used twice, a log
            that is no sandbox has a manual clock, zone, calendar or rules have a wrong form,
            or the policy names a calendar that does not stand beside it.
    """
    body = statement.body
    if now.index != 0:
        raise AlreadyStartedError(index=now.index)
    if body.operator.party != statement.by or body.operator.key != body.key:
        raise MalformedError(what="operator", reason="is not the signer with the signing key")
    keys = [parse_jwk(k.model_dump()) for k in (body.key, body.registrar.key, body.log_key)]
    if len({key.kid for key in keys}) < len(keys):
        raise MalformedError(what="key", reason="operator, registrar and log need a key each")
    if body.operator.party == body.registrar.party:
        raise MalformedError(what="registrar", reason="is the operator")
    if body.clock == "manual" and not statement.aud.startswith(SANDBOX):
        raise MalformedError(what="clock", reason=f"manual, and the log is no {SANDBOX}* one")
    parse_offset(body.zone)
    calendars = [calendar.calendar() for calendar in body.calendars]
    named = [calendar.name for calendar in calendars]
    if named != sorted(set(named)):
        raise MalformedError(what="calendars", reason="not sorted and unique by name")
    check_rules(body.policy.rules)
    if not {*named} >= {*body.policy.rules.calendars}:
        raise MalformedError(what="policy", reason="names a calendar that is not here")

    # Past this line genesis must succeed.
    ledger = Ledger(
        origin=statement.aud,
        operator=body.operator.party,
        registrar=body.registrar.party,
        log_key=keys[2].jwk()["x"],
        currency=body.currency,
        zone=body.zone,
        clock=body.clock,
        policy=statement.sid,
        time=now.time if body.clock == "manual" else 0,
        party_count=2,
        face_total=Minor(0),
    )
    policy = PolicyPublished(
        policy=statement.sid,
        name=body.policy.name,
        version=body.policy.version,
        effective_on=None,
        rules=format_rules(body.policy.rules),
    )
    founders = ((body.operator, Role.OPERATOR, keys[0]), (body.registrar, Role.REGISTRAR, keys[1]))
    return (
        LedgerOpened(ledger=ledger),
        *(
            FounderAdmitted(
                party=founder.party,
                name=founder.name,
                role=role,
                kid=key.kid,
                suite=key.suite,
                x=key.jwk()["x"],
                statement=statement.sid,
                ordinal=ordinal,
            )
            for ordinal, (founder, role, key) in enumerate(founders)
        ),
        policy,
        *(published(calendar, statement=statement.sid, version=1) for calendar in calendars),
    )


def decide_clock_set(_state: Rows, statement: Statement[ClockSet], now: Now) -> tuple[Effect, ...]:
    """Moves a manual clock forward; this entry still bears the old time.

    Raises:
        ClockNotManualError: The ledger runs on the system clock.
        ClockBackError: The instant is not later than the clock's.
    """
    if now.facts.clock != "manual":
        raise ClockNotManualError(clock=now.facts.clock)
    if statement.body.time <= now.time:
        raise ClockBackError(time=statement.body.time, now=now.time)
    return (ClockAdvanced(time=statement.body.time),)


GENESIS = Kind(
    name="genesis",
    body=Genesis,
    signers=frozenset(),
    relation="the operator that it names, with the key in its body",
    decide=decide_genesis,
    key_in_body=True,
)
CLOCK_SET = Kind(
    name="clock.set",
    body=ClockSet,
    signers=frozenset({Role.OPERATOR}),
    relation="the operator",
    decide=decide_clock_set,
)

KINDS = (GENESIS, CLOCK_SET)
