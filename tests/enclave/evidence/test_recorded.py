# SPDX-License-Identifier: Apache-2.0
"""Quotes that other people's TPMs made: every claim, verdict and negative that their `expected.json` states."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.certificates import key_digest, load_all, spki_digest
from enclave.evidence.detect import Detected, detect
from enclave.evidence.endorsements import Endorsements
from enclave.evidence.examine import Examination, Expected, examine
from enclave.evidence.facts import Claim, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.roots import ATTESTATION_KEY_ROOTS, ENDORSEMENT_KEY_ROOTS
from enclave.evidence.technologies import TECHNOLOGIES
from enclave.evidence.tpm.events import applications, command_lines, lines, secure_boot, variables
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.log import EventLog
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.trust import Trust

GCP = ("gcp-sev-vtpm-ak-chain", "gcp-tdx-vtpm-ak-chain")
SAMPLES = (*GCP, "gcp-cos85-three-banks", "keylime-rsa")
NOBODY = Trust(enrollers=frozenset(), extra_roots=frozenset())
PIECES = ("quotesig.out", "ak.pub", "quotepcr.out", "ak.name", "akpub.pem")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A recorded quote with the files beside it, and what is expected of it."""

    name: str
    raw: bytes
    pieces: tuple[bytes, ...]
    expected: dict[str, object]
    trust: Trust

    @classmethod
    def read(cls, name: str, shared: Path) -> "Sample":
        folder = shared / "tpm" / name
        evidence = {"gcp-cos85-three-banks": "attestation.pb", "keylime-rsa": "quote.out"}.get(
            name, "fixture.json"
        )
        pieces = tuple((folder / piece).read_bytes() for piece in PIECES if (folder / piece).exists())
        raw = (folder / evidence).read_bytes()
        expectation = json.loads((folder / "expected.json").read_text("utf-8"))
        sample = cls(name=name, raw=raw, pieces=pieces, expected=expectation, trust=NOBODY)
        if name in GCP:
            return sample
        key = TpmEvidence.parse(detect(raw, pieces).body).key
        return replace(sample, trust=Trust(enrollers=frozenset(), extra_roots=frozenset({spki_digest(key)})))

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(str(self.expected["verification_time"]))

    @property
    def detected(self) -> Detected:
        return detect(self.raw, self.pieces)

    def but(self, change: Callable[[str], str]) -> "Sample":
        """The same with the text of its JSON changed."""
        return replace(self, raw=change(self.raw.decode()).encode())

    def examined(
        self, *, at: datetime | None = None, nonce: str = "", trust: Trust | None = None
    ) -> Examination:
        expected = Expected(nonce=bytes.fromhex(nonce)) if nonce else Expected()
        return examine(self.detected, trust=trust or self.trust, at=at or self.at, expected=expected)


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest, shared_evidence: Path) -> Sample:
    return Sample.read(request.param, shared_evidence)


def same(claim: Claim, expected: object) -> bool:
    """Whether a claim is what `expected.json` writes in its way: bytes in hex."""
    if isinstance(claim, bytes):
        return claim.hex() == expected
    if isinstance(claim, dict):
        return (
            isinstance(expected, dict)
            and claim.keys() == expected.keys()
            and all(same(claim[key], value) for key, value in expected.items())
        )
    return claim == expected


def spki_of(public: TpmPublic) -> bytes:
    return public.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_every_sample_is_accepted_with_the_claims_that_are_expected(sample: Sample) -> None:
    result = sample.examined(nonce=str(sample.expected["claims"].get("nonce", "")))  # type: ignore[attr-defined]
    assert result.accepted is (sample.expected["verdict"] == {"result": "accept"})
    expected = dict(sample.expected["claims"])  # type: ignore[call-overload]
    claims = dict(result.claims)
    if "type" in expected:  # a quote's own fields, not under a name
        claims |= claims["attest"]  # type: ignore[arg-type]
    if str(expected.get("ak_public", "")).startswith("field 1"):  # said in words
        assert expected.pop("ak_public") == "field 1 (TPMT_PUBLIC, RSA 2048)"
        public = TECHNOLOGIES[Kind.TPM].show(sample.detected.body)["ak_public_area"]
        assert isinstance(public, bytes)
        assert public.hex().startswith("0001000b")
        assert claims["ak_public"] == spki_of(TpmPublic.parse(public))
    assert expected
    for name, value in expected.items():
        assert same(claims[name], value), name
    shown = TECHNOLOGIES[Kind.TPM].show(sample.detected.body)
    assert {name: shown[name] for name in result.claims} == result.claims


