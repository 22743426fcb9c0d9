# SPDX-License-Identifier: Apache-2.0
"""Is an SPDM device's conversation authentic: signed for a challenger by a key that a vendor's root vouches for?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.errors import NotAuthentic
from enclave.evidence import certificates
from enclave.evidence.dice import TcbInfo
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.facts import Facts
from enclave.evidence.findings import Finding, Reason, fault
from enclave.evidence.kinds import Kind
from enclave.evidence.roots import SPDM_ROOTS
from enclave.evidence.spdm.chain import Chain
from enclave.evidence.spdm.device import identity, layer_faults, layers, leaf_faults
from enclave.evidence.spdm.measurements import CHANGED, INVASIVE_NOW, NORMAL, UNCHANGED, Block, Measurements
from enclave.evidence.spdm.showing import proven, recognise, show, version_name
from enclave.evidence.spdm.transcript import Run, Transcript
from enclave.evidence.technology import Technology
from enclave.evidence.trust import Trust

_MEASUREMENTS, _CHALLENGE = "responder-measurements signing", "responder-challenge_auth signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vouched:
    """The chain as sent, None where endorsements stand in for it, and the path that it makes."""

    chain: Chain | None = field(repr=False)
    path: certificates.Path = field(repr=False)

    @property
    def words(self) -> tuple[x509.Certificate, ...]:
        """The certificates that somebody signed: of the last one, only the key counts."""
        return self.path.certificates[:-1]

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the key that signs."""
        return self.path.certificates[0]


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the chain, every signature and what they cover, at a moment."""
    del node
    enclosed = Enclosed.parse(body)
    talk = Transcript.parse(enclosed.evidence)
    if not talk.runs:
        raise fault(
            Reason.SIGNATURE, "measurements that are signed", "none", "ask the device for a signature"
        )
    vouched = _vouched(talk, enclosed.endorsements, trust, at)
    findings = [
        *_version_faults(talk),
        *_slot_faults(talk, vouched),
        *leaf_faults(vouched.leaf),
        *_signature_faults(talk, vouched.leaf),
    ]
    if findings:
        raise NotAuthentic(findings)
    return _facts(talk, vouched, index)


def _facts(talk: Transcript, vouched: _Vouched, index: int) -> Facts:
    path, infos = vouched.path, layers(vouched.words)
    counted = [run for run in talk.runs if run.last.request_nonce == talk.runs[-1].last.request_nonce]
    exchanges = [exchange for run in counted for exchange in _vouched_by(run)]
    blocks = [block for exchange in exchanges for block in exchange.blocks]
    registers = {f"measurement.{block.index}": block.value for block in blocks}
    for layer, info in enumerate(infos):
        registers |= {f"dice.{layer}.fwid.{place}": value for place, (_, value) in enumerate(info.fwids)}
    claims = proven(talk.agreed, path.certificates, vouched.words, exchanges)
    claims["svn"] = _lowest_svn(infos, blocks)
    return Facts(
        kind=Kind.SPDM,
        index=index,
        bound=talk.runs[-1].last.request_nonce,
        identity=identity(vouched.words) if vouched.words else certificates.key_digest(vouched.leaf),
        workload=digest("workload", Kind.SPDM.label, [[name, registers[name]] for name in sorted(registers)]),
        status=path.status,
        root=path.vendor,
        registers=registers,
        not_before=path.not_before,
        not_after=path.not_after,
        missed=(*_missed(talk, counted, blocks), *layer_faults(infos)),
        trace=tuple(_trace(talk, vouched, counted, blocks)),
        claims=claims,
        inputs={"certificate": vouched.leaf.not_valid_before_utc},
        certificates=path.keys,
    )


def _lowest_svn(infos: Sequence[TcbInfo], blocks: Sequence[Block]) -> int:
    """The lowest security version of any layer; 0 for a device that states none, and so can be rolled back."""
    stated = (*(info.svn for info in infos), *(block.svn for block in blocks))
    return min((svn for svn in stated if svn is not None), default=0)


def _vouched(talk: Transcript, endorsed: Endorsements, trust: Trust, at: datetime) -> _Vouched:
    raw = talk.chains.get(talk.runs[-1].last.slot)
    chain = None if raw is None else Chain.parse(raw, talk.agreed)
    others = endorsed.certificates
    leaf = _only_leaf(others) if chain is None else chain.certificates[-1]
    pool = others if chain is None else (*chain.certificates[-2::-1], *others)
    if chain is not None and not chain.rooted(talk.agreed, others):
        hint = "where the device leaves the root out, add its certificate with --with"
        raise fault(Reason.CERTIFICATE, "the root whose hash the chain begins with", "another, or none", hint)
    path = certificates.path(leaf, pool, roots=SPDM_ROOTS, trust=trust, at=at, crls=endorsed.crls)
    sent = path.certificates if chain is None else chain.certificates[::-1]
    length = min(len(sent), len(path.certificates))
    if sent[:length] != path.certificates[:length]:
        raise fault(Reason.CERTIFICATE, "a chain in which each certificate issued the next", "another order")
    return _Vouched(chain=chain, path=path)


def _only_leaf(others: Sequence[x509.Certificate]) -> x509.Certificate:
    issuers = {certificate.issuer for certificate in others}
    leaves = [certificate for certificate in others if certificate.subject not in issuers]
    if len(leaves) != 1:
        hint = "the conversation has no chain of this slot, so it must come with --with"
        raise fault(Reason.CERTIFICATE, "the chain of the slot that signed", f"{len(leaves)} leaves", hint)
    return leaves[0]


def _version_faults(talk: Transcript) -> Iterator[Finding]:
    """SPDM 1.1 signs no negotiation, so nobody knows who chose it where the device speaks better."""
    if not talk.agreed.signed and talk.agreed.newest != talk.agreed.version:
        expected, hint = f"SPDM {version_name(talk.agreed.newest)}", "ask again with the newest version"
        yield Finding(reason=Reason.SIGNATURE, expected=expected, found="SPDM 1.1, unsigned", hint=hint)


def _slot_faults(talk: Transcript, vouched: _Vouched) -> Iterator[Finding]:
    """Everything signed must be of one slot, and all that is said of its chain must agree with the chain."""
    slot = talk.runs[-1].last.slot
    answers = [(run.last.asked_slot, run.last.slot) for run in talk.runs]
    answers += [(challenge.asked_slot, challenge.slot) for challenge in talk.challenges]
    if set(answers) != {(slot, slot)}:
        found = ", ".join(f"{asked} answered by {answered}" for asked, answered in sorted(set(answers)))
        yield Finding(reason=Reason.CERTIFICATE, expected=f"slot {slot} in all that is signed", found=found)
    if vouched.chain is None:
        return
    said = [digests.get(slot) for digests in talk.digests]
    said += [challenge.chain_hash for challenge in talk.challenges]
    if any(value != vouched.chain.digest for value in said):
        expected = f"the digest of slot {slot}'s chain"  # its value would name the device
        yield Finding(reason=Reason.CERTIFICATE, expected=expected, found="another, or none")


def _signature_faults(talk: Transcript, leaf: x509.Certificate) -> Iterator[Finding]:
    algorithms, version = talk.agreed.algorithms, talk.agreed.version
    if not algorithms.suit(leaf):
        yield Finding(
            reason=Reason.KEY, expected=f"a key for {algorithms.label}", found="another kind of key"
        )
        return
    signed = [(run.last.signature, run.transcript, _MEASUREMENTS) for run in talk.runs]
    signed += [(each.signature, each.transcript, _CHALLENGE) for each in talk.challenges]
    for number, (signature, transcript, context) in enumerate(signed):
        if not algorithms.verified(leaf, signature, transcript, version=version, context=context):
            what = f"signature {number + 1} of {len(signed)}, over {len(transcript)} bytes"
            yield Finding(reason=Reason.SIGNATURE, expected=f"{what}, by the leaf's key", found="another")


def _vouched_by(run: Run) -> tuple[Measurements, ...]:
    """What a signature vouches for now: its own response, and earlier ones if nothing changed since."""
    return run.exchanges if run.last.content_change == UNCHANGED else run.exchanges[-1:]


def _missed(talk: Transcript, counted: Sequence[Run], blocks: Sequence[Block]) -> Iterator[Finding]:
    agreed = talk.agreed
    if agreed.version != agreed.newest:
        hint = "ask again with the newest version"
        expected, found = version_name(agreed.newest), version_name(agreed.version)
        yield Finding(reason=Reason.TCB, expected=f"SPDM {expected}", found=f"SPDM {found}", hint=hint)
    if any(run.last.content_change == CHANGED for run in counted):
        expected = "measurements that stay the same while they are read"
        yield Finding(reason=Reason.REFERENCE, expected=expected, found="changed", hint="collect again")
    known: dict[int, Block] = {}
    for block in blocks:
        if known.setdefault(block.index, block).value != block.value:
            expected = f"one value of measurement {block.index}"
            yield Finding(reason=Reason.REFERENCE, expected=expected, found="two", hint="collect again")
        yield from _mode_faults(block)


def _mode_faults(block: Block) -> Iterator[Finding]:
    if block.modes is None:
        return
    operational, device = block.modes
    if device & INVASIVE_NOW:
        found = "invasive debug is active, or was since the last reset"
        yield Finding(reason=Reason.DEBUG, expected="no invasive debug", found=found, hint="reset the device")
    if operational != NORMAL:
        found = f"operational mode {operational:#x}"
        yield Finding(reason=Reason.DEBUG, expected="normal operation", found=found)


def _trace(
    talk: Transcript, vouched: _Vouched, counted: Sequence[Run], blocks: Sequence[Block]
) -> Iterator[str]:
    agreed, path = talk.agreed, vouched.path
    names = ", ".join(str(block.index) for block in blocks) or "none"
    yield f"spdm: version {version_name(agreed.version)}, {agreed.algorithms.label}, slot {talk.runs[-1].last.slot}"
    yield f"spdm: measurements {names} signed for the last nonce, by the leaf of {len(path.certificates)} certificates"
    yield f"spdm: path up to {path.vendor}"
    for name in (name for block in blocks for name in block.device_modes):
        yield f"spdm: the device says of itself: {name}"
    if not agreed.signed:
        yield "spdm: no signature covers the negotiation, as version 1.1 has it"
    if talk.challenges:
        yield "spdm: the same key answered a challenge too"
    if len(counted) < len(talk.runs):
        yield f"spdm: {len(talk.runs) - len(counted)} signed measurements for other nonces, which do not count"
    if vouched.chain is None:
        yield "spdm: the chain came with the evidence and not from the device"


TECHNOLOGY = Technology(
    kind=Kind.SPDM, recognise=recognise, show=show, verify=verify, inputs=("certificate",), floors=("svn",)
)
