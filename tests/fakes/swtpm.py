# SPDX-License-Identifier: Apache-2.0
"""A real software TPM, measured and enrolled, ready to quote."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from contracts.ids import Digest
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.enrol import EnrolRequest, challenge_ak, enroller_point, issue
from enclave.evidence.trust import Trust
from enclave.node.measure import extend_pcr14
from enclave.node.swtpm import running
from enclave.node.tpm import HostTpm, enrol, host_tpm

COOKIE_KEY = bytes(range(32))


@dataclass(frozen=True, kw_only=True)
class LocalEnroller:
    """A verifier's enrolment without HTTP."""

    key: ec.EllipticCurvePrivateKey
    trust: Trust
    at: datetime

    def challenge(self, request: bytes) -> tuple[bytes, bytes]:
        asked = EnrolRequest.decode(request)
        return challenge_ak(asked, trust=self.trust, at=self.at, cookie_key=COOKIE_KEY, random=os.urandom)

    def issue(self, cookie: bytes, secret: bytes) -> bytes:
        return issue(cookie, secret, key=self.key, cookie_key=COOKIE_KEY, at=self.at)


@dataclass(frozen=True, kw_only=True)
class EnrolledTpm:
    """A running TPM, its attestation key's certificate, and who issued that."""

    tcti: str
    authorities: tuple[bytes, ...]
    host: HostTpm
    certificate: Path
    enroller: bytes
    measured: Digest
    at: datetime


@contextmanager
def enrolled(folder: Path, measured: Digest) -> Iterator[EnrolledTpm]:
    """Start a TPM, extend a guest's digest into PCR 14, and enrol its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    with running(folder) as tpm:
        at = datetime.now(UTC)
        root = key_digest(load(tpm.authorities[-1]))
        trust = Trust(enrollers=frozenset(), extra_roots=frozenset({root}))
        host = host_tpm(tpm.tcti)
        extend_pcr14(host, measured)
        issued = enrol(host, LocalEnroller(key=key, trust=trust, at=at), tpm.authorities)
        certificate = folder / "ak.der"
        certificate.write_bytes(issued)
        yield EnrolledTpm(
            tcti=tpm.tcti,
            authorities=tpm.authorities,
            host=host,
            certificate=certificate,
            enroller=enroller_point(key),
            measured=measured,
            at=at,
        )
