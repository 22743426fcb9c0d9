# SPDX-License-Identifier: Apache-2.0
"""Vendor roots, pinned by SHA-256 of SubjectPublicKeyInfo; any other root makes evidence `test-root`.

Attestation-key roots issue certificates for restricted signing keys only. A root that also issues other
signing certificates must never be among them: whoever holds such a key could write quotes by hand.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
SPDM_ROOTS: Mapping[str, str] = MappingProxyType({})
"""Empty: no vendor of accelerators with a generic SPDM responder published a root that we could check."""
SNP_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9": "AMD ARK-Milan",
        "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831": "AMD ARK-Genoa",
        "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08": "AMD ARK-Turin",
    }
)
"""AMD's root keys, one for each line of processors, from the chains beside the recorded evidence.

To be compared with what AMD publishes, https://kdsintf.amd.com/vcek/v1/{line}/cert_chain, before anybody relies on them.
"""
INTEL_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e": "Intel SGX Root CA",
    }
)
"""Of PCK certificates and collateral: https://certificates.trustedservices.intel.com/IntelSGXRootCA.der."""
NITRO_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "f2caf5ecc6190b4a8399b78bc58a2bbcd0382375db8a1bfd78a82743874fd225": "AWS Nitro Enclaves Root G1",
    }
)
"""https://aws-nitro-enclaves.amazonaws.com/AWS_NitroEnclaves_Root-G1.zip."""
NVIDIA_DEVICE_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "a90c4eb5acfd3e3d03a25db6a26b84f720ad0503196c627c21ddd48dd85b06a4": "NVIDIA Device Identity CA",
    }
)
"""Of GPUs and switches; NVIDIA's verifiers ship it: https://github.com/NVIDIA/nvtrust (verifier_device_root.pem)."""
NVIDIA_RIM_ROOTS: Mapping[str, str] = MappingProxyType(
    {
        "dec1dc316477aa851eebdf51327ae9f864bc8d89254657ed1e7eb9168af1e1a3": "NVIDIA CoRIM signing Root CA",
    }
)
"""Of reference manifests, never of devices; NVIDIA's verifiers ship it beside the other (verifier_RIM_root.pem)."""
