# SPDX-License-Identifier: Apache-2.0
"""A TPM's evidence in each of its forms: quotes, the key that signed them, and what explains them (tpm/SPEC.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import decode
from enclave.evidence.certificates import LONGEST_PATH, load, spki_digest
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims
from enclave.evidence.tpm.pieces import Pieces
from enclave.evidence.tpm.quote import Quote
from enclave.evidence.tpm.structures import HASH_NAMES, SHA256, Key, TpmAttest, TpmPublic, TpmSignature

MAGIC = b"\xffTCG\x80\x18"
_ONE, _SEVERAL, _ENCLOSED = 0x87, 0x85, 0x82
_MOST_QUOTES = 4
_WHERE = "tpm evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmEvidence:
    """Quotes of one key that are well formed, and not yet believed; `public` is absent where only the key came."""

    quotes: tuple[Quote, ...]
    key: Key
    public: TpmPublic | None
    names: tuple[bytes, ...] = ()
    certificates: tuple[x509.Certificate, ...] = field(default=(), repr=False)
    crls: tuple[x509.CertificateRevocationList, ...] = field(default=(), repr=False)
    event_log: bytes = field(default=b"", repr=False)
    ima_log: bytes = field(default=b"", repr=False)

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read a body: the seven parts of one quote, the five of several, or either or a bare quote with its pieces."""
        if raw[:1] != bytes([_ENCLOSED]):
            return cls._read(raw, Pieces.sort(()))
        enclosed = Enclosed.parse(raw)
        return cls._read(enclosed.evidence, Pieces.sort(enclosed.pieces))

    @classmethod
    def _read(cls, raw: bytes, pieces: Pieces) -> Self:
        if raw.startswith(MAGIC):
            return cls._bare(raw, pieces)
        quotes, key, chain, *logs = _parts(raw)
        if pieces.signatures or pieces.pcrs:
            raise MalformedEvidence("signatures or PCR values beside quotes that have theirs", where=_WHERE)
        public, own = _key(key)
        certificates = (*map(load, chain), *pieces.others.certificates)
        return cls(
            quotes=quotes,
            key=own,
            public=_agreed(public, own, pieces),
            names=pieces.names,
            certificates=certificates,
            crls=pieces.others.crls,
            event_log=_only(logs[0], pieces.others.event_logs),
            ima_log=_only(logs[1], pieces.others.ima_logs),
        )

    @classmethod
    def _bare(cls, raw: bytes, pieces: Pieces) -> Self:
        attest = TpmAttest.parse(raw)
        if len(pieces.signatures) != 1 or len(pieces.pcrs) != 1:
            hint = "add the files of tpm2_quote -s and -o, and the key's, with --with"
            raise MalformedEvidence(
                "a quote without one signature and its PCR values", where=_WHERE, hint=hint
            )
        if pieces.pcrs[0].selections != attest.selections:
            raise MalformedEvidence("values of other PCRs than were quoted", where=_WHERE)
        key = _key_among(pieces)
        return cls(
            quotes=(Quote(attest=attest, signature=pieces.signatures[0], pcrs=pieces.pcrs[0].values),),
            key=key,
            public=_agreed(None, key, pieces),
            names=pieces.names,
            certificates=pieces.others.certificates,
            crls=pieces.others.crls,
            event_log=_only(b"", pieces.others.event_logs),
            ima_log=_only(b"", pieces.others.ima_logs),
        )

    @property
    def banks(self) -> tuple[int, ...]:
        """The banks that were quoted, in order."""
        return tuple(dict.fromkeys(bank for quote in self.quotes for bank, _ in quote.attest.selections))

    @property
    def nonce(self) -> bytes:
        """What the quotes were made for; they are checked to agree."""
        return self.quotes[0].attest.extra_data

    def registers(self, bank: int = SHA256) -> Mapping[int, bytes]:
        """The values of one bank's PCRs by number; empty where a value has another size."""
        return {
            number: value
            for quote in self.quotes
            for (of, number), value in zip(quote.selected, quote.pcrs, strict=False)
            if of == bank
        }

    def claims(self, *, named: bool = True) -> Claims:
        """The quotes' fields as the TPM 2.0 Library names them, and the PCR values that came with them.

        `attest` is the quote of the SHA-256 bank, or the first; `quotes` holds all where there are several. The key's
        Name and area are among them only where somebody is for the Name, as `named` says: a bare key has any attributes.
        """
        chosen = next((q for q in self.quotes if SHA256 in dict(q.attest.selections)), self.quotes[0])
        values: Claims = {
            f"pcrs_{HASH_NAMES.get(bank, hex(bank))}": {str(n): v for n, v in self.registers(bank).items()}
            for bank in self.banks
        }
        claims: Claims = {"nonce": self.nonce, "banks": [hex(bank) for bank in self.banks]}
        claims |= {"attest": chosen.attest.claims(), **values}
        if len(self.quotes) > 1:
            claims["quotes"] = [dict(quote.attest.claims()) for quote in self.quotes]
        if self.public is not None and named:
            claims |= {"ak_name": self.public.name, "ak_public_area": self.public.raw}
        public = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return claims | {"ak_public": public, "ak_digest": spki_digest(self.key)}


