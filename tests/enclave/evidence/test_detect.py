# SPDX-License-Identifier: Apache-2.0
"""Evidence is known by its content: by exactly one technology or container, and anything else by none."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence
from enclave.evidence.ascend.evidence import wrapped
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.detect import detect, devices_of, is_bundle
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.foreign import CONTAINERS, unpack
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES, recognised
from enclave.guest.collectors.software import Software
from tests.fakes.authorities import Authority
from tests.fakes.evidence import FILES, Case
from tests.fakes.recorded import Recorded, recorded
from tests.fakes.tpm import FakeTpm, event_log, ima_entry

NONCE = bytes(range(64))
ROOT = Authority.root()


def several() -> bytes:
    tpm = FakeTpm()
    tpm.others = {0xC: {n: bytes(48) for n in range(24)}}
    return tpm.several(NONCE[:32], 0xB, 0xC)


MADE: dict[str, tuple[Kind, Callable[[], bytes]]] = {
    "software": (Kind.SOFTWARE, lambda: Software(FILES).collect(NONCE)),
    "one quote": (Kind.TPM, lambda: FakeTpm().collect(NONCE)),
    "several quotes": (Kind.TPM, several),
    "a bare quote": (Kind.TPM, lambda: FakeTpm().attest(NONCE[:32])),
    "a quote with pieces": (Kind.TPM, lambda: Enclosed(evidence=several(), pieces=(ROOT.der,)).encode()),
    "ascend": (Kind.ASCEND, lambda: wrapped(FakeTpm().collect(NONCE))),
    "ascend with several quotes": (Kind.ASCEND, lambda: wrapped(several())),
}
ENDORSING: dict[str, bytes] = {
    "certificate": ROOT.der,
    "pem": ROOT.pem,
    "event log": event_log((0, 8, b"v", b"v")),
    "ima list": ima_entry("/a", bytes(32))[0],
    "json": b'{"tcb_info": "", "qe_identity": ""}',
    "manifest": b"<SoftwareIdentity/>",
}
FOLDERS: dict[str, tuple[Kind, ...]] = {
    "sgx": (Kind.SGX,),
    "tdx": (Kind.TDX,),
    "sev-snp": (Kind.SNP,),
    "azure-vtpm": (Kind.AZURE,),
    "aws-nitro": (Kind.NITRO, Kind.NITRO_TPM),
    "nvidia": (Kind.NVIDIA_GPU, Kind.NVIDIA_SWITCH),
    "tpm": (Kind.TPM,),
    "arm-cca": (Kind.CCA,),
    "psa": (Kind.PSA,),
    "spdm": (Kind.SPDM,),
}


def claimants(raw: bytes) -> list[Kind]:
    """Every technology and container that takes these bytes for its own."""
    found = [kind for kind, technology in TECHNOLOGIES.items() if technology.recognise(raw)]
    unpacked = [reader(raw) for reader in CONTAINERS]
    return found + [one[0] for one in unpacked if one is not None]


@pytest.mark.parametrize("name", MADE)
def test_what_each_technology_gives_is_claimed_by_it_alone(name: str) -> None:
    kind, make = MADE[name]
    raw = make()
    assert claimants(raw) == [kind]
    assert detect(raw).kind is kind
    assert detect(raw, family=kind.label[:3]).body == TECHNOLOGIES[kind].wrap(raw)
    assert TECHNOLOGIES[kind].kind is kind


@pytest.mark.parametrize("name", ENDORSING)
def test_what_endorses_evidence_is_no_evidence(name: str) -> None:
    assert claimants(ENDORSING[name]) == []
    with pytest.raises(MalformedEvidence, match="no technology"):
        detect(ENDORSING[name])


def test_every_recorded_sample_is_claimed_once(shared_evidence: Path) -> None:
    samples = list(recorded(shared_evidence))
    assert {sample.name.split("/")[0] for sample in samples} == FOLDERS.keys()
    unknown = [sample.name for sample in samples if not claimed_as_it_is(sample)]
    assert unknown == []


def claimed_as_it_is(sample: Recorded) -> bool:
    """Whether a sample is claimed by its own technology alone, or by none where this version has none for it."""
    kinds = [kind for kind in FOLDERS[sample.name.split("/")[0]] if kind in TECHNOLOGIES]
    found = claimants(sample.evidence.read_bytes())
    return found == [] if not kinds else len(found) == 1 and found[0] in kinds


def test_random_bytes_are_claimed_by_none() -> None:
    source = random.Random(1)
    for size in (*range(64), *range(64, 4000, 97)):
        raw = source.randbytes(size)
        assert recognised(raw) is None
        assert unpack(raw) is None


@given(st.binary(max_size=60), st.sampled_from(sorted(MADE)), st.integers(1, 30))
def test_recognising_never_raises(raw: bytes, name: str, kept: int) -> None:
    for candidate in (raw, _BEGUN[name][:kept] + raw, _BEGUN[name][:kept], b'{"' + raw + b'"}'):
        assert len([t for t in TECHNOLOGIES.values() if t.recognise(candidate)]) <= 1
        with suppress(MalformedEvidence):
            detect(candidate)


_BEGUN = {name: make() for name, (_, make) in MADE.items()}


def test_another_family_is_told_what_it_is() -> None:
    raw = FakeTpm().collect(NONCE)
    with pytest.raises(MalformedEvidence, match="this is tpm evidence, not tdx") as caught:
        detect(raw, family="tdx")
    assert "leave out" in caught.value.hint


def test_pieces_become_part_of_the_body() -> None:
    tpm = FakeTpm()
    found = detect(tpm.collect(NONCE), [ROOT.der])
    assert Enclosed.parse(found.body).pieces == (ROOT.der,)
    assert detect(found.body) == found
    with pytest.raises(MalformedEvidence, match="no endorsements"):
        detect(Software(FILES).collect(NONCE), [ROOT.der])


def test_what_is_too_long_is_malformed() -> None:
    with pytest.raises(MalformedEvidence, match="longer"):
        detect(FakeTpm().collect(NONCE) + bytes(16 << 20))


def test_a_bundle_gives_its_devices() -> None:
    case = Case.software()
    bundle = case.bundle()
    ascend = Device(kind="ascend", index=1, body=wrapped(FakeTpm().collect(NONCE)))
    raw = replace(bundle, devices=(*bundle.devices, ascend)).encode()
    assert is_bundle(raw)
    assert [device.kind for device in devices_of(raw)] == [Kind.SOFTWARE, Kind.ASCEND]
    assert devices_of(raw)[1].body == ascend.body
    stranger = replace(ascend, kind="abacus")
    with pytest.raises(MalformedEvidence, match="unknown technology 'abacus'"):
        devices_of(replace(bundle, devices=(*bundle.devices, stranger)).encode())
    assert not is_bundle(bundle.devices[0].body)
    with pytest.raises(MalformedEvidence):
        devices_of(cbor2.dumps({"__cmwc_t": "tag:exequatur,2026:bundle"}))
    assert Bundle.decode(raw).devices[1] == ascend
