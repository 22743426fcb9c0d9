# SPDX-License-Identifier: Apache-2.0
"""Every technology this verifier knows, and which of them raw evidence belongs to."""

from collections.abc import Mapping
from types import MappingProxyType

from enclave.evidence.arm.cca import TECHNOLOGY as CCA
from enclave.evidence.arm.psa import TECHNOLOGY as PSA
from enclave.evidence.ascend.verify import TECHNOLOGY as ASCEND
from enclave.evidence.azure.verify import TECHNOLOGY as AZURE
from enclave.evidence.kinds import Kind
from enclave.evidence.nitro.tpm import TECHNOLOGY as NITRO_TPM
from enclave.evidence.nitro.verify import TECHNOLOGY as NITRO
from enclave.evidence.nvidia.verify import GPU as NVIDIA_GPU
from enclave.evidence.nvidia.verify import SWITCH as NVIDIA_SWITCH
from enclave.evidence.sgx.verify import TECHNOLOGY as SGX
from enclave.evidence.snp.verify import TECHNOLOGY as SNP
from enclave.evidence.software.verify import TECHNOLOGY as SOFTWARE
from enclave.evidence.spdm.verify import TECHNOLOGY as SPDM
from enclave.evidence.tdx.verify import TECHNOLOGY as TDX
from enclave.evidence.technology import Technology
from enclave.evidence.tpm.verify import TECHNOLOGY as TPM
from enclave.evidence.virtcca.verify import TECHNOLOGY as VIRTCCA

TECHNOLOGIES: Mapping[Kind, Technology] = MappingProxyType(
    {
        technology.kind: technology
        for technology in (
            SOFTWARE,
            TPM,
            ASCEND,
            SPDM,
            SNP,
            AZURE,
            SGX,
            TDX,
            NITRO,
            NITRO_TPM,
            CCA,
            PSA,
            VIRTCCA,
            NVIDIA_GPU,
            NVIDIA_SWITCH,
        )
    }
)


def recognised(evidence: bytes) -> Technology | None:
    """The technology whose device gave these bytes, if exactly one claims them."""
    claimants = [technology for technology in TECHNOLOGIES.values() if technology.recognise(evidence)]
    return claimants[0] if len(claimants) == 1 else None
