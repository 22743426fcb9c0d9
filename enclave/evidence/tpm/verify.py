# SPDX-License-Identifier: Apache-2.0
"""Is a TPM's quote authentic: signed by a restricted key of a TPM whose endorsement somebody checked?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enclave.errors import NotAuthentic
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Trust
from enclave.evidence.roots import ATTESTATION_KEY_ROOTS, ENDORSEMENT_KEY_ROOTS, key_digest, status_of
from enclave.evidence.tpm.certificate import check_chain, check_time, enrolment_of, fault, load, spki
from enclave.evidence.tpm.ima import ImaLog
from enclave.evidence.tpm.log import EventLog
from enclave.evidence.tpm.quote import GUEST_PCR, TpmQuote, workload_of
from enclave.evidence.tpm.structures import SHA256, Attributes, TpmPublic

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
    root: bytes
    status: RootStatus
    vendor: str
    how: str


def verify(quote: TpmQuote, index: int, *, trust: Trust, at: datetime) -> Facts:
    """Check signature, key attributes, PCR values and the certificate of the key, at a moment."""
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
    leaf = load(quote.chain[0])
    key = quote.public.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if spki(leaf) != key:
        raise fault(Reason.CERTIFICATE, "a certificate of the key that signed", "one of another key")
    if (enrolment := enrolment_of(leaf, trust.enrollers)) is not None:
        check_time(leaf, at)
        if len(quote.chain) != 1 or enrolment.name != quote.public.name:
            raise fault(Reason.CERTIFICATE, "the Name that was enrolled", "another, or more certificates")
        status, vendor = status_of(enrolment.root, ENDORSEMENT_KEY_ROOTS)
        root, identity, how = enrolment.root, enrolment.endorsement, "enrolled against its endorsement key"
    else:
        root, identity = check_chain([load(der) for der in quote.chain], at), key_digest(leaf)
        status, vendor = status_of(root, ATTESTATION_KEY_ROOTS)
        how = "certified by the TPM's vendor"
        if status is not RootStatus.VENDOR and root not in trust.extra_roots:
            hint = "name the enroller in the policy, or enrol at one that it names"
            raise fault(Reason.ROOT, "an enroller of the policy, or a vendor", vendor, hint)
    return _Vouched(identity=identity, root=root, status=status, vendor=vendor, how=how)


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