def test_the_word_of_vendors_is_told_from_the_caller_s(sample: Sample) -> None:
    result = sample.examined()
    if sample.name in GCP:
        assert (result.level, result.status) == (Level.ROOTED, RootStatus.VENDOR)
    else:
        assert (result.level, result.status) == (Level.NONE, RootStatus.TEST_ROOT)
        assert "TRUST ADDED" in result.trace[0]
        alone = sample.examined(trust=NOBODY)
        assert not alone.authentic
        assert {finding.rule for finding in alone.reasons} == {"certificate"}


def before(sample: Sample) -> Examination:
    first = datetime.fromisoformat(sample.expected["ak_validity"][0])  # type: ignore[index]
    assert sample.examined(at=first).accepted
    return sample.examined(at=first - timedelta(seconds=1))


def another_value(sample: Sample) -> Examination:
    zero, one = (f'"11": "{digit * 64}"' for digit in "01")
    assert zero in sample.raw.decode()
    return sample.but(lambda text: text.replace(zero, one, 1)).examined()


def another_nonce(sample: Sample) -> Examination:
    with_other = sample.but(lambda text: text.replace('"nonce": "', '"nonce": "00', 1))
    with pytest.raises(MalformedEvidence, match="nonce"):
        with_other.examined()
    return sample.examined(nonce="00" * 32)


def without_intermediate(sample: Sample) -> Examination:
    end = "-----END CERTIFICATE-----\\n"
    chain = json.loads(sample.raw)["attestation"]["gcp"]["ak_cert_chain"]
    middle = chain.replace("\n", "\\n").split(end)[1]
    assert middle + end in sample.raw.decode()
    return sample.but(lambda text: text.replace(middle + end, "", 1)).examined()


def flipped(sample: Sample) -> Examination:
    results: list[Examination] = []
    for bit in range(8 * len(sample.raw)):
        raw = bytearray(sample.raw)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            results.append(replace(sample, raw=bytes(raw)).examined())
        except MalformedEvidence:
            continue
    assert results
    assert not any(result.authentic for result in results)
    return results[0]


NEGATIVES: dict[str, tuple[Callable[[Sample], Examination], str]] = {
    "verify before 2026-02-02T06:57:47Z": (before, "certificate"),
    "verify before 2026-02-03T02:37:49Z": (before, "certificate"),
    "change one PCR value": (another_value, "pcr"),
    "change the nonce": (another_nonce, "binding"),
    "drop the intermediate": (without_intermediate, "certificate"),
    "expect another nonce": (lambda sample: sample.examined(nonce="9010"), "binding"),
    "flip one bit of quote.out": (flipped, "signature"),
}


def test_every_listed_negative_is_refused(sample: Sample) -> None:
    listed = [negative["change"] for negative in sample.expected["negatives"]]  # type: ignore[attr-defined]
    assert listed
    assert not set(listed) - NEGATIVES.keys(), "a negative without code"
    for change in listed:
        refuse, rule = NEGATIVES[change]
        result = refuse(sample)
        assert not result.accepted
        assert rule in {finding.rule for finding in result.reasons}, change


@pytest.mark.parametrize("name", GCP)
def test_google_s_certificates_count_in_any_order_and_end_at_the_pinned_root(
    name: str, shared_evidence: Path
) -> None:
    sample = Sample.read(name, shared_evidence)
    chain = json.loads(sample.raw)["attestation"]["gcp"]["ak_cert_chain"]
    root = (shared_evidence / "tpm" / name / "gcp-ek-ak-root.pem").read_bytes()
    assert ATTESTATION_KEY_ROOTS[key_digest(load_all(root)[0]).hex()] == "Google EK/AK CA Root"
    parts = cbor2.loads(sample.detected.body)
    ordered = replace(
        sample.detected, body=cbor2.dumps([*parts[:2], parts[2][::-1], *parts[3:]], canonical=True)
    )
    result = examine(ordered, trust=NOBODY, at=sample.at, expected=Expected())
    assert result.accepted
    assert len(load_all(chain.encode())) == 3
    assert replace(sample, pieces=(root,)).examined().claims == result.claims


@pytest.mark.parametrize("name", GCP)
def test_a_stranger_s_key_beside_google_s_certificate_is_refused(name: str, shared_evidence: Path) -> None:
    sample, other = (Sample.read(one, shared_evidence) for one in (name, *(set(GCP) - {name})))
    points = [json.loads(one.raw)["ak_pubkeys"]["ecc_p256"] for one in (sample, other)]
    swapped = sample
    for axis in ("x", "y"):
        swapped = swapped.but(lambda text, axis=axis: text.replace(points[0][axis], points[1][axis], 1))
    result = swapped.examined()
    assert {finding.rule for finding in result.reasons} == {"signature", "certificate"}
    wrong = sample.but(lambda text: text.replace(points[0]["x"], points[1]["x"], 1))
    with pytest.raises(MalformedEvidence):
        wrong.examined()


