# SPDX-License-Identifier: Apache-2.0
"""Every field of evidence, or of what endorses it, named as its vendor names it and believed by nobody."""

import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.documents import parse_json
from enclave.errors import MalformedEvidence
from enclave.evidence.bundle import Bundle
from enclave.evidence.certificates import key_digest, load_all
from enclave.evidence.custody import Custody
from enclave.evidence.detect import detect, devices_of, is_bundle
from enclave.evidence.endorsements import Endorsements, PublicKey
from enclave.evidence.facts import Claim, Claims
from enclave.evidence.nvidia.rim import shown as _manifest
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.tpm.ima import ImaLog
from enclave.evidence.tpm.log import EventLog
from enclave.evidence.tpm.pieces import shown as shown_beside_a_quote
from enclave.evidence.tpm.structures import HASH_NAMES


def shown(raw: bytes, *, family: str = "") -> Claims:
    """The fields of evidence, a bundle or an endorsement; raises `MalformedEvidence` for anything else."""
    if is_bundle(raw):
        return _bundle(raw)
    try:
        found = detect(raw, family=family)
    except MalformedEvidence as unknown:
        if family:
            raise
        return _endorsement(raw, unknown)
    return {"kind": found.kind.label, **TECHNOLOGIES[found.kind].show(found.body)}


def _bundle(raw: bytes) -> Claims:
    bundle = Bundle.decode(raw)
    challenge, claims = bundle.challenge, bundle.claims
    return {
        "kind": "bundle",
        "challenge": {
            "chain_id": challenge.chain_id,
            "log": bytes(challenge.log),
            "policy_id": bytes(challenge.policy_id),
            "node_id": bytes(challenge.node_id),
            "lease_nonce": bytes(challenge.lease_nonce),
            "block_number": challenge.block_number,
            "block_hash": bytes(challenge.block_hash),
        },
        "guest": {"lockdown": claims.lockdown, "clock": claims.clock, "image": claims.image},
        **{
            device.label: TECHNOLOGIES[found.kind].show(found.body)
            for device, found in zip(bundle.devices, devices_of(raw), strict=True)
        },
    }


def _endorsement(raw: bytes, unknown: MalformedEvidence) -> Claims:
    if (piece := shown_beside_a_quote(raw)) is not None:
        return piece
    try:
        sorted_ = Endorsements.sort([raw])
    except MalformedEvidence as error:
        raise unknown from error
    for name, one in _SHOWS.items():
        if pieces := getattr(sorted_, name):
            return {"kind": name, **{str(number): one(piece) for number, piece in enumerate(pieces)}}
    raise unknown


def _certificate(piece: x509.Certificate) -> Claim:
    return {
        "subject": piece.subject.rfc4514_string(),
        "issuer": piece.issuer.rfc4514_string(),
        "serial_number": _serial(piece),
        "not_before": piece.not_valid_before_utc.isoformat(),
        "not_after": piece.not_valid_after_utc.isoformat(),
        "key_sha256": key_digest(piece),
        "extensions": [extension.oid.dotted_string for extension in piece.extensions],
    }


def _serial(piece: x509.Certificate) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zero, which AMD gives every endorsement key
        return f"{piece.serial_number:x}"


def _crl(piece: x509.CertificateRevocationList) -> Claim:
    return {
        "issuer": piece.issuer.rfc4514_string(),
        "last_update": piece.last_update_utc.isoformat(),
        "next_update": piece.next_update_utc.isoformat() if piece.next_update_utc else None,
        "revoked": [f"{entry.serial_number:x}" for entry in piece],
    }


def _key(piece: PublicKey) -> Claim:
    return {"subject_public_key_info": piece.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}


def _collateral(piece: bytes) -> Claim:
    document = parse_json(piece)
    assert isinstance(document, dict)
    return {name: _part(str(value)) for name, value in sorted(document.items())}


def _part(text: str) -> Claim:
    """One field of Intel's collateral: a chain, a signed document, or hex."""
    if "-----BEGIN CERTIFICATE" in text:
        return [_certificate(certificate) for certificate in load_all(text.encode())]
    if text.startswith("{"):
        try:
            return _claim(parse_json(text))
        except (ValueError, RecursionError) as error:
            raise MalformedEvidence("a document that is no JSON", where="collateral") from error
    return text


def _claim(value: object) -> Claim:
    if isinstance(value, dict):
        return {str(name): _claim(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_claim(part) for part in value]
    return value if isinstance(value, str | int) or value is None else str(value)


def _custody(piece: Custody) -> Claim:
    return {
        "endorser": piece.endorser,
        "platform": bytes(piece.platform),
        "place": piece.place,
        "not_before": piece.not_before.isoformat(),
        "not_after": piece.not_after.isoformat(),
    }


def _event_log(piece: bytes) -> Claim:
    log = EventLog.parse(piece, area=True)
    return [
        {
            "register": event.pcr,
            "type": event.name,
            "digests": {HASH_NAMES.get(bank, hex(bank)): value for bank, value in event.digests.items()},
            "event": event.body,
        }
        for event in log.events
    ]


def _ima_log(piece: bytes) -> Claim:
    entries = ImaLog.parse(piece).entries
    return [
        {"path": e.path, "digest": e.digest, "algorithm": e.algorithm, "violation": e.violation}
        for e in entries
    ]


_SHOWS: Mapping[str, Callable[..., Claim]] = MappingProxyType(
    {
        "certificates": _certificate,
        "crls": _crl,
        "keys": _key,
        "collateral": _collateral,
        "custody": _custody,
        "manifests": _manifest,
        "event_logs": _event_log,
        "ima_logs": _ima_log,
    }
)
