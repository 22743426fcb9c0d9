# SPDX-License-Identifier: Apache-2.0
"""Enrolment: only a TPM whose endorsement holds, and which can read the secret, gets a certificate."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from enclave.errors import EnrolmentRefused, MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.enrol import EnrolRequest, challenge_ak, enroller_point, issue
from enclave.evidence.tpm.certificate import Enrolment, enrolment_of
from enclave.evidence.tpm.credential import make_credential
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.trust import Trust
from tests.fakes.evidence import NOON
from tests.fakes.tpm import ATTRIBUTES, FakeTpm

KEY = ec.generate_private_key(ec.SECP256R1())
COOKIE_KEY = b"\x07" * 32
TPM = FakeTpm()
CHAIN = TPM.endorsement(NOON)
TRUST = Trust(enrollers=frozenset(), extra_roots=frozenset({key_digest(load(CHAIN[-1]))}))


def ask(tpm: FakeTpm = TPM, chain: tuple[bytes, ...] = CHAIN, trust: Trust = TRUST) -> tuple[bytes, bytes]:
    request = EnrolRequest(chain=chain, public=tpm.public())
    assert EnrolRequest.decode(request.encode()) == request
    return challenge_ak(request, trust=trust, at=NOON, cookie_key=COOKIE_KEY, random=os.urandom)


def secret_in(credential: bytes) -> bytes:
    return TPM.activate(credential, TpmPublic.parse(TPM.public()).name)


def test_a_tpm_is_enrolled() -> None:
    credential, cookie = ask()
    issued = issue(cookie, secret_in(credential), key=KEY, cookie_key=COOKIE_KEY, at=NOON)
    certificate = load(issued)
    enrolment = enrolment_of(certificate, frozenset({enroller_point(KEY)}))
    assert enrolment == Enrolment(
        name=TpmPublic.parse(TPM.public()).name,
        endorsement=key_digest(load(CHAIN[0])),
        root=key_digest(load(CHAIN[-1])),
    )
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=30)
    assert enrolment_of(certificate, frozenset()) is None
    assert (
        enrolment_of(certificate, frozenset({enroller_point(ec.generate_private_key(ec.SECP256R1()))}))
        is None
    )


def test_the_secret_is_not_in_what_travels() -> None:
    credential, cookie = ask()
    secret = secret_in(credential)
    assert len(secret) == 32
    assert secret not in credential + cookie


@pytest.mark.parametrize("late", [timedelta(minutes=5, seconds=1), timedelta(seconds=-1)])
def test_a_cookie_lives_five_minutes(late: timedelta) -> None:
    credential, cookie = ask()
    with pytest.raises(EnrolmentRefused, match="too long"):
        issue(cookie, secret_in(credential), key=KEY, cookie_key=COOKIE_KEY, at=NOON + late)


def test_a_wrong_secret_or_cookie_is_refused() -> None:
    credential, cookie = ask()
    secret = secret_in(credential)
    for wrong_cookie, wrong_secret, key in (
        (cookie, bytes(32), COOKIE_KEY),
        (cookie, b"", COOKIE_KEY),
        (cookie[:-1] + bytes([cookie[-1] ^ 1]), secret, COOKIE_KEY),
        (b"", secret, COOKIE_KEY),
        (cookie, secret, bytes(32)),
        (ask()[1], secret, COOKIE_KEY),
    ):
        with pytest.raises(EnrolmentRefused):
            issue(wrong_cookie, wrong_secret, key=KEY, cookie_key=key, at=NOON)


def test_only_the_named_key_can_read_the_secret() -> None:
    credential, _ = ask()
    with pytest.raises(AssertionError):
        TPM.activate(credential, TpmPublic.parse(FakeTpm().public()).name)


def test_an_unknown_root_is_refused() -> None:
    with pytest.raises(EnrolmentRefused, match="unknown root"):
        ask(trust=Trust(enrollers=frozenset(), extra_roots=frozenset()))


def test_a_certificate_for_another_use_is_refused() -> None:
    server = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")
    with pytest.raises(EnrolmentRefused, match="endorsement"):
        ask(chain=TPM.endorsement(NOON, usage=server))
    with pytest.raises(EnrolmentRefused, match="endorsement"):
        ask(chain=(CHAIN[1], CHAIN[1]))


def test_an_expired_endorsement_is_refused() -> None:
    with pytest.raises(NotAuthentic):
        ask(chain=TPM.endorsement(NOON - timedelta(days=400)))


def test_an_endorsement_may_be_younger_than_the_newest_block_by_a_day() -> None:
    ask(chain=TPM.endorsement(NOON + timedelta(days=1, hours=23)))  # valid from a day before
    with pytest.raises(NotAuthentic):
        ask(chain=TPM.endorsement(NOON + timedelta(days=2, hours=1)))


def test_a_key_that_could_sign_anything_is_not_enrolled_s1() -> None:
    with pytest.raises(NotAuthentic) as caught:
        ask(FakeTpm(attributes=ATTRIBUTES & ~(1 << 16)))
    assert caught.value.reasons == ("KEY",)


@pytest.mark.parametrize(
    "raw", [b"", b"\x82", cbor2.dumps([[], b""]) + b"\0", cbor2.dumps([["x"], b""]), cbor2.dumps([1, b""])]
)
def test_other_requests_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        EnrolRequest.decode(raw)


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024 * 2 + 64),
        lambda: ec.generate_private_key(ec.SECP521R1()),
    ],
)
def test_endorsement_keys_without_a_template_are_refused(
    make: Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey],
) -> None:
    with pytest.raises(EnrolmentRefused):
        make_credential(make().public_key(), b"\0\x0b" + bytes(32), bytes(32), os.urandom)


@pytest.mark.parametrize(("days", "expected"), [(31, "30 days"), (1, "extension")])
def test_what_an_enroller_must_not_sign_is_refused(days: int, expected: str) -> None:
    name = x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(TPM.key.public_key())
        .serial_number(1)
        .not_valid_before(NOON)
        .not_valid_after(NOON + timedelta(days=days))
    )
    with pytest.raises(NotAuthentic, match=expected):
        enrolment_of(builder.sign(KEY, SHA256()), frozenset({enroller_point(KEY)}))


@pytest.mark.parametrize("der", CHAIN, ids=["endorsement key", "root"])
def test_s8_a_certificate_with_any_bit_changed_is_read_or_malformed(der: bytes) -> None:
    for bit in range(8 * len(der)):
        changed = bytearray(der)
        changed[bit // 8] ^= 1 << bit % 8
        with suppress(MalformedEvidence):
            load(bytes(changed))


def test_a_certificate_of_an_unknown_version_is_malformed() -> None:
    third = b"\xa0\x03\x02\x01\x02"
    assert third in CHAIN[0]
    with pytest.raises(MalformedEvidence):
        load(CHAIN[0].replace(third, third[:-1] + b"\x03", 1))
