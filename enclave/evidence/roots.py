# SPDX-License-Identifier: Apache-2.0
"""Vendor roots, pinned by SHA-256 of SubjectPublicKeyInfo; any other root makes evidence `test-root`."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.evidence.facts import RootStatus

VENDORS: Mapping[str, str] = MappingProxyType({})


def key_digest(certificate: x509.Certificate) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo."""
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def status_of(root: bytes) -> tuple[RootStatus, str]:
    """Whether a root, given by its key digest, is a vendor's, and whose."""
    vendor = VENDORS.get(root.hex())
    if vendor is None:
        return RootStatus.TEST_ROOT, f"unknown root {root.hex()}"
    return RootStatus.VENDOR, vendor
