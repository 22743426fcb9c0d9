# SPDX-License-Identifier: Apache-2.0
"""Certificates as bytes: other encodings, padding, malleable signatures, weak hashes, flipped bits."""

import base64
import hashlib
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import issued, key_digest, load, load_all, path
from enclave.evidence.trust import Trust
from tests.fakes.authorities import Authority, chain, digest_of
from tests.fakes.evidence import NOON

NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())


def test_weak_hashes_do_not_count() -> None:
    root = Authority.root(kind="RSA-2048")
    assert not issued(root.issue(hashed=hashes.SHA3_256()).certificate, root.certificate)
    assert isinstance(root.key, RSAPrivateKey)
    assert issued(root.issue(hashed=hashes.SHA512()).certificate, root.certificate)
    assert not issued(load(resigned_sha1(root.issue(), root.key)), root.certificate)


def parts(der: bytes) -> tuple[bytes, bytes, bytes]:
    """tbsCertificate, signatureAlgorithm and signatureValue, each with its header."""
    found, at = [], 4
    for _ in range(3):
        size = der[at + 1]
        head = 2 if size < 128 else 2 + (size & 127)
        length = size if size < 128 else int.from_bytes(der[at + 2 : at + head], "big")
        found.append(der[at : at + head + length])
        at += head + length
    assert at == len(der)
    return found[0], found[1], found[2]


def joined(*pieces: bytes) -> bytes:
    whole = b"".join(pieces)
    return b"\x30\x82" + len(whole).to_bytes(2, "big") + whole


def resigned_sha1(one: Authority, key: RSAPrivateKey) -> bytes:
    """The certificate with SHA-1 for SHA-256, signed by hand as nothing here signs with SHA-1 any more."""
    old, new = (bytes.fromhex("06092a864886f70d0101" + last) for last in ("0b", "05"))
    tbs, algorithm, _ = (part.replace(old, new) for part in parts(one.der))
    told = bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(tbs).digest()
    numbers = key.private_numbers()
    padded = b"\0\x01" + b"\xff" * (256 - 3 - len(told)) + b"\0" + told
    value = pow(int.from_bytes(padded, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")
    return joined(tbs, algorithm, b"\x03\x82\x01\x01\0" + value)


def test_a_flipped_ecdsa_signature_is_another_certificate_of_the_same_key() -> None:
    leaf, root = chain()
    tbs, algorithm, _ = parts(leaf.der)
    r, s = utils.decode_dss_signature(leaf.certificate.signature)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    flipped = b"\0" + utils.encode_dss_signature(r, order - s)
    twin = load(joined(tbs, algorithm, b"\x03" + bytes([len(flipped)]) + flipped))
    assert twin != leaf.certificate
    found = path(twin, [root.certificate], roots=root.vendor, trust=NOBODY, at=NOON)
    assert found.keys == (leaf.digest, root.digest)


def test_other_encodings_of_a_certificate_are_malformed() -> None:
    leaf, root = chain()
    tbs, algorithm, value = parts(leaf.der)
    inner = tbs + algorithm + value
    assert load(joined(tbs, algorithm, value)) == leaf.certificate
    for wrong in (
        leaf.der + b"\0",
        leaf.der[:-1],
        b"\x30\x83\0" + len(inner).to_bytes(2, "big") + inner,
        b"\x30\x80" + inner + b"\0\0",
        joined(tbs, algorithm, value, b"\x05\0"),
        leaf.der.replace(b"\x01\x01\xff", b"\x01\x01\x01", 1),
        b"",
        b"\x30" * 100,
        joined(bytes(1 << 14)),
    ):
        with pytest.raises(MalformedEvidence):
            load(wrong)
    outside = joined(tbs, bytes.fromhex("300a06082a8648ce3d040303"), value)  # another algorithm than inside
    assert not issued(load(outside), root.certificate)


def pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_zeros_behind_a_certificate_in_pem_are_padding_and_nothing_else_is() -> None:
    leaf, root = chain()
    assert load_all(pem(leaf.der + bytes(3000)) + root.pem) == (leaf.certificate, root.certificate)
    assert load_all(leaf.der) == (leaf.certificate,)
    for wrong in (
        pem(leaf.der + bytes(30) + b"\x01"),
        leaf.der + bytes(30),
        leaf.pem[:-30],
        pem(b"!"),
        leaf.pem * 65,
        leaf.pem.replace(b"-\n", b"-\n*", 1),
    ):
        with pytest.raises(MalformedEvidence):
            load_all(wrong)


def test_key_digests_are_of_the_public_key_info() -> None:
    leaf, _ = chain()
    assert key_digest(leaf.certificate) == digest_of(leaf.key) == leaf.digest


FUZZED = chain("Middle")
LISTED = FUZZED[1].crl(FUZZED[1].issue("Gone"))


@given(st.integers(0, 8 * len(FUZZED[0].der) - 1), st.integers(0, 2))
def test_a_flipped_bit_is_malformed_refused_or_without_effect(bit: int, which: int) -> None:
    ders = [one.der for one in FUZZED]
    raw = bytearray(ders[which])
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    ders[which] = bytes(raw)
    with suppress(MalformedEvidence, NotAuthentic):
        leaf, *pool = map(load, ders)
        root = FUZZED[-1]
        found = path(leaf, pool, roots=root.vendor, trust=NOBODY, at=NOON, crls=[LISTED])
        assert found.keys == tuple(one.digest for one in FUZZED)
        assert which == len(FUZZED) - 1 or leaf == FUZZED[0].certificate
