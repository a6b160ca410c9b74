"""base64url, SHA-256 and salted digests: one spelling of bytes, and what is hashed how."""

import base64
from hashlib import sha256 as sha256_of
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.canonical import (
    Json,
    b64url_decode,
    b64url_encode,
    digest_b64url,
    salted_digest,
    salted_file_digest,
    sha256,
)
from registry.errors import MalformedError


class TestBase64Url:
    @given(st.binary(max_size=70))
    def test_reads_back_what_was_written(self, data: bytes) -> None:
        text = b64url_encode(data)
        assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
        assert b64url_decode(text, what="data", length=len(data)) == data

    @given(st.text(st.sampled_from("AQgw-_+/= \nZ\u00e9"), max_size=6))
    def test_accepts_only_what_its_own_encoder_gives(self, text: str) -> None:
        try:
            data = b64url_decode(text, what="data")
        except MalformedError:
            return
        assert b64url_encode(data) == text

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("A", id="one-character"),
            pytest.param("AAAAA", id="one-character-left-over"),
            pytest.param("QQ==", id="padding"),
            pytest.param("QR", id="stray-bits-of-one-byte"),
            pytest.param("QUJ", id="stray-bits-of-two-bytes"),
            pytest.param("+_8A", id="standard-plus"),
            pytest.param("/_8A", id="standard-solidus"),
            pytest.param("QUJD\n", id="trailing-newline"),
            pytest.param("QU JD", id="inner-space"),
            pytest.param("QUJ\u00e9", id="non-ascii"),
            pytest.param("=", id="only-padding"),
        ],
    )
    def test_refuses_a_second_spelling(self, text: str) -> None:
        with pytest.raises(MalformedError, match="x: not base64url without padding"):
            b64url_decode(text, what="x")

    @pytest.mark.parametrize("size", [0, 31, 33])
    def test_refuses_another_length(self, size: int) -> None:
        with pytest.raises(MalformedError, match=f"root: {size} bytes, not 32"):
            b64url_decode(b64url_encode(bytes(size)), what="root", length=32)


class TestDigests:
    def test_hash_of_nothing_is_the_published_one(self) -> None:
        assert sha256(b"") == sha256_of(b"").digest()
        assert digest_b64url(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

    def test_terms_are_hashed_behind_their_salt(self) -> None:
        salt = bytes(range(16))
        want = b64url_encode(sha256_of(salt + b'{"a":"1","b":2}').digest())
        assert salted_digest(salt, {"b": 2, "a": "1"}) == want
        assert salted_file_digest(salt, b'{"a":"1","b":2}') == want

    @pytest.mark.parametrize("size", [0, 15, 17, 32])
    def test_refuses_a_salt_of_another_length(self, size: int) -> None:
        with pytest.raises(MalformedError, match=f"salt: {size} bytes, not 16"):
            salted_digest(bytes(size), {})
        with pytest.raises(MalformedError, match=f"salt: {size} bytes, not 16"):
            salted_file_digest(bytes(size), b"")

    def test_refuses_terms_outside_the_profile(self) -> None:
        with pytest.raises(MalformedError, match="null"):
            salted_digest(bytes(16), cast(Json, None))
