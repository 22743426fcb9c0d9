# SPDX-License-Identifier: Apache-2.0
"""The technologies evidence may come from (SPEC.md, section 4)."""

from enum import Enum

from contracts.records import Level


class Kind(Enum):
    """A technology: its name in bundles and policies, its bit in `kinds`, its level under a vendor root.

    A peripheral cannot isolate a guest's memory, so it is never the root device.
    """

    SOFTWARE = ("software", 0, Level.NONE, False)
    TPM = ("tpm", 1, Level.ROOTED, False)
    SGX = ("sgx", 2, Level.ISOLATED, False)
    TDX = ("tdx", 3, Level.ISOLATED, False)
    SNP = ("sev-snp", 4, Level.ISOLATED, False)
    NITRO = ("aws-nitro", 5, Level.ISOLATED, False)
    NITRO_TPM = ("aws-nitrotpm", 6, Level.ROOTED, False)
    AZURE = ("azure-vtpm", 7, Level.ISOLATED, False)
    NVIDIA_GPU = ("nvidia-gpu", 8, Level.ROOTED, True)
    NVIDIA_SWITCH = ("nvidia-nvswitch", 9, Level.ROOTED, True)
    SPDM = ("spdm", 10, Level.ROOTED, True)
    ASCEND = ("ascend", 11, Level.MEASURED, True)
    CCA = ("arm-cca", 12, Level.ISOLATED, False)
    PSA = ("psa", 13, Level.ROOTED, False)
    VIRTCCA = ("virtcca", 14, Level.ISOLATED, False)

    def __init__(self, label: str, bit: int, level: Level, peripheral: bool) -> None:
        self.label = label
        self.bit = bit
        self.level = level
        self.peripheral = peripheral

    @classmethod
    def of(cls, label: str) -> "Kind | None":
        """The technology of that name, if this version knows it."""
        return next((kind for kind in cls if kind.label == label), None)
