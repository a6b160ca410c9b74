"""A checkpoint: the log's signed word on how many entries it has and what they are.

It is a signed note of three lines, the log's name, the size of its tree and the tree's root,
then a blank line and the signature lines. One of a log of 4 entries, by a test key:

    sandbox.registry.example/demo
    4
    zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=

    — sandbox.registry.example/demo DsYn4z+NUY8G11lw0lUqVZO4OJU8lPS+deEGNi8jsLxA8f1LcYj3LXEa8sHu8zc2ELQPUkyMac3cUJaiGxyKaZyoAAk=

Whoever holds two checkpoints of one log can ask for a proof that one continues the other; two
that cannot both be true, with these signatures, convict the log. Other signature lines, of
witnesses, may follow; lines by unknown keys are ignored, malformed ones are not.
"""  # noqa: E501

import base64
import re
from dataclasses import dataclass
from typing import Final

from registry.canonical import sha256
from registry.errors import BadSignatureError, MalformedError, NoteFailedError
from registry.ids import Origin, parse_origin
from registry.merkle import EMPTY_ROOT, HASH_SIZE, TreeHead
from registry.signing import PrivateKey, PublicKey, verify

NOTE_SIZE_MAX: Final = 128 * 1024
"""Bytes of a note: room for the 16 signatures that C2SP asks for, even post-quantum ones."""

TREE_SIZE_MAX: Final = 2**63 - 1

