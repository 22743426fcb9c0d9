# SPDX-License-Identifier: Apache-2.0
"""The recorded evidence of real machines, each sample as a person would hand it to `exequatur evidence verify`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_EVIDENCE = (
    "quote.bin",
    "report.bin",
    "document.cbor",
    "token.cbor",
    "evidence.json",
    "evidence.yaml",
    "fixture.json",
    "attestation.pb",
    "messages.json",
    "quote.out",
)
_WITH = (
    "collateral.json",
    "endorsement_key.der",
    "ask_ark_asvk.pem",
    "aws-nitro-root-g1.pem",
    "azure-virtual-tpm-root-2023.pem",
    "gcp-ek-ak-root.pem",
    "cert_chain.pem",
    "device_root.pem",
    "ccel_data.dat",
    "quotesig.out",
    "quotepcr.out",
    "ak.pub",
    "vbios_rim.xml",
    "bios_rim.xml",
    "rim_root.pem",
)
_TRUST = ("cca_platform.pub", "cpak-pub.jwk.json", "public.pem", "key.jwk.json", "akpub.pem", "chain.pem")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One sample: its evidence, what goes with it, what must be trusted for the call, and what is expected."""

    name: str
    folder: Path
    evidence: Path
    pieces: tuple[Path, ...]
    trusted: tuple[Path, ...]
    at: str
    expected: dict[str, object] = field(repr=False)

    @property
    def moment(self) -> datetime:
        """The time at which its certificates and collateral are to be judged."""
        return datetime.fromisoformat(self.at)

    def words(self) -> list[str]:
        """The arguments of `exequatur evidence verify`."""
        pieces = [word for piece in self.pieces for word in ("--with", str(piece))]
        trusted = [word for key in self.trusted for word in ("--trust", str(key))]
        return [str(self.evidence), *pieces, *trusted, "--at", self.at]


def recorded(shared: Path) -> Iterator[Recorded]:
    """Every folder of samples that holds evidence; `nvidia/rim-files` holds manifests only."""
    for verdict in sorted(shared.glob("*/*/expected.json")):
        folder = verdict.parent
        evidence = next((folder / name for name in _EVIDENCE if (folder / name).exists()), None)
        if evidence is None:
            continue
        expected = json.loads(verdict.read_text("utf-8"))
        yield Recorded(
            name=f"{folder.parent.name}/{folder.name}",
            folder=folder,
            evidence=evidence,
            pieces=tuple(folder / name for name in _WITH if (folder / name).exists()),
            trusted=tuple(folder / name for name in _TRUST if (folder / name).exists()),
            at=expected["verification_time"],
            expected=expected,
        )


def hexed(claim: object) -> object:
    """A claim as `expected.json` writes it: bytes in hex."""
    if isinstance(claim, bytes):
        return claim.hex()
    if isinstance(claim, dict):
        return {name: hexed(value) for name, value in claim.items()}
    return [hexed(value) for value in claim] if isinstance(claim, list) else claim
