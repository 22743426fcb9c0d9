# SPDX-License-Identifier: Apache-2.0
"""Everything that a host knows of one guest; it ends with the guest."""

from dataclasses import dataclass
from enum import Enum

from contracts.records import Subject
from enclave.errors import OutOfTurn
from enclave.evidence.bundle import Bundle
from enclave.node.host import Guest
from enclave.node.revocations import Revocations
from enclave.statements import Grant, Stopped


class Phase(Enum):
    """Where a node stands."""

    BOOT = "starting a guest"
    ATTEST = "getting its evidence judged and recorded"
    REQUEST = "asking for the key"
    AWAIT = "waiting for the broker"
    OPEN = "opening the model"
    SERVE = "serving"
    SETTLE = "reporting its end and its usage"
    ENDED = "ended"


@dataclass(slots=True)
class Life:
    """One guest's way from its first evidence to its last word; instants are of the host's clock.

    `passed_over` counts renewals that the guest had no use for, `why` and `revoked` say how it ended.
    """

    guest: Guest
    recorded: int = -1
    bundle: Bundle | None = None
    subject: Subject | None = None
    revocations: Revocations | None = None
    grant: Grant | None = None
    until: float = 0.0
    renew_at: float = 0.0
    awaiting: bool = False
    passed_over: int = 0
    last_word: tuple[Stopped, bytes] | None = None
    why: str = ""
    revoked: bool = False

    def asked(self) -> Subject:
        """What its key was asked for."""
        if self.subject is None:
            raise OutOfTurn("no key was asked for", where="node")
        return self.subject

    def granted(self) -> Grant:
        """The grant it holds."""
        if self.grant is None:
            raise OutOfTurn("no grant was taken", where="node")
        return self.grant

    def said(self) -> tuple[Stopped, bytes]:
        """Its last word, signed."""
        if self.last_word is None:
            raise OutOfTurn("it has not stopped", where="node")
        return self.last_word
