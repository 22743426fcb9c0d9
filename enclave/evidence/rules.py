# SPDX-License-Identifier: Apache-2.0
"""The part of a policy that judges one device's facts, at a moment (SPEC.md, section 6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a policy asks of devices."""

    def unmet(self, facts: Facts, at: datetime) -> Iterator[Finding]:
        """Every rule that these facts do not meet at a moment."""
        raise NotImplementedError
