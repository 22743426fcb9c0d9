# SPDX-License-Identifier: Apache-2.0
"""Are a TPM's quotes authentic: signed by a restricted key of a TPM whose endorsement somebody checked?"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from contracts.ids import NodeId
from enclave.errors import NotAuthentic
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Claims, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology, as_it_is
from enclave.evidence.tpm.evidence import MAGIC, TpmEvidence
from enclave.evidence.tpm.explained import explain
from enclave.evidence.tpm.quote import NO_WORKLOAD, workload_of
from enclave.evidence.tpm.structures import HASH_NAMES, SHA256, Attributes, TpmAttest, TpmPublic, signed_by
from enclave.evidence.tpm.vouched import vouched_for
from enclave.evidence.trust import Trust

REQUIRED = (
    Attributes.FIXED_TPM
    | Attributes.FIXED_PARENT
    | Attributes.SENSITIVE_DATA_ORIGIN
    | Attributes.RESTRICTED
    | Attributes.SIGN
)
_RESETTABLE = frozenset({16, 23})
_SHA1 = 0x0004
_FORMS = {b"\x82": 0x40, b"\x85": 0x80, b"\x87": 0x40}
_UNCOVERED = "tpm: without PCRs 0 to 14 of the SHA-256 bank: it vouches for no workload, and no policy for a guest takes it"


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check signatures, key attributes, PCR values and who vouches for the key, at a moment."""
    del node
    evidence = TpmEvidence.parse(body)
    findings = [*_key_findings(evidence), *_quote_faults(evidence)]
    try:
        vouched = vouched_for(evidence, trust, at)
    except NotAuthentic as error:
        raise NotAuthentic([*findings, *error.findings]) from error
    if findings:
        raise NotAuthentic(findings)
    named = vouched.named or _names_itself(evidence)
    explained = explain(evidence)
    workload = workload_of(evidence.registers())
    return Facts(
        kind=Kind.TPM,
        index=index,
        bound=evidence.nonce,
        identity=vouched.identity,
        workload=workload,
        status=vouched.status,
        root=vouched.vendor,
        registers=registers(evidence),
        not_before=vouched.not_before,
        not_after=vouched.not_after,
        missed=(*_weak(evidence), *explained.missed),
        trace=(
            *_trace(evidence, named=named),
            *vouched.trace,
            *explained.trace,
            *[_UNCOVERED] * (workload == NO_WORKLOAD),
        ),
        claims=evidence.claims(named=vouched.named) | explained.claims,
        inputs=vouched.inputs,
        certificates=vouched.keys,
    )


def registers(evidence: TpmEvidence) -> dict[str, bytes]:
    """The quoted registers that rules may name: `pcr7` of SHA-256, `sha384.pcr7` of larger banks.

    Not 16 and 23, to which whoever runs on the machine can give any value, and nothing of SHA-1.
    """
    prefixes = {bank: f"{name}." for bank, name in HASH_NAMES.items() if bank != _SHA1} | {SHA256: ""}
    return {
        f"{prefixes[bank]}pcr{number}": value
        for bank in evidence.banks
        if bank in prefixes
        for number, value in evidence.registers(bank).items()
        if number not in _RESETTABLE
    }


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


def _key_findings(evidence: TpmEvidence) -> Iterator[Finding]:
    if evidence.public is not None:
        yield from key_faults(evidence.public)
    named = [] if evidence.public is None else [evidence.public.name]
    if any(name not in named for name in evidence.names):
        yield Finding(reason=Reason.KEY, expected="the key that was named", found="another")


def _quote_faults(evidence: TpmEvidence) -> Iterator[Finding]:
    for quote in evidence.quotes:
        if not signed_by(evidence.key, quote.attest.raw, quote.signature):
            yield Finding(
                reason=Reason.SIGNATURE, expected="the quote signed by its key", found="another signature"
            )
        if not quote.covers_pcrs():
            expected = f"PCR values with digest {quote.attest.pcr_digest.hex()}"
            yield Finding(reason=Reason.PCR, expected=expected, found="other values")
    boots = {
        (quote.attest.extra_data, quote.attest.reset_count, quote.attest.restart_count)
        for quote in evidence.quotes
    }
    if len(boots) > 1:
        found = f"{len(boots)} of them"
        yield Finding(reason=Reason.BINDING, expected="quotes of one boot for one challenge", found=found)


def _weak(evidence: TpmEvidence) -> Iterator[Finding]:
    """SHA-1 registers can be made to collide; a quote of them alone says nothing that anybody should accept."""
    strong = [bank for bank in evidence.banks if bank in HASH_NAMES and bank != _SHA1]
    if not any(evidence.registers(bank) for bank in strong):
        found = ", ".join(HASH_NAMES.get(bank, hex(bank)) for bank in evidence.banks) or "no PCR"
        hint = "quote the SHA-256 bank: tpm2_quote -l sha256:..."
        yield Finding(
            reason=Reason.PCR, expected="PCRs of a bank of SHA-256 or larger", found=found, hint=hint
        )


def _names_itself(evidence: TpmEvidence) -> bool:
    """Whether what was signed names the key with its attributes, as quotes by a primary key do."""
    public = evidence.public
    return public is not None and all(
        public.primary_named(q.attest.qualified_signer) for q in evidence.quotes
    )


def _trace(evidence: TpmEvidence, *, named: bool) -> Iterator[str]:
    for quote in evidence.quotes:
        of = "; ".join(
            f"{HASH_NAMES.get(bank, hex(bank))}: {_ranges(n)}" for bank, n in quote.attest.selections
        )
        yield f"tpm: the key signed PCRs of {of or 'no bank'}, and the values are those"
    if named:
        yield "tpm: the key is restricted, so that it signs only what the TPM itself says"
    else:
        yield "tpm: nothing signed says that the key is restricted; whoever vouches for it has to know"


def _ranges(numbers: Sequence[int]) -> str:
    whole = bool(numbers) and list(numbers) == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 1
    return f"{numbers[0]} to {numbers[-1]}" if whole else ", ".join(map(str, numbers)) or "none"


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody; of a bare quote, what it says without its signature and values."""
    if body.startswith(MAGIC):
        return {"attest": TpmAttest.parse(body).claims()}
    evidence = TpmEvidence.parse(body)
    return evidence.claims() | explain(evidence, believe=True).claims


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as the evidence of a TPM does: with a TPMS_ATTEST, bare or as the first part of a body."""
    within = _FORMS.get(raw[:1])  # an array, whose first part is bytes or a list of quotes
    if within is None or len(raw) < 20:
        return raw.startswith(MAGIC)
    return raw[1] & 0xE0 == within and MAGIC in raw[2:20]


def endorse(body: bytes, pieces: Sequence[bytes]) -> bytes:
    """The body with further certificates, logs or files of tpm2-tools beside it."""
    enclosed = Enclosed.parse(body) if body[:1] == b"\x82" else Enclosed(evidence=body, pieces=())
    return enclosed.and_also(pieces).encode()


TECHNOLOGY = Technology(
    kind=Kind.TPM,
    recognise=recognise,
    show=show,
    verify=verify,
    wrap=as_it_is,
    endorse=endorse,
    covers=tuple(f"pcr{number}" for number in range(8, 15)),
    inputs=("certificate",),
)