def _parts(raw: bytes) -> tuple[tuple[Quote, ...], bytes, list[bytes], bytes, bytes]:
    try:
        parts = decode(raw)
    except ValueError as error:
        raise MalformedEvidence(str(error), where=_WHERE) from error
    shape = tuple(map(type, parts)) if isinstance(parts, list) else ()
    if isinstance(parts, list) and shape == (bytes, bytes, bytes, list, list, bytes, bytes):
        attest, signature, key, pcrs, *rest = parts
        quotes = [[attest, signature, pcrs]]
    elif isinstance(parts, list) and shape == (list, bytes, list, bytes, bytes):
        quotes, key, *rest = parts
    else:
        raise MalformedEvidence("not the seven parts of one quote or the five of several", where=_WHERE)
    if not 1 <= len(quotes) <= _MOST_QUOTES or any(type(part) is not bytes for part in rest[0]):
        raise MalformedEvidence("too many quotes, or a byte string is something else", where=_WHERE)
    if len(rest[0]) > LONGEST_PATH:
        raise MalformedEvidence(f"more than {LONGEST_PATH} certificates", where=_WHERE)
    read = tuple(map(_quote, quotes))
    selected = [bank for quote in read for bank, _ in quote.attest.selections]
    if len(set(selected)) != len(selected):
        raise MalformedEvidence("a bank that was quoted twice", where=_WHERE)
    return read, key, rest[0], rest[1], rest[2]


def _quote(parts: object) -> Quote:
    if not isinstance(parts, list) or tuple(map(type, parts)) != (bytes, bytes, list):
        raise MalformedEvidence("not the three parts of a quote", where=_WHERE)
    attest, signature, pcrs = parts
    if any(type(value) is not bytes for value in pcrs):
        raise MalformedEvidence("a byte string is something else", where=_WHERE)
    return Quote(attest=TpmAttest.parse(attest), signature=TpmSignature.parse(signature), pcrs=tuple(pcrs))


def _key(raw: bytes) -> tuple[TpmPublic | None, Key]:
    """A TPMT_PUBLIC, or the SubjectPublicKeyInfo where the public area did not come along."""
    if raw[:1] != b"\x30":
        public = TpmPublic.parse(raw)
        return public, public.key
    try:
        return None, _usable(load_der_public_key(raw))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedEvidence("a key that cannot be read", where=_WHERE) from error


def _usable(key: object) -> Key:
    if isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 4096:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    raise MalformedEvidence("a key that no TPM signs quotes with", where=_WHERE)


def _key_among(pieces: Pieces) -> Key:
    """The key that pieces name, in whichever form; where none does, that of the only certificate."""
    keys = [_usable(key) for key in (*(public.key for public in pieces.publics), *pieces.others.keys)]
    if not keys and len(pieces.others.certificates) == 1:
        keys = [_usable(pieces.others.certificates[0].public_key())]
    if not keys:
        hint = "add the key as TPM2B_PUBLIC (tpm2_create -u), TPMT_PUBLIC, PEM or JWK"
        raise MalformedEvidence("nothing says which key signed the quote", where=_WHERE, hint=hint)
    return keys[0]


def _agreed(public: TpmPublic | None, key: Key, pieces: Pieces) -> TpmPublic | None:
    """The one public area; every key and public area must be of the same key."""
    areas = {area.raw: area for area in (*([public] if public else []), *pieces.publics)}
    keys = [area.key for area in areas.values()] + [_usable(one) for one in pieces.others.keys]
    if len(areas) > 1 or any(one != key for one in keys):
        raise MalformedEvidence("keys that are not the same key", where=_WHERE)
    return next(iter(areas.values()), None)


def _only(own: bytes, others: tuple[bytes, ...]) -> bytes:
    logs = {log for log in (own, *others) if log}
    if len(logs) > 1:
        raise MalformedEvidence("more than one log of a kind", where=_WHERE)
    return logs.pop() if logs else b""
