# SPDX-License-Identifier: Apache-2.0
"""The technologies evidence may come from (SPEC.md, section 4)."""

from enum import Enum

from contracts.records import Level


class Kind(Enum):
    """A technology: its name in bundles and policies, its bit in `kinds`, its level under a vendor root."""

    SOFTWARE = ("software", 0, Level.NONE)
    TPM = ("tpm", 1, Level.ROOTED)

    def __init__(self, label: str, bit: int, level: Level) -> None:
        self.label = label
        self.bit = bit
        self.level = level

    @classmethod
    def of(cls, label: str) -> "Kind | None":
        """The technology of that name, if this version knows it."""
        return next((kind for kind in cls if kind.label == label), None)
