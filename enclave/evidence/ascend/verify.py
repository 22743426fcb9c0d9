# SPDX-License-Identifier: Apache-2.0
"""Is the firmware of an Ascend NPU what its host's kernel measured and its TPM quoted? Level `measured`, never more.

The NPU has no root of trust and says nothing itself: a host that was taken over after the measurement, or a device
that runs something else than the host loaded into it, goes unseen (ascend/SPEC.md, section 4).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from contracts.digests import digest
from contracts.ids import NodeId
from enclave.evidence.ascend.evidence import DIRECTORY, PREFIX, AscendEvidence, body_in, firmware, wrapped
from enclave.evidence.facts import Claim, Claims, Facts
from enclave.evidence.findings import Finding, Reason
from enclave.evidence.kinds import Kind
from enclave.evidence.technology import Technology, as_it_is
from enclave.evidence.tpm import verify as tpm
from enclave.evidence.tpm.explained import IMA_PCR, Explained, explain
from enclave.evidence.tpm.ima import ImaEntry
from enclave.evidence.trust import Trust

_STRONG = frozenset({"sha256", "sha384", "sha512"})


def verify(body: bytes, index: int, *, node: NodeId | None, trust: Trust, at: datetime) -> Facts:
    """Check the host's TPM, then take from its quote and the measurement list which firmware was loaded."""
    evidence = AscendEvidence.parse(body)
    host = tpm.verify(evidence.body, index, node=node, trust=trust, at=at)
    explained = explain(evidence.tpm)
    files = firmware(explained.files)
    told = {path: digests[0] for path, digests in files.items() if len(digests) == 1}
    return replace(
        host,
        kind=Kind.ASCEND,
        identity=digest("ascend-host", host.identity),  # the host's TPM may be a device of the same bundle
        workload=digest("workload", Kind.ASCEND.label, [[path, told[path]] for path in sorted(told)]),
        registers={f"firmware.{path}": value for path, value in told.items()},
        missed=(*host.missed, *_missed(evidence, explained, files)),
        trace=(*host.trace, *_trace(files)),
        claims={"firmware": _claim(files), "host_tpm": dict(host.claims)},
        clock="host",
    )


def _missed(
    evidence: AscendEvidence, explained: Explained, files: Mapping[str, tuple[bytes, ...]]
) -> Iterator[Finding]:
    if not evidence.tpm.ima_log:
        hint = "the kernel's binary_runtime_measurements has to come with the quote"
        yield Finding(reason=Reason.LOG, expected="the host's IMA list", found="none", hint=hint)
    if not files:
        hint = f"load an IMA policy that measures what the driver loads from its {DIRECTORY}"
        yield Finding(reason=Reason.REFERENCE, expected="measured firmware", found="none", hint=hint)
    for path, digests in files.items():
        if len(digests) > 1:
            found = f"{len(digests)} digests of {path[:200]!r}"
            yield Finding(
                reason=Reason.LOG, expected="one digest of each file", found=found, hint="load it once a boot"
            )
    yield from map(_flaw, filter(_flawed, explained.files))


def _flawed(entry: ImaEntry) -> bool:
    return entry.violation or (DIRECTORY in entry.path and entry.algorithm.split(":")[-1] not in _STRONG)


def _flaw(entry: ImaEntry) -> Finding:
    if entry.violation:
        hint = "a file was open for writing while it was measured; nobody knows what was loaded"
        return Finding(
            reason=Reason.LOG, expected="no violation", found=f"one of {entry.path[:200]!r}", hint=hint
        )
    hint = "ima_hash=sha256 on the kernel's command line"
    return Finding(
        reason=Reason.REFERENCE, expected="SHA-256 or larger", found=entry.algorithm[:40], hint=hint
    )


def _trace(files: Mapping[str, tuple[bytes, ...]]) -> Iterator[str]:
    yield f"ascend: the host's kernel measured {len(files)} firmware files and extended them into PCR {IMA_PCR}"
    yield "ascend: the device has no root of trust and signed nothing; whoever is root on the host is believed"


def _claim(files: Mapping[str, tuple[bytes, ...]]) -> dict[str, Claim]:
    return {path: digests[0] if len(digests) == 1 else list(digests) for path, digests in files.items()}


def show(body: bytes) -> Claims:
    """What the evidence says, believed by nobody."""
    evidence = AscendEvidence.parse(body)
    explained = explain(evidence.tpm, believe=True)
    host = evidence.tpm.claims() | explained.claims
    return {"firmware": _claim(firmware(explained.files)), "host_tpm": dict(host)}


def recognise(raw: bytes) -> bool:
    """Whether these bytes begin as our own form does, there being none of the vendor's."""
    return raw.startswith(PREFIX)


def endorse(body: bytes, pieces: Sequence[bytes]) -> bytes:
    """The body with further files beside its TPM's evidence."""
    return wrapped(tpm.endorse(body_in(body), pieces))


TECHNOLOGY = Technology(
    kind=Kind.ASCEND,
    recognise=recognise,
    show=show,
    verify=verify,
    wrap=as_it_is,
    endorse=endorse,
    inputs=("certificate",),
)
