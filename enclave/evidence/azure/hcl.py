# SPDX-License-Identifier: Apache-2.0
"""The report that Azure's paravisor leaves in its vTPM, NV index 0x01400001 (azure/SPEC.md, section 1)."""

import base64
import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import rsa

from contracts.documents import parse_json
from contracts.errors import ExequaturError
from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claim, Claims

MAGIC = b"HCLA"
_HEADER, _HARDWARE, _RUNTIME = 32, 1184, 20
_DATA = _HEADER + _HARDWARE + _RUNTIME
_LONGEST = 1 << 16
_ATTESTATION = 2
_HASHES = {1: "sha256", 2: "sha384", 3: "sha512"}
_TDREPORT = 1024
_WHERE = "HCL report"


class Hardware(Enum):
    """What isolates the machine, by the number in the report."""

    SNP = 2
    TDX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HclReport:
    """A report that is well formed, and not yet believed; `key` is HCLAkPub, with which the vTPM signs quotes."""

    version: int
    hardware: Hardware
    report: bytes = field(repr=False)
    hashed_by: str
    runtime_data: bytes = field(repr=False)
    key: rsa.RSAPublicKey = field(repr=False)
    document: dict[str, Claim] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a report; what follows it in the NV index, and in a TD report's place, must be zeros."""
        if len(raw) < _DATA or len(raw) > _LONGEST or raw[:4] != MAGIC:
            raise MalformedEvidence(f"{len(raw)} bytes", where=_WHERE)
        version, size, request, status = (_u32(raw, at) for at in (4, 8, 12, 16))
        if version not in (1, 2) or (request, status) != (_ATTESTATION, 0) or any(raw[20:_HEADER]):
            found = f"version {version}, request {request}, status {status}"
            raise MalformedEvidence(found, where=_WHERE, hint="versions 1 and 2 are known")
        start = _HEADER + _HARDWARE
        whole, runtime, kind, hashed, length = (_u32(raw, start + 4 * n) for n in range(5))
        kinds = {member.value: member for member in Hardware}
        if runtime != 1 or kind not in kinds or hashed not in _HASHES:
            raise MalformedEvidence(f"runtime data {runtime} of type {kind}, hash {hashed}", where=_WHERE)
        if (whole, size) != (_RUNTIME + length, _DATA + length) or any(raw[size:]) or len(raw) < size:
            raise MalformedEvidence("lengths that do not agree, or bytes behind the report", where=_WHERE)
        report, document = raw[_HEADER:start], _document(raw[_DATA:size])
        if kinds[kind] is Hardware.TDX and any(report[_TDREPORT:]):
            raise MalformedEvidence("bytes behind the TD report", where=_WHERE)
        return cls(
            version=version,
            hardware=kinds[kind],
            report=report if kinds[kind] is Hardware.SNP else report[:_TDREPORT],
            hashed_by=_HASHES[hashed],
            runtime_data=raw[_DATA:size],
            key=_attestation_key(document),
            document=document,
        )

    @property
    def bound(self) -> bytes:
        """The 64 bytes of report data that bind the runtime data."""
        return hashlib.new(self.hashed_by, self.runtime_data).digest().ljust(64, b"\0")

    def claims(self) -> Claims:
        """What the paravisor says of itself and of the machine."""
        said: Claims = {
            "version": self.version,
            "report_type": self.hardware.name,
            "runtime_data_sha256": hashlib.sha256(self.runtime_data).digest(),
            "vm_configuration": self.document.get("vm-configuration"),
        }
        user = self.document.get("user-data")
        if isinstance(user, str):
            said["user_data"] = _unhex(user)
        return said


def _u32(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")


def _document(raw: bytes) -> dict[str, Claim]:
    try:
        document = parse_json(raw)
    except (ValueError, RecursionError, ExequaturError) as error:
        raise MalformedEvidence("runtime data that is not JSON", where=_WHERE) from error
    claim = _claim(document)
    if not isinstance(claim, dict):
        raise MalformedEvidence("runtime data that is no object", where=_WHERE)
    return claim


def _claim(value: Any) -> Claim:
    if isinstance(value, dict):
        return {name: _claim(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_claim(part) for part in value]
    if value is None or isinstance(value, str | int):
        return value
    raise MalformedEvidence("runtime data with a number that is not whole", where=_WHERE)


def _attestation_key(document: dict[str, Claim]) -> rsa.RSAPublicKey:
    """HCLAkPub, an RSA key as JWK (RFC 7517)."""
    keys = document.get("keys")
    ours = (
        [key for key in keys if isinstance(key, dict) and key.get("kid") == "HCLAkPub"]
        if isinstance(keys, list)
        else []
    )
    if len(ours) != 1 or ours[0].get("kty") != "RSA":
        raise MalformedEvidence("not one RSA key HCLAkPub", where=_WHERE)
    try:
        exponent, modulus = (_number(ours[0].get(name)) for name in ("e", "n"))
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise MalformedEvidence("HCLAkPub is no usable key", where=_WHERE) from error
    if not 2048 <= key.key_size <= 4096:
        raise MalformedEvidence(f"HCLAkPub has {key.key_size} bits", where=_WHERE)
    return key


def _number(text: Claim) -> int:
    if not isinstance(text, str) or len(text) > 1024:
        raise ValueError
    raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    return int.from_bytes(raw, "big")


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise MalformedEvidence("user data that is not hexadecimal", where=_WHERE) from error
