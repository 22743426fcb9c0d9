# SPDX-License-Identifier: Apache-2.0
"""The evidence of all devices of a node in one CMW collection (SPEC.md, section 1)."""

from dataclasses import dataclass
from typing import Any, Self

import cbor2

from contracts.digests import digest
from contracts.errors import ExequaturError
from contracts.ids import Address, Digest
from enclave.errors import MalformedEvidence
from enclave.evidence.binding import Challenge, DeviceEntry, GuestClaims, evidence_digest
from enclave.evidence.cbor import decode
from enclave.statements import NodeKeys

_PROFILE = "tag:exequatur,2026:bundle"
_MEDIA = "application/vnd.exequatur.{}+cbor"
_EVIDENCE = 4  # CMW indicator bit 2: evidence
_LONGEST = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device's evidence, not yet parsed; index 0 is the root device."""

    kind: str
    index: int
    body: bytes

    @property
    def label(self) -> str:
        """Its key in the collection: `<kind>.<index>`."""
        return f"{self.kind}.{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Evidence as a node sends it: well formed, and not yet believed."""

    challenge: Challenge
    keys: NodeKeys
    claims: GuestClaims
    devices: tuple[Device, ...]

    def entries(self) -> tuple[DeviceEntry, ...]:
        """The device list that the root device binds."""
        root, *others = self.devices
        return DeviceEntry.root(root.kind), *(
            DeviceEntry(index=device.index, kind=device.kind, evidence=evidence_digest(device.body))
            for device in others
        )

    def encode(self) -> bytes:
        """Deterministic CBOR of the collection."""
        head = [
            self.challenge.encode(),
            self.keys.hpke,
            self.keys.receipt,
            bytes(self.keys.chain),
            self.claims.encode(),
        ]
        collection: dict[str, object] = {
            "__cmwc_t": _PROFILE,
            "exequatur": [_MEDIA.format("node"), cbor2.dumps(head, canonical=True), _EVIDENCE],
        }
        for device in self.devices:
            collection[device.label] = [_MEDIA.format(device.kind), device.body, _EVIDENCE]
        return cbor2.dumps(collection, canonical=True)

    def digest(self) -> Digest:
        """The `evidence` field of a verdict, and the name of the sealed bundle in the store."""
        return digest("evidence", self.encode())

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read `encode()`; raises `MalformedEvidence` for any other bytes."""
        if len(raw) > _LONGEST:
            raise MalformedEvidence(f"longer than {_LONGEST} bytes", where="bundle")
        try:
            bundle = cls._read(decode(raw))
            again = bundle.encode()
        except MalformedEvidence:
            raise
        except ExequaturError as error:
            raise MalformedEvidence(str(error), where="bundle") from error
        except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
            raise MalformedEvidence("not a CMW collection of ours", where="bundle") from error
        if again != raw:
            raise MalformedEvidence("not deterministically encoded, or not ours", where="bundle")
        return bundle

    @classmethod
    def _read(cls, collection: Any) -> Self:  # whatever CBOR gave
        parts: Any = decode(collection["exequatur"][1])
        challenge, hpke, receipt, chain, claims = parts
        devices = [
            Device(kind=label.rpartition(".")[0], index=int(label.rpartition(".")[2]), body=entry[1])
            for label, entry in collection.items()
            if label not in ("__cmwc_t", "exequatur")
        ]
        devices.sort(key=lambda device: device.index)
        if [device.index for device in devices] != list(range(len(devices))) or not devices:
            raise MalformedEvidence("devices are numbered from 0 without gaps", where="bundle")
        if any(type(part) is not bytes for part in (hpke, receipt, *(device.body for device in devices))):
            raise MalformedEvidence("a byte string is something else", where="bundle")
        return cls(
            challenge=Challenge.decode(challenge),
            keys=NodeKeys(hpke=hpke, receipt=receipt, chain=Address(chain)),
            claims=GuestClaims.decode(claims),
            devices=tuple(devices),
        )
