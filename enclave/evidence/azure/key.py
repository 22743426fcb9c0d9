# SPDX-License-Identifier: Apache-2.0
"""The certificate that Azure issues for a vTPM's attestation key, where one came along (azure/SPEC.md, section 4).

The key counts because the hardware's report binds it. A certificate says besides that Azure knows the machine; it may be
missing, or its chain may end early, but one that is there must be of this key and nothing in it may be wrong.
"""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from enclave.errors import NotAuthentic
from enclave.evidence.certificates import (
    LONGEST_PATH,
    Path,
    check_time,
    issued,
    key_digest,
    path,
    spki_digest,
)
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.findings import Reason, fault
from enclave.evidence.roots import ATTESTATION_KEY_ROOTS
from enclave.evidence.trust import Trust

_ROOTS = MappingProxyType(
    {key: name for key, name in ATTESTATION_KEY_ROOTS.items() if name.startswith("Azure")}
)


def vouched(
    key: rsa.RSAPublicKey,
    certificate: x509.Certificate | None,
    beside: Endorsements,
    *,
    trust: Trust,
    at: datetime,
) -> Path | None:
    """The path of the key's certificate to Azure's root; None where the certificate, or an issuer, did not come.

    Raises `NotAuthentic` for a certificate of another key, and for a chain in which anything is wrong.
    """
    leaf = certificate or _among(beside.certificates, key)
    if leaf is None:
        return None
    if key_digest(leaf) != spki_digest(key):
        raise fault(Reason.KEY, "a certificate of the key that the hardware binds", "one of another key")
    check_time(leaf, at)
    try:
        return path(leaf, beside.certificates, roots=_ROOTS, trust=trust, at=at, crls=beside.crls)
    except NotAuthentic:
        if _ends_early(leaf, beside.certificates, at):
            return None
        raise


def _among(pool: Sequence[x509.Certificate], key: rsa.RSAPublicKey) -> x509.Certificate | None:
    digest = spki_digest(key)
    return next((one for one in pool if key_digest(one) == digest), None)


def _ends_early(leaf: x509.Certificate, pool: Sequence[x509.Certificate], at: datetime) -> bool:
    """Whether every certificate up to the last one that came was issued by the next, and only that one's issuer lacks."""
    top = leaf
    for _ in range(LONGEST_PATH):
        named = [one for one in pool if one.subject == top.issuer]
        if not named:
            return top.issuer != top.subject
        issuer = next((one for one in named if one != top and issued(top, one)), None)
        if issuer is None:
            return False
        check_time(issuer, at)
        top = issuer
    return False
