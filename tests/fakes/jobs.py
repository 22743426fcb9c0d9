# SPDX-License-Identifier: Apache-2.0
"""An owner's side of one job: a small sealed model, its keys, and grants signed as a broker would."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from onnx import TensorProto, helper, numpy_helper

from contracts.digests import digest
from contracts.ids import ZERO_DIGEST, Address, Digest, ModelId, PolicyId, ReleaseId
from enclave.node.host import Guest, Place
from enclave.sealed.files import SealedFile
from enclave.sealed.seal import seal
from enclave.statements import Grant, NodeKeys
from enclave.wire import Tensor, decode_tensors, encode_tensors
from registry.signing import Account

ATTESTER = ("software", str(Digest(b"f" * 32)))
PLACE = Place(
    chain_id=1,
    log=Address(b"a" * 20),
    policy_id=PolicyId(b"p" * 32),
    block_number=7,
    block_hash=Digest(b"b" * 32),
)
WEIGHT = 0.625
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A sealed model that doubles and shifts, with what its owner keeps."""

    sealed: SealedFile
    data_key: bytes = field(repr=False)
    grant_key: bytes = field(repr=False)

    @property
    def owner(self) -> Account:
        """Who signs its grants."""
        return Account.from_key(self.grant_key)

    @classmethod
    def make(cls, folder: Path, weights: Sequence[float] = (WEIGHT,) * 4) -> "Job":
        """Write, seal and remove a model `y = x + weights`."""
        grant_key, data_key = os.urandom(32), os.urandom(32)
        source, target = folder / "model.onnx", folder / "model.sealed"
        source.write_bytes(_graph(np.array(weights, np.float32)))
        seal(source, target, data_key=data_key, grant_address=Account.from_key(grant_key).address)
        source.unlink()
        return cls(sealed=SealedFile.inspect(target), data_key=data_key, grant_key=grant_key)

    def grant(self, keys: NodeKeys, nonce: Digest, **changes: object) -> tuple[Grant, bytes, bytes]:
        """A first grant with its signature and envelope; `changes` replace its fields before anything is signed."""
        plain = Grant(
            chain_id=PLACE.chain_id,
            release_log=Address(b"r" * 20),
            release=ReleaseId(b"R" * 32),
            lease=0,
            model_id=ModelId(b"m" * 32),
            version=1,
            seal_id=self.sealed.seal_id,
            node_id=keys.node_id(),
            lease_nonce=nonce,
            licence=Address(b"l" * 20),
            duration=600,
            ceiling=50,
            envelope=ZERO_DIGEST,
        )
        plain = replace(plain, **changes)  # type: ignore[arg-type]  # tests break one field at a time
        envelope = self.wrap(plain, keys)
        grant = replace(plain, envelope=digest("envelope", envelope))
        return grant, self.owner.sign_typed(grant.digest()), envelope

    def renewal(self, keys: NodeKeys, nonce: Digest, **changes: object) -> tuple[Grant, bytes]:
        """A renewal with its signature."""
        grant, _, _ = self.grant(keys, nonce, **{"lease": 1, **changes})
        grant = replace(grant, envelope=ZERO_DIGEST)
        return grant, self.owner.sign_typed(grant.digest())

    def wrap(self, grant: Grant, keys: NodeKeys) -> bytes:
        """The envelope: the data key to a node's hybrid HPKE key."""
        lattice = mlkem.MLKEM768PublicKey.from_public_bytes(keys.hpke[:1184])
        curve = x25519.X25519PublicKey.from_public_bytes(keys.hpke[1184:])
        return _SUITE.encrypt(self.data_key, hpke.MLKEM768X25519PublicKey(lattice, curve), grant.info())

    def give(self, guest: Guest, **changes: object) -> Grant:
        """Attest, present and grant, up to where the model can be opened."""
        nonce = guest.attest(PLACE).challenge.lease_nonce
        guest.present(self.sealed)
        grant, signature, envelope = self.grant(guest.keys, nonce, **changes)
        guest.grant(grant, signature, None, envelope)
        return grant

    def serve(self, guest: Guest, **changes: object) -> Grant:
        """The whole way to a guest that answers."""
        grant = self.give(guest, **changes)
        guest.open(self.sealed)
        return grant


def question(*numbers: float) -> bytes:
    """A request for a `Job`'s model."""
    return encode_tensors(
        [Tensor(name="x", dtype="float32", shape=(4,), data=np.array(numbers, "<f4").tobytes())]
    )


def numbers(response: bytes) -> list[float]:
    """What a `Job`'s model answered."""
    (tensor,) = decode_tensors(response)
    return [float(n) for n in np.frombuffer(tensor.data, "<f4")]


def _graph(weights: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "shift",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
