"""Keys and signatures: who signed which bytes.

A suite is a way of signing, and the key's record decides it, never the message. A key
travels as a JWK of exactly three members, and its `kid` is its RFC 7638 thumbprint:

    {"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}

A message travels as a compact JWS, `b64url(header) "." b64url(payload) "." b64url(signature)`.
Its header has exactly three members, so whoever checks it builds the bytes that must stand
there and compares; nothing in a header is ever obeyed.

Ed25519 here is strict, so that libraries agree on the published edge cases: the points A and R
are canonical and not of low order, S is below L, and the equation is the one without cofactor.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from nacl import bindings
from nacl.exceptions import BadSignatureError as SodiumRefusal

from registry.canonical import Json, b64url_decode, b64url_encode, format_json, sha256
from registry.errors import BadSignatureError, MalformedError
from registry.ids import Kid, Sid

_POINT_SIZE: Final = 32
_SIGNATURE_SIZE: Final = 64
_FIELD_PRIME: Final = 2**255 - 19
_GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_SIGN_BIT: Final = 1 << 255
_IDENTITY: Final = (1).to_bytes(_POINT_SIZE, "little")
# The eight points of low order have five y coordinates, each with either sign of x.
_ORDER_EIGHT_Y: Final = int.from_bytes(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
)
_LOW_ORDER_Y: Final = frozenset(
    {0, 1, _FIELD_PRIME - 1, _ORDER_EIGHT_Y, _FIELD_PRIME - _ORDER_EIGHT_Y}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One way of signing, as its row in `SUITES`."""

    kty: str
    crv: str
    key_size: int
    """Bytes of a raw public key."""
    reason_against: Callable[[bytes], str | None]
    """Tells why a raw public key of the right length is refused."""
    is_valid: Callable[[bytes, bytes, bytes], bool]
    """Tells whether (raw public key, signature, message) verifies."""


def _is_weak_point(encoded: bytes) -> bool:
    """Tells whether a point is of low order or not spelled in the one canonical way."""
    y = int.from_bytes(encoded, "little") & ~_SIGN_BIT
    return y >= _FIELD_PRIME or y in _LOW_ORDER_Y


def _reason_against_ed25519(raw: bytes) -> str | None:
    if _is_weak_point(raw):
        return "a point of low order or not in canonical form"
    try:
        bindings.crypto_core_ed25519_add(raw, _IDENTITY)
    except RuntimeError:
        return "not a point of the curve"
    return None


def _is_valid_ed25519(raw: bytes, signature: bytes, message: bytes) -> bool:
    # A was checked when the key was made.
    if len(signature) != _SIGNATURE_SIZE or _is_weak_point(signature[:_POINT_SIZE]):
        return False
    if int.from_bytes(signature[_POINT_SIZE:], "little") >= _GROUP_ORDER:
        return False
    try:
        bindings.crypto_sign_open(signature + message, raw)
    except SodiumRefusal:
        return False
    return True


