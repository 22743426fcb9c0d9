# SPDX-License-Identifier: Apache-2.0
"""Files of a TPM's evidence that lie beside a bare quote, each known by its content (tpm/SPEC.md, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from enclave.errors import MalformedEvidence
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Claims
from enclave.evidence.tpm.structures import HASHES, TpmPublic, TpmSignature

_SCHEMES = (b"\x00\x14", b"\x00\x16", b"\x00\x18")
_PUBLICS = (b"\x00\x01\x00\x0b", b"\x00\x23\x00\x0b")
_NAME, _NAME_SIZE = b"\x00\x0b", 34
_SELECTIONS, _SELECTION = 16, 8
_HEAD = 4 + _SELECTIONS * _SELECTION + 4
_LIST, _DIGESTS, _DIGEST = 4 + 8 * 66, 8, 66
Selections = tuple[tuple[int, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PcrFile:
    """What `tpm2_quote -o` writes: a selection of PCRs and their values, in selection order."""

    selections: Selections
    values: tuple[bytes, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read TPML_PCR_SELECTION and any number of TPML_DIGEST as C lays them out, little-endian, zeros for padding."""
        if not looks_like_pcrs(raw):
            raise MalformedEvidence("not PCR values of tpm2-tools", where="PCR file")
        selections = _selections(raw[: _HEAD - 4])
        lists = [raw[at : at + _LIST] for at in range(_HEAD, len(raw), _LIST)]
        return cls(selections=selections, values=tuple(value for part in lists for value in _values(part)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """The pieces of a TPM's evidence by what they are; `others` are those that any technology knows."""

    signatures: tuple[TpmSignature, ...]
    publics: tuple[TpmPublic, ...]
    names: tuple[bytes, ...]
    pcrs: tuple[PcrFile, ...] = field(repr=False)
    others: Endorsements

    @classmethod
    def sort(cls, blobs: Sequence[bytes]) -> Self:
        """Know each piece by its content; raises `MalformedEvidence` for one that is nothing known."""
        signatures: list[TpmSignature] = []
        publics: list[TpmPublic] = []
        pcrs: list[PcrFile] = []
        names: list[bytes] = []
        others: list[bytes] = []
        for blob in blobs:
            if blob[:2] in _SCHEMES:
                signatures.append(TpmSignature.parse(blob))
            elif blob[2:6] in _PUBLICS and int.from_bytes(blob[:2], "big") == len(blob) - 2:
                publics.append(TpmPublic.parse(blob[2:]))
            elif blob[:4] in _PUBLICS:
                publics.append(TpmPublic.parse(blob))
            elif blob[:2] == _NAME and len(blob) == _NAME_SIZE:
                names.append(blob)
            elif looks_like_pcrs(blob):
                pcrs.append(PcrFile.parse(blob))
            else:
                others.append(blob)
        return cls(
            signatures=tuple(signatures),
            publics=tuple(publics),
            names=tuple(names),
            pcrs=tuple(pcrs),
            others=Endorsements.sort(others),
        )


def shown(raw: bytes) -> Claims | None:
    """The fields of a file that only a TPM's evidence has beside it; None for any other."""
    if not (raw[:2] in _SCHEMES or raw[:4] in _PUBLICS or raw[2:6] in _PUBLICS or looks_like_pcrs(raw)):
        return None
    pieces = Pieces.sort([raw])
    for signature in pieces.signatures:
        return {"kind": "tpm signature", "scheme": signature.scheme, "hash": signature.hash}
    for public in pieces.publics:
        return {"kind": "tpm public area", "name": public.name, "attributes": int(public.attributes)}
    for file in pieces.pcrs:
        numbers = [f"{bank:#x}:{number}" for bank, selected in file.selections for number in selected]
        return {"kind": "tpm pcrs", "values": dict(zip(numbers, file.values, strict=False))}
    return None


def looks_like_pcrs(raw: bytes) -> bool:
    """Whether the sizes are those of PCR values of tpm2-tools."""
    if len(raw) < _HEAD or (len(raw) - _HEAD) % _LIST:
        return False
    lists = int.from_bytes(raw[_HEAD - 4 : _HEAD], "little")
    return raw[0] <= len(HASHES) and raw[1:4] == bytes(3) and len(raw) == _HEAD + lists * _LIST


def _selections(raw: bytes) -> Selections:
    found: list[tuple[int, tuple[int, ...]]] = []
    for number in range(_SELECTIONS):
        entry = raw[4 + number * _SELECTION : 4 + (number + 1) * _SELECTION]
        bank, size, bitmap = int.from_bytes(entry[:2], "little"), entry[2], entry[3:7]
        if number >= raw[0] and any(entry):
            raise MalformedEvidence("padding that is not zero", where="PCR file")
        if number >= raw[0]:
            continue
        if size > len(bitmap) or any(bitmap[size:]) or entry[7]:
            raise MalformedEvidence("a selection that is too long", where="PCR file")
        found.append((bank, tuple(n for n in range(8 * size) if bitmap[n // 8] >> n % 8 & 1)))
    return tuple(found)


def _values(raw: bytes) -> list[bytes]:
    count = int.from_bytes(raw[:4], "little")
    entries = [raw[4 + n * _DIGEST : 4 + (n + 1) * _DIGEST] for n in range(_DIGESTS)]
    sizes = [int.from_bytes(entry[:2], "little") for entry in entries]
    kept = [entry[2 : 2 + size] for entry, size in zip(entries, sizes, strict=True)]
    rests = [entry[2 + size :] for entry, size in zip(entries, sizes, strict=True)]
    if count > _DIGESTS or max(sizes) > _DIGEST - 2 or any(map(any, rests)) or any(sizes[count:]):
        raise MalformedEvidence("values that do not fit, or padding that is not zero", where="PCR file")
    return kept[:count]
