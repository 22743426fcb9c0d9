# SPDX-License-Identifier: Apache-2.0
"""The evidence device of the demonstration: a software TPM where one is installed, else plain software evidence."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cli.demo.world import World
from contracts.ids import Digest
from enclave.evidence.certificates import key_digest
from enclave.evidence.software.verify import workload_of
from enclave.evidence.tpm.quote import expected_workload
from enclave.evidence.trust import Trust
from enclave.node import swtpm, tpm
from enclave.node.measure import extend_pcr14, guest_files_digest
from enclave.verifier import Enroller


def best() -> str:
    """The best evidence that this machine's programs can give."""
    return "tpm" if swtpm.available() and tpm.available() else "software"


def measure(world: World) -> Digest:
    """Prepare the device and measure the guest; returns the workload that the policy will accept."""
    measured = guest_files_digest()
    if world.attester == "software":
        world.device = ("software", str(measured))
        return workload_of(measured)
    running = world.end.enter_context(swtpm.running(world.folder / "tpm"))
    host = tpm.host_tpm(running.tcti)
    extend_pcr14(host, measured)
    root = key_digest(x509.load_der_x509_certificate(running.authorities[-1]))
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset({root}))
    world.enroller = Enroller(key=ec.generate_private_key(ec.SECP256R1()), trust=trust)
    certificate = world.folder / "ak.der"
    certificate.write_bytes(tpm.enrol(host, _Desk(world.enroller, world), running.authorities))
    world.device = ("tpm", running.tcti, str(certificate))
    return expected_workload(measured)


class _Desk:
    """A verifier's enrolment desk, whose clock is the chain's."""

    def __init__(self, enroller: Enroller, world: World) -> None:
        self._enroller = enroller
        self._chain = world.chain

    def challenge(self, request: bytes) -> tuple[bytes, bytes]:
        """Credential and cookie."""
        return self._enroller.challenge(request, self._now())

    def issue(self, cookie: bytes, secret: bytes) -> bytes:
        """The certificate."""
        return self._enroller.certify(cookie, secret, self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._chain.head().timestamp, UTC)
