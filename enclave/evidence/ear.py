# SPDX-License-Identifier: Apache-2.0
"""A verdict as an EAT Attestation Result (draft-ietf-rats-ear) with the AR4SI trustworthiness vector (SPEC.md, section 11).

`token.py` signs it as JWT or CWT. The draft renamed its claims and its profile in 2026; `Form` has the names that
readers of today know, and those of the current text.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TypeAlias

from contracts.records import Level
from enclave.evidence.facts import RootStatus
from enclave.evidence.findings import Finding, Reason

Ear: TypeAlias = dict[str, object]

REASONS = "tag:exequatur,2026:reasons"  # a claim of ours; readers ignore claims they do not know
_DEVELOPER = "exequatur"

NONE, AFFIRMING, WARNING, CONTRAINDICATED = 0, 2, 32, 96
TIERS = {NONE: "none", AFFIRMING: "affirming", WARNING: "warning", CONTRAINDICATED: "contraindicated"}

VECTOR = (
    "instance-identity",
    "configuration",
    "executables",
    "file-system",
    "hardware",
    "runtime-opaque",
    "storage-opaque",
    "sourced-data",
)

_UNVERIFIED, _UNKNOWN = (
    99,
    97,
)  # "cryptographic validation failed", "not recognised"; 33 is "unrecognised run-time"
_CLAIMS: Mapping[Reason, tuple[str, int]] = {
    Reason.SIGNATURE: ("instance-identity", _UNVERIFIED),
    Reason.CERTIFICATE: ("instance-identity", _UNVERIFIED),
    Reason.ROOT: ("instance-identity", _UNKNOWN),
    Reason.KEY: ("instance-identity", CONTRAINDICATED),
    Reason.KIND: ("hardware", _UNKNOWN),
    Reason.BINDING: ("instance-identity", CONTRAINDICATED),
    Reason.NODE: ("instance-identity", CONTRAINDICATED),
    Reason.POLICY: ("configuration", CONTRAINDICATED),
    Reason.LEVEL: ("hardware", _UNKNOWN),
    Reason.WORKLOAD: ("executables", 33),
    Reason.PCR: ("executables", 33),
    Reason.LOG: ("executables", CONTRAINDICATED),
    Reason.DEVICES: ("configuration", CONTRAINDICATED),
    Reason.LOCKDOWN: ("configuration", WARNING),
    Reason.CLOCK: ("configuration", WARNING),
    Reason.STALE: ("instance-identity", WARNING),
    Reason.FUTURE: ("instance-identity", WARNING),
    Reason.PLATFORM: ("instance-identity", CONTRAINDICATED),
    Reason.DEBUG: ("runtime-opaque", CONTRAINDICATED),
    Reason.TCB: ("hardware", WARNING),
    Reason.REFERENCE: ("configuration", WARNING),
    Reason.MINIMUM: ("hardware", WARNING),
    Reason.AGE: ("sourced-data", WARNING),
    Reason.REVOKED: ("instance-identity", CONTRAINDICATED),
    Reason.BURNT: ("instance-identity", CONTRAINDICATED),
    Reason.CUSTODY: ("hardware", WARNING),
}


class Form(Enum):
    """Which text of the draft names the claims: profile, separator in names, whether policies are a list."""

    VERAISON_2023 = ("tag:github.com,2023:veraison/ear", ".", False)
    IETF_2026 = ("tag:ietf.org,2026:rats/ear#04", "_", True)

    def __init__(self, profile: str, separator: str, listed: bool) -> None:
        self.profile = profile
        self.status = f"ear{separator}status"
        self.vector = "ear.trustworthiness-vector" if separator == "." else "ear_trustworthiness_vector"
        self.policy = "ear_appraisal_policy_ids" if listed else "ear.appraisal-policy-id"
        self.verifier = "ear.verifier-id" if separator == "." else "ear_verifier_id"
        self.listed = listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraised:
    """What was found of one device; `label` names it among the others, such as `tdx.0`."""

    label: str
    authentic: bool
    level: Level
    status: RootStatus
    reasons: tuple[Finding, ...]


def ear(
    devices: Sequence[Appraised],
    *,
    at: datetime,
    build: str,
    policy: str = "",
    nonce: bytes = b"",
    form: Form = Form.VERAISON_2023,
) -> Ear:
    """The claims of an EAR, issued at a moment by a build of this verifier.

    `policy` identifies the appraisal policy, for example by its document's digest; without one no reference values
    were compared, and nothing is said of executables and configuration. `nonce` (8 to 64 bytes) is echoed.
    """
    if nonce and not 8 <= len(nonce) <= 64:
        raise ValueError("a nonce has 8 to 64 bytes")
    if not devices or len({device.label for device in devices}) != len(devices):
        raise ValueError("at least one device, each with a label of its own")
    claims: Ear = {
        "eat_profile": form.profile,
        "iat": int(at.timestamp()),
        form.verifier: {"developer": _DEVELOPER, "build": build},
        "submods": {device.label: _submodule(device, policy, form) for device in devices},
    }
    if nonce:
        claims["eat_nonce"] = base64.urlsafe_b64encode(nonce).rstrip(b"=").decode("ascii")
    return claims


def vector(device: Appraised, *, judged: bool) -> dict[str, int]:
    """The AR4SI vector: the worst of each category; `judged` says whether reference values were compared."""
    found: dict[str, int] = {}
    if device.authentic and device.status is RootStatus.VENDOR:
        found |= {"instance-identity": AFFIRMING, "hardware": AFFIRMING}
        if device.level >= Level.ISOLATED:
            found["runtime-opaque"] = AFFIRMING
        if judged:
            found |= {"configuration": AFFIRMING, "executables": AFFIRMING}
    for finding in device.reasons:
        name, code = _CLAIMS[finding.reason]
        found[name] = max(found.get(name, NONE), code)
    return {name: found[name] for name in VECTOR if name in found} or {"instance-identity": NONE}


def tier(device: Appraised) -> str:
    """The status: whatever was refused is contraindicated; level `none` is nothing that anybody affirms."""
    if not device.authentic or device.reasons:
        return TIERS[CONTRAINDICATED]
    return TIERS[AFFIRMING if device.status is RootStatus.VENDOR else NONE]


def _submodule(device: Appraised, policy: str, form: Form) -> dict[str, object]:
    submodule: dict[str, object] = {
        form.status: tier(device),
        form.vector: vector(device, judged=bool(policy)),
    }
    if policy:
        submodule[form.policy] = [policy] if form.listed else policy
    if device.reasons:
        submodule[REASONS] = [
            {"rule": f.rule, "expected": f.expected, "found": f.found, "hint": f.hint} for f in device.reasons
        ]
    return submodule
