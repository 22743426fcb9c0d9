# SPDX-License-Identifier: Apache-2.0
"""The report of an SGX enclave, the application's or the quoting enclave's (SPEC.md, section 2)."""

from dataclasses import dataclass, field
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.facts import Claims

SIZE = 384
_DEBUG = 1 << 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EnclaveReport:
    """A REPORTBODY that is well formed, and not yet believed (Intel SDM volume 3D, table 37-21)."""

    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read 384 bytes; raises `MalformedEvidence` for any other number."""
        if len(raw) != SIZE:
            raise MalformedEvidence(f"expected {SIZE} bytes, got {len(raw)}", where="enclave report")
        return cls(raw=raw)

    def _number(self, at: int, size: int) -> int:
        return int.from_bytes(self.raw[at : at + size], "little")

    @property
    def misc_select(self) -> bytes:
        """MISCSELECT, as the report has it: little-endian."""
        return self.raw[16:20]

    @property
    def attributes(self) -> bytes:
        """ATTRIBUTES: eight bytes of flags, eight of XFRM."""
        return self.raw[48:64]

    @property
    def debug(self) -> bool:
        """Whether the host can read and write the enclave's memory."""
        return bool(self._number(48, 8) & _DEBUG)

    @property
    def mr_enclave(self) -> bytes:
        """What was loaded into the enclave."""
        return self.raw[64:96]

    @property
    def mr_signer(self) -> bytes:
        """SHA-256 of the key that signed the enclave."""
        return self.raw[128:160]

    @property
    def config_id(self) -> bytes:
        """What the host chose to call the enclave's configuration; zero without KSS."""
        return self.raw[192:256]

    @property
    def isv_prod_id(self) -> int:
        """The signer's number for the product."""
        return self._number(256, 2)

    @property
    def isv_svn(self) -> int:
        """The signer's security version of the product."""
        return self._number(258, 2)

    @property
    def report_data(self) -> bytes:
        """What the enclave put in: 64 bytes."""
        return self.raw[320:384]

    def claims(self) -> Claims:
        """Every field, named as in the manual."""
        return {
            "cpu_svn": self.raw[:16],
            "misc_select": self._number(16, 4),
            "isv_ext_prod_id": self.raw[32:48],
            "attributes": self.attributes,
            "debug": self.debug,
            "mr_enclave": self.mr_enclave,
            "mr_signer": self.mr_signer,
            "config_id": self.config_id,
            "isv_prod_id": self.isv_prod_id,
            "isv_svn": self.isv_svn,
            "config_svn": self._number(260, 2),
            "isv_family_id": self.raw[304:320],
            "report_data": self.report_data,
        }
