# SPDX-License-Identifier: Apache-2.0
"""What a node needs before it starts: its assignment from the chain, and evidence it can bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.session import Session
    from contracts.ids import Address, ModelId
    from enclave.http import HttpVerifier
    from enclave.node.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """Where a node's evidence comes from: a TPM with the authorities of its EK, or the guest's words for its devices.

    With neither it is software's; `endorsements` are files that go with the root device's evidence.
    """

    tcti: str = ""
    authorities: Sequence[bytes] = ()
    words: tuple[str, ...] = ()
    endorsements: tuple[Path, ...] = ()


def open_node(
    opened: "Session", model: "ModelId", version: int, licence: "Address", device: Devices
) -> "Node":
    """A node for one model version under one licence, with evidence from some devices."""
    from cli.assigned import document_of
    from enclave.evidence.policy import Policy
    from enclave.http import HttpBroker, HttpVerifier
    from enclave.node.node import Node
    from enclave.node.parts import Assignment
    from registry.models import Models

    live, store = opened.chain(), opened.store()
    policy_id = Models(live).version(model, version).policy_at(live.head().timestamp)
    policy = Policy.from_json(store.get(document_of(live, policy_id)))
    verifiers = [HttpVerifier(url) for url in opened.settings.verifiers or policy.verifier_urls]
    folder = opened.home / "node"
    folder.mkdir(parents=True, exist_ok=True)
    if device.tcti:
        attester = _tpm(folder, verifiers, device.tcti, device.authorities)
    else:
        attester = device.words or _software()
    return Node(
        live,
        opened.account(),
        Assignment(
            model_id=model,
            version=version,
            policy=policy,
            policy_id=policy_id,
            licence=licence,
            attester=attester,
            endorsements=device.endorsements,
        ),
        appraisers=verifiers,
        broker=HttpBroker(policy.broker_url),
        store=store,
        folder=folder / "sealed",
    )


def _software() -> tuple[str, ...]:
    from enclave.node.measure import guest_files_digest

    return ("software", str(guest_files_digest()))


def _tpm(
    folder: Path, verifiers: "Sequence[HttpVerifier]", tcti: str, authorities: Sequence[bytes]
) -> tuple[str, ...]:
    """Measure the guest into PCR 14, and have a verifier certify the attestation key."""
    from enclave.node.measure import extend_pcr14, guest_files_digest
    from enclave.node.tpm import enrol, host_tpm
    from registry.errors import NotConfigured

    if not verifiers:
        raise NotConfigured("no verifier enrols this TPM", where="policy", hint="set EXEQUATUR_VERIFIERS")
    tpm = host_tpm(tcti)
    extend_pcr14(tpm, guest_files_digest())
    certificate = enrol(tpm, verifiers[0], authorities)
    path = folder / "attestation-key.der"
    part = path.with_suffix(".part")
    part.write_bytes(certificate)
    part.replace(path)
    return ("tpm", tcti, str(path))
