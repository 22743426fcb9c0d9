# SPDX-License-Identifier: Apache-2.0
"""The whole path with a real TPM protocol: measure, enrol, quote, verify, appraise; and tpm2-tools agreeing."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from contracts.ids import Digest
from enclave.errors import AlreadyMeasured, DeviceUnavailable, EnclaveError, MalformedEvidence, Refused
from enclave.evidence.appraise import Reason
from enclave.evidence.binding import Lockdown
from enclave.evidence.certificates import load
from enclave.evidence.policy import Policy
from enclave.evidence.tpm.credential import make_credential
from enclave.evidence.tpm.evidence import TpmEvidence
from enclave.evidence.tpm.quote import expected_workload
from enclave.evidence.tpm.structures import TpmAttest, TpmPublic, TpmSignature
from enclave.guest.collectors import tpm as collector
from enclave.node import swtpm
from enclave.node.host import Guest, Place
from enclave.node.measure import extend_pcr14, guest_files, guest_files_digest
from enclave.node.tpm import Tools, available
from enclave.node.tss import Pytss
from tests.fakes.evidence import Case, challenge, policy_text
from tests.fakes.swtpm import EnrolledTpm, enrolled

pytestmark = pytest.mark.swtpm
ROOT = Path(__file__).resolve().parents[3]
PYTSS = importlib.util.find_spec("tpm2_pytss") is not None


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnrolledTpm]:
    with enrolled(tmp_path_factory.mktemp("tpm"), guest_files_digest()) as held:
        yield held


def case_of(tpm: EnrolledTpm, guest: Digest) -> Case:
    text = policy_text("tpm", expected_workload(guest))
    text = text.replace("enrollers = []", f'enrollers = ["0x{tpm.enroller.hex()}"]')
    made = collector.Tpm(tpm.tcti, str(tpm.certificate))
    return Case(policy=Policy.from_toml(text), collect=made.collect, kind="tpm", at=tpm.at)


@pytest.fixture(scope="module")
def case(tpm: EnrolledTpm) -> Case:
    return case_of(tpm, tpm.measured)


@pytest.fixture(scope="module")
def quote(case: Case) -> TpmEvidence:
    return TpmEvidence.parse(case.collect(b"\x42" * 64))


def test_a_real_quote_is_accepted_as_test_root(case: Case, tpm: EnrolledTpm) -> None:
    accepted = case.judge()
    assert accepted.verdict().level == 0
    assert accepted.verdict().kinds == 2
    assert accepted.verdict().workload == expected_workload(tpm.measured)
    assert any("rooted under a vendor root" in line for line in accepted.trace)


def test_one_changed_guest_byte_is_refused_s1(tmp_path: Path) -> None:
    """The same guest with one byte changed, measured by the host before it starts."""
    copy = tmp_path / "guest"
    for path in guest_files():
        target = copy / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    assert guest_files_digest(copy) == guest_files_digest()
    victim = copy / "enclave" / "guest" / "quoter.py"
    raw = bytearray(victim.read_bytes())
    raw[-2] ^= 1
    victim.write_bytes(raw)
    with enrolled(tmp_path / "tpm", guest_files_digest(copy)) as changed, pytest.raises(Refused) as caught:
        case_of(changed, guest_files_digest()).judge()
    assert caught.value.reasons == (Reason.WORKLOAD.name,)


def test_a_real_guest_attests_twice_with_a_real_tpm_s1(tpm: EnrolledTpm, case: Case) -> None:
    """Vault, quoter and TPM: fresh nonces, keys born in the guest, accepted under the owner's policy."""
    policy = replace(case.policy, lockdown=Lockdown.NO_NEW_PRIVILEGES)
    guest = Guest.start(("tpm", tpm.tcti, str(tpm.certificate)))
    try:
        its = case.but(policy=policy, keys=guest.keys)
        asked = challenge(its.policy_id, guest.keys)
        place = Place(
            chain_id=asked.chain_id,
            log=asked.log,
            policy_id=asked.policy_id,
            block_number=asked.block_number,
            block_hash=asked.block_hash,
        )
        first, second = (its.judge(guest.attest(place)).verdict() for _ in range(2))
    finally:
        guest.close()
    assert first.node_id == second.node_id == guest.node_id
    assert first.lease_nonce != second.lease_nonce
    assert first.workload == expected_workload(tpm.measured)
    assert first.platform == second.platform


def test_pcr_14_takes_one_guest_until_a_reboot(tpm: EnrolledTpm) -> None:
    before = tpm.host.pcr(14)
    extend_pcr14(tpm.host, tpm.measured)
    assert tpm.host.pcr(14) == before
    with pytest.raises(AlreadyMeasured, match="PCR 14") as caught:
        extend_pcr14(tpm.host, b"\x01" * 32)
    assert "start the machine again" in caught.value.hint


def test_every_sampled_bit_of_a_real_bundle_is_refused(case: Case) -> None:
    good = case.bundle().encode()
    for bit in range(0, 8 * len(good), 29):
        raw = bytearray(good)
        raw[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EnclaveError) as caught:
            case.judge(bytes(raw))
        assert caught.value.code in (3, 4, 5)


