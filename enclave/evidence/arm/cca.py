# SPDX-License-Identifier: Apache-2.0
"""Arm CCA attestation tokens: a platform that vouches for a realm's key, and a realm signed by it (arm/SPEC.md).

Source: Realm Management Monitor specification (DEN0137), "Realm attestation"; draft-ffm-rats-cca-token.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric import ec

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.arm.claims import (
    Check,
    by_number,
    components,
    number,
    octets,
    one_of,
    read,
    software,
    text,
    ueid,
)
from enclave.evidence.arm.signer import signer
from enclave.evidence.cbor import whole
from enclave.evidence.certificates import fault
from enclave.evidence.cose import Sign1
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

COVERS = ("rim", "rem0", "rem1", "rem2", "rem3", "platform_software", "platform_config")
_ROOTS: Mapping[str, str] = MappingProxyType({})
_PLATFORM_ENTRY, _REALM_ENTRY, _HEAD = 44234, 44241, b"\xd9\x01\x8f"
_WHERE = "cca token"
_SECURED = range(0x3000, 0x3100)
_LEGACY, _PLATFORM, _REALM = (
    "http://arm.com/CCA-SSD/1.0.0",
    "tag:arm.com,2023:cca_platform#1.0.0",
    "tag:arm.com,2023:realm#1.0.0",
)
_CHALLENGE, _UEID, _PROFILE, _LIFECYCLE, _IMPLEMENTATION, _COMPONENTS, _CONFIG, _HASH = (
    10, 256, 265, 2395, 2396, 2399, 2401, 2402,
)  # fmt: skip
_PERSONAL, _REALM_HASH, _KEY, _RIM, _REMS, _KEY_HASH = 44235, 44236, 44237, 44238, 44239, 44240
_HASHES = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
_PLATFORM_REQUIRED: Mapping[int, Check] = {
    _PROFILE: one_of(_LEGACY, _PLATFORM),
    _CHALLENGE: octets(32, 48, 64),
    _IMPLEMENTATION: octets(32),
    _UEID: ueid,
    _CONFIG: octets(),
    _LIFECYCLE: number,
    _HASH: one_of(*_HASHES),
    _COMPONENTS: components,
}
_REALM_REQUIRED: Mapping[int, Check] = {
    _CHALLENGE: octets(64),
    _PERSONAL: octets(64),
    _REALM_HASH: one_of(*_HASHES),
    _KEY: octets(*range(97, 129)),
    _KEY_HASH: one_of(*_HASHES),
    _RIM: octets(32, 48, 64),
    _REMS: lambda value: isinstance(value, list) and len(value) == 4 and all(map(octets(32, 48, 64), value)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CcaToken:
    """Both tokens, well formed, and not yet believed."""

    platform: Mapping[int, object]
    realm: Mapping[int, object]
    platform_signed: Sign1 = field(repr=False)
    realm_signed: Sign1 = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read tag 399 over exactly a platform token and a realm token."""
        try:
            entries: Any = whole(raw.removeprefix(_HEAD))
            if not isinstance(entries, dict):
                raise TypeError("entries that are no map")
            platform, realm = entries[_PLATFORM_ENTRY], entries[_REALM_ENTRY]
        except (ValueError, TypeError, LookupError) as error:
            raise MalformedEvidence("not a platform token and a realm token", where=_WHERE) from error
        if not raw.startswith(_HEAD) or len(entries) != 2 or {type(platform), type(realm)} != {bytes}:
            raise MalformedEvidence("not exactly a platform token and a realm token", where=_WHERE)
        first, second = Sign1.parse(platform, "cca platform token"), Sign1.parse(realm, "cca realm token")
        optional: Mapping[int, Check] = {_PROFILE: one_of(_REALM)}
        said = read(first.payload, _PLATFORM_REQUIRED, {2400: text}, "cca platform token")
        token = cls(
            platform=said,
            realm=read(second.payload, _REALM_REQUIRED, optional, "cca realm token"),
            platform_signed=first,
            realm_signed=second,
        )
        later = said[_PROFILE] == _PLATFORM
        if later is not (_PROFILE in token.realm) or later is token.octets(_KEY).startswith(b"\x04"):
            raise MalformedEvidence("a platform and a realm of different profiles", where=_WHERE)
        return token

    def octets(self, name: int) -> bytes:
        """A claim of the realm that is a byte string."""
        value = self.realm[name]
        assert isinstance(value, bytes)
        return value

    def realm_key(self) -> ec.EllipticCurvePublicKey:
        """The realm attestation key: a P-384 point, or a COSE_Key in the later profile."""
        raw = self.octets(_KEY)
        try:
            if raw[0] != 4:
                key: Any = whole(raw)
                if not isinstance(key, dict) or key[1] != 2 or key[-1] != 2:
                    raise ValueError("not a P-384 key")
                raw = b"\x04" + key[-2] + key[-3]
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), raw)
        except (ValueError, TypeError, LookupError) as error:
            raise MalformedEvidence("not a P-384 key", where="realm attestation key") from error

    def registers(self) -> dict[str, bytes]:
        """The realm's measurements, and what the platform runs and how it is set up."""
        rems = self.realm[_REMS]
        assert isinstance(rems, list)
        config = self.platform[_CONFIG]
        assert isinstance(config, bytes)
        return {
            "rim": self.octets(_RIM),
            **{f"rem{number}": value for number, value in enumerate(rems)},
            "platform_software": software(self.platform[_COMPONENTS]),
            "platform_config": config,
        }

    def claims(self) -> Claims:
        """Both tokens' claims, by their numbers."""
        return {"platform": by_number(self.platform), "realm": by_number(self.realm)}


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the platform's signature, that it names the realm's key, and the realm's signature by that key."""
    del node
    enclosed = Enclosed.parse(body)
    token = CcaToken.parse(enclosed.evidence)
    by = signer(token.platform_signed, enclosed.endorsements, roots=_ROOTS, trust=trust, at=at)
    _check_binding(token)
    registers, identity = token.registers(), token.platform[_UEID]
    assert isinstance(identity, bytes)
    return Facts(
        kind=Kind.CCA,
        index=index,
        bound=token.octets(_CHALLENGE),
        identity=identity,
        workload=digest("workload", Kind.CCA.label, [registers[name] for name in COVERS]),
        status=by.status,
        root=by.vendor,
        registers=registers,
        not_before=by.not_before,
        not_after=by.not_after,
        missed=tuple(_missed(token)),
        trace=(
            f"arm-cca: platform token signed by a key up to {by.vendor}",
            "arm-cca: realm token signed by the key whose digest the platform token holds",
        ),
        claims=token.claims(),
        inputs={} if by.not_before is None else {"certificate": by.not_before},
        certificates=by.keys,
    )


