# SPDX-License-Identifier: Apache-2.0
"""Step 10: sign which model, under which leave, gave which answer, and settle how many there were."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.digests import keccak
from contracts.ids import ZERO_DIGEST, Digest
from enclave.faults import CeilingReached, OutOfTurn
from enclave.guest.keys import Keys
from enclave.statements import Grant, Receipt, Stopped, Usage, message_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A receipt (COSE_Sign1) and the salts that link it to its request and response."""

    receipt: bytes
    request_salt: bytes
    response_salt: bytes


class Receipts:
    """Counts answers of one release, signs them, and keeps the leaves that the chain has not anchored."""

    def __init__(self, keys: Keys, draw: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._draw = draw
        self._leaves: list[Digest] = []
        self._anchored = 0

    @property
    def counter(self) -> int:
        """The highest counter given."""
        return self._anchored + len(self._leaves)

    def require_room(self, grant: Grant) -> None:
        """Refuse when the ceiling is reached."""
        if self.counter >= grant.ceiling:
            raise CeilingReached(
                f"all {grant.ceiling} answers are given", where="receipts", hint="anchor usage, then renew"
            )

    def sign(self, grant: Grant, request: bytes, response: bytes) -> Signed:
        """The next receipt, never beyond the grant's ceiling."""
        self.require_room(grant)
        salts = self._draw(32), self._draw(32)
        receipt = Receipt(
            seal_id=grant.seal_id,
            node_id=grant.node_id,
            release=grant.release,
            licence=grant.licence,
            request=message_digest(salts[0], request),
            response=message_digest(salts[1], response),
            counter=self.counter + 1,
            lease=grant.lease,
        )
        signed = receipt.signed(self._keys.sign_receipt(receipt.to_be_signed()))
        self._leaves.append(receipt.digest())
        return Signed(receipt=signed, request_salt=salts[0], response_salt=salts[1])

    def usage(self, grant: Grant, anchored: int, last: bool) -> tuple[Usage, bytes]:
        """The batch of everything after `anchored`, signed; what is anchored is never asked for again."""
        if not self._anchored <= anchored <= self.counter:
            raise OutOfTurn(
                f"anchored is {anchored}, not {self._anchored} to {self.counter}",
                where="usage",
                hint="give the last counter that the release log holds",
            )
        del self._leaves[: anchored - self._anchored]
        self._anchored = anchored
        usage = Usage(
            release=grant.release,
            seal_id=grant.seal_id,
            first_counter=anchored + 1,
            last_counter=self.counter,
            root=merkle_root(self._leaves),
            last=last,
        )
        return usage, self._keys.sign_for_chain(usage.digest(grant.domain))

    def stopped(self, grant: Grant) -> tuple[Stopped, bytes]:
        """The guest's last word on its release, signed."""
        stopped = Stopped(
            release=grant.release,
            seal_id=grant.seal_id,
            last_counter=self.counter,
            root=merkle_root(self._leaves),
        )
        return stopped, self._keys.sign_for_chain(stopped.digest(grant.domain))


def merkle_root(receipts: Sequence[Digest]) -> Digest:
    """Root over receipt digests, as OpenZeppelin's MerkleProof checks it (SPEC.md, section 5)."""
    row = [keccak(keccak(receipt)) for receipt in receipts]
    while len(row) > 1:
        pairs = [keccak(min(a, b) + max(a, b)) for a, b in zip(row[::2], row[1::2], strict=False)]
        row = pairs + row[len(pairs) * 2 :]
    return row[0] if row else ZERO_DIGEST
