# SPDX-License-Identifier: Apache-2.0
"""Endorsements are known by their content, in any order, and anything else is malformed."""

import base64
import json
from contextlib import suppress

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.endorsements import Endorsements
from tests.fakes.authorities import chain, new_key
from tests.fakes.tpm import event_log, ima_entry

LEAF, ROOT = chain()
CRL = ROOT.crl(LEAF)
KEY = LEAF.key.public_key()
LOG = event_log((0, 8, b"v1", b"v1"))
IMA = ima_entry("/bin/true", b"\x01" * 32)[0]
COLLATERAL = json.dumps({"tcb_info": "{}", "qe_identity": "{}"}).encode()
MANIFEST = b"\xef\xbb\xbf<?xml version='1.0'?><SoftwareIdentity/>"


def numbers(key: object) -> tuple[bytes, bytes]:
    assert isinstance(key, ec.EllipticCurvePublicKey)
    public, size = key.public_numbers(), (key.key_size + 7) // 8
    return public.x.to_bytes(size, "big"), public.y.to_bytes(size, "big")


def jwk(**changes: object) -> bytes:
    x, y = (base64.urlsafe_b64encode(half).rstrip(b"=").decode() for half in numbers(KEY))
    return json.dumps({"kty": "EC", "crv": "P-256", "x": x, "y": y} | changes).encode()


def encoded(encoding: Encoding) -> bytes:
    return KEY.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("name", "blob", "values"),
    [
        ("certificates", LEAF.der, (LEAF.certificate,)),
        ("certificates", LEAF.pem + ROOT.pem, (LEAF.certificate, ROOT.certificate)),
        ("certificates", b"\n" + ROOT.pem, (ROOT.certificate,)),
        ("crls", CRL.public_bytes(Encoding.DER), (CRL,)),
        ("crls", CRL.public_bytes(Encoding.PEM), (CRL,)),
        ("keys", encoded(Encoding.PEM), (KEY,)),
        ("keys", encoded(Encoding.DER), (KEY,)),
        ("keys", jwk(), (KEY,)),
        ("keys", jwk(d="AAAA", kid="a name"), (KEY,)),
        ("collateral", COLLATERAL, (COLLATERAL,)),
        ("manifests", MANIFEST, (MANIFEST,)),
        ("event_logs", LOG, (LOG,)),
        ("ima_logs", IMA, (IMA,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "piece",
)
def test_each_piece_is_known_by_its_content(name: str, blob: bytes, values: tuple[object, ...]) -> None:
    assert getattr(Endorsements.sort([blob]), name) == values
    assert Endorsements.sort([blob]) == Endorsements(**{name: values})  # type: ignore[arg-type]


def test_pieces_come_in_any_order() -> None:
    pieces = [LEAF.der, CRL.public_bytes(Encoding.DER), encoded(Encoding.PEM), COLLATERAL, MANIFEST, LOG, IMA]
    assert Endorsements.sort(pieces) == Endorsements.sort(pieces[::-1])
    assert Endorsements.sort([LEAF.der, ROOT.der]).certificates == (LEAF.certificate, ROOT.certificate)


@pytest.mark.parametrize("kind", ["P-384", "P-521", "RSA-2048", "Ed25519"])
def test_keys_of_each_kind_are_taken(kind: str) -> None:
    key = new_key(kind).public_key()
    spki = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert Endorsements.sort([spki]).keys == (key,)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0" * 40,
        b"text",
        b"{",
        b"{}",
        b'{"kty": "RSA"}',
        b"[1]",
        b'{"a":' * 200,
        jwk(crv="P-999"),
        jwk(x="AAAA"),
        jwk(y=None),
        jwk(x="\u00e9"),
        LEAF.der[:-1],
        LEAF.der + b"\0",
        LEAF.pem[:-40],
        LEAF.pem.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"),
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        x25519.X25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        cbor2.dumps(cbor2.CBORTag(18, [b"", {}, b"", b""])),
        b"\x30\x80\0\0",
    ],
    ids=lambda _: "blob",
)
def test_anything_else_is_malformed(blob: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        Endorsements.sort([ROOT.der, blob])


def test_what_is_enclosed_reads_back_and_nothing_else_does() -> None:
    enclosed = Enclosed(evidence=b"quote", pieces=(LEAF.der, LOG))
    raw = enclosed.encode()
    assert Enclosed.parse(raw) == enclosed
    assert enclosed.endorsements == Endorsements.sort([LEAF.der, LOG])
    assert enclosed.and_also([IMA]).pieces == (LEAF.der, LOG, IMA)
    many = Enclosed(evidence=b"", pieces=(b"",) * 65).encode()
    for wrong in (
        b"",
        raw + b"\0",
        raw[:-1],
        cbor2.dumps([b"", b""]),
        cbor2.dumps(["", []]),
        cbor2.dumps([b"", [1]]),
        cbor2.dumps([b"", [], b""]),
        b"\x9f\x40\x80\xff",
        b"\x82\x58\0\x80",
        many,
        cbor2.dumps({1: 2}),
    ):
        with pytest.raises(MalformedEvidence):
            Enclosed.parse(wrong)


@given(
    st.binary(max_size=200),
    st.sampled_from([LEAF.der, CRL.public_bytes(Encoding.DER), jwk(), IMA, LOG]),
    st.data(),
)
def test_sorting_raises_malformed_or_nothing(raw: bytes, good: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(good)))
    for blob in (raw, good[:at] + raw, good[:at] + raw + good[at + len(raw) :]):
        with suppress(MalformedEvidence):
            Endorsements.sort([blob])
        with suppress(MalformedEvidence):
            Enclosed.parse(blob)