SUITES: Final[Mapping[str, Suite]] = MappingProxyType(
    {
        "Ed25519": Suite(
            kty="OKP",
            crv="Ed25519",
            key_size=_POINT_SIZE,
            reason_against=_reason_against_ed25519,
            is_valid=_is_valid_ed25519,
        )
    }
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of a known suite; one that exists is fit to verify with.

    Raises:
        MalformedError: The suite is unknown, or the suite refuses the key.
    """

    suite: str
    raw: bytes

    def __post_init__(self) -> None:
        """Refuses what the suite refuses."""
        suite = SUITES.get(self.suite)
        if suite is None:
            raise MalformedError(what="key", reason=f"the suite {self.suite!r} is unknown")
        if len(self.raw) != suite.key_size:
            raise MalformedError(
                what="key", reason=f"has {len(self.raw)} bytes, {self.suite} has {suite.key_size}"
            )
        if (reason := suite.reason_against(self.raw)) is not None:
            raise MalformedError(what="key", reason=reason)

    def jwk(self) -> dict[str, str]:
        """Gives the key as its JWK, with the members that the thumbprint covers and no other."""
        suite = SUITES[self.suite]
        return {"crv": suite.crv, "kty": suite.kty, "x": b64url_encode(self.raw)}

    @property
    def kid(self) -> Kid:
        """The thumbprint that names the key.

        Source: RFC 7638 section 3.
        """
        return _thumbprint(self)


@lru_cache(maxsize=16_384)
def _thumbprint(key: PublicKey) -> Kid:
    """Computes a key's thumbprint; signers come again, and it is compared every time."""
    return Kid(b64url_encode(sha256(format_json({**key.jwk()}))))


def parse_jwk(value: Json) -> PublicKey:
    """Reads a JWK of exactly the members crv, kty and x.

    Raises:
        MalformedError: Other members, an unknown type of key, or a key its suite refuses.

    Source: RFC 8037 section 2.
    """
    if not isinstance(value, dict) or value.keys() != {"crv", "kty", "x"}:
        raise MalformedError(what="key", reason="is not an object of exactly crv, kty and x")
    kind = value["crv"], value["kty"]
    names = [name for name, suite in SUITES.items() if (suite.crv, suite.kty) == kind]
    if not names:
        raise MalformedError(what="key", reason="no suite has this crv and kty")
    if not isinstance(value["x"], str):
        raise MalformedError(what="key", reason="x is not a string")
    raw = b64url_decode(value["x"], what="key x", length=SUITES[names[0]].key_size)
    return PublicKey(names[0], raw)


def verify(key: PublicKey, *, signature: bytes, message: bytes, what: str) -> None:
    """Verifies one signature under the strict rules of the key's suite.

    Raises:
        BadSignatureError: It does not verify.

    Source: RFC 8032 section 5.1.7, with the stricter checks named in the module's docstring.
    """
    if not SUITES[key.suite].is_valid(key.raw, signature, message):
        raise BadSignatureError(what=what)


class PrivateKey:
    """A signing key; its secret never shows in a representation."""

    __slots__ = ("_secret", "public")

    def __init__(self, secret: Ed25519PrivateKey) -> None:
        """Wraps a secret; use `generate`, `from_seed` or `from_pem`."""
        self._secret = secret
        self.public = PublicKey("Ed25519", secret.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Makes a new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed32: bytes) -> "PrivateKey":
        """Derives the key of a 32-byte seed: for tests and demonstrations.

        Raises:
            MalformedError: The seed has another length.
        """
        if len(seed32) != _POINT_SIZE:
            raise MalformedError(what="seed", reason=f"has {len(seed32)} bytes, not {_POINT_SIZE}")
        return cls(Ed25519PrivateKey.from_private_bytes(seed32))

    @classmethod
    def from_pem(cls, data: bytes) -> "PrivateKey":
        """Reads an unencrypted PKCS#8 key.

        Raises:
            MalformedError: It is no such file, or a key of another kind.
        """
        try:
            secret = load_pem_private_key(data, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The library's own words could quote the file.
            raise MalformedError(what="private key", reason="not an open PKCS#8 file") from None
        if not isinstance(secret, Ed25519PrivateKey):
            raise MalformedError(what="private key", reason="not an Ed25519 key")
        return cls(secret)

    def to_pem(self) -> bytes:
        """Writes the key as PKCS#8, unencrypted; keeping the file safe is the caller's part."""
        return self._secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """Signs a message."""
        return self._secret.sign(message)

    def __repr__(self) -> str:
        """Names the public half only."""
        return f"PrivateKey(kid={self.public.kid!r})"


class Jws(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a compact JWS, decoded but not yet verified."""

    header: bytes
    payload: bytes
    signature: bytes
    signing_input: bytes
    """What is signed: `b64url(header) "." b64url(payload)`, in ASCII."""


@lru_cache(maxsize=16_384)
def header_bytes(suite: str, *, kid: Kid, typ: str) -> bytes:
    """Builds the only header that a message of this key and type may carry."""
    return format_json({"alg": suite, "kid": kid, "typ": typ})


def seal_jws(key: PrivateKey, *, typ: str, payload: bytes) -> str:
    """Signs a payload as a compact JWS.

    Source: RFC 7515 section 5.1; RFC 9864 section 2.2 for the name of the algorithm.
    """
    header = header_bytes(key.public.suite, kid=key.public.kid, typ=typ)
    signing_input = f"{b64url_encode(header)}.{b64url_encode(payload)}"
    return f"{signing_input}.{b64url_encode(key.sign(signing_input.encode('ascii')))}"


def split_jws(text: str, *, what: str) -> Jws:
    """Takes a compact JWS apart, without verifying it.

    Raises:
        MalformedError: It has not three parts, or one is not strict base64url.
    """
    parts = text.split(".")
    if len(parts) != 3:
        raise MalformedError(what=what, reason=f"has {len(parts)} parts, a compact JWS has 3")
    header, payload, signature = parts
    return Jws(
        header=b64url_decode(header, what=what),
        payload=b64url_decode(payload, what=what),
        signature=b64url_decode(signature, what=what),
        signing_input=text[: -len(signature) - 1].encode("ascii"),
    )


def jws_id(jws_or_signing_input: bytes) -> Sid:
    """Names a signed message by what was signed, as its signature could be written differently.

    Raises:
        MalformedError: There is neither one dot (a signing input) nor two (a compact JWS).
    """
    dots = jws_or_signing_input.count(b".")
    if dots not in (1, 2):
        raise MalformedError(what="signed message", reason=f"has {dots + 1} parts")
    if dots == 2:
        jws_or_signing_input = jws_or_signing_input.rpartition(b".")[0]
    return Sid(b64url_encode(sha256(jws_or_signing_input)))


def detach(text: str) -> str:
    """Takes the payload out of a compact JWS, for when it travels beside it.

    Raises:
        MalformedError: It is no compact JWS.

    Source: RFC 7515 appendix F.
    """
    split_jws(text, what="signed message")
    header, _, signature = text.split(".")
    return f"{header}..{signature}"


def attach(detached: str, payload: bytes) -> str:
    """Puts the payload back into a detached JWS.

    Raises:
        MalformedError: It is not `header..signature` in strict base64url.
    """
    parts = detached.split(".")
    if len(parts) != 3 or parts[1]:
        raise MalformedError(what="detached signature", reason="is not header..signature")
    for part in (parts[0], parts[2]):
        b64url_decode(part, what="detached signature")
    return f"{parts[0]}.{b64url_encode(payload)}.{parts[2]}"
