# SPDX-License-Identifier: Apache-2.0
"""Vendor roots, pinned by SHA-256 of SubjectPublicKeyInfo; any other root makes evidence `test-root`.

Attestation-key roots issue certificates for restricted signing keys only. A root that also issues other
signing certificates must never be among them: whoever holds such a key could write quotes by hand.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.evidence.facts import RootStatus

ATTESTATION_KEY_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f": "Google EK/AK CA Root",
        "5cbc52672ae101263c2976736044a964c1182ce9412c39937183baddcccb8cdf": "Azure Virtual TPM Root Certificate Authority 2023",
    }
)
ENDORSEMENT_KEY_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f": "Google EK/AK CA Root",
    }
)


def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def status_of(root: bytes, table: Mapping[str, str]) -> tuple[RootStatus, str]:
    """Whether a root, given by its key digest, is in a vendor table, and whose it is."""
    vendor = table.get(root.hex())
    if vendor is None:
        return RootStatus.TEST_ROOT, f"unknown root {root.hex()}"
    return RootStatus.VENDOR, vendor
