# SPDX-License-Identifier: Apache-2.0
"""Our verdict on quotes of a software TPM against that of tpm2_checkquote: equal, or ours is the stricter one."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import spki_digest
from enclave.evidence.detect import detect
from enclave.evidence.examine import Expected, examine
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.trust import Trust
from enclave.node import swtpm

pytestmark = pytest.mark.swtpm
NONCE = bytes(range(32))
PCRS = "sha256:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,16"
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign"
SCHEMES = {
    "ecc": "ecc256:ecdsa-sha256:null",
    "p384": "ecc384:ecdsa-sha384:null",
    "rsa": "rsa2048:rsassa-sha256:null",
}
FILES = ("attest", "signature", "pcrs")


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """The files of tpm2_quote."""

    attest: bytes
    signature: bytes
    pcrs: bytes
    public: bytes
    hashed: str
    folder: Path

    def checkquote(self, nonce: bytes = NONCE) -> bool:
        """What tpm2_checkquote says."""
        for name in FILES:
            (self.folder / f"tried-{name}").write_bytes(getattr(self, name))
        files = ("-m", "tried-attest", "-s", "tried-signature", "-f", "tried-pcrs")
        command = ["tpm2", "checkquote", "-u", "key.pem", *files, "-q", nonce.hex(), "-g", self.hashed]
        return subprocess.run(command, cwd=self.folder, capture_output=True, check=False).returncode == 0

    def ours(self, nonce: bytes = NONCE) -> bool:
        """What we say, of a key that is trusted."""
        key = spki_digest(TpmPublic.parse(self.public[2:]).key)
        trust = Trust(enrollers=frozenset(), extra_roots=frozenset({key}))
        try:
            found = detect(self.attest, [self.signature, self.pcrs, self.public], family="tpm")
            return examine(found, trust=trust, at=datetime.now(UTC), expected=Expected(nonce=nonce)).accepted
        except MalformedEvidence:
            return False


@pytest.fixture(scope="module")
def tcti(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with swtpm.running(tmp_path_factory.mktemp("tpm")) as tpm:
        yield tpm.tcti


@pytest.fixture(scope="module", params=SCHEMES)
def quoted(request: pytest.FixtureRequest, tcti: str, tmp_path_factory: pytest.TempPathFactory) -> Quoted:
    folder, scheme = tmp_path_factory.mktemp("quote"), SCHEMES[request.param]
    hashed = "sha384" if "sha384" in scheme else "sha256"
    environment = {"PATH": os.environ["PATH"], "TPM2TOOLS_TCTI": tcti}

    def tpm2(*arguments: str) -> None:
        for command in (["tpm2", *arguments], ["tpm2", "flushcontext", "-t"]):
            subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    tpm2(
        "createprimary",
        "-C",
        "o",
        "-g",
        "sha256",
        "-G",
        scheme,
        "-a",
        ATTRIBUTES,
        "-c",
        "key",
        "-f",
        "tss",
        "-o",
        "public",
    )
    tpm2("readpublic", "-c", "key", "-f", "pem", "-o", "key.pem", "-Q")
    out = ("-m", "attest", "-s", "signature", "-o", "pcrs")
    tpm2("quote", "-c", "key", "-l", PCRS, "-q", NONCE.hex(), "-g", hashed, *out)
    files = {name: (folder / name).read_bytes() for name in (*FILES, "public")}
    return Quoted(**files, hashed=hashed, folder=folder)


def flipped(quoted: Quoted, name: str, bit: int) -> Quoted:
    raw = bytearray(getattr(quoted, name))
    raw[bit // 8] ^= 1 << bit % 8
    return replace(quoted, **{name: bytes(raw)})


def test_good_quotes_hold_for_both_and_no_other_nonce_does(quoted: Quoted) -> None:
    assert quoted.ours() is quoted.checkquote() is True
    for nonce in (bytes(32), NONCE[:-1], NONCE + b"\1"):
        assert quoted.ours(nonce) is quoted.checkquote(nonce) is False


@pytest.mark.parametrize(
    ("name", "first", "step"), [("attest", 0, 131), ("signature", 0, 201), ("pcrs", 0, 1201)]
)
def test_changed_quotes_hold_for_neither(quoted: Quoted, name: str, first: int, step: int) -> None:
    refused = 0
    for bit in range(first, 8 * len(getattr(quoted, name)), step):
        wrong = flipped(quoted, name, bit)
        theirs = wrong.checkquote()
        assert not wrong.ours(), (name, bit)
        refused += not theirs
        if theirs:  # what it leaves unread: the filling of its own file
            assert name == "pcrs"
    assert refused


def test_files_of_other_quotes_do_not_mix(quoted: Quoted, tmp_path: Path) -> None:
    del tmp_path
    for name in FILES:
        for wrong in (b"", getattr(quoted, name)[:-1], getattr(quoted, name) + b"\0"):
            tried = replace(quoted, **{name: wrong})
            assert not tried.ours(), (name, len(wrong))
