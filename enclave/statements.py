# SPDX-License-Identifier: Apache-2.0
"""What guest, broker and user say to each other and sign: grants, receipts, stops and usage.

Grants, stops and usage are EIP-712 structs in the release log's domain, signed over secp256k1 with a
low s, 65 bytes. Receipts are COSE_Sign1 with ES256 (RFC 9052). Layouts and vectors: evidence/SPEC.md.
"""

from dataclasses import dataclass, fields
from typing import Self

import cbor2

from contracts.digests import TypedDomain, digest, evm_digest
from contracts.errors import MalformedId
from contracts.ids import (
    ZERO_ADDRESS,
    Address,
    Digest,
    FixedBytes,
    ModelId,
    NodeId,
    ReleaseId,
    SealId,
)
from enclave.faults import MalformedStatement

GRANT_TYPE = (
    "Grant(bytes32 release,uint24 lease,bytes32 modelId,uint32 version,bytes32 sealId,bytes32 nodeId,"
    "bytes32 leaseNonce,address licence,uint32 duration,uint64 ceiling,bytes32 envelope)"
)
BROKER_KEY_TYPE = "BrokerKey(bytes32 sealId,address licence,address broker)"
STOPPED_TYPE = "Stopped(bytes32 release,bytes32 sealId,uint64 lastCounter,bytes32 root)"
USAGE_TYPE = (
    "Usage(bytes32 release,bytes32 sealId,uint64 firstCounter,uint64 lastCounter,bytes32 root,bool last)"
)
NODE_GRANT_TYPE = "NodeGrant(address licence,bytes32 nodeId,uint40 deadline)"
_ES256 = cbor2.dumps({1: -7}, canonical=True)
_COSE_SIGN1 = 18


def _field(kind: object, value: object, where: str) -> object:
    if kind in (bool, int, bytes, str) and type(value) is kind:
        return value
    if isinstance(kind, type) and issubclass(kind, FixedBytes) and type(value) is bytes:
        return kind(value)
    raise MalformedStatement("a field of the wrong type", where=where)


