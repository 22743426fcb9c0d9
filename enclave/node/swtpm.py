# SPDX-License-Identifier: Apache-2.0
"""A TPM in software, for demonstrations and tests: a real protocol, and a root that nobody should trust.

Its evidence chains to an authority made here, so it counts as `test-root`, level `none`.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enclave.errors import DeviceUnavailable

PROGRAMS = ("swtpm", "swtpm_setup", "swtpm_localca")
_APT = "apt-get install swtpm swtpm-tools tpm2-tools"
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareTpm:
    """A running software TPM: how to reach it, and the authorities above its endorsement keys, root last."""

    tcti: str
    authorities: tuple[bytes, ...]


def available() -> bool:
    """Whether the programs are installed."""
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def running(folder: Path) -> Iterator[SoftwareTpm]:
    """Make a TPM with EK certificates in an empty folder, run it, and end it afterwards."""
    if not available():
        raise DeviceUnavailable(f"needs {', '.join(PROGRAMS)}", where="software TPM", hint=_APT)
    folder = folder.resolve()  # swtpm enters failure mode with a relative folder
    _manufacture(folder)
    socket = folder / "swtpm.sock"
    process = subprocess.Popen(
        [
            *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder / 'state'}"),
            *("--server", f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={socket}.ctrl"),
            *("--flags", "not-need-init,startup-clear"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _await(socket, process)
        yield SoftwareTpm(tcti=f"swtpm:path={socket}", authorities=_authorities(folder / "ca"))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate()


def _manufacture(folder: Path) -> None:
    ca, state = folder / "ca", folder / "state"
    for path in (ca, state):
        path.mkdir(parents=True, mode=0o700)
    files = {
        "swtpm-localca.conf": f"statedir={ca}\nsigningkey={ca}/signkey.pem\nissuercert={ca}/issuercert.pem\n"
        f"certserial={ca}/certserial\n",
        "swtpm-localca.options": "--platform-manufacturer Development\n--platform-version 2.1\n"
        "--platform-model SoftwareTPM\n",
        "swtpm_setup.conf": f"create_certs_tool={shutil.which('swtpm_localca')}\n"
        f"create_certs_tool_config={folder}/swtpm-localca.conf\n"
        f"create_certs_tool_options={folder}/swtpm-localca.options\nactive_pcr_banks=sha256\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    made = subprocess.run(
        [
            *("swtpm_setup", "--tpm2", "--tpmstate", state, "--config", folder / "swtpm_setup.conf"),
            *("--create-ek-cert", "--ecc", "--overwrite", "--pcr-banks", "sha256"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        last = (made.stdout + made.stderr).strip().rpartition("\n")[2]
        raise DeviceUnavailable(f"swtpm_setup failed: {last}", where="software TPM", hint=_APT)


def _await(socket: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise DeviceUnavailable("swtpm did not start", where=str(socket))
        time.sleep(0.01)


def _authorities(ca: Path) -> tuple[bytes, ...]:
    files = (ca / "issuercert.pem", ca / "swtpm-localca-rootca-cert.pem")
    certificates = [x509.load_pem_x509_certificate(path.read_bytes()) for path in files]
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)
