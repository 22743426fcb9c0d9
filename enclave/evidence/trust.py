# SPDX-License-Identifier: Apache-2.0
"""Whom a verifier believes besides the vendors that are pinned."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Keys and roots that a policy, or a caller for one call, adds to the vendor tables.

    Enrollers and endorsers are uncompressed P-256 points. Extra roots are SHA-256 digests of a
    SubjectPublicKeyInfo, of a root certificate or of a signing key itself; they lower the level to `none`.
    """

    enrollers: frozenset[bytes]
    extra_roots: frozenset[bytes]
    endorsers: frozenset[bytes] = frozenset()

    def __or__(self, other: "Trust") -> "Trust":
        """Trust in whom either of the two believes."""
        return Trust(
            enrollers=self.enrollers | other.enrollers,
            extra_roots=self.extra_roots | other.extra_roots,
            endorsers=self.endorsers | other.endorsers,
        )
