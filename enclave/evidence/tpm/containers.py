# SPDX-License-Identifier: Apache-2.0
"""Evidence of TPMs as go-tpm-tools and vaportpm keep it, turned into a body of ours (tpm/SPEC.md, section 7)."""

from collections.abc import Container, Iterable, Iterator
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.documents import parse_json
from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import load_all
from enclave.evidence.kinds import Kind
from enclave.evidence.tpm.structures import SHA256, TpmAttest

_GO = "go-tpm-tools attestation"
_VAPOR = "vaportpm container"
_PUBLICS = (b"\x00\x01\x00\x0b", b"\x00\x23\x00\x0b")
_KEY, _QUOTE, _EVENTS, _INSTANCE, _CERTIFICATE, _ISSUER = 1, 2, 3, 4, 6, 7
_MOST_FIELDS = 256
_ECDSA_SHA256 = bytes.fromhex("0018000b")


def go_tpm_tools(raw: bytes) -> tuple[Kind, bytes] | None:
    """The `attest.Attestation` protobuf of go-tpm-tools: TPMT_PUBLIC first, quotes of several banks, an event log."""
    if raw[:1] != b"\x0a" or not any(public in raw[2:8] for public in _PUBLICS):
        return None
    fields: dict[int, list[bytes]] = {}
    for number, value in _fields(raw):
        fields.setdefault(number, []).append(value)
    known = {_KEY, _QUOTE, _EVENTS, _INSTANCE, _CERTIFICATE, _ISSUER}
    if not fields.keys() <= known or any(len(fields.get(n, [])) > 1 for n in known - {_QUOTE, _ISSUER}):
        hint = "evidence of a confidential machine inside it is not read; give that alone"
        raise MalformedEvidence(f"fields {sorted(fields)}", where=_GO, hint=hint)
    quotes = [_go_quote(quote) for quote in fields.get(_QUOTE, [])]
    chain = [*fields.get(_CERTIFICATE, []), *fields.get(_ISSUER, [])]
    events = b"".join(fields.get(_EVENTS, []))
    return Kind.TPM, cbor2.dumps([quotes, fields[_KEY][0], chain, events, b""], canonical=True)


def _go_quote(raw: bytes) -> list[object]:
    """`tpm.Quote`: TPMS_ATTEST, TPMT_SIGNATURE, and a map of PCR values, put into selection order."""
    parts = _once(_fields(raw))
    if parts.keys() != {1, 2, 3}:
        raise MalformedEvidence("a quote without its three parts", where=_GO)
    values: dict[int, bytes] = {}
    bank = 0
    for number, entry in _fields(parts[3], numbers=(1,)):
        if number == 1:
            bank = int.from_bytes(entry, "big")
            continue
        pair = _once(_fields(entry, numbers=(1,)))
        values |= _once([(int.from_bytes(pair.get(1, b""), "big"), pair.get(2, b""))], besides=values)
    return [parts[1], parts[2], _in_order(TpmAttest.parse(parts[1]), bank, values, _GO)]


def _fields(raw: bytes, numbers: tuple[int, ...] = ()) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message: bytes, or big-endian numbers for those in `numbers`."""
    at = count = 0
    while at < len(raw):
        if (count := count + 1) > _MOST_FIELDS:
            raise MalformedEvidence(f"more than {_MOST_FIELDS} fields", where=_GO)
        key, at = _varint(raw, at)
        wanted = 0 if key >> 3 in numbers else 2
        if key & 7 != wanted or key >> 3 == 0:
            raise MalformedEvidence(f"field {key >> 3} of another type", where=_GO)
        size, at = _varint(raw, at)
        if wanted == 0:
            yield key >> 3, size.to_bytes(8, "big")
            continue
        if at + size > len(raw):
            raise MalformedEvidence("ends within a field", where=_GO)
        yield key >> 3, raw[at : at + size]
        at += size


def _once(fields: Iterable[tuple[int, bytes]], *, besides: Container[int] = ()) -> dict[int, bytes]:
    """Fields by number, none of them twice."""
    found: dict[int, bytes] = {}
    for number, value in fields:
        if number in found or number in besides:
            raise MalformedEvidence(f"{number} is there twice", where=_GO)
        found[number] = value
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(raw[at : at + 5]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            if byte == 0 and count:
                break  # another encoding of a smaller number
            return value, at + count + 1
    raise MalformedEvidence("not a number", where=_GO)


def _document(raw: bytes) -> "dict[str, Any] | None":
    if raw.lstrip()[:1] != b"{" or b'"ak_cert_chain"' not in raw:
        return None
    try:
        document = parse_json(raw)
    except (ValueError, RecursionError) as error:
        raise MalformedEvidence("not JSON", where=_VAPOR) from error
    return document if isinstance(document, dict) and "ak_pubkeys" in document else None


def vaportpm(raw: bytes) -> tuple[Kind, bytes] | None:
    """The JSON container of vaportpm with a chain of Google's; the one with a Nitro document belongs to that."""
    document = _document(raw)
    if document is None:
        return None
    try:
        nonce, quoted = bytes.fromhex(document["nonce"]), document["attestation"]["tpm"]["ecc_p256"]
        attest, signature = (bytes.fromhex(quoted[name]) for name in ("attest_data", "signature"))
        point = [bytes.fromhex(document["ak_pubkeys"]["ecc_p256"][axis]) for axis in ("x", "y")]
        values = {int(n): bytes.fromhex(v) for n, v in document["pcrs"]["sha256"].items()}
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + b"".join(point))
        r, s = utils.decode_dss_signature(signature)
        halves = [n.to_bytes(32, "big") for n in (r, s)]
        pem = document["attestation"]["gcp"]["ak_cert_chain"].encode()
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedEvidence("a part is missing, or of another form", where=_VAPOR) from error
    parsed = TpmAttest.parse(attest)
    if parsed.extra_data != nonce:
        raise MalformedEvidence("a nonce beside the quote that is not the quote's", where=_VAPOR)
    quote = [attest, _ECDSA_SHA256 + b"".join(b"\0\x20" + half for half in halves)]
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    chain = [certificate.public_bytes(Encoding.DER) for certificate in load_all(pem)]
    body = [[[*quote, _in_order(parsed, SHA256, values, _VAPOR)]], spki, chain, b"", b""]
    return Kind.TPM, cbor2.dumps(body, canonical=True)


def _in_order(attest: TpmAttest, bank: int, values: dict[int, bytes], where: str) -> list[bytes]:
    """Values by number in the order that was quoted; each PCR exactly once."""
    selected = [number for _, numbers in attest.selections for number in numbers]
    if [of for of, _ in attest.selections] != [bank] or set(selected) != values.keys():
        raise MalformedEvidence("values of other PCRs than were quoted", where=where)
    return [values[number] for number in selected]
