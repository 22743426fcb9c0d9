# SPDX-License-Identifier: Apache-2.0
"""The NitroTPM of an EC2 instance: a document over its registers, and a quote by the key that the document names.

Evidence is the document alone, or `[document, TPMS_ATTEST, r and s, [PCR value, ...]]` (nitro/SPEC.md, section 3).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from contracts.digests import digest
from contracts.documents import parse_json
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.cbor import decode
from enclave.evidence.certificates import fault
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.nitro.document import PCR_FIELDS, NitroDocument
from enclave.evidence.nitro.verify import INPUTS, believed, first_moment, inputs_of, registers_of
from enclave.evidence.technology import Technology
from enclave.evidence.tpm.structures import TpmAttest
from enclave.evidence.trust import Trust

COVERS = ("pcr4", "pcr7", *(f"pcr{number}" for number in range(8, 15)))
_SHA384 = 0x000C
_WHERE, _CONTAINER = "nitrotpm evidence", "vaportpm container"


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroTpmEvidence:
    """A NitroTPM's document, and a quote where there is one, well formed and not yet believed."""

    document: NitroDocument
    attest: TpmAttest | None
    signature: bytes = field(repr=False)
    pcrs: tuple[bytes, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Read either form; raises `MalformedEvidence`."""
        if raw[:1] in (b"\xd2", b"\x84") and b"nitrotpm_pcrs" in raw[:160] and raw[1:2] != b"\x59":
            return cls(document=_document(raw), attest=None, signature=b"", pcrs=())
        try:
            parts: Any = decode(raw)
            document, attest, signature, pcrs = parts
            types = {type(part) for part in (document, attest, signature, *pcrs)}
        except (ValueError, TypeError) as error:
            raise MalformedEvidence("neither a document nor one with a quote", where=_WHERE) from error
        if types != {bytes} or len(signature) != 64:
            raise MalformedEvidence("a part of another type or size", where=_WHERE)
        return cls(
            document=_document(document),
            attest=TpmAttest.parse(attest),
            signature=signature,
            pcrs=tuple(pcrs),
        )

    def claims(self) -> Claims:
        """The document's fields, and the quote's below `tpm`."""
        said = self.document.claims()
        return said if self.attest is None else said | {"tpm": self.attest.claims()}


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the document as an enclave's, and that the quote is of its key, its registers and its nonce."""
    del node
    enclosed = Enclosed.parse(body)
    evidence = NitroTpmEvidence.parse(enclosed.evidence)
    document = evidence.document
    found = believed(document, enclosed, trust, at)
    quoted = "no quote came along"
    if evidence.attest is not None:
        _check_quote(document, evidence.attest, evidence)
        quoted = "quoted again by the key that the document names"
    registers = registers_of(document)
    return Facts(
        kind=Kind.NITRO_TPM,
        index=index,
        bound=document.user_data or document.nonce,
        identity=document.instance.encode(),
        workload=digest("workload", Kind.NITRO_TPM.label, [registers.get(name, b"") for name in COVERS]),
        status=found.status,
        root=found.vendor,
        registers=registers,
        not_before=first_moment(document),
        not_after=found.not_after,
        missed=(),
        trace=(
            f"aws-nitrotpm: document of {document.made:%Y-%m-%dT%H:%M:%SZ} by the hypervisor; {quoted}",
            f"aws-nitrotpm: {len(found.certificates)} certificates up to {found.vendor}, in force when it was made",
        ),
        claims=evidence.claims(),
        inputs=inputs_of(document, found),
        certificates=found.keys,
    )


def _check_quote(document: NitroDocument, attest: TpmAttest, evidence: NitroTpmEvidence) -> None:
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), document.public_key)
        r, s = (int.from_bytes(evidence.signature[at : at + 32], "big") for at in (0, 32))
        key.verify(utils.encode_dss_signature(r, s), attest.raw, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature) as error:
        expected = "a quote signed by the key in the document"
        raise fault(Reason.SIGNATURE, expected, "another signature, or no key") from error
    if attest.extra_data != document.nonce:
        raise fault(Reason.BINDING, document.nonce.hex(), attest.extra_data.hex(), "made at different times")
    numbers = [number for _, selected in attest.selections for number in selected]
    if [bank for bank, _ in attest.selections] != [_SHA384] or len(numbers) != len(evidence.pcrs):
        raise fault(Reason.PCR, "registers of the SHA-384 bank", "others, or more or fewer values")
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(b"".join(evidence.pcrs))
    if hasher.finalize() != attest.pcr_digest:
        raise fault(Reason.PCR, f"values with digest {attest.pcr_digest.hex()}", "other values")
    if any(document.pcrs.get(n) != value for n, value in zip(numbers, evidence.pcrs, strict=True)):
        raise fault(Reason.PCR, "the same registers in document and quote", "different ones")


def _document(raw: bytes) -> NitroDocument:
    document = NitroDocument.parse(raw)
    if document.pcr_field != PCR_FIELDS[1]:
        raise MalformedEvidence("the document of an enclave", where=_WHERE, hint="its kind is aws-nitro")
    return document


def vaportpm(raw: bytes) -> tuple[Kind, bytes] | None:
    """The JSON container of vaportpm with a Nitro document: its quote has a signature in DER."""
    if raw.lstrip()[:1] != b"{" or b'"nitro"' not in raw or b'"ak_pubkeys"' not in raw:
        return None
    try:
        # What is no table here is a TypeError below, so nothing is asked twice.
        container = parse_json(raw)
        attestation = container["attestation"]  # type: ignore[index]  # as said above
        quoted, document = attestation["tpm"]["ecc_p256"], bytes.fromhex(attestation["nitro"]["document"])
        attest, signature = (bytes.fromhex(quoted[name]) for name in ("attest_data", "signature"))
        values = {int(n): bytes.fromhex(v) for n, v in container["pcrs"]["sha384"].items()}  # type: ignore[index]  # as said
        halves = b"".join(n.to_bytes(32, "big") for n in utils.decode_dss_signature(signature))
        numbers = [n for _, selected in TpmAttest.parse(attest).selections for n in selected]
        pcrs = [values[number] for number in numbers]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedEvidence("a part is missing, or of another form", where=_CONTAINER) from error
    if len(pcrs) != len(values):
        raise MalformedEvidence("values of registers that were not quoted", where=_CONTAINER)
    evidence = cbor2.dumps([document, attest, halves, pcrs], canonical=True)
    return Kind.NITRO_TPM, Enclosed(evidence=evidence, pieces=()).encode()


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    return NitroTpmEvidence.parse(Enclosed.parse(body).evidence).claims()


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as a NitroTPM's document does."""
    heads = (b"\x84\x44\xa1\x01\x38\x22\xa0", b"\xd2\x84\x44\xa1\x01\x38\x22\xa0")
    return raw.startswith(heads) and b"module_id" in raw[:64] and b"nitrotpm_pcrs" in raw[:160]


TECHNOLOGY = Technology(
    kind=Kind.NITRO_TPM, recognise=recognise, show=show, verify=verify, covers=COVERS, inputs=INPUTS
)
