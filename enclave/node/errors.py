# SPDX-License-Identifier: Apache-2.0
"""Everything the host of a guest raises.

NodeError
├── NoQuorum                   fewer verifiers agree on a verdict than the policy asks for
├── RefusedForEver             the contracts refuse this node or its assignment, and no waiting changes that
├── NotServing                 the node has no open model at the moment
└── BlobUnknown                the version's URI names no blob of a store
"""

from collections.abc import Sequence

from contracts.errors import ExequaturError, ExitCode
from enclave.errors import EnclaveError


class NodeError(EnclaveError):
    """Root of what the host of a guest can be at fault for."""


class NoQuorum(NodeError):
    """Fewer verifiers agree on a verdict than the policy asks for; `refusals` is what the others said."""

    code = ExitCode.REFUSED

    def __init__(self, agreeing: int, threshold: int, refusals: Sequence[ExequaturError]) -> None:
        hint = "; ".join(dict.fromkeys(str(refusal) for refusal in refusals))
        super().__init__(f"{agreeing} verifiers agree, {threshold} are needed", where="verdict", hint=hint)
        self.refusals = tuple(refusals)
        if any(refusal.code is ExitCode.UNAVAILABLE for refusal in refusals):
            self.code = ExitCode.UNAVAILABLE  # those that did not answer may yet agree

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason that a verifier gave."""
        return tuple(dict.fromkeys(reason for refusal in self.refusals for reason in refusal.reasons))


class RefusedForEver(NodeError):
    """The contracts refuse this node or its assignment, and no waiting changes that."""

    code = ExitCode.REFUSED


class NotServing(NodeError):
    """The node has no open model at the moment."""

    code = ExitCode.UNAVAILABLE


class BlobUnknown(NodeError):
    """The version's URI names no blob of a store."""

    code = ExitCode.USAGE
