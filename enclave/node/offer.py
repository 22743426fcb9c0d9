# SPDX-License-Identifier: Apache-2.0
"""What evidence this machine can give, and what it lacks for the rest.

Only looks: nothing is opened, made or asked. Whether a device really answers, its collector finds out.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from enclave.evidence.kinds import Kind
from enclave.node import tpm
from enclave.node.measure import guest_files_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One technology on this machine: the words that name its device to a collector, or what it lacks and what to do."""

    kind: Kind
    device: tuple[str, ...] = ()
    lacks: str = ""
    hint: str = ""

    @property
    def available(self) -> bool:
        """Whether there is a device to ask."""
        return bool(self.device)


def offers(root: Path = Path("/"), *, tcti: str = "", certificate: str = "") -> list[Offer]:
    """Every technology that a collector exists for, the most telling first; `root` stands for `/` in tests.

    `tcti` names a TPM, `certificate` the file with the certificate of its attestation key.
    """
    cpu: list[Callable[[Path], Offer]] = [
        partial(_tsm, kind=Kind.TDX, traces=("dev/tdx_guest",), module="tdx-guest"),
        partial(_tsm, kind=Kind.SNP, traces=("dev/sev-guest",), module="sev-guest"),
        partial(
            _tsm,
            kind=Kind.CCA,
            traces=("sys/devices/platform/arm-cca-dev", "sys/module/arm_cca_guest"),
            module="arm-cca-guest",
        ),
        partial(
            _file,
            kind=Kind.NITRO,
            path="dev/nsm",
            hint="start the program inside a Nitro enclave (nitro-cli run-enclave)",
        ),
        partial(
            _file,
            kind=Kind.SGX,
            path="dev/attestation/quote",
            hint="start the program under gramine-sgx with sgx.remote_attestation = 'dcap'",
        ),
        partial(
            _file,
            kind=Kind.VIRTCCA,
            path="dev/tsi",
            hint="start the program in a virtCCA confidential VM and load its tsi driver",
        ),
    ]
    found = [probe(root) for probe in cpu]
    found += [_tpm(root, tcti, certificate), _nvidia(root)]
    return [*found, Offer(kind=Kind.SOFTWARE, device=("software", str(guest_files_digest())))]


def best(found: Sequence[Offer]) -> Offer:
    """The first that is available; software always is."""
    return next(offer for offer in found if offer.available)


def _tsm(root: Path, *, kind: Kind, traces: Sequence[str], module: str) -> Offer:
    if not any((root / trace).exists() for trace in traces):
        lacks = f"no /{traces[0]}: this is no such VM, or its kernel lacks the driver"
        return Offer(kind=kind, lacks=lacks, hint=f"in such a VM: modprobe {module}")
    if not (root / "sys/kernel/config/tsm/report").is_dir():
        lacks = "no /sys/kernel/config/tsm/report: configfs is not mounted, or the kernel is older than 6.7"
        return Offer(kind=kind, lacks=lacks, hint="mount -t configfs none /sys/kernel/config")
    return Offer(kind=kind, device=(kind.label,))


def _file(root: Path, *, kind: Kind, path: str, hint: str) -> Offer:
    if not (root / path).exists():
        return Offer(kind=kind, lacks=f"no /{path}", hint=hint)
    return Offer(kind=kind, device=(kind.label,))


def _tpm(root: Path, tcti: str, certificate: str) -> Offer:
    lacking = partial(Offer, kind=Kind.TPM)
    if not tpm.available():
        lacks = "neither tpm2-pytss nor tpm2-tools is installed"
        return lacking(lacks=lacks, hint="apt-get install tpm2-tools")
    device = root / "dev/tpmrm0"
    if not tcti and not device.exists():
        hint = "switch the TPM on in the firmware or give the VM a vTPM; --tpm names another one"
        return lacking(lacks="no /dev/tpmrm0", hint=hint)
    if not certificate:
        hint = "name the file with it by --certificate; a verifier's enrolment desk issues it"
        return lacking(lacks="a TPM, and no certificate of its attestation key", hint=hint)
    logs = [
        root / f"sys/kernel/security/{name}"
        for name in ("tpm0/binary_bios_measurements", "ima/binary_runtime_measurements")
    ]
    found = [str(log) if not tcti and log.exists() else "" for log in logs]
    return lacking(device=("tpm", tcti or f"device:{device}", certificate, *found))


def _nvidia(root: Path) -> Offer:
    kind = Kind.NVIDIA_GPU
    if not (root / "dev/nvidiactl").exists():
        hint = "pass a GPU in confidential-computing mode to this VM and install NVIDIA's driver"
        return Offer(kind=kind, lacks="no /dev/nvidiactl: no NVIDIA GPU, or no driver", hint=hint)
    if importlib.util.find_spec("pynvml") is None:
        hint = "pip install nvidia-ml-py"
        return Offer(kind=kind, lacks="NVIDIA's Python bindings are not installed", hint=hint)
    return Offer(kind=kind, device=(kind.label, "0"))
