# SPDX-License-Identifier: Apache-2.0
"""Why evidence is turned away: one finding for each unmet rule."""

from dataclasses import dataclass
from enum import Enum

from enclave.errors import NotAuthentic


class Reason(Enum):
    """The rule that evidence did not meet."""

    SIGNATURE = "a signature does not hold"
    CERTIFICATE = "a certificate is not one that counts, or not yet or no longer valid"
    ROOT = "the chain ends at no root that counts"
    KEY = "the attestation key lacks an attribute that makes its word worth something"
    KIND = "a technology that the policy does not name, or not as root"
    BINDING = "the evidence was made for another challenge, node or claim"
    NODE = "the keys are not those of the node that was challenged"
    POLICY = "the challenge is for another policy"
    LEVEL = "the assurance level is too low"
    WORKLOAD = "not one of the policy's guests"
    PCR = "a register has a value that the policy does not allow"
    LOG = "an event log does not replay to the registers"
    DEVICES = "a required device is missing, or one is there twice"
    LOCKDOWN = "the guest did not reach the lock-down asked for"
    CLOCK = "the guest's clock is of another kind"
    STALE = "the evidence had expired at the challenge block"
    FUTURE = "the evidence is not valid yet at the challenge block"
    PLATFORM = "the evidence and its endorsements speak of different platforms, or of none that can be named"
    DEBUG = "whoever runs the guest can read or change it"
    TCB = "firmware or microcode is in a state that is known to be bad, or not known at all"
    REFERENCE = "a measurement or claim has a value that no reference allows"
    MINIMUM = "a security version is below the floor that is in force"
    AGE = "something that the evidence rests on is too old, or has no date"
    REVOKED = "a key that the evidence rests on was revoked"
    BURNT = "the platform is burnt"
    CUSTODY = "nobody that counts vouches for the place of the platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One unmet rule: what was expected, what was found, and what to do about it."""

    reason: Reason
    expected: str
    found: str
    hint: str = ""

    @property
    def rule(self) -> str:
        """The rule's name in results and EARs."""
        return self.reason.name.lower()

    def __str__(self) -> str:
        return f"{self.reason.name}: expected {self.expected}, found {self.found}"


def fault(reason: Reason, expected: str, found: str, hint: str = "") -> NotAuthentic:
    """One finding of evidence that is not authentic, ready to raise."""
    return NotAuthentic([Finding(reason=reason, expected=expected, found=found, hint=hint)])
