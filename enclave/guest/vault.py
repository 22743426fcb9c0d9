# SPDX-License-Identifier: Apache-2.0
"""What the guest does and in which order it may: attest, take a grant, open the model, answer, stop.

It trusts nobody on the other side of its socket: only grants signed by the key that the sealed model names.
Each request checks everything before it changes anything.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from contracts.ids import Digest, NodeId, SealId
from enclave.evidence.binding import Challenge
from enclave.faults import GrantFlaw, GrantRefused, LeaseOver, MalformedMessage, OutOfTurn
from enclave.guest.keys import Keys
from enclave.guest.lease import Lease, Leave
from enclave.guest.model import Model
from enclave.guest.receipt import Receipts, Signed
from enclave.sealed.open import open_chunks
from enclave.sealed.preamble import Preamble
from enclave.statements import Grant, NodeKeys, Stopped, Usage
from enclave.wire import Incoming, decode_tensors, encode_tensors

_SCRATCH = Path("/dev/shm")  # noqa: S108 - empty files only, see `Model`; the vault may write none with content


class Vault:
    """One guest's life: one set of keys, one job, one end; `clock` as `Lease` takes it."""

    def __init__(self, keys: Keys, clock: Callable[[], int]) -> None:
        self._keys = keys
        self._lease = Lease(keys.node_id, clock, secrets.token_bytes)
        self._receipts = Receipts(keys, secrets.token_bytes)
        self._sealed: tuple[Preamble, Digest] | None = None
        self._data_key: bytes | None = None
        self._model: Model | None = None
        self._last_word: tuple[Stopped, bytes] | None = None

    @property
    def keys(self) -> NodeKeys:
        """The public keys."""
        return self._keys.public

    @property
    def node_id(self) -> NodeId:
        """Identity of this guest."""
        return self._keys.node_id

    def challenge(self, asked: Challenge) -> Challenge:
        """The challenge to answer, with a fresh lease nonce; its time runs from here, before evidence exists."""
        self._require_alive()
        if asked.node_id != self.node_id:
            raise OutOfTurn("a challenge for another node", where="attest")
        return replace(asked, lease_nonce=self._lease.challenge())

    def present(self, preamble: Preamble, root: Digest) -> SealId:
        """Look at a sealed model's two ends; the grant must name what they hash to."""
        if self._lease.held:
            raise OutOfTurn("this guest has its model for life", where="present")
        self._sealed = preamble, root
        return preamble.seal_id(root)

    def grant(self, leave: Leave, envelope: bytes | None) -> tuple[int, int]:
        """Take a grant; returns its lease number and the whole seconds left."""
        self._require_alive()
        if self._sealed is None:
            raise OutOfTurn("no sealed model was presented", where="grant")
        preamble, root = self._sealed
        self._lease.check(leave, preamble.seal_id(root), preamble.grant_address, self._receipts.counter)
        if (envelope is None) == (self._lease.held is None):
            raise GrantRefused([GrantFlaw.ENVELOPE])
        if envelope is not None:
            self._data_key = self._keys.unwrap(leave.grant, envelope)
        self._lease.accept(leave.grant)
        return leave.grant.lease, int(self._lease.left())

    def open(self, chunks: Incoming, length: int) -> None:
        """Decrypt the model straight into memory and load it; the data key is gone afterwards."""
        self._serving()
        if self._sealed is None or self._data_key is None:
            raise OutOfTurn("the model is open already", where="open")
        preamble, root = self._sealed
        if length != preamble.body_size:
            raise MalformedMessage(
                f"{length} bytes, not the {preamble.body_size} of this model", where="open"
            )
        opened = open_chunks(preamble, root, chunks, self._data_key)
        try:
            chunks.finish()
            self._model = Model(opened, scratch=_SCRATCH)
        except BaseException:
            opened.zeroise()
            raise
        self._data_key = None

    def infer(self, request: bytes) -> tuple[bytes, Signed]:
        """One answer and its receipt."""
        grant = self._serving()
        if self._model is None:
            raise OutOfTurn("the model is not open", where="infer")
        self._receipts.require_room(grant)
        response = encode_tensors(self._model.run(decode_tensors(request)))
        return response, self._receipts.sign(self._serving(), request, response)

    def usage(self, anchored: int) -> tuple[Usage, bytes]:
        """The receipts after the last anchored one; after `stop` this settles the release."""
        return self._receipts.usage(self._granted(), anchored, last=self._last_word is not None)

    def stop(self) -> tuple[Stopped, bytes]:
        """Zeroise and say how far the receipts went; the same words when asked again."""
        grant = self._granted()
        if self._last_word is None:
            self._last_word = self._receipts.stopped(grant)
        self.zeroise()
        return self._last_word

    def stop_in_time(self) -> float | None:
        """Stop once the lease is over, by the guest's own clock; returns seconds until then, if there is a lease."""
        if self._lease.held is None or self._last_word is not None:
            return None
        if (left := self._lease.left()) <= 0:
            self.stop()
        return max(left, 0.0)

    def overdue(self, grace: float) -> bool:
        """Whether the lease was over `grace` seconds ago and nobody has stopped this guest."""
        return self._last_word is None and self._lease.held is not None and self._lease.left() < -grace

    def zeroise(self) -> None:
        """Wipe the model and drop every key that opens anything."""
        if self._model is not None:
            self._model.zeroise()
        self._model = self._data_key = None
        self._keys.forget_hpke()

    def _serving(self) -> Grant:
        self._require_alive()
        return self._lease.require()

    def _granted(self) -> Grant:
        if self._lease.held is None:
            raise OutOfTurn("no grant was accepted", where="guest")
        return self._lease.held

    def _require_alive(self) -> None:
        if self._last_word is not None:
            raise LeaseOver("this guest has stopped", where="guest", hint="start another: it is a new node")
