# SPDX-License-Identifier: Apache-2.0
"""The event log of a trust domain's boot (ACPI table CCEL), replayed to its RTMRs (SPEC.md, section 7).

A TCG crypto-agile log with SHA-384, whose register 0 is MRTD, which nothing extends, and 1 to 4 are RTMR0 to RTMR3.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.tpm.log import Event, EventLog

RTMRS = 4
_SHA384 = 0x000C


@dataclass(frozen=True, slots=True, kw_only=True)
class CcLog:
    """Measurements of a boot in order; they prove nothing until they replay to quoted RTMRs."""

    log: EventLog = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read the log, or the whole memory area that the table points to; the filling behind it is not read."""
        log = EventLog.parse(raw, area=True)
        if _SHA384 not in log.banks:
            raise MalformedEvidence("no SHA-384 bank", where="event log of a trust domain")
        if any(not 1 <= event.pcr <= RTMRS for event in log.events):
            raise MalformedEvidence("a register that is no RTMR", where="event log of a trust domain")
        return cls(log=log)

    def replay(self) -> tuple[bytes, ...]:
        """RTMR0 to RTMR3 as the log would leave them; zero for one that it never extends."""
        values = self.log.replay(_SHA384)
        return tuple(values.get(number + 1, bytes(48)) for number in range(RTMRS))

    def of(self, rtmr: int, *, kind: int | None = None) -> Iterator[Event]:
        """The events of one RTMR, or those of one kind in it."""
        return self.log.of(rtmr + 1, kind=kind)

    def of_kind(self, kind: int) -> Iterator[Event]:
        """The events of one kind, in any RTMR."""
        return self.log.of_kind(kind)
