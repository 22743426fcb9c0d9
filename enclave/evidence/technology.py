# SPDX-License-Identifier: Apache-2.0
"""What every technology offers to the verifier, whatever its formats are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.kinds import Kind
from enclave.evidence.trust import Trust


class Verify(Protocol):
    """Is one device's body authentic at a moment? Raises `MalformedEvidence` or `NotAuthentic`."""

    def __call__(self, body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
        """The facts; `node` is the node that the bundle is of, None where there is no bundle."""


def alone(evidence: bytes) -> bytes:
    """The body of evidence without endorsements."""
    return Enclosed(evidence=evidence, pieces=()).encode()


def as_it_is(evidence: bytes) -> bytes:
    """The body of evidence that holds its endorsements already."""
    return evidence


def with_pieces(body: bytes, pieces: Sequence[bytes]) -> bytes:
    """The body of evidence that came with further endorsements."""
    return Enclosed.parse(body).and_also(pieces).encode()


def without_pieces(body: bytes, pieces: Sequence[bytes]) -> bytes:
    """The body of evidence that nothing endorses; raises `MalformedEvidence` when something should."""
    if pieces:
        raise MalformedEvidence("this evidence takes no endorsements", where="endorsements")
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Technology:
    """One technology: knows its raw evidence, shows it unbelieved, and verifies it.

    `covers` are the registers that together measure the guest's whole image, which the workload of a root device
    digests in that order; `inputs` the names in `Facts.inputs` whose age a policy must bound; `floors` the dotted
    claims that are security versions, whose lowest value a policy must set. `recognise` looks at the first bytes of what a device gave and never raises; `show` names the fields as the
    vendor's manual does and raises `MalformedEvidence`; `wrap` makes the body in a bundle of what a device gave,
    and `endorse` adds endorsements to a body.
    """

    kind: Kind
    recognise: Callable[[bytes], bool]
    show: Callable[[bytes], Claims]
    verify: Verify
    endorse: Callable[[bytes, Sequence[bytes]], bytes] = with_pieces
    covers: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()

    wrap: Callable[[bytes], bytes] = alone
