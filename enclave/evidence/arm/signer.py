# SPDX-License-Identifier: Apache-2.0
"""Whose key signed a token: one that a certificate names, or one that the caller trusts by itself.

Keys of devices with Arm's tokens are known to whoever makes the device; no vendor publishes a root that we could pin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from enclave.evidence.certificates import fault, path, spki_digest
from enclave.evidence.cose import Sign1
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Reason
from enclave.evidence.trust import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who vouches for the key that signed; the times are those of its certificates, where it has any."""

    keys: tuple[bytes, ...]
    status: RootStatus
    vendor: str
    not_before: datetime | None
    not_after: datetime | None


def signer(
    signed: Sign1, beside: Endorsements, *, roots: Mapping[str, str], trust: Trust, at: datetime
) -> Signer:
    """Find who signed among certificates and keys that came along; raises `NotAuthentic`."""
    for certificate in beside.certificates:
        if signed.signed_by(certificate.public_key()):
            found = path(certificate, beside.certificates, roots=roots, trust=trust, at=at, crls=beside.crls)
            return Signer(
                keys=found.keys,
                status=found.status,
                vendor=found.vendor,
                not_before=found.not_before,
                not_after=found.not_after,
            )
    for key in beside.keys:
        if signed.signed_by(key):
            return _known(spki_digest(key), trust)
    hint = "the key or certificate must come along: the device's maker has it"
    raise fault(Reason.SIGNATURE, "a token signed by a key that came along", "none of them signed it", hint)


def _known(digest: bytes, trust: Trust) -> Signer:
    if digest not in trust.extra_roots:
        hint = "trust it with --trust, or name it among a policy's extra_roots; that lowers the level to none"
        raise fault(Reason.ROOT, "a key that somebody vouches for", f"unknown key {digest.hex()}", hint)
    return Signer(
        keys=(digest,),
        status=RootStatus.TEST_ROOT,
        vendor=f"a key added by trust, {digest.hex()}",
        not_before=None,
        not_after=None,
    )
