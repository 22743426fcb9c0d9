# SPDX-License-Identifier: Apache-2.0
"""Huawei virtCCA: a token of one part, signed by the machine's attestation key and its certificates (virtcca/SPEC.md).

Source: virtCCA_sdk, attestation/sdk. No root of Huawei's is pinned, as none could be checked: `test-root` at best.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

import cbor2

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.arm.claims import Check, by_number, octets, one_of, read
from enclave.evidence.arm.signer import signer
from enclave.evidence.cbor import whole
from enclave.evidence.cose import Sign1
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

COVERS = ("rim", "rem0", "rem1", "rem2", "rem3")
INPUTS = ("certificate",)
_ROOTS: Mapping[str, str] = MappingProxyType({})
_ENTRY, _HEAD = 44241, b"\xd9\x01\x8f"
_SIGN1 = 18
_WHERE = "virtcca token"
_CHALLENGE, _PERSONAL, _HASH, _KEY, _RIM, _REMS, _KEY_HASH = 10, 44235, 44236, 44237, 44238, 44239, 44240
_REQUIRED: Mapping[int, Check] = {
    _CHALLENGE: octets(64),
    _PERSONAL: octets(64),
    _HASH: one_of("sha-256", "sha-512"),
    _KEY: lambda value: isinstance(value, bytes) and 0 < len(value) <= 1024,
    _KEY_HASH: one_of("sha-256", "sha-512"),
    _RIM: octets(32, 64),
    _REMS: lambda value: isinstance(value, list) and len(value) == 4 and all(map(octets(32, 64), value)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtCcaToken:
    """A token that is well formed, and not yet believed."""

    fields: Mapping[int, object]
    signed: Sign1 = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read tag 399 over exactly one entry, a COSE_Sign1."""
        try:
            entries: Any = whole(raw.removeprefix(_HEAD))
            if not isinstance(entries, dict):
                raise TypeError("entries that are no map")
            tagged = entries[_ENTRY]
        except (ValueError, TypeError, LookupError) as error:
            raise MalformedEvidence("not one token", where=_WHERE) from error
        if not raw.startswith(_HEAD) or len(entries) != 1:
            raise MalformedEvidence("not exactly one token", where=_WHERE)
        if isinstance(tagged, cbor2.CBORTag):
            tagged = _encoded(tagged)
        if not isinstance(tagged, bytes):
            raise MalformedEvidence("an entry that is no COSE_Sign1", where=_WHERE)
        signed = Sign1.parse(tagged, _WHERE)
        return cls(fields=read(signed.payload, _REQUIRED, {}, _WHERE), signed=signed)

    def octets(self, name: int) -> bytes:
        """A claim that is a byte string."""
        value = self.fields[name]
        assert isinstance(value, bytes)
        return value

    def registers(self) -> dict[str, bytes]:
        """The guest's initial measurement, and the four that it extends."""
        rems = self.fields[_REMS]
        assert isinstance(rems, list)
        return {"rim": self.octets(_RIM), **{f"rem{number}": value for number, value in enumerate(rems)}}


def _encoded(tagged: cbor2.CBORTag) -> bytes:
    parts = list(tagged.value) if tagged.tag == _SIGN1 and isinstance(tagged.value, tuple | list) else []
    try:
        return cbor2.dumps([dict(part) if isinstance(part, Mapping) else part for part in parts])
    except Exception as error:  # what can be decoded cannot always be encoded, and fails in many ways
        raise MalformedEvidence("an entry that is no COSE_Sign1", where=_WHERE) from error


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the signature by the machine's attestation key, and the certificates of that key."""
    del node
    enclosed = Enclosed.parse(body)
    token = VirtCcaToken.parse(enclosed.evidence)
    by = signer(token.signed, enclosed.endorsements, roots=_ROOTS, trust=trust, at=at)
    registers = token.registers()
    return Facts(
        kind=Kind.VIRTCCA,
        index=index,
        bound=token.octets(_CHALLENGE),
        identity=by.keys[0],
        workload=digest("workload", Kind.VIRTCCA.label, [registers[name] for name in COVERS]),
        status=by.status,
        root=by.vendor,
        registers=registers,
        not_before=by.not_before,
        not_after=by.not_after,
        missed=(),
        trace=(f"virtcca: token signed by the machine's attestation key, up to {by.vendor}",),
        claims=by_number(token.fields),
        inputs={} if by.not_before is None else {"certificate": by.not_before},
        certificates=by.keys,
    )


def show(body: bytes) -> Claims:
    """What the token says, believed by nobody."""
    return by_number(VirtCcaToken.parse(Enclosed.parse(body).evidence).fields)


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as a virtCCA token does: tag 399 over one entry, the realm's."""
    return raw[:7] == _HEAD + b"\xa1\x19\xac\xd1"


TECHNOLOGY = Technology(
    kind=Kind.VIRTCCA, recognise=recognise, show=show, verify=verify, covers=COVERS, inputs=INPUTS
)