def _check_binding(token: CcaToken) -> None:
    named = _HASHES[str(token.realm[_KEY_HASH])](token.octets(_KEY)).digest()
    if named != token.platform[_CHALLENGE]:
        raise fault(Reason.BINDING, "a platform token for this realm's key", "one for another key")
    if not token.realm_signed.signed_by(token.realm_key()):
        raise fault(Reason.SIGNATURE, "a realm token signed by its key", "another signature")


def _missed(token: CcaToken) -> Iterator[Finding]:
    lifecycle = token.platform[_LIFECYCLE]
    if lifecycle not in _SECURED:
        yield Finding(
            reason=Reason.DEBUG,
            expected="a platform in the life cycle `secured` (0x3000 to 0x30ff)",
            found=f"{lifecycle:#06x}",
            hint="a platform in another state can be debugged or was taken out of service",
        )


def show(body: bytes) -> Claims:
    """What the tokens say, believed by nobody."""
    return CcaToken.parse(Enclosed.parse(body).evidence).claims()


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as a CCA token does: tag 399 over two entries."""
    return raw[:4] == _HEAD + b"\xa2" and raw[4:7] in (b"\x19\xac\xca", b"\x19\xac\xd1")


TECHNOLOGY = Technology(kind=Kind.CCA, recognise=recognise, show=show, verify=verify, covers=COVERS)
