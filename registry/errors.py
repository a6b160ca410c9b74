"""The error families, each leaf with a stable code and the facts that explain it.

A leaf class is a name, a family and a message template. Its `code` is the class
name in kebab case without `Error` (`NotHolderError` is `not-holder`), and its
`facts` are the offending values, so that a caller never parses a message. Facts are as the
log has them, money in minor units and time in milliseconds; the message is for people.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Any, ClassVar, Final


class InvariantBrokenError(AssertionError):
    """Our own bug: never caught, stops whatever was going on."""


class _ForPeople(Formatter):
    """Writes facts: `!y` money in yuan, `!t` milliseconds and `!u` seconds as time (UTC)."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """Writes one fact; a text that stands in its place is left as it is."""
        match conversion, value:
            case "y", str() if value.isdecimal():
                return self.convert_field(int(value), conversion)
            case "y", int():
                yuan, fen = divmod(abs(value), 100)
                return f"{'-' * (value < 0)}{yuan:,}.{fen:02}"
            case (("t" | "u"), int()):
                seconds = value // 1000 if conversion == "t" else value
                is_known = 0 <= seconds < _SECONDS_MAX
                when = datetime.fromtimestamp(seconds, UTC) if is_known else None
                return value if when is None else f"{when:%Y-%m-%d %H:%M:%S} UTC"
            case (("y" | "t" | "u"), _):
                return value
            case _:
                return super().convert_field(value, conversion)


_SECONDS_MAX: Final = 253_402_300_800
"""The year 10000 begins, of which no calendar here knows."""
_FOR_PEOPLE: Final = _ForPeople()


class RegistryError(Exception):
    """Base of every expected error.

    A leaf sets `template`, a format string over the facts it is raised with.
    """

    code: ClassVar[str] = "registry"
    template: ClassVar[str] = "{reason}"

    def __init_subclass__(cls) -> None:
        """Derives the stable code from the class name."""
        name = cls.__name__.removesuffix("Error")
        cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()

    def __init__(self, **facts: str | int) -> None:
        """Keeps the facts and renders the message from them."""
        self.facts = facts
        super().__init__(_FOR_PEOPLE.format(self.template, **facts))


class InputError(RegistryError):
    """The bytes are not what the format asks for."""


class AuthenticationError(RegistryError):
    """A signature, a key or the caller is wrong."""


class RefusalError(RegistryError):
    """Well formed and authentic, and a rule says no."""


class VerificationError(RegistryError):
    """Somebody's proof does not prove."""


class StorageError(RegistryError):
    """The store failed and nothing was kept; retrying is safe."""


class CorruptionError(RegistryError):
    """Our own ledger does not verify: stop."""


# --- InputError ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A value that does not fit its place.

    Attributes:
        place: The members on the way to it.
        reason: What is wrong.
        expected: What would be right, in words; empty where nothing is known of it.
    """

    place: tuple[str, ...]
    reason: str
    expected: str


class MalformedError(InputError):
    """A value does not have the form that its place asks for."""

    template = "{what}: {reason}"

    def __init__(
        self, *, misfits: tuple[Misfit, ...] = (), more: int = 0, **facts: str | int
    ) -> None:
        """Keeps what else is wrong; message and facts are those of the first.

        Args:
            misfits: All, as far as they are told, the first among them.
            more: How many there are beside the first.
            facts: As everywhere.
        """
        super().__init__(**facts)
        self.misfits = misfits
        if more:
            self.args = (f"{self.args[0]} (and {more} more)",)


class NotCanonicalError(InputError):
    """The bytes parse, but they are not the one accepted spelling."""

    template = "{what} is not in canonical form: {reason}"


class EntryTooLargeError(InputError):
    """With its effects, the statement makes an entry that fits no bundle."""

    template = "the entry would have {size} bytes, the limit is {limit}"


class TooLargeError(InputError):
    """More bytes or items than the format allows."""

    template = "{what} has {size}, the limit is {limit}"


# --- VerificationError --------------------------------------------------------


class ProofFailedError(VerificationError):
    """A Merkle path, sum path or consistency proof does not hold."""


class NoteFailedError(VerificationError):
    """A signed note or checkpoint is malformed or not signed by the pinned key."""


# --- AuthenticationError ------------------------------------------------------


class KeyUnknownError(AuthenticationError):
    """No committed entry holds this key; it may be on its way, so retry."""

    template = "key {kid} is in no committed entry"


class BadSignatureError(AuthenticationError):
    """The signature does not verify under the strict rules of its suite."""

    template = "{what}: the signature does not verify"


# --- Admission and the order of checks ----------------------------------------


class WrongAudienceError(InputError):
    """The statement was signed for another log."""

    template = "aud is {aud}, this log is {origin}"


class HeaderMismatchError(AuthenticationError):
    """The JWS header is not the one that key record and kind call for."""

    template = (
        "the header is not the one expected for {kind} by key {kid}: "
        "{member} is {found}, not {expected}"
    )


class NotEnoughFreeError(InputError):
    """What is free does not make up the amount."""

    template = "{held!y} are free in {lots} lots that may be given, and {amount!y} are to be paid"


class IdReusedError(InputError):
    """The party has used this id for another statement."""

    template = "id {id} of {by} belongs to statement {sid}"


class KeyNotOfPartyError(AuthenticationError):
    """A valid signature by a key of somebody else."""

    template = "key {kid} is not a key of {by}"


class KeyUseError(AuthenticationError):
    """The key is for another use."""

    template = "key {kid} is for use {use}, and this needs use {needed}"


class KeyRevokedError(AuthenticationError):
    """The key was revoked by an earlier entry."""

    template = "key {kid} was revoked in entry {revoked}"


# --- StorageError and CorruptionError -----------------------------------------


class HeadMovedError(StorageError):
    """Another writer has appended."""

    template = "the log has {size} entries, expected {expected}"


class StorageUnknownError(StorageError):
    """The outcome of a commit is not known: stop writing and read the head again."""


class ClockUnsureError(StorageError):
    """The machine's clock has stepped back; nothing is written until it is right again."""

    template = "the clock shows {now!t} after entries of {time!t}"


class StaleWriterError(StorageError):
    """Another writer holds the lease."""

    template = "the lease is at epoch {epoch}, this writer has {held}"


class LogCorruptError(CorruptionError):
    """The stored log does not verify."""


class MissingFileError(VerificationError):
    """A file that the log's size implies is not there."""

    template = "{path} is missing"


class StorageFailedError(StorageError):
    """The database refused or failed before anything was kept."""

    template = "{reason}"


class EntryInvalidError(VerificationError):
    """An entry is not what must stand at its place."""

    template = "entry {index}: {reason}"
