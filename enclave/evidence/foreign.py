# SPDX-License-Identifier: Apache-2.0
"""Containers in which other projects keep evidence, each unpacked to one of our kinds and bodies."""

from collections.abc import Callable

from enclave.evidence.azure.containers import attested_tls, confidential_containers
from enclave.evidence.kinds import Kind
from enclave.evidence.nitro.tpm import vaportpm as nitro_vaportpm
from enclave.evidence.spdm.captures import from_messages, from_packets
from enclave.evidence.tpm.containers import go_tpm_tools, vaportpm

Unpack = Callable[[bytes], "tuple[Kind, bytes] | None"]
"""Reads one project's container: kind and body, None for anything else; raises `MalformedEvidence` inside its own."""

CONTAINERS: tuple[Unpack, ...] = (
    from_messages,
    from_packets,
    go_tpm_tools,
    vaportpm,
    nitro_vaportpm,
    confidential_containers,
    attested_tls,
)


def unpack(raw: bytes) -> tuple[Kind, bytes] | None:
    """Kind and body of evidence in a container that we know, or None."""
    return next((found for reader in CONTAINERS if (found := reader(raw)) is not None), None)