def checkquote(folder: Path, attest: bytes, signature: bytes, public: TpmPublic, nonce: bytes) -> bool:
    key = public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, raw in (("m", attest), ("s", signature), ("k", key)):
        (folder / name).write_bytes(raw)
    command = ["tpm2", "checkquote", "-u", "k", "-m", "m", "-s", "s", "-q", nonce.hex(), "-g", "sha256"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def ours(attest: bytes, signature: bytes, public: TpmPublic, nonce: bytes) -> bool:
    with suppress(MalformedEvidence):
        parsed, signed = TpmAttest.parse(attest), TpmSignature.parse(signature)
        return public.signed(parsed.raw, signed) and parsed.extra_data == nonce
    return False


def test_tpm2_checkquote_agrees(quote: TpmEvidence, tpm: EnrolledTpm, tmp_path: Path) -> None:
    nonce, public, attest = b"\x42" * 32, quote.public, quote.quotes[0].attest.raw
    assert public is not None
    signature = cbor2.loads(collector.Tpm(tpm.tcti, str(tpm.certificate)).collect(nonce * 2))[:2]
    attest, signed = signature
    assert checkquote(tmp_path, attest, signed, public, nonce) is ours(attest, signed, public, nonce) is True
    wrong: list[tuple[bytes, bytes, bytes]] = [(attest, signed, b"\x43" * 32)]
    for bit in range(3, 8 * len(attest), 101):
        raw = bytearray(attest)
        raw[bit // 8] ^= 1 << bit % 8
        wrong.append((bytes(raw), signed, nonce))
    for bit in range(8 * 6, 8 * len(signed), 97):
        raw = bytearray(signed)
        raw[bit // 8] ^= 1 << bit % 8
        wrong.append((attest, bytes(raw), nonce))
    for a, s, n in wrong:
        assert not ours(a, s, public, n)
        assert not checkquote(tmp_path, a, s, public, n)


def test_both_clients_make_the_same_key(tpm: EnrolledTpm) -> None:
    if not PYTSS:
        assert not available() or Tools(tpm.tcti).attestation_key() == tpm.host.attestation_key()
        return
    assert Tools(tpm.tcti).attestation_key() == Pytss(tpm.tcti).attestation_key()


def test_a_secret_for_another_name_stays_closed(tpm: EnrolledTpm) -> None:
    key = load(tpm.host.endorsement_certificate()).public_key()
    stranger = make_credential(key, b"\0\x0b" + bytes(32), b"\x05" * 32, lambda size: bytes(size))
    with pytest.raises(DeviceUnavailable):
        tpm.host.activate(stranger)


@pytest.mark.parametrize(
    ("template", "name"), [("ecc256:aes128cfb", "sha256"), ("ecc384:aes256cfb", "sha384")]
)
def test_credentials_for_elliptic_keys_open_in_a_real_tpm(
    tpm: EnrolledTpm, tmp_path: Path, template: str, name: str
) -> None:
    environment = {"PATH": os.environ["PATH"], "TPM2TOOLS_TCTI": tpm.tcti}

    def tpm2(*arguments: str) -> None:
        for command in (["tpm2", *arguments], ["tpm2", "flushcontext", "-t"]):
            subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)

    parent = ("-C", "e", "-g", name, "-G", template)
    tpm2("createprimary", *parent, "-c", "ek", "-f", "pem", "-o", "ek.pem", "-Q")
    tpm2("createprimary", "-C", "o", "-G", "ecc256", "-c", "ak", "-f", "tss", "-o", "ak.pub", "-Q")
    tpm2("readpublic", "-c", "ak", "-n", "ak.name", "-Q")
    key = load_pem_public_key((tmp_path / "ek.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    secret = os.urandom(32)
    blob = make_credential(key, (tmp_path / "ak.name").read_bytes(), secret, os.urandom)
    (tmp_path / "blob").write_bytes(bytes.fromhex("badcc0de00000001") + blob)
    tpm2("activatecredential", "-c", "ak", "-C", "ek", "-i", "blob", "-o", "secret", "-Q")
    assert (tmp_path / "secret").read_bytes() == secret


def test_a_tpm_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    absent = Tools(f"swtpm:path={tmp_path}/nothing")
    with pytest.raises(DeviceUnavailable) as caught:
        absent.pcr(14)
    assert caught.value.code == 7
    with pytest.raises(DeviceUnavailable):
        collector.Tools(f"swtpm:path={tmp_path}/nothing").quote(bytes(32))


def test_a_certificate_that_is_not_there_is_unavailable(tpm: EnrolledTpm, tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        collector.Tpm(tpm.tcti, str(tmp_path / "missing.der")).collect(bytes(64))


def test_without_programs_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enclave.node.swtpm.PROGRAMS", ("no-such-program",))
    assert not swtpm.available()
    with pytest.raises(DeviceUnavailable) as caught, swtpm.running(tmp_path):
        pass
    assert "apt-get install" in caught.value.hint
