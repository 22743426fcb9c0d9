# SPDX-License-Identifier: Apache-2.0
"""Is a Nitro enclave's document authentic: signed by a certificate that the hypervisor issued at its own time?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import Path, check_time, fault, load, path
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.nitro.document import PCR_FIELDS, NitroDocument
from enclave.evidence.roots import NITRO_ROOTS
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

COVERS = ("pcr0", "pcr1", "pcr2")
INPUTS = ("certificate", "document")
AHEAD = timedelta(hours=1)  # how long after the block that it answers a document may have been made
_UNTAGGED, _TAGGED = b"\x84\x44\xa1\x01\x38\x22\xa0", b"\xd2\x84\x44\xa1\x01\x38\x22\xa0"


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the chain at the document's own time, its signature, and that the moment lies in its certificate's hours."""
    del node
    enclosed = Enclosed.parse(body)
    document = NitroDocument.parse(enclosed.evidence)
    if document.pcr_field != PCR_FIELDS[0]:
        raise MalformedEvidence(
            "the document of a NitroTPM", where="nitro enclave", hint="its kind is another"
        )
    found = believed(document, enclosed, trust, at)
    registers = registers_of(document)
    return Facts(
        kind=Kind.NITRO,
        index=index,
        bound=document.user_data or document.nonce,
        identity=document.instance.encode(),
        workload=digest("workload", Kind.NITRO.label, [registers.get(name, b"") for name in COVERS]),
        status=found.status,
        root=found.vendor,
        registers=registers,
        not_before=first_moment(document),
        not_after=found.not_after,
        missed=tuple(_missed(document)),
        trace=(
            f"aws-nitro: document of {document.made:%Y-%m-%dT%H:%M:%SZ}, signed by the hypervisor's key for this enclave",
            f"aws-nitro: {len(found.certificates)} certificates up to {found.vendor}, in force when it was made",
        ),
        claims=document.claims(),
        inputs=inputs_of(document, found),
        certificates=found.keys,
        clock="protected",
    )


def believed(document: NitroDocument, enclosed: Enclosed, trust: Trust, at: datetime) -> Path:
    """The path of a document's certificate, once chain, signature and times hold; raises `NotAuthentic`."""
    leaf = load(document.certificate)
    if not document.signed.signed_by(leaf.public_key()):
        raise fault(Reason.SIGNATURE, "ES384 by the certificate in the document", "another signature")
    beside = enclosed.endorsements
    pool = [*map(load, document.cabundle), *beside.certificates]
    found = path(leaf, pool, roots=NITRO_ROOTS, trust=trust, at=document.made, crls=beside.crls)
    if document.made - at > AHEAD:
        expected = f"a document made at most an hour after {at:%Y-%m-%dT%H:%M:%SZ}"
        raise fault(Reason.FUTURE, expected, f"{document.made:%Y-%m-%dT%H:%M:%SZ}")
    if at > document.made:
        for certificate in found.certificates:
            check_time(certificate, at)
    return found


def first_moment(document: NitroDocument) -> datetime:
    """From when on the document counts: it answers a block that is a little older than itself."""
    return document.made - AHEAD


def inputs_of(document: NitroDocument, found: Path) -> dict[str, datetime]:
    """When what a document rests on was made."""
    return {"certificate": found.certificates[0].not_valid_before_utc, "document": document.made}


def registers_of(document: NitroDocument) -> dict[str, bytes]:
    """Its platform configuration registers by name."""
    return {f"pcr{number}": value for number, value in sorted(document.pcrs.items())}


def _missed(document: NitroDocument) -> Iterator[Finding]:
    if document.debug:
        yield Finding(
            reason=Reason.DEBUG,
            expected="an enclave that nobody can look into",
            found="PCR0 to PCR2 are zero: debug mode",
            hint="start the enclave without --debug-mode",
        )


def show(body: bytes) -> Claims:
    """What the document says, believed by nobody."""
    return NitroDocument.parse(Enclosed.parse(body).evidence).claims()


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as an enclave's document does."""
    return (
        raw.startswith((_UNTAGGED, _TAGGED))
        and b"module_id" in raw[:64]
        and b"nitrotpm_pcrs" not in raw[:160]
    )


TECHNOLOGY = Technology(
    kind=Kind.NITRO, recognise=recognise, show=show, verify=verify, covers=COVERS, inputs=INPUTS
)
