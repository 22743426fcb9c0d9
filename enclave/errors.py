# SPDX-License-Identifier: Apache-2.0
"""Everything this package raises.

EnclaveError
├── MalformedStatement         a grant, receipt, stop or usage that does not decode
├── EvidenceError              evidence, or the policy that judges it
│   ├── MalformedEvidence      a bundle, quote, certificate or log that does not parse
│   ├── MalformedPolicy        a policy document that does not say exactly what it means
│   ├── NotAuthentic           evidence whose signatures or certificates do not hold
│   ├── Refused                authentic evidence that the policy turns away
│   └── EnrolmentRefused       an attestation key that no certificate is issued for
└── DeviceError                a device that evidence comes from
    ├── DeviceUnavailable      no such device, or no program to speak to it
    └── AlreadyMeasured        PCR 14 holds another guest until the machine starts again
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from contracts.errors import ExequaturError, ExitCode

if TYPE_CHECKING:  # the guest imports this module, and must not load what judges evidence
    from enclave.evidence.findings import Finding


class EnclaveError(ExequaturError):
    """Root of this package's errors."""


class MalformedStatement(EnclaveError):
    """A grant, receipt, stop or usage that does not decode."""

    code = ExitCode.MALFORMED


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


class DeviceError(EnclaveError):
    """Root of what a device that evidence comes from can be at fault for."""


class DeviceUnavailable(DeviceError):
    """No such device, or no program to speak to it."""

    code = ExitCode.UNAVAILABLE


class AlreadyMeasured(DeviceError):
    """PCR 14 holds another guest until the machine starts again."""

    code = ExitCode.USAGE
