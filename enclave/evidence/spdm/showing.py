# SPDX-License-Identifier: Apache-2.0
"""What a conversation with an SPDM device says, named as in DSP0274 where that has a name."""

import hashlib
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claim, Claims
from enclave.evidence.spdm import device
from enclave.evidence.spdm.chain import Chain
from enclave.evidence.spdm.measurements import Measurements
from enclave.evidence.spdm.negotiation import Negotiated
from enclave.evidence.spdm.transcript import Transcript

_UNSIGNED = frozenset({"versions", "capabilities", "meas_hash"})
_FIRST = b"\x44\x10\x84\0\0"


def show(body: bytes) -> Claims:
    """What the conversation and its certificates say, believed by nobody."""
    talk = Transcript.parse(Enclosed.parse(body).evidence)
    slot = talk.runs[-1].last.slot if talk.runs else 0
    chain = Chain.parse(talk.chains[slot], talk.agreed) if slot in talk.chains else None
    measured: list[Claim] = [exchange.claims() for exchange in talk.exchanges]
    shown = negotiated(talk.agreed) | {"message_count": talk.count, "measurements": measured}
    if talk.challenges:
        last = talk.challenges[-1]
        shown |= {"chal_nonce": last.nonce, "chal_summary": last.summary, "chal_opaque": last.opaque}
    if chain is None:
        return shown
    path = chain.certificates[::-1]
    return shown | {"chain_len": chain.size, "certs": _certificates(path)} | device.claims(path)


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as a conversation does: a CBOR array whose first element is GET_VERSION."""
    head = {0x98: 2, 0x99: 3}.get(raw[0], 1) if raw else 0
    return raw[:1] >= b"\x80" and raw[:1] < b"\x9b" and raw[head : head + len(_FIRST)] == _FIRST


def version_name(version: int) -> str:
    """1.2 for 0x12."""
    return f"{version >> 4}.{version & 0xF}"


def proven(
    agreed: Negotiated,
    path: Sequence[x509.Certificate],
    words: Sequence[x509.Certificate],
    counted: Sequence[Measurements],
) -> Claims:
    """What signatures for the last nonce vouch for: `path` is leaf first, `words` those of it that somebody signed.

    Nothing is claimed that could be left out of a conversation without breaking a signature, or that has a second
    form, as an ECDSA signature has.
    """
    measured: list[Claim] = [
        {name: value for name, value in exchange.claims().items() if name != "signature"}
        for exchange in counted
    ]
    shown = negotiated(agreed)
    if not agreed.signed:
        shown = {name: value for name, value in shown.items() if name not in _UNSIGNED}
    return shown | {"measurements": measured, "certs": _certificates(path)} | device.claims(words)


def negotiated(agreed: Negotiated) -> Claims:
    """What both sides agreed on."""
    return {
        "version": agreed.version,
        "versions": list(agreed.versions),
        "capabilities": agreed.capabilities,
        "base_asym": agreed.algorithms.base_asym,
        "base_hash": agreed.algorithms.base_hash,
        "meas_hash": agreed.algorithms.measurement_hash,
    }


def _certificates(path: Sequence[x509.Certificate]) -> list[Claim]:
    return [_certificate(certificate) for certificate in reversed(path)]


def _certificate(certificate: x509.Certificate) -> Claims:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "sha256": hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "exts": [extension.oid.dotted_string for extension in certificate.extensions],
    }
