"""Keys, strict signatures, and the compact JWS."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from registry.canonical import Json, b64url_encode, format_json, sha256
from registry.errors import BadSignatureError, MalformedError, RegistryError
from registry.ids import Kid
from registry.signing import (
    PrivateKey,
    PublicKey,
    attach,
    detach,
    header_bytes,
    jws_id,
    parse_jwk,
    seal_jws,
    split_jws,
    verify,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "signing"
FIELD_PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
SIGN_BIT = 1 << 255
ORDER_EIGHT = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
ORDER_EIGHT_Y = int.from_bytes(bytes.fromhex(ORDER_EIGHT), "little")
LOW_ORDER_YS = (0, 1, FIELD_PRIME - 1, ORDER_EIGHT_Y, FIELD_PRIME - ORDER_EIGHT_Y)
# y from p to p + 18 spells 0 to 18 a second time.
NON_CANONICAL_YS = range(FIELD_PRIME, 2**255)
KEY = PrivateKey.from_seed(bytes(range(32)))


def vectors(prefix: str) -> list[Any]:
    paths = sorted(VECTORS.glob(f"{prefix}*.json"))
    assert paths
    return [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in paths]


def encode(y: int) -> bytes:
    return y.to_bytes(32, "little")


def refused_points() -> list[bytes]:
    return [encode(y | sign) for y in [*LOW_ORDER_YS, *NON_CANONICAL_YS] for sign in (0, SIGN_BIT)]


def verdict(raw: bytes, signature: bytes, message: bytes) -> str:
    """What the module says, as a word."""
    try:
        verify(PublicKey("Ed25519", raw), signature=signature, message=message, what="test")
    except RegistryError as error:
        return error.code
    return "valid"


def verdict_of_openssl(raw: bytes, signature: bytes, message: bytes) -> str:
    """A second opinion: another library behind prechecks written from the rule."""
    if raw in refused_points():
        return "malformed"
    if len(signature) != 64 or signature[:32] in refused_points():
        return "bad-signature"
    if int.from_bytes(signature[32:], "little") >= GROUP_ORDER:
        return "bad-signature"
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except InvalidSignature:
        return "bad-signature"
    return "valid"


class TestPublicKey:
    def test_kid_is_the_rfc_7638_thumbprint(self) -> None:
        (vector,) = (param.values[0] for param in vectors("rfc8037"))
        assert parse_jwk(vector["input"]["jwk"]).kid == vector["want"]

    def test_jwk_round_trips(self) -> None:
        assert parse_jwk({**KEY.public.jwk()}) == KEY.public

    @pytest.mark.parametrize("raw", refused_points(), ids=bytes.hex)
    def test_refuses_points_of_low_order_and_second_spellings(self, raw: bytes) -> None:
        with pytest.raises(MalformedError, match="low order or not in canonical form"):
            PublicKey("Ed25519", raw)

    def test_refuses_what_is_not_on_the_curve(self) -> None:
        with pytest.raises(MalformedError, match="not a point of the curve"):
            PublicKey("Ed25519", encode(2))

    def test_refuses_an_unknown_suite(self) -> None:
        with pytest.raises(MalformedError, match="suite 'none' is unknown"):
            PublicKey("none", KEY.public.raw)

    @pytest.mark.parametrize("size", [0, 31, 33, 64])
    def test_refuses_another_length(self, size: int) -> None:
        with pytest.raises(MalformedError, match=f"has {size} bytes, Ed25519 has 32"):
            PublicKey("Ed25519", bytes(size))

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("Ed25519", id="not-an-object"),
            pytest.param({**KEY.public.jwk(), "d": "AA"}, id="private-member"),
            pytest.param({**KEY.public.jwk(), "kid": KEY.public.kid}, id="extra-member"),
            pytest.param({"crv": "Ed25519", "kty": "OKP"}, id="missing-x"),
            pytest.param({**KEY.public.jwk(), "crv": "X25519"}, id="other-curve"),
            pytest.param({**KEY.public.jwk(), "kty": "EC"}, id="other-type"),
            pytest.param({**KEY.public.jwk(), "crv": ["Ed25519"]}, id="curve-in-a-list"),
            pytest.param({**KEY.public.jwk(), "x": 7}, id="number-as-x"),
            pytest.param({**KEY.public.jwk(), "x": KEY.public.jwk()["x"] + "="}, id="padded"),
            pytest.param({**KEY.public.jwk(), "x": KEY.public.jwk()["x"][:-2]}, id="truncated"),
        ],
    )
    def test_jwk_has_exactly_its_three_members(self, value: Json) -> None:
        with pytest.raises(MalformedError):
            parse_jwk(value)


class TestVerify:
    @pytest.mark.parametrize("vector", vectors("rfc8032"))
    def test_rfc_8032_signatures(self, vector: Any) -> None:
        seed, raw, message, signature = (
            bytes.fromhex(vector["input"][name]) for name in ("seed", "key", "message", "signature")
        )
        key = PrivateKey.from_seed(seed)
        assert key.public.raw == raw
        assert key.sign(message) == signature
        assert verdict(raw, signature, message) == "valid"

    @pytest.mark.parametrize("vector", vectors("speccheck"))
    def test_both_libraries_agree_on_the_published_edge_cases(self, vector: Any) -> None:
        raw, signature, message = (
            bytes.fromhex(vector["input"][name]) for name in ("key", "signature", "message")
        )
        want = vector["want_error"] if "want_error" in vector else vector["want"]
        assert verdict(raw, signature, message) == want
        assert verdict_of_openssl(raw, signature, message) == want

    @pytest.mark.parametrize("point", refused_points(), ids=bytes.hex)
    def test_refuses_r_of_low_order_and_second_spellings(self, point: bytes) -> None:
        signature = point + KEY.sign(b"message")[32:]
        assert verdict(KEY.public.raw, signature, b"message") == "bad-signature"

    def test_refuses_s_plus_l(self) -> None:
        signature = KEY.sign(b"message")
        s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
        assert verdict(KEY.public.raw, signature[:32] + encode(s), b"message") == "bad-signature"

    @pytest.mark.parametrize("change", [b"", b"\0"], ids=["truncated", "trailing-garbage"])
    def test_refuses_another_length(self, change: bytes) -> None:
        signature = KEY.sign(b"message")
        signature = signature + change if change else signature[:-1]
        assert verdict(KEY.public.raw, signature, b"message") == "bad-signature"

    def test_names_what_was_not_signed(self) -> None:
        with pytest.raises(BadSignatureError) as caught:
            verify(KEY.public, signature=bytes(64), message=b"", what="statement")
        assert caught.value.facts == {"what": "statement"}

    @given(seed=st.binary(min_size=32, max_size=32), message=st.binary(), bit=st.integers(0, 511))
    def test_both_libraries_agree_on_flipped_bits(
        self, seed: bytes, message: bytes, bit: int
    ) -> None:
        key = PrivateKey.from_seed(seed)
        signature = bytearray(key.sign(message))
        assert verdict(key.public.raw, bytes(signature), message) == "valid"
        signature[bit >> 3] ^= 1 << (bit & 7)
        assert verdict(key.public.raw, bytes(signature), message) == "bad-signature"
        assert verdict_of_openssl(key.public.raw, bytes(signature), message) == "bad-signature"

    @given(
        r=st.one_of(st.sampled_from(refused_points()), st.binary(min_size=32, max_size=32)),
        s=st.one_of(st.integers(0, 8), st.integers(GROUP_ORDER - 8, GROUP_ORDER + 8)),
        message=st.binary(),
    )
    def test_both_libraries_agree_on_made_up_signatures(
        self, r: bytes, s: int, message: bytes
    ) -> None:
        signature = r + encode(s)
        want = verdict_of_openssl(KEY.public.raw, signature, message)
        assert verdict(KEY.public.raw, signature, message) == want


class TestPrivateKey:
    def test_pem_round_trips(self) -> None:
        pem = KEY.to_pem()
        assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
        assert PrivateKey.from_pem(pem).public == KEY.public

    def test_generates_another_key_each_time(self) -> None:
        assert PrivateKey.generate().public != PrivateKey.generate().public

    def test_representation_shows_no_secret(self) -> None:
        assert repr(KEY) == f"PrivateKey(kid='{KEY.public.kid}')"
        assert repr(KEY) == str(KEY)

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_refuses_a_seed_of_another_length(self, size: int) -> None:
        with pytest.raises(MalformedError, match=f"has {size} bytes"):
            PrivateKey.from_seed(bytes(size))

    def test_refuses_other_files(self) -> None:
        locked = KEY._secret.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
        )
        for data in (b"", b"a secret", KEY.to_pem()[:-40], locked):
            with pytest.raises(MalformedError, match="not an open PKCS#8 file") as caught:
                PrivateKey.from_pem(data)
            assert "a secret" not in str(caught.value)

    def test_refuses_a_key_of_another_kind(self) -> None:
        pem = generate_private_key(SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        with pytest.raises(MalformedError, match="not an Ed25519 key"):
            PrivateKey.from_pem(pem)


class TestJws:
    TYP = "ts-transfer.offer+jws"

    def test_header_is_exactly_three_members(self) -> None:
        assert header_bytes("Ed25519", kid=Kid("abc"), typ=self.TYP) == (
            b'{"alg":"Ed25519","kid":"abc","typ":"ts-transfer.offer+jws"}'
        )

    def test_sealed_payload_opens(self) -> None:
        text = seal_jws(KEY, typ=self.TYP, payload=b'{"n":1}')
        jws = split_jws(text, what="statement")
        assert jws.payload == b'{"n":1}'
        assert jws.header == header_bytes("Ed25519", kid=KEY.public.kid, typ=self.TYP)
        assert jws.header == format_json({"alg": "Ed25519", "kid": KEY.public.kid, "typ": self.TYP})
        verify(KEY.public, signature=jws.signature, message=jws.signing_input, what="statement")

    def test_sealing_is_deterministic(self) -> None:
        """The same statement always has the same bytes, so a retry is the same statement."""
        once = seal_jws(KEY, typ=self.TYP, payload=b"{}")
        assert once == seal_jws(KEY, typ=self.TYP, payload=b"{}")
        assert (
            sha256(once.encode()).hex()
            == "bf1ab2ca48501f7cd9c78fc9610e4e524eae7f058a616eea9b9ac70071e4f8d0"
        )

    def test_id_covers_the_signing_input_only(self) -> None:
        text = seal_jws(KEY, typ=self.TYP, payload=b"{}")
        jws = split_jws(text, what="statement")
        assert jws_id(jws.signing_input) == b64url_encode(sha256(jws.signing_input))
        assert jws_id(text.encode()) == jws_id(jws.signing_input)

    @pytest.mark.parametrize("data", [b"", b"abc", b"a.b.c.d"])
    def test_id_needs_a_signed_message(self, data: bytes) -> None:
        with pytest.raises(MalformedError):
            jws_id(data)

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param("YQ.YQ", id="two-parts"),
            pytest.param("YQ.YQ.YQ.YQ", id="four-parts"),
            pytest.param("YQ==.YQ.YQ", id="padding"),
            pytest.param("YR.YQ.YQ", id="loose-bits"),
            pytest.param("YQ.YQ.YQ\n", id="newline"),
            pytest.param(" YQ.YQ.YQ", id="space"),
            pytest.param("YQ.Y+.YQ", id="other-alphabet"),
            pytest.param("YQ.YQ.Yé", id="not-ascii"),
        ],
    )
    def test_splits_only_the_strict_form(self, text: str) -> None:
        with pytest.raises(MalformedError):
            split_jws(text, what="statement")

    def test_detached_form_round_trips(self) -> None:
        text = seal_jws(KEY, typ=self.TYP, payload=b"payload")
        detached = detach(text)
        assert ".." in detached
        assert attach(detached, b"payload") == text

    @pytest.mark.parametrize("detached", ["YQ.YQ", "YQ.YQ.YQ", "YQ..YR", "Y..YQ", "YQ..YQ."])
    def test_attaches_only_to_the_detached_form(self, detached: str) -> None:
        with pytest.raises(MalformedError):
            attach(detached, b"payload")

    def test_another_payload_does_not_verify(self) -> None:
        detached = detach(seal_jws(KEY, typ=self.TYP, payload=b"payload"))
        jws = split_jws(attach(detached, b"Payload"), what="statement")
        with pytest.raises(BadSignatureError):
            verify(KEY.public, signature=jws.signature, message=jws.signing_input, what="it")

    def test_detaches_only_a_compact_jws(self) -> None:
        with pytest.raises(MalformedError):
            detach("YQ.YQ")
