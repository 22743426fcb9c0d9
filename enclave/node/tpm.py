# SPDX-License-Identifier: Apache-2.0
"""The host's side of a TPM: measure the guest, and enrol the attestation key that the guest's quoter uses.

Through tpm2-pytss when it is installed, else tpm2-tools; either way the key is the one that the quoter makes (evidence/SPEC.md, section 7.2).
"""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from enclave.errors import DeviceUnavailable
from enclave.evidence.enrol import EnrolRequest
from enclave.node.tss import EK_CERTIFICATE, EK_HANDLE, Pytss

_ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign"


class HostTpm(Protocol):
    """What a host asks of its TPM."""

    def pcr(self, number: int) -> bytes:
        """The value of a PCR in the SHA-256 bank."""

    def extend(self, number: int, digest: bytes) -> None:
        """Extend a PCR of that bank."""

    def attestation_key(self) -> bytes:
        """TPMT_PUBLIC of the attestation key."""

    def endorsement_certificate(self) -> bytes:
        """The manufacturer's certificate of the RSA endorsement key (DER)."""

    def activate(self, credential: bytes) -> bytes:
        """The secret in a credential that was made for this TPM and its attestation key."""


class Enroller(Protocol):
    """A verifier's `/v1/enrol`."""

    def challenge(self, request: bytes) -> tuple[bytes, bytes]:
        """Credential and cookie for an `EnrolRequest`."""

    def issue(self, cookie: bytes, secret: bytes) -> bytes:
        """The attestation key's certificate (DER)."""


def available() -> bool:
    """Whether there is a way to speak to a TPM."""
    return importlib.util.find_spec("tpm2_pytss") is not None or shutil.which("tpm2") is not None


def host_tpm(tcti: str) -> HostTpm:
    """tpm2-pytss when it is installed, else tpm2-tools; `tcti` as both understand it."""
    if importlib.util.find_spec("tpm2_pytss") is not None:
        return Pytss(tcti)
    if shutil.which("tpm2") is not None:
        return Tools(tcti)
    hint = "apt-get install tpm2-tools"
    raise DeviceUnavailable("neither tpm2-pytss nor tpm2-tools is installed", where="TPM", hint=hint)


def enrol(tpm: HostTpm, enroller: Enroller, authorities: Sequence[bytes]) -> bytes:
    """Get the attestation key certified; `authorities` are the certificates above the EK's, root last."""
    chain = (tpm.endorsement_certificate(), *authorities)
    request = EnrolRequest(chain=chain, public=tpm.attestation_key())
    credential, cookie = enroller.challenge(request.encode())
    return enroller.issue(cookie, tpm.activate(credential))


class Tools:
    """A TPM through the command-line tools."""

    def __init__(self, tcti: str) -> None:
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), "TPM2TOOLS_TCTI": tcti}

    def pcr(self, number: int) -> bytes:
        """The value of a PCR in the SHA-256 bank."""
        with self._folder() as folder:
            self._run(folder, "pcrread", f"sha256:{number}", "-o", "value")
            return (folder / "value").read_bytes()

    def extend(self, number: int, digest: bytes) -> None:
        """Extend a PCR of that bank."""
        with self._folder() as folder:
            self._run(folder, "pcrextend", f"{number}:sha256={digest.hex()}")

    def attestation_key(self) -> bytes:
        """TPMT_PUBLIC of the attestation key."""
        with self._folder() as folder:
            self._key(folder)
            return (folder / "public").read_bytes()[2:]

    def endorsement_certificate(self) -> bytes:
        """The manufacturer's certificate of the RSA endorsement key (DER)."""
        with self._folder() as folder:
            self._run(folder, "nvread", hex(EK_CERTIFICATE), "-C", "o", "-o", "certificate")
            return (folder / "certificate").read_bytes()

    def activate(self, credential: bytes) -> bytes:
        """The secret in a credential that was made for this TPM and its attestation key."""
        with self._folder() as folder:
            (folder / "credential").write_bytes(bytes.fromhex("badcc0de00000001") + credential)
            self._key(folder)
            self._run(folder, "startauthsession", "--policy-session", "-S", "session")
            self._run(folder, "policysecret", "-S", "session", "-c", "e")
            keys = ("-c", "key", "-C", hex(EK_HANDLE), "-P", "session:session")
            self._run(folder, "activatecredential", *keys, "-i", "credential", "-o", "secret")
            self._run(folder, "flushcontext", "session", quiet=False)
            return (folder / "secret").read_bytes()

    def _key(self, folder: Path) -> None:
        key = ("-G", "ecc256:ecdsa-sha256:null", "-a", _ATTRIBUTES, "-g", "sha256", "-C", "o")
        self._run(folder, "createprimary", *key, "-c", "key", "-f", "tss", "-o", "public")

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    def _run(self, folder: Path, *arguments: str, quiet: bool = True) -> None:
        option = ("-Q",) if quiet else ()
        for command in (("tpm2", *arguments, *option), ("tpm2", "flushcontext", "-t")):  # no resource manager
            ran = subprocess.run(
                command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False
            )
            if ran.returncode:
                last = ran.stderr.strip().rpartition("\n")[2]
                raise DeviceUnavailable(last, where=f"tpm2 {command[1]}", hint="is the TPM there and free?")
