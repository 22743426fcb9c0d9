# SPDX-License-Identifier: Apache-2.0
"""PSA attestation tokens: profile `psa#tfm` of RFC 9783, and 2.0.0 and PSA_IOT_PROFILE_1 before it (arm/SPEC.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Self

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.evidence.arm.claims import (
    Check,
    by_number,
    client,
    components,
    number,
    octets,
    one_of,
    read,
    renumbered,
    software,
    text,
    ueid,
)
from enclave.evidence.arm.signer import signer
from enclave.evidence.cose import Sign1
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

COVERS = ("software",)
_ROOTS: Mapping[str, str] = MappingProxyType({})
_WHERE = "psa token"
_SECURED = range(0x3000, 0x3100)
_NEW, _OLD = ("tag:psacertified.org,2023:psa#tfm", "http://arm.com/psa/2.0.0"), "PSA_IOT_PROFILE_1"
_NONCE, _UEID, _PROFILE, _CLIENT, _LIFECYCLE, _IMPLEMENTATION, _COMPONENTS = (
    10,
    256,
    265,
    2394,
    2395,
    2396,
    2399,
)
_REQUIRED: Mapping[int, Check] = {
    _NONCE: octets(32, 48, 64),
    _UEID: ueid,
    _PROFILE: one_of(*_NEW),
    _CLIENT: client,
    _LIFECYCLE: number,
    _IMPLEMENTATION: octets(32),
    _COMPONENTS: components,
}
_OPTIONAL: Mapping[int, Check] = {2397: octets(*range(8, 33)), 2398: text, 2400: text}
_RENUMBERED = {
    -75000: _PROFILE,
    -75001: _CLIENT,
    -75002: _LIFECYCLE,
    -75003: _IMPLEMENTATION,
    -75004: 2397,
    -75005: 2398,
    -75006: _COMPONENTS,
    -75008: _NONCE,
    -75009: _UEID,
    -75010: 2400,
}
_OLD_CHECKS: Mapping[int, Check] = {
    old: one_of(_OLD) if new == _PROFILE else {**_REQUIRED, **_OPTIONAL}[new]
    for old, new in _RENUMBERED.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PsaToken:
    """A token that is well formed, and not yet believed; `fields` are numbered as in RFC 9783."""

    fields: Mapping[int, object]
    said: Claims
    signed: Sign1 = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a COSE_Sign1 over the claims of either profile."""
        signed = Sign1.parse(raw, _WHERE)
        if renumbered(signed.payload, -75000):
            required = {old: _OLD_CHECKS[old] for old, new in _RENUMBERED.items() if new in _REQUIRED}
            found = read(signed.payload, required, _OLD_CHECKS, _WHERE)
            fields = {_RENUMBERED[old]: value for old, value in found.items()}
        else:
            found = fields = read(signed.payload, _REQUIRED, _OPTIONAL, _WHERE)
        return cls(fields=fields, said=by_number(found), signed=signed)

    def octets(self, name: int) -> bytes:
        """A claim that is a byte string."""
        value = self.fields[name]
        assert isinstance(value, bytes)
        return value


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the signature by a key that somebody vouches for."""
    del node
    enclosed = Enclosed.parse(body)
    token = PsaToken.parse(enclosed.evidence)
    by = signer(token.signed, enclosed.endorsements, roots=_ROOTS, trust=trust, at=at)
    registers = {"software": software(token.fields[_COMPONENTS])}
    return Facts(
        kind=Kind.PSA,
        index=index,
        bound=token.octets(_NONCE),
        identity=token.octets(_UEID),
        workload=digest("workload", Kind.PSA.label, [registers[name] for name in COVERS]),
        status=by.status,
        root=by.vendor,
        registers=registers,
        not_before=by.not_before,
        not_after=by.not_after,
        missed=tuple(_missed(token)),
        trace=(f"psa: token signed by the device's attestation key, up to {by.vendor}",),
        claims=token.said,
        inputs={} if by.not_before is None else {"certificate": by.not_before},
        certificates=by.keys,
    )


def _missed(token: PsaToken) -> Iterator[Finding]:
    lifecycle, client = token.fields[_LIFECYCLE], token.fields[_CLIENT]
    if lifecycle not in _SECURED:
        yield Finding(
            reason=Reason.DEBUG,
            expected="a device in the life cycle `secured` (0x3000 to 0x30ff)",
            found=f"{lifecycle:#06x}",
            hint="a device in another state can be debugged or was taken out of service",
        )
    if isinstance(client, int) and client < 0:
        yield Finding(
            reason=Reason.KEY,
            expected="a token that the secure side asked for",
            found="one for a client of the non-secure side",
            hint="any program outside the secure side can ask for such a token",
        )


def show(body: bytes) -> Claims:
    """What the token says, believed by nobody."""
    return PsaToken.parse(Enclosed.parse(body).evidence).said


def recognise(raw: bytes) -> bool:
    """Whether these bytes are a COSE message that names a PSA profile."""
    named = any(profile.encode() in raw[:4096] for profile in (*_NEW, _OLD))
    return raw[:2] in (b"\xd2\x84", b"\xd1\x84") and named


TECHNOLOGY = Technology(kind=Kind.PSA, recognise=recognise, show=show, verify=verify, covers=COVERS)
