# SPDX-License-Identifier: Apache-2.0
"""Salted commitments to platform identifiers; without the opening nobody can link or test them (S9)."""

import hashlib
import hmac

from contracts.digests import digest
from contracts.ids import BurnDomain, Digest


def opening(salt: bytes, identity: bytes) -> bytes:
    """The opening, which holders of the domain's salt compute and never accept from a bundle."""
    return hmac.new(salt, identity, hashlib.sha256).digest()


def commitment(domain: BurnDomain, opening: bytes, identity: bytes) -> Digest:
    """The commitment that verdicts carry; whoever has the opening and the identity can check it."""
    return digest("platform", domain, opening, identity)
