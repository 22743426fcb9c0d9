# SPDX-License-Identifier: Apache-2.0
"""Everything this package raises.

EnclaveError
├── MalformedStatement         a grant, receipt, stop or usage that does not decode
├── SealError                  a sealed model, or a model to be sealed
│   ├── MalformedModel         a model that cannot be sealed or loaded as it is
│   ├── SealRefused            a target or source that sealing does not touch
│   ├── MalformedSeal          not a sealed model of a known version
│   ├── SealTruncated          bytes are missing: cut off, or a chunk dropped
│   ├── SealExtended           bytes were appended, or a chunk added
│   ├── ChunkNotAuthentic      a chunk that was changed, or comes from another sealed model
│   ├── ChunkOutOfPlace        an authentic chunk at another chunk's place
│   ├── WrongSeal              preamble and root are not those of the expected sealId
│   ├── RootMismatch           authentic chunks that are not the ones the root was made over
│   └── WrongKey               a data key that is not this model's
├── KeystoreError              an owner's keystore entry
│   ├── WrongPassphrase        the passphrase does not open the entry
│   ├── MalformedEntry         a file that is no keystore entry, or was changed
│   ├── NoEntry                no entry for this sealed model
│   └── EntryRefused           an entry that exists, or is bound to something else
├── EvidenceError              evidence, or the policy that judges it
│   ├── MalformedEvidence      a bundle, quote, certificate or log that does not parse
│   ├── MalformedPolicy        a policy document that does not say exactly what it means
│   ├── NotAuthentic           evidence whose signatures or certificates do not hold
│   ├── Refused                authentic evidence that the policy turns away
│   └── EnrolmentRefused       an attestation key that no certificate is issued for
├── DeviceError                a device that evidence comes from
│   ├── DeviceUnavailable      no such device, or no program to speak to it
│   └── AlreadyMeasured        PCR 14 holds another guest until the machine starts again
├── WireError                  the socket between host, vault and quoter
│   ├── MalformedMessage       a frame, message or stream that breaks the format
│   ├── UnknownMessage         a message type nobody answers
│   └── Disconnected           the other side is gone
├── BrokerError                what verifiers, brokers and auditors refuse, or fail at
│   ├── ReleaseRefused         a key that is not released
│   ├── ChallengeRefused       evidence for a challenge this verifier does not recognise
│   ├── EnvelopeError          an envelope or sealed bundle that this key does not open
│   ├── JournalError           a broker's journal that is none, or is in use
│   ├── ServiceUnavailable     a verifier, broker or node that does not answer as agreed
│   └── RefusedRemotely        a refusal that came over HTTP
├── GuestError                 what a guest refuses, or fails at
│   ├── GrantRefused           a grant that is not for this guest, now, by the right key
│   ├── OutOfTurn              a request that the guest's state does not allow
│   ├── LeaseOver              the lease ended, or the guest was told to stop
│   ├── CeilingReached         no receipts left under this release
│   ├── MalformedInput         an input that is not the tensors the model takes
│   └── GuestFault             the guest failed in a way nobody foresaw
├── NotVerified                an answer or a node for which a step of verification does not hold
└── NodeError                  the host of a guest (`enclave.node.errors`)
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from contracts.errors import ExequaturError as ExequaturError
from contracts.errors import ExitCode
from enclave.faults import CeilingReached as CeilingReached
from enclave.faults import ChunkNotAuthentic as ChunkNotAuthentic
from enclave.faults import DeviceError as DeviceError
from enclave.faults import DeviceUnavailable as DeviceUnavailable
from enclave.faults import Disconnected as Disconnected
from enclave.faults import EnclaveError as EnclaveError
from enclave.faults import GrantFlaw as GrantFlaw
from enclave.faults import GrantRefused as GrantRefused
from enclave.faults import GuestError as GuestError
from enclave.faults import GuestFault as GuestFault
from enclave.faults import LeaseOver as LeaseOver
from enclave.faults import MalformedInput as MalformedInput
from enclave.faults import MalformedMessage as MalformedMessage
from enclave.faults import MalformedModel as MalformedModel
from enclave.faults import MalformedSeal as MalformedSeal
from enclave.faults import MalformedStatement as MalformedStatement
from enclave.faults import OutOfTurn as OutOfTurn
from enclave.faults import RootMismatch as RootMismatch
from enclave.faults import SealError as SealError
from enclave.faults import UnknownMessage as UnknownMessage
from enclave.faults import WireError as WireError
from enclave.faults import WrongKey as WrongKey
from enclave.faults import remote_error as remote_error

if TYPE_CHECKING:  # evidence imports this module
    from enclave.evidence.findings import Finding


class EvidenceError(EnclaveError):
    """Root of what evidence, and the policy that judges it, can be at fault for."""


class MalformedEvidence(EvidenceError):
    """A bundle, quote, certificate or log that does not parse."""

    code = ExitCode.MALFORMED


class MalformedPolicy(EvidenceError):
    """A policy document that does not say exactly what it means."""

    code = ExitCode.MALFORMED


class _Unmet(EvidenceError):
    """Names every unmet rule; the findings say what was expected and found."""

    def __init__(self, findings: "Sequence[Finding]") -> None:
        super().__init__("; ".join(map(str, findings)), where=self._where, hint=findings[0].hint)
        self.findings = tuple(findings)

    _where = ""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the unmet rules, each once."""
        return tuple(dict.fromkeys(finding.reason.name for finding in self.findings))


