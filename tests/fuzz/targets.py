# SPDX-License-Identifier: Apache-2.0
"""What is fuzzed: every function that reads bytes somebody else made.

A target takes any bytes and returns, or raises an error of ours; anything else is a finding. Targets named
`verify` also hold that evidence is not malleable: bytes that differ from a good sample's are refused, or mean
exactly the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from contracts.errors import ExequaturError
from contracts.records import Level
from enclave.evidence.bundle import Bundle
from enclave.evidence.detect import detect
from enclave.evidence.drafting import profile_text
from enclave.evidence.ear import Appraised, ear
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.examine import Examination, Expected, examine_file, trusting
from enclave.evidence.facts import Claims, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.policy import Policy, rules_from
from enclave.evidence.showing import shown
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.token import from_cwt, from_jwt, to_cwt, to_jwt
from enclave.evidence.trust import Trust
from tests.fakes.evidence import Case, policy_text
from tests.fakes.recorded import Recorded, recorded
from tests.fuzz import structure

_NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
_AT = datetime(2026, 6, 1, tzinfo=UTC)
_REPRESENTATIVE = {
    "azure-vtpm/tdx-2026-with-ak-chain",
    "nvidia/nvswitch-ls10-with-rim",
    "sev-snp/milan-v2-vcek",
    "sgx/v3-pck-platform-2025",
    "tdx/v4-cos113-with-ccel",
    "tpm/keylime-rsa",
}


class Malleable(Exception):
    """Changed evidence was accepted, and says something else."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One parser with the inputs to start from."""

    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes] = field(repr=False)


def targets(shared: Path | None) -> Mapping[str, Target]:
    """Every target by name; those that need recorded evidence only where it is."""
    samples = [] if shared is None else list(recorded(shared))
    found = [*_parsers(samples), *_structured(), *map(_verifier, samples), *_beside(samples)]
    return {target.name: target for target in found}


def _parsers(samples: Sequence[Recorded]) -> Iterator[Target]:
    whole = [sample.evidence.read_bytes() for sample in samples]
    pieces = [piece.read_bytes() for sample in samples for piece in sample.pieces]
    yield Target(name="detect", run=_tolerant(detect), seeds=whole)
    yield Target(name="show", run=_tolerant(shown), seeds=[*whole, *pieces])
    yield Target(name="bundle", run=_tolerant(Bundle.decode), seeds=[Case.software().bundle().encode()])
    yield Target(name="endorsements", run=_tolerant(lambda raw: Endorsements.sort([raw])), seeds=pieces)
    policy = policy_text()
    yield Target(
        name="policy-json", run=_tolerant(Policy.from_json), seeds=[Policy.from_toml(policy).canonical()]
    )
    fragments = [policy, *map(profile_text, TECHNOLOGIES)]
    yield Target(name="rules-toml", run=_tolerant(rules_from), seeds=[text.encode() for text in fragments])
    key = ec.derive_private_key(1, ec.SECP256R1())
    results = ear([_appraised()], at=_AT, build="fuzz")
    jwt, public = to_jwt(results, key).encode("ascii"), key.public_key()
    yield Target(
        name="ear-jwt", run=_tolerant(lambda raw: from_jwt(raw.decode("latin-1"), public)), seeds=[jwt]
    )
    yield Target(
        name="ear-cwt", run=_tolerant(lambda raw: from_cwt(raw, public)), seeds=[to_cwt(results, key)]
    )
    for kind in TECHNOLOGIES:
        raw = [sample.evidence.read_bytes() for sample in samples]
        bodies = [body for one in raw if (body := _body(one, kind)) is not None]
        yield Target(name=kind.label, run=_tolerant(_body_reader(kind)), seeds=bodies)


def _structured() -> Iterator[Target]:
    for kind, run in structure.readers():
        seeds = [bytes([7, 3, n, 5, n]) for n in range(16)]
        yield Target(name=f"structure:{kind.label}", run=run, seeds=seeds)


def _verifier(sample: Recorded) -> Target:
    pieces, roots = ([path.read_bytes() for path in paths] for paths in (sample.pieces, sample.trusted))
    trust, good = trusting(roots), sample.evidence.read_bytes()

    def judge(raw: bytes) -> Examination:
        return examine_file(raw, [*pieces, *roots], trust=trust, at=sample.moment, expected=Expected())

    truth = cache(lambda: judge(good))

    def run(raw: bytes) -> None:
        with suppress(ExequaturError):
            found = judge(raw)
            if found.authentic and (found.claims, found.reasons) != (truth().claims, truth().reasons):
                raise Malleable(sample.name)

    return Target(name=f"verify:{sample.name}", run=run, seeds=[good])


def _beside(samples: Sequence[Recorded]) -> Iterator[Target]:
    """Good evidence with one of its endorsements changed: refused, or what it meant with it or without it."""
    for sample in samples:
        for piece in sample.pieces if sample.name in _REPRESENTATIVE else ():
            yield _beside_one(sample, piece)


def _beside_one(sample: Recorded, piece: Path) -> Target:
    others = [path.read_bytes() for path in (*sample.pieces, *sample.trusted) if path != piece]
    trust = trusting([path.read_bytes() for path in sample.trusted])
    evidence, good = sample.evidence.read_bytes(), piece.read_bytes()

    def judge(*more: bytes) -> Examination:
        return examine_file(evidence, [*others, *more], trust=trust, at=sample.moment, expected=Expected())

    @cache
    def meant() -> list[Claims]:
        known = [judge(good).claims]
        with suppress(ExequaturError):  # a piece that evidence cannot do without
            known.append(judge().claims)
        return known

    def run(raw: bytes) -> None:
        with suppress(ExequaturError):
            found = judge(raw)
            if found.accepted and found.claims not in meant():
                raise Malleable(f"{sample.name} with {piece.name}")

    return Target(name=f"beside:{sample.name}/{piece.name}", run=run, seeds=[good])


def _appraised() -> Appraised:
    return Appraised(label="software.0", authentic=True, level=Level.NONE, status=RootStatus.NONE, reasons=())


def _body(raw: bytes, kind: Kind) -> bytes | None:
    with suppress(ExequaturError):
        found = detect(raw)
        return found.body if found.kind is kind else None
    return None


def _body_reader(kind: Kind) -> Callable[[bytes], object]:
    def read(raw: bytes) -> None:
        technology = TECHNOLOGIES[kind]
        technology.recognise(raw)
        for body in (raw, technology.wrap(raw)):
            with suppress(ExequaturError):
                technology.show(body)
            with suppress(ExequaturError):
                technology.verify(body, 0, node=None, trust=_NOBODY, at=_AT)

    return read


def _tolerant(read: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def run(raw: bytes) -> None:
        with suppress(ExequaturError):
            read(raw)

    return run