def test_azure_s_root_is_pinned_for_attestation_keys_alone(shared_evidence: Path) -> None:
    pem = shared_evidence / "azure-vtpm" / "tdx-2026-with-ak-chain" / "azure-virtual-tpm-root-2023.pem"
    root = key_digest(x509.load_pem_x509_certificate(pem.read_bytes())).hex()
    assert ATTESTATION_KEY_ROOTS[root] == "Azure Virtual TPM Root Certificate Authority 2023"
    assert root not in ENDORSEMENT_KEY_ROOTS


def test_files_of_tpm2_tools_count_in_any_order_and_none_may_lack(shared_evidence: Path) -> None:
    sample = Sample.read("keylime-rsa", shared_evidence)
    claims = sample.examined().claims
    signature, public, pcrs, name, pem = sample.pieces
    for pieces in (sample.pieces[::-1], (signature, pcrs, public), (public[2:], pcrs, signature)):
        assert replace(sample, pieces=pieces).examined().claims == claims
    bare = replace(sample, pieces=(signature, pcrs, pem)).examined()
    assert bare.accepted
    assert bare.claims == claims
    assert any("nothing signed says that the key is restricted" in line for line in bare.trace)
    shown = TECHNOLOGIES[Kind.TPM].show(sample.detected.body)
    assert shown.keys() - claims.keys() == {"ak_name", "ak_public_area"}  # which no word is for
    for lacking in ((public, pcrs), (public, signature), (pcrs, signature), (*sample.pieces, signature), ()):
        with pytest.raises(MalformedEvidence):
            replace(sample, pieces=lacking).examined()
    other = replace(sample, pieces=(signature, public, pcrs, name[:-1] + b"\0")).examined(trust=sample.trust)
    assert {finding.rule for finding in other.reasons} == {"key"}
    for wrong in (pcrs[:-1] + b"\1", pcrs[:4] + b"\x0c" + pcrs[5:], pcrs + bytes(532)):
        with pytest.raises(MalformedEvidence):
            replace(sample, pieces=(signature, public, wrong)).examined()


def test_three_banks_replay_and_the_log_says_what_started(shared_evidence: Path) -> None:
    sample = Sample.read("gcp-cos85-three-banks", shared_evidence)
    evidence = TpmEvidence.parse(sample.detected.body)
    log = EventLog.parse(evidence.event_log)
    assert log.banks == evidence.banks == (0x4, 0xB, 0xC)
    for bank in log.banks:
        replayed = log.replay(bank)
        assert set(replayed) == set(range(10))
        assert all(evidence.registers(bank)[number] == value for number, value in replayed.items())
    assert secure_boot(log) is True
    assert [one.name for one in variables(log)] == ["SecureBoot", "PK", "KEK", "db", "dbx"]
    (kernel,) = command_lines(log)
    assert kernel.startswith("/syslinux/vmlinuz.A init=/usr/lib/systemd/systemd boot=local")
    assert (8, "grub_cmd: defaultA=2") in lines(log)
    started = list(applications(log))
    claimed = sample.examined().claims["event_log"]
    assert isinstance(claimed, dict)
    assert (claimed["secure_boot"], len(started)) == (True, 3)
    assert isinstance(measured := claimed["measurements"], dict)
    assert set(measured) == {str(number) for number in range(10)}
    assert measured["4"] == [event.digest for event in log.of(4)]


def test_another_boot_s_quotes_of_the_same_key_do_not_mix(shared_evidence: Path) -> None:
    sample = Sample.read("gcp-cos85-three-banks", shared_evidence)
    raw = sample.raw.replace(b"\0\0\0\x0a\0\0\0\0\x01", b"\0\0\0\x0b\0\0\0\0\x01", 1)
    assert raw != sample.raw
    result = replace(sample, raw=raw).examined()
    assert {finding.rule for finding in result.reasons} == {"signature", "binding"}


def test_other_protobufs_are_malformed(shared_evidence: Path) -> None:
    raw = Sample.read("gcp-cos85-three-banks", shared_evidence).raw
    for wrong in (raw + b"\x4a\0", raw[:-1], raw + raw[:283], b"\x0a\x98\x82\0" + raw[3:], raw + b"\x28\x01"):
        with pytest.raises((MalformedEvidence, NotAuthentic)):
            detect(wrong)
    assert Endorsements.sort(()) == Endorsements()
