# SPDX-License-Identifier: Apache-2.0
"""Good evidence of each technology, for tests that break one thing."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from enclave.evidence.certificates import key_digest, load
from enclave.evidence.enrol import EnrolRequest, challenge_ak, enroller_point, issue
from enclave.evidence.policy import Policy
from enclave.evidence.tpm.quote import expected_workload
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.trust import Trust
from tests.fakes.evidence import FILES, NOON, Case, policy_text
from tests.fakes.tpm import FakeTpm

ENROLLER = ec.generate_private_key(ec.SECP256R1())
COOKIE_KEY = bytes(32)


@pytest.fixture
def software() -> Case:
    """Software evidence that its policy accepts."""
    return Case.software()


@pytest.fixture
def enrolled() -> Callable[[FakeTpm], bytes]:
    """Enrols a TPM at the enroller that `tpm_case` trusts; returns its key's certificate."""

    def certify(tpm: FakeTpm) -> bytes:
        chain = tpm.endorsement(NOON)
        trust = Trust(enrollers=frozenset(), extra_roots=frozenset({key_digest(load(chain[-1]))}))
        request = EnrolRequest(chain=chain, public=tpm.public())
        credential, cookie = challenge_ak(
            request, trust=trust, at=NOON, cookie_key=COOKIE_KEY, random=os.urandom
        )
        secret = tpm.activate(credential, TpmPublic.parse(tpm.public()).name)
        return issue(cookie, secret, key=ENROLLER, cookie_key=COOKIE_KEY, at=NOON + timedelta(seconds=1))

    return certify


@pytest.fixture
def fake_tpm(enrolled: Callable[[FakeTpm], bytes]) -> FakeTpm:
    """An enrolled TPM with the guest measured into PCR 14."""
    tpm = FakeTpm()
    tpm.extend(14, FILES)
    tpm.chain = (enrolled(tpm),)
    return tpm


@pytest.fixture
def tpm_text() -> str:
    """A policy for the guest in `fake_tpm`."""
    point = enroller_point(ENROLLER).hex()
    text = policy_text("tpm", expected_workload(FILES))
    return text.replace("enrollers = []", f'enrollers = ["0x{point}"]')


@pytest.fixture
def tpm_case(fake_tpm: FakeTpm, tpm_text: str) -> Case:
    """TPM evidence that its policy accepts."""
    return Case(policy=Policy.from_toml(tpm_text), collect=fake_tpm.collect, kind="tpm")
