# SPDX-License-Identifier: Apache-2.0
"""The body of a TDX quote: what the TDX module says of a trust domain (SPEC.md, section 1)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.intel.tcb import Module

_LAYOUT = (
    ("tee_tcb_svn", 16),
    ("mr_seam", 48),
    ("mr_signer_seam", 48),
    ("seam_attributes", 8),
    ("td_attributes", 8),
    ("xfam", 8),
    ("mr_td", 48),
    ("mr_config_id", 48),
    ("mr_owner", 48),
    ("mr_owner_config", 48),
    ("rtmr0", 48),
    ("rtmr1", 48),
    ("rtmr2", 48),
    ("rtmr3", 48),
    ("report_data", 64),
)
LAYOUT = (*_LAYOUT, ("tee_tcb_svn2", 16), ("mr_service_td", 48))
_SEPT_VE_DISABLE = 28
COVERED = ("mr_td", "mr_config_id", "mr_owner", "mr_owner_config", "rtmr0", "rtmr1", "rtmr2", "rtmr3")
_OPEN = MappingProxyType(
    {0: "DEBUG", 4: "HGS_PLUS_PROF", 5: "PERF_PROF", 6: "PMT_PROF", 17: "SERVTD_EXT", 29: "MIGRATABLE"}
)
"""Attributes with which someone outside the domain can see into it, change it or move it."""
_HARMLESS = frozenset({16, 18, 19, 20, 21, 22, 27, _SEPT_VE_DISABLE, 30, 31, 62, 63})
"""Further attributes that are defined; all others are reserved, and say what nobody here understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TdReport:
    """A TD report, 1.0 or 1.5, that is well formed, and not yet believed."""

    values: MappingProxyType[str, bytes] = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the body of a quote: 584 bytes, or 648 with TEE_TCB_SVN2 and MRSERVICETD."""
        layout = next((one for one in (_LAYOUT, LAYOUT) if sum(n for _, n in one) == len(raw)), None)
        if layout is None:
            raise MalformedEvidence(f"a TD report of {len(raw)} bytes", where="TD report")
        values, at = dict[str, bytes](), 0
        for name, size in layout:
            values[name] = raw[at : at + size]
            at += size
        return cls(values=MappingProxyType(values))

    @property
    def attributes(self) -> int:
        """TDATTRIBUTES as a number, bit 0 the least."""
        return int.from_bytes(self.values["td_attributes"], "little")

    @property
    def debug(self) -> bool:
        """Whether the host can read and write the domain's memory."""
        return bool(self.attributes & 1)

    @property
    def sept_ve_disable(self) -> bool:
        """Whether the host cannot have the domain handle the loss of its own pages."""
        return bool(self.attributes >> _SEPT_VE_DISABLE & 1)

    @property
    def report_data(self) -> bytes:
        """What the domain put in: 64 bytes."""
        return self.values["report_data"]

    @property
    def module(self) -> Module:
        """The TDX module that made the report."""
        names = ("tee_tcb_svn", "mr_signer_seam", "seam_attributes")
        svn, signer, attributes = (self.values[name] for name in names)
        return Module(svn=svn, signer=signer, attributes=attributes)

    @property
    def rtmrs(self) -> tuple[bytes, ...]:
        """RTMR0 to RTMR3."""
        return tuple(self.values[f"rtmr{number}"] for number in range(4))

    def registers(self) -> dict[str, bytes]:
        """Everything that measures code, the TDX module's included."""
        return {name: self.values[name] for name in (*COVERED, "mr_seam")}

    def missed(self) -> Iterator[Finding]:
        """Rules of the technology that the domain does not meet."""
        for bit in range(64):
            if self.attributes >> bit & 1 and bit not in _HARMLESS:
                name = _OPEN.get(bit, f"reserved bit {bit}")
                expected = "a domain that nobody outside can see into, change or move"
                hint = "launch the domain without this attribute"
                yield Finding(reason=Reason.DEBUG, expected=expected, found=f"TDATTRIBUTES.{name}", hint=hint)
        if not self.sept_ve_disable:
            hint = "launch the domain with SEPT_VE_DISABLE"
            expected, found = "TDATTRIBUTES.SEPT_VE_DISABLE", "not set: the host can remove pages unnoticed"
            yield Finding(reason=Reason.DEBUG, expected=expected, found=found, hint=hint)
        if any(self.values.get("mr_service_td", b"")):
            expected = "no service domain bound to this one"
            hint = "a migration domain can move its memory; launch without one"
            yield Finding(reason=Reason.DEBUG, expected=expected, found="MRSERVICETD is not zero", hint=hint)

    def claims(self) -> Claims:
        """Every field, named as in the manual."""
        return {**self.values, "debug": self.debug, "sept_ve_disable": self.sept_ve_disable}