class NotAuthentic(_Unmet):
    """Evidence whose signatures or certificates do not hold."""

    code = ExitCode.NOT_AUTHENTIC
    _where = "not authentic"


class Refused(_Unmet):
    """Authentic evidence that the policy turns away."""

    code = ExitCode.REFUSED
    _where = "refused"


class EnrolmentRefused(EvidenceError):
    """An attestation key that no certificate is issued for."""

    code = ExitCode.REFUSED


class AlreadyMeasured(DeviceError):
    """PCR 14 holds another guest until the machine starts again."""

    code = ExitCode.USAGE


class NotVerified(EnclaveError):
    """An answer or a node for which a step of verification does not hold."""

    code = ExitCode.NOT_AUTHENTIC


class SealRefused(SealError):
    """A target or source that sealing does not touch."""

    code = ExitCode.USAGE


class SealTruncated(SealError):
    """Bytes are missing: the file was cut off, or a chunk dropped."""

    code = ExitCode.MALFORMED


class SealExtended(SealError):
    """Bytes were appended, or a chunk added."""

    code = ExitCode.MALFORMED


class ChunkOutOfPlace(SealError):
    """An authentic chunk at another chunk's place."""

    code = ExitCode.NOT_AUTHENTIC

    def __init__(self, index: int, belongs: int) -> None:
        super().__init__(
            f"chunk {belongs} stands at the place of chunk {index}",
            where="sealed model",
            hint="fetch the sealed model again",
        )
        self.index = index
        self.belongs = belongs


class WrongSeal(SealError):
    """Preamble and root are not those of the expected sealId: another model, or a changed or renamed one."""

    code = ExitCode.NOT_AUTHENTIC


class KeystoreError(EnclaveError):
    """Root of what an owner's keystore entry can be at fault for."""


class WrongPassphrase(KeystoreError):
    """The passphrase does not open the entry."""

    code = ExitCode.USAGE


class MalformedEntry(KeystoreError):
    """A file that is no keystore entry, or was changed."""

    code = ExitCode.MALFORMED


class NoEntry(KeystoreError):
    """No entry for this sealed model."""

    code = ExitCode.USAGE


class EntryRefused(KeystoreError):
    """An entry that exists already, or is bound to something else."""

    code = ExitCode.USAGE


class BrokerError(EnclaveError):
    """Root of what verifiers, brokers and auditors refuse, or fail at."""


class ReleaseRefused(BrokerError):
    """A key that is not released; names every reason."""

    code = ExitCode.REFUSED

    def __init__(self, reasons: Iterable[str], *, where: str = "", hint: str = "") -> None:
        self._reasons = tuple(sorted(set(reasons)))
        super().__init__("not released: " + ", ".join(self._reasons), where=where, hint=hint)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of every unmet condition."""
        return self._reasons


class ChallengeRefused(BrokerError):
    """Evidence that answers to a challenge this verifier does not recognise."""

    code = ExitCode.REFUSED


class EnvelopeError(BrokerError):
    """An envelope or sealed bundle that this key does not open."""

    code = ExitCode.NOT_AUTHENTIC


class JournalError(BrokerError):
    """A broker's journal that is none, or that another broker holds."""

    code = ExitCode.USAGE


class ServiceUnavailable(BrokerError):
    """A verifier, broker or node that does not answer, or not in the form agreed."""

    code = ExitCode.UNAVAILABLE


class RefusedRemotely(BrokerError):
    """A refusal that came over HTTP, with the reasons the other side gave."""

    code = ExitCode.REFUSED

    def __init__(self, what: str, reasons: Iterable[str], *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self._reasons = tuple(reasons)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the unmet rules."""
        return self._reasons