# The signature type stands in the key id, so one key and name in two roles are two note keys.
_SIGNATURE_TYPES: Final = {"Ed25519": 0x01}
_KEY_ID_SIZE: Final = 4
_SIGNATURE_PREFIX: Final = "\u2014 "
_SIZE: Final = re.compile("0|[1-9][0-9]{0,18}")
# Unicode's White_Space, written out: what a line means must not depend on a library's tables.
_SPACES: Final = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_KEY_NAME: Final = re.compile(f"[^+{_SPACES}]+")
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree head and the name of the log that it is of."""

    origin: Origin
    size: int
    root: bytes

    @property
    def head(self) -> TreeHead:
        """Size and root, without the name."""
        return TreeHead(self.size, self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line of a note, decoded but not verified."""

    name: str
    key_id: bytes
    signature: bytes


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Writes the three lines that are signed, final newline included."""
    root = base64.b64encode(checkpoint.root).decode("ascii")
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n"


def note_bytes(checkpoint: Checkpoint) -> bytes:
    """Gives what a log, a witness or a timestamp signs: the three lines as bytes."""
    return format_checkpoint(checkpoint).encode("utf-8")


def parse_checkpoint(text: str) -> Checkpoint:
    """Reads the three lines, whoever signed them.

    Raises:
        NoteFailedError: There are not exactly three lines (so extension lines are refused), or
            one is not in its only spelling, or an empty tree has not the empty root.

    Source: C2SP tlog-checkpoint, Note text.
    """
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise NoteFailedError(reason="a checkpoint has exactly three lines")
    try:
        origin = parse_origin(lines[0])
    except MalformedError as error:
        raise NoteFailedError(reason=str(error)) from None
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > TREE_SIZE_MAX:
        raise NoteFailedError(reason="the second line is not a size below 2^63")
    root = _decode_base64(lines[2], what="the third line")
    if len(root) != HASH_SIZE:
        raise NoteFailedError(reason=f"the root has {len(root)} bytes, not {HASH_SIZE}")
    if int(lines[1]) == 0 and root != EMPTY_ROOT:
        raise NoteFailedError(reason="a tree of size 0 has the hash of nothing as its root")
    return Checkpoint(origin, int(lines[1]), root)


def split_note(note: str) -> tuple[str, tuple[NoteSignature, ...]]:
    """Takes a signed note apart into its text and its signature lines, without verifying it.

    Raises:
        NoteFailedError: The note is too long, not UTF-8, holds control characters, has no
            signature, or one of its signature lines is malformed.

    Source: C2SP signed-note, Format.
    """
    try:
        size = len(note.encode("utf-8"))
    except UnicodeEncodeError:
        raise NoteFailedError(reason="the note is not UTF-8") from None
    if size > NOTE_SIZE_MAX:
        raise NoteFailedError(reason=f"the note has {size} bytes, the limit is {NOTE_SIZE_MAX}")
    if _CONTROL.search(note):
        raise NoteFailedError(reason="the note holds control characters")
    # The last empty line parts text and signatures; the text keeps its own final newline.
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise NoteFailedError(reason="the note has no blank line before whole signature lines")
    return f"{text}\n", tuple(_parse_signature(line) for line in signatures[:-1].split("\n"))


def sign_checkpoint(checkpoint: Checkpoint, key: PrivateKey) -> str:
    """Signs a checkpoint as a note with one signature line, in the log's own name.

    Source: C2SP signed-note, Signatures.
    """
    key_id = _key_id(checkpoint.origin, key.public)
    signature = base64.b64encode(key_id + key.sign(note_bytes(checkpoint))).decode("ascii")
    text = format_checkpoint(checkpoint)
    return f"{text}\n{_SIGNATURE_PREFIX}{checkpoint.origin} {signature}\n"


def open_checkpoint(note: str, *, origin: Origin, key: PublicKey) -> Checkpoint:
    """Verifies a note as a checkpoint of one log, by its pinned name and key, and reads it.

    Raises:
        NoteFailedError: The note is malformed, carries no line of this key, a line of this key
            does not verify, or the text is not a checkpoint of this log.

    Source: C2SP signed-note, Signatures; C2SP tlog-checkpoint.
    """
    text, signatures = split_note(note)
    wanted = origin, _key_id(origin, key)
    ours = [line for line in signatures if (line.name, line.key_id) == wanted]
    if not ours:
        raise NoteFailedError(reason=f"no signature by {origin} with the pinned key")
    for line in ours:
        try:
            verify(key, signature=line.signature, message=text.encode("utf-8"), what="checkpoint")
        except BadSignatureError as error:
            raise NoteFailedError(reason=str(error)) from None
    # Only from here on may the text be believed.
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise NoteFailedError(reason=f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    return checkpoint


def format_verifier_key(origin: Origin, key: PublicKey) -> str:
    """Writes name, key id and key in one line, to be pinned by whoever verifies.

    Source: golang.org/x/mod/sumdb/note, Verifying Notes.
    """
    encoded = base64.b64encode(_typed(key)).decode("ascii")
    return f"{origin}+{_key_id(origin, key).hex()}+{encoded}"


def parse_verifier_key(text: str) -> tuple[Origin, PublicKey]:
    """Reads a pinned key.

    Raises:
        MalformedError: It is not `name+id+key`, the type of key is unknown, the key is refused,
            or the id is not of that name and key.
    """
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise MalformedError(what="verifier key", reason="is not name+id+key")
    origin = parse_origin(parts[0])
    try:
        typed = _decode_base64(parts[2], what="the key")
    except NoteFailedError as error:
        raise MalformedError(what="verifier key", reason=str(error)) from None
    suites = [suite for suite, number in _SIGNATURE_TYPES.items() if typed[:1] == bytes([number])]
    if not suites:
        raise MalformedError(what="verifier key", reason="the type of signature is unknown")
    key = PublicKey(suites[0], typed[1:])
    if format_verifier_key(origin, key) != text:
        raise MalformedError(what="verifier key", reason="the id is not of this name and key")
    return origin, key


def _typed(key: PublicKey) -> bytes:
    return bytes([_SIGNATURE_TYPES[key.suite]]) + key.raw


def _key_id(name: str, key: PublicKey) -> bytes:
    return sha256(name.encode("utf-8") + b"\n" + _typed(key))[:_KEY_ID_SIZE]


def _parse_signature(line: str) -> NoteSignature:
    """Reads one signature line: em dash, space, name, space, base64 of key id and signature."""
    name, space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(_SIGNATURE_PREFIX) or not space or not _KEY_NAME.fullmatch(name):
        raise NoteFailedError(reason="a signature line is not `\u2014 name base64`")
    data = _decode_base64(encoded, what="a signature")
    if len(data) <= _KEY_ID_SIZE:
        raise NoteFailedError(reason="a signature line holds no signature")
    return NoteSignature(name=name, key_id=data[:_KEY_ID_SIZE], signature=data[_KEY_ID_SIZE:])


def _decode_base64(text: str, *, what: str) -> bytes:
    """Decodes padded base64 in its one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise NoteFailedError(reason=f"{what} is not base64") from None
    if base64.b64encode(data).decode("ascii") != text:
        raise NoteFailedError(reason=f"{what} is not base64 in its one spelling")
    return data
