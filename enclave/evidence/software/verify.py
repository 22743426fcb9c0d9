# SPDX-License-Identifier: Apache-2.0
"""Software evidence: the same protocol without a device; it proves nothing about the machine (SPEC.md, section 5)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from contracts.digests import digest
from contracts.ids import Digest, NodeId
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology, as_it_is, without_pieces
from enclave.evidence.trust import Trust

_ES256 = cbor2.dumps({1: -7}, canonical=True)
_COSE_SIGN1, _LONGEST = 18, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareQuote:
    """A COSE_Sign1 over report data and workload that is well formed, and not yet believed."""

    report_data: bytes
    workload: Digest
    key: bytes
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read an ES256 COSE_Sign1 whose payload is `[report data, workload, public key]`."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where="software evidence")
        try:
            _, _, payload, signature = cbor2.loads(raw).value
            bound, workload, key = cbor2.loads(payload)
            again = cbor2.CBORTag(_COSE_SIGN1, [_ES256, {}, payload, signature])
            whole = cbor2.dumps(again, canonical=True) + cbor2.dumps([bound, workload, key], canonical=True)
            right = [len(part) for part in (bound, workload, key, signature)] == [64, 32, 65, 64]
        except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not a COSE_Sign1 of ours", where="software evidence") from error
        kinds = {type(part) for part in (bound, workload, key, signature)}
        if whole != raw + payload or not right or kinds != {bytes}:
            raise MalformedEvidence("a part of the wrong type or length", where="software evidence")
        return cls(
            report_data=bound, workload=Digest(workload), key=key, payload=payload, signature=signature
        )

    def signed(self) -> bytes:
        """The COSE Sig_structure (RFC 9052, section 4.4)."""
        return cbor2.dumps(["Signature1", _ES256, b"exequatur/v1/software", self.payload], canonical=True)


def workload_of(guest_files: bytes) -> Digest:
    """The workload of software evidence, for a policy's allow-list: digest of the guest's file list."""
    return digest("workload", Kind.SOFTWARE.label, guest_files)


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the signature by the key that the evidence itself brings: consistent, at level `none`."""
    del trust, at  # nobody vouches for it, at no time
    quote = SoftwareQuote.parse(body)
    numbers = [int.from_bytes(quote.signature[i : i + 32], "big") for i in (0, 32)]
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), quote.key)
        key.verify(utils.encode_dss_signature(*numbers), quote.signed(), ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature) as error:
        finding = Finding(
            reason=Reason.SIGNATURE, expected="ES256 by the quoter's own key", found="another signature"
        )
        raise NotAuthentic([finding]) from error
    return Facts(
        kind=Kind.SOFTWARE,
        index=index,
        bound=quote.report_data[:32],
        identity=node if node is not None else quote.key,
        workload=quote.workload,
        status=RootStatus.NONE,
        root="none",
        registers={},
        not_before=None,
        not_after=None,
        missed=(),
        trace=("software: signed by a key of its own, vouched for by nobody: level none",),
        claims=show(body),
    )


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    quote = SoftwareQuote.parse(body)
    return {"report_data": quote.report_data, "workload": bytes(quote.workload), "key": quote.key}


def recognise(body: bytes) -> bool:
    """Whether these bytes begin as software evidence does."""
    return body.startswith(b"\xd2\x84\x43\xa1\x01\x26\xa0\x58\xa8\x83\x58\x40")


TECHNOLOGY = Technology(
    kind=Kind.SOFTWARE,
    recognise=recognise,
    show=show,
    verify=verify,
    wrap=as_it_is,
    endorse=without_pieces,
)
