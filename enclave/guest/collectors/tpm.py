# SPDX-License-Identifier: Apache-2.0
"""Evidence of a TPM 2.0: a quote over PCRs 0 to 14 by a restricted key, through tpm2-pytss or tpm2-tools.

The key is a primary of the owner hierarchy made from one template, so the TPM makes the same key each time and
nothing is kept. Its certificate, and the logs, are files that the host provides and nobody has to believe.
"""

import hashlib
import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cbor2

from enclave.faults import DeviceError, DeviceUnavailable

KIND = "tpm"
# TPMT_PUBLIC of the key: ECC P-256, ECDSA SHA-256; fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth,
# noDA, restricted, sign (evidence/SPEC.md, section 7.2); the collector's tool options say the same
TEMPLATE = bytes.fromhex("0023000b00050472000000100018000b0003001000000000")
_ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign"
_PCRS = tuple(range(15))
_SELECTION = "sha256:" + ",".join(map(str, _PCRS))
_ATTEMPTS = 5  # IMA may extend PCR 10 between the quote and the reading of its values


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What a TPM gave: TPMS_ATTEST, TPMT_SIGNATURE, the key's TPMT_PUBLIC, and the PCR values."""

    attest: bytes
    signature: bytes
    public: bytes
    pcrs: tuple[bytes, ...]

    def settled(self) -> bool:
        """Whether the values are those that were quoted: the attestation ends in their digest."""
        return self.attest.endswith(hashlib.sha256(b"".join(self.pcrs)).digest())


class Client(Protocol):
    """A way to speak to a TPM."""

    def quote(self, nonce: bytes) -> Quoted:
        """A quote over the nonce."""


class Tpm:
    """Collects evidence from one TPM; `certificate` is the file with the key's certificate (DER)."""

    kind = KIND

    def __init__(self, tcti: str, certificate: str, event_log: str = "", ima_log: str = "") -> None:
        self._client = client(tcti)
        self._certificate, self._logs = Path(certificate), (event_log, ima_log)

    def collect(self, report_data: bytes) -> bytes:
        """Evidence whose quote is over the first half of the report data, the digest."""
        for _ in range(_ATTEMPTS):
            quoted = self._client.quote(report_data[:32])
            if quoted.settled():
                break
        else:
            raise DeviceError("PCRs change faster than they can be read", where="TPM")
        chain = [_read(str(self._certificate))]
        logs = [_read(log) if log else b"" for log in self._logs]
        parts = [quoted.attest, quoted.signature, quoted.public, list(quoted.pcrs), chain, *logs]
        return cbor2.dumps(parts, canonical=True)


def client(tcti: str) -> Client:
    """tpm2-pytss when it is installed, else tpm2-tools."""
    if importlib.util.find_spec("tpm2_pytss") is not None:
        return Pytss(tcti)
    if shutil.which("tpm2") is not None:
        return Tools(tcti)
    raise DeviceUnavailable(
        "neither tpm2-pytss nor tpm2-tools is installed", where="TPM", hint="apt-get install tpm2-tools"
    )


class Pytss:
    """A TPM through the TSS library."""

    def __init__(self, tcti: str) -> None:
        self._tss = importlib.import_module("tpm2_pytss")
        self._tcti = tcti

    def quote(self, nonce: bytes) -> Quoted:
        """A quote over the nonce."""
        tss = self._tss
        try:
            with tss.ESAPI(self._tcti) as esapi:
                template = tss.TPM2B_PUBLIC(publicArea=tss.TPMT_PUBLIC.unmarshal(TEMPLATE)[0])
                sensitive, owner = tss.TPM2B_SENSITIVE_CREATE(), tss.ESYS_TR.OWNER
                key, public, *_ = esapi.create_primary(sensitive, template, owner)
                try:
                    attest, signature = esapi.quote(key, _SELECTION, nonce)
                finally:
                    esapi.flush_context(key)
                halves = [
                    esapi.pcr_read("sha256:" + ",".join(map(str, h)))[2] for h in (_PCRS[:8], _PCRS[8:])
                ]
        except RuntimeError as error:
            raise DeviceUnavailable(str(error), where=self._tcti) from error
        return Quoted(
            attest=bytes(attest),
            signature=signature.marshal(),
            public=public.publicArea.marshal(),
            pcrs=tuple(bytes(value) for half in halves for value in half),
        )


class Tools:
    """A TPM through the command-line tools; what they write to a temporary folder is public."""

    def __init__(self, tcti: str) -> None:
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), "TPM2TOOLS_TCTI": tcti}

    def quote(self, nonce: bytes) -> Quoted:
        """A quote over the nonce."""
        with tempfile.TemporaryDirectory() as folder:
            key = ("-G", "ecc256:ecdsa-sha256:null", "-a", _ATTRIBUTES)
            self._run(
                folder, "createprimary", "-C", "o", "-g", "sha256", *key, "-c", "k", "-f", "tss", "-o", "pub"
            )
            out = ("-m", "attest", "-s", "signature", "-o", "pcrs", "-F", "values")
            self._run(folder, "quote", "-c", "k", "-l", _SELECTION, "-q", nonce.hex(), "-g", "sha256", *out)
            names = ("attest", "signature", "pub", "pcrs")
            attest, signature, public, pcrs = ((Path(folder) / name).read_bytes() for name in names)
        values = tuple(pcrs[at : at + 32] for at in range(0, len(pcrs), 32))
        return Quoted(attest=attest, signature=signature, public=public[2:], pcrs=values)

    def _run(self, folder: str, *arguments: str) -> None:
        for command in (("tpm2", *arguments, "-Q"), ("tpm2", "flushcontext", "-t")):  # no resource manager
            ran = subprocess.run(
                command, cwd=folder, env=self._environment, capture_output=True, text=True, check=False
            )
            if ran.returncode:
                last = ran.stderr.strip().rpartition("\n")[2]
                raise DeviceUnavailable(last, where=f"tpm2 {command[1]}", hint="is the TPM there and free?")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DeviceUnavailable(error.strerror or "not readable", where=path) from error
