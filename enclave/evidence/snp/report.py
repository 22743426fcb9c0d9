# SPDX-License-Identifier: Apache-2.0
"""ATTESTATION_REPORT of the SEV-SNP firmware (AMD 56860, table 23), versions 2 to 5, strictly (snp/SPEC.md, section 1)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claim, Claims
from enclave.evidence.snp.tcb import Product, Tcb

SIZE = 1184
SIGNED = 0x2A0
VERSIONS = (2, 3, 4, 5)
BY_HOST = 0xFFFFFFFF
_SINCE_CPUID, _SINCE_MITIGATIONS = 3, 5
_ECDSA_P384_SHA384 = 1
_KEYS = {0: "VCEK", 1: "VLEK", 7: "none"}
_HALF, _USED = 72, 48
_WHERE = "SNP report"


class GuestPolicy(IntFlag):
    """What the guest's owner allowed at launch (table 10); ABI versions are its low 16 bits."""

    SMT = 1 << 16
    RESERVED_ONE = 1 << 17
    MIGRATE_MA = 1 << 18
    DEBUG = 1 << 19
    SINGLE_SOCKET = 1 << 20
    CXL_ALLOW = 1 << 21
    MEM_AES_256_XTS = 1 << 22
    RAPL_DIS = 1 << 23
    CIPHERTEXT_HIDING_DRAM = 1 << 24
    PAGE_SWAP_DISABLE = 1 << 25


class PlatformInfo(IntFlag):
    """How the platform runs (table 24); bits without a name here are left alone, for they are information."""

    SMT_EN = 1 << 0
    TSME_EN = 1 << 1
    ECC_EN = 1 << 2
    RAPL_DIS = 1 << 3
    CIPHERTEXT_HIDING_DRAM_EN = 1 << 4
    ALIAS_CHECK_COMPLETE = 1 << 5
    TIO_EN = 1 << 7


_POLICY_BITS = sum(GuestPolicy) | 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SnpReport:
    """A report that is well formed, and not yet believed; `signing_key` is `VCEK`, `VLEK` or `none`."""

    raw: bytes = field(repr=False)
    version: int
    policy: GuestPolicy
    vmpl: int
    flags: int
    signing_key: str
    chip_id: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read 1184 bytes; anything that the manual says must be zero, or one, is."""
        if len(raw) != SIZE:
            raise MalformedEvidence(f"{len(raw)} bytes instead of {SIZE}", where=_WHERE)
        version, algorithm = _u32(raw, 0), _u32(raw, 0x34)
        if version not in VERSIONS:
            hint = "versions 2 to 5 are known"
            raise MalformedEvidence(f"version {version}", where=_WHERE, hint=hint)
        if algorithm != _ECDSA_P384_SHA384:
            raise MalformedEvidence(f"signature algorithm {algorithm}", where=_WHERE)
        if (flaw := next(_flaws(raw, version), None)) is not None:
            raise MalformedEvidence(flaw, where=_WHERE)
        flags = _u32(raw, 0x48)
        return cls(
            raw=raw,
            version=version,
            policy=GuestPolicy(_u64(raw, 8)),
            vmpl=_u32(raw, 0x30),
            flags=flags,
            signing_key=_KEYS[flags >> 2 & 7],
            chip_id=raw[0x1A0:0x1E0],
        )

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the guest gave."""
        return self.raw[0x50:0x90]

    @property
    def measurement(self) -> bytes:
        """SHA-384 launch digest."""
        return self.raw[0x90:0xC0]

    @property
    def host_data(self) -> bytes:
        """The 32 bytes that the host gave at launch, which the guest cannot change."""
        return self.raw[0xC0:0xE0]

    @property
    def signature(self) -> tuple[int, int]:
        """Both halves, r and s; each is kept little-endian in 72 bytes, of which P-384 uses 48."""
        halves = (self.raw[SIGNED:][:_HALF], self.raw[SIGNED + _HALF :][:_HALF])
        return int.from_bytes(halves[0], "little"), int.from_bytes(halves[1], "little")

    @property
    def signed(self) -> bytes:
        """What the signature is over."""
        return self.raw[:SIGNED]

    @property
    def masked_key(self) -> bool:
        """Whether the platform is told not to sign (MASK_CHIP_KEY)."""
        return bool(self.flags & 2)

    @property
    def cpuid(self) -> tuple[int, int, int] | None:
        """Family, model and stepping, from version 3 on."""
        family, model, stepping = self.raw[0x188:0x18B]
        return (family, model, stepping) if self.version >= _SINCE_CPUID else None

    def tcb(self, name: str, product: Product) -> Tcb:
        """One of `current`, `reported`, `committed` and `launch`, by the line it is of."""
        at = _TCBS[name]
        return Tcb(raw=self.raw[at : at + 8], product=product)

    def claims(self) -> Claims:
        """Every field as the manual names it; no TCB is read here, for that takes the processor's line."""
        fields: Claims = {
            "version": self.version,
            "guest_svn": _u32(self.raw, 4),
            "policy": f"{int(self.policy):#x}",
            "policy_abi": f"{int(self.policy) >> 8 & 255}.{int(self.policy) & 255}",
            "policy_flags": _names(self.policy & ~GuestPolicy.RESERVED_ONE),
            "debug_allowed": GuestPolicy.DEBUG in self.policy,
            "migration_agent_allowed": GuestPolicy.MIGRATE_MA in self.policy,
            "vmpl": self.vmpl,
            "sig_algo": _ECDSA_P384_SHA384,
            "platform_info": f"{_u64(self.raw, 0x40):#x}",
            "platform_info_flags": _names(PlatformInfo(_u64(self.raw, 0x40))),
            "flags": f"{self.flags:#x}",
            "author_key_en": bool(self.flags & 1),
            "mask_chip_key": self.masked_key,
            "signing_key": self.signing_key,
            "current_version": _firmware(self.raw, 0x1E8),
            "committed_version": _firmware(self.raw, 0x1EC),
        }
        fields |= {name: self.raw[start:stop] for name, (start, stop) in _BYTES.items()}
        fields |= {f"{name}_tcb": self.raw[at : at + 8] for name, at in _TCBS.items()}
        if self.cpuid is not None:
            fields["cpuid_fam_mod_step"] = list[Claim](self.cpuid)
        if self.version >= _SINCE_MITIGATIONS:
            fields |= {
                "launch_mit_vector": f"{_u64(self.raw, 0x1F8):#x}",
                "current_mit_vector": f"{_u64(self.raw, 0x200):#x}",
            }
        return fields