class Statement:
    """Base of values that travel as one deterministic CBOR array, in the order of their fields."""

    __slots__ = ()

    def encode(self) -> bytes:
        """Deterministic CBOR (RFC 8949, section 4.2)."""
        values = (getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]  # subclasses are dataclasses
        return cbor2.dumps([bytes(v) if isinstance(v, bytes) else v for v in values], canonical=True)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read `encode()`; raises `MalformedStatement` for any other bytes."""
        name, wanted = cls.__name__, fields(cls)  # type: ignore[arg-type]  # subclasses are dataclasses
        try:
            values = cbor2.loads(raw)
        except Exception as error:  # cbor2 raises many kinds on hostile input
            raise MalformedStatement("not CBOR", where=name) from error
        if not isinstance(values, list) or len(values) != len(wanted):
            raise MalformedStatement(f"not an array of {len(wanted)}", where=name)
        try:
            read = {
                f.name: _field(f.type, v, f"{name}.{f.name}") for f, v in zip(wanted, values, strict=True)
            }
            value = cls(**read)
        except MalformedId as error:
            raise MalformedStatement(error.what, where=name) from error
        if value.encode() != raw:
            raise MalformedStatement("not deterministically encoded", where=name)
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKeys(Statement):
    """The public keys born in a guest: HPKE (1216 bytes), receipt (P-256, 65 bytes uncompressed), chain address."""

    hpke: bytes
    receipt: bytes
    chain: Address

    @property
    def hpke_digest(self) -> Digest:
        """Digest of the HPKE key, as the nodeId carries it."""
        return digest("hpke-key", self.hpke)

    @property
    def receipt_digest(self) -> Digest:
        """Digest of the receipt key, as the nodeId carries it."""
        return digest("receipt-key", self.receipt)

    def node_id(self) -> NodeId:
        """Identity of this boot of this guest."""
        return NodeId(evm_digest("node", self.hpke_digest, self.receipt_digest, self.chain))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Statement):
    """Leave for one guest to run one model until `t0 + duration`; `envelope` is zero in renewals.

    `duration` is in seconds; `ceiling` is the highest receipt counter the guest may reach, cumulative.
    """

    chain_id: int
    release_log: Address
    release: ReleaseId
    lease: int
    model_id: ModelId
    version: int
    seal_id: SealId
    node_id: NodeId
    lease_nonce: Digest
    licence: Address
    duration: int
    ceiling: int
    envelope: Digest

    @property
    def domain(self) -> TypedDomain:
        """The release log's EIP-712 domain."""
        return TypedDomain(chain_id=self.chain_id, contract=self.release_log)

    def digest(self) -> Digest:
        """The digest the grant key signs."""
        return self.domain.digest(GRANT_TYPE, *self._words(), self.envelope)

    def info(self) -> bytes:
        """The HPKE `info` of the envelope: everything but the envelope's own digest."""
        return digest("grant-info", self.chain_id, self.release_log, *self._words())

    def _words(self) -> tuple[bytes | int, ...]:
        return (
            self.release,
            self.lease,
            self.model_id,
            self.version,
            self.seal_id,
            self.node_id,
            self.lease_nonce,
            self.licence,
            self.duration,
            self.ceiling,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerKey(Statement):
    """The grant key's word that `broker` may sign grants for a sealed model, under one licence or, if zero, any."""

    seal_id: SealId
    licence: Address
    broker: Address

    def digest(self, domain: TypedDomain) -> Digest:
        """The digest the grant key signs, in the release log's domain."""
        return domain.digest(BROKER_KEY_TYPE, self.seal_id, self.licence, self.broker)

    def covers(self, grant: Grant) -> bool:
        """Whether a grant is for this sealed model and licence."""
        return self.seal_id == grant.seal_id and self.licence in (ZERO_ADDRESS, grant.licence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Statement):
    """A guest's last word on a release: how far its receipts went, and the root over the batch it closed."""

    release: ReleaseId
    seal_id: SealId
    last_counter: int
    root: Digest

    def digest(self, domain: TypedDomain) -> Digest:
        """The digest the guest's chain key signs, in the release log's domain."""
        return domain.digest(STOPPED_TYPE, self.release, self.seal_id, self.last_counter, self.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Statement):
    """A contiguous range of receipts and the Merkle root over their digests; `last` settles the release."""

    release: ReleaseId
    seal_id: SealId
    first_counter: int
    last_counter: int
    root: Digest
    last: bool

    def digest(self, domain: TypedDomain) -> Digest:
        """The digest the guest's chain key signs, in the release log's domain."""
        words = (self.release, self.seal_id, self.first_counter, self.last_counter, self.root, self.last)
        return domain.digest(USAGE_TYPE, *words)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGrant(Statement):
    """A licensee's word that a node may use its licence until `deadline` (unix seconds) to ask for a key."""

    licence: Address
    node_id: NodeId
    deadline: int

    def digest(self, domain: TypedDomain) -> Digest:
        """The digest the licensee signs, in the release log's domain."""
        return domain.digest(NODE_GRANT_TYPE, self.licence, self.node_id, self.deadline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt(Statement):
    """Which model, under which leave, gave which answer to which request.

    `request` and `response` are salted digests: `message_digest(salt, body)`. `lease` counts from zero.
    """

    seal_id: SealId
    node_id: NodeId
    release: ReleaseId
    licence: Address
    request: Digest
    response: Digest
    counter: int
    lease: int

    def digest(self) -> Digest:
        """The leaf of the receipt in its batch."""
        return digest("receipt", self.encode())

    def to_be_signed(self) -> bytes:
        """The COSE Sig_structure that ES256 covers (RFC 9052, section 4.4)."""
        return cbor2.dumps(["Signature1", _ES256, b"", self.encode()], canonical=True)

    def signed(self, signature: bytes) -> bytes:
        """The COSE_Sign1 with `signature` (r and s, 32 bytes each)."""
        return cbor2.dumps(cbor2.CBORTag(_COSE_SIGN1, [_ES256, {}, self.encode(), signature]), canonical=True)

    @classmethod
    def read_signed(cls, raw: bytes) -> tuple[Self, bytes]:
        """Read `signed()`: the receipt and its signature, not yet verified."""
        try:
            tag = cbor2.loads(raw)
        except Exception as error:  # cbor2 raises many kinds on hostile input
            raise MalformedStatement("not CBOR", where="receipt") from error
        parts = tag.value if isinstance(tag, cbor2.CBORTag) else ()
        if not isinstance(parts, tuple) or [type(part) for part in parts[2:]] != [bytes, bytes]:
            raise MalformedStatement("not a COSE_Sign1", where="receipt")
        receipt, signature = cls.decode(parts[2]), parts[3]
        if len(signature) != 64 or receipt.signed(signature) != raw:
            raise MalformedStatement("not an ES256 COSE_Sign1 without other headers", where="receipt")
        return receipt, signature


def message_digest(salt: bytes, body: bytes) -> Digest:
    """Salted digest of a request or response; without the 32-byte salt nothing links it to the body."""
    return digest("message", salt, body)
