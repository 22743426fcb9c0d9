# SPDX-License-Identifier: Apache-2.0
"""Is a TPM's quote authentic: signed by a restricted key of a TPM whose endorsement somebody checked?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.ids import NodeId
from enclave.errors import NotAuthentic
from enclave.evidence.certificates import LONGEST_PATH, check_time, fault, key_digest, load, path, spki
from enclave.evidence.facts import Claims, Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.roots import ATTESTATION_KEY_ROOTS, ENDORSEMENT_KEY_ROOTS
from enclave.evidence.technology import Technology, as_it_is, without_pieces
from enclave.evidence.tpm.certificate import enrolment_of
from enclave.evidence.tpm.ima import ImaLog
from enclave.evidence.tpm.log import EventLog
from enclave.evidence.tpm.quote import GUEST_PCR, TpmQuote, workload_of
from enclave.evidence.tpm.structures import SHA256, Attributes, TpmPublic
from enclave.evidence.trust import Trust

REQUIRED = (
    Attributes.FIXED_TPM
    | Attributes.FIXED_PARENT
    | Attributes.SENSITIVE_DATA_ORIGIN
    | Attributes.RESTRICTED
    | Attributes.SIGN
)
_QUOTED = frozenset(range(15))
_RESETTABLE = frozenset({16, 23})
_IMA_PCR = 10
_EXTENDED_LATER = {_IMA_PCR, GUEST_PCR}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vouched:
    identity: bytes = field(repr=False)
    keys: tuple[bytes, ...]
    status: RootStatus
    vendor: str
    how: str


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check signature, key attributes, PCR values and the certificate of the key, at a moment."""
    del node
    quote = TpmQuote.parse(body)
    findings = [*key_faults(quote.public), *_quote_faults(quote)]
    try:
        vouched = _vouched(quote, trust, at)
    except NotAuthentic as error:
        raise NotAuthentic([*findings, *error.findings]) from error
    if findings:
        raise NotAuthentic(findings)
    leaf = load(quote.chain[0])
    registers = quote.registers()
    return Facts(
        kind=Kind.TPM,
        index=index,
        bound=quote.attest.extra_data,
        identity=vouched.identity,
        workload=workload_of(registers),
        status=vouched.status,
        root=vouched.vendor,
        registers={f"pcr{number}": value for number, value in registers.items()},
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        missed=tuple(_missed(quote)),
        trace=(f"tpm: quote by a restricted key, {vouched.how}, up to {vouched.vendor}",),
        claims=quote.claims(),
        inputs={"certificate": leaf.not_valid_before_utc},
        certificates=vouched.keys,
    )


def key_faults(public: TpmPublic) -> Iterator[Finding]:
    """What keeps a key's signatures from being worth anything: restricted keys sign only what the TPM says."""
    missing, decrypt = REQUIRED & ~public.attributes, public.attributes & Attributes.DECRYPT
    if missing or decrypt:
        found = ", ".join([f"no {bit.name}" for bit in missing] + ["DECRYPT"] * bool(decrypt))
        yield Finding(
            reason=Reason.KEY,
            expected="a restricted signing key made in this TPM",
            found=found.lower(),
            hint="create the attestation key with the attributes of SPEC.md, section 7.2",
        )


def _quote_faults(quote: TpmQuote) -> Iterator[Finding]:
    if not quote.public.signed(quote.attest.raw, quote.signature):
        yield Finding(
            reason=Reason.SIGNATURE, expected="the quote signed by its key", found="another signature"
        )
    if not quote.covers_pcrs():
        expected = f"PCR values with digest {quote.attest.pcr_digest.hex()}"
        yield Finding(reason=Reason.PCR, expected=expected, found="other values")


def _vouched(quote: TpmQuote, trust: Trust, at: datetime) -> _Vouched:
    if not quote.chain:
        raise fault(Reason.CERTIFICATE, "a certificate of the attestation key", "none", "enrol the key")
    if len(quote.chain) > LONGEST_PATH:
        found = f"{len(quote.chain)} certificates"
        raise fault(Reason.CERTIFICATE, f"a chain of at most {LONGEST_PATH}", found)
    leaf = load(quote.chain[0])
    key = quote.public.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if spki(leaf) != key:
        raise fault(Reason.CERTIFICATE, "a certificate of the key that signed", "one of another key")
    if (enrolment := enrolment_of(leaf, trust.enrollers)) is not None:
        check_time(leaf, at)
        if len(quote.chain) != 1 or enrolment.name != quote.public.name:
            raise fault(Reason.CERTIFICATE, "the Name that was enrolled", "another, or more certificates")
        vendor = ENDORSEMENT_KEY_ROOTS.get(enrolment.root.hex())
        return _Vouched(
            identity=enrolment.endorsement,
            status=RootStatus.TEST_ROOT if vendor is None else RootStatus.VENDOR,
            vendor=vendor or f"unknown root {enrolment.root.hex()}",
            how="enrolled against its endorsement key",
            keys=(key_digest(leaf), enrolment.endorsement, enrolment.root),
        )
    found = path(
        leaf, [load(der) for der in quote.chain[1:]], roots=ATTESTATION_KEY_ROOTS, trust=trust, at=at
    )
    return _Vouched(
        identity=key_digest(leaf),
        status=found.status,
        vendor=found.vendor,
        how="certified by the TPM's vendor",
        keys=found.keys,
    )


def _missed(quote: TpmQuote) -> Iterator[Finding]:
    banks = [bank for bank, _ in quote.attest.selections]
    selected = frozenset(number for _, numbers in quote.attest.selections for number in numbers)
    if banks != [SHA256] or not selected.issuperset(_QUOTED) or selected & _RESETTABLE:
        found = ", ".join(f"bank {bank:#x}: {numbers}" for bank, numbers in quote.attest.selections)
        expected = "PCRs 0 to 14 of the SHA-256 bank, neither 16 nor 23"
        yield Finding(reason=Reason.PCR, expected=expected, found=found or "none")
        return
    registers = quote.registers()
    replayed = EventLog.parse(quote.event_log).replay() if quote.event_log else {}
    for number, value in replayed.items():
        if number not in _EXTENDED_LATER and registers.get(number, value) != value:
            expected = f"PCR {number} {registers[number].hex()}"
            yield Finding(reason=Reason.LOG, expected=expected, found=f"event log gives {value.hex()}")
    if quote.ima_log:
        start = replayed.get(_IMA_PCR, bytes(32))
        if ImaLog.parse(quote.ima_log).matching(registers[_IMA_PCR], start=start) is None:
            expected = f"PCR {_IMA_PCR} {registers[_IMA_PCR].hex()}"
            yield Finding(reason=Reason.LOG, expected=expected, found="no prefix of the IMA log gives it")


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    return TpmQuote.parse(body).claims()


def recognise(body: bytes) -> bool:
    """Whether these bytes begin as the evidence of a TPM does: seven parts, the first a TPMS_ATTEST."""
    return body[:1] == b"\x87" and b"\xffTCG\x80\x18" in body[1:10]


TECHNOLOGY = Technology(
    kind=Kind.TPM, recognise=recognise, show=show, verify=verify, wrap=as_it_is, endorse=without_pieces
)