_TCBS = {"current": 0x38, "reported": 0x180, "committed": 0x1E0, "launch": 0x1F0}
_BYTES = {
    "family_id": (0x10, 0x20),
    "image_id": (0x20, 0x30),
    "report_data": (0x50, 0x90),
    "measurement": (0x90, 0xC0),
    "host_data": (0xC0, 0xE0),
    "id_key_digest": (0xE0, 0x110),
    "author_key_digest": (0x110, 0x140),
    "report_id": (0x140, 0x160),
    "report_id_ma": (0x160, 0x180),
    "chip_id": (0x1A0, 0x1E0),
}


def _u32(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")


def _u64(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 8], "little")


def _names(flags: IntFlag) -> list[Claim]:
    return [bit.name for bit in type(flags) if bit in flags]


def _firmware(raw: bytes, at: int) -> str:
    build, minor, major = raw[at : at + 3]
    return f"{major}.{minor}.{build}"


def _flaws(raw: bytes, version: int) -> Iterator[str]:
    """What the manual forbids in a report of that version."""
    policy, flags, vmpl = _u64(raw, 8), _u32(raw, 0x48), _u32(raw, 0x30)
    if not policy & GuestPolicy.RESERVED_ONE or policy & ~_POLICY_BITS:
        yield f"a guest policy that no firmware accepts, {policy:#x}"
    if flags >> 5 or flags >> 2 & 7 not in _KEYS:
        yield f"reserved bits among the flags, {flags:#x}"
    if vmpl > 3 and vmpl != BY_HOST:
        yield f"VMPL {vmpl}"
    cpuid = 0x18B if version >= _SINCE_CPUID else 0x188
    mitigations = 0x208 if version >= _SINCE_MITIGATIONS else 0x1F8
    reserved = [(0x4C, 0x50), (cpuid, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0), (mitigations, SIGNED)]
    reserved += [(start + _USED, start + _HALF) for start in (SIGNED, SIGNED + _HALF)]
    reserved += [(SIGNED + 2 * _HALF, SIZE)]
    yield from (f"bytes {a:#x} to {b:#x} are not zero" for a, b in reserved if any(raw[a:b]))
