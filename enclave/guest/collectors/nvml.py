# SPDX-License-Identifier: Apache-2.0
"""Evidence of NVIDIA GPUs in confidential-computing mode, through NVIDIA's management library.

`nvmlDeviceGetConfComputeGpuAttestationReport` gives an SPDM request and its answer signed for a nonce,
`nvmlDeviceGetConfComputeGpuCertificate` the certificates of the key. The library is NVIDIA's, so it is loaded in a
process of its own only, away from the CPU's evidence device.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

from enclave.faults import DeviceError, DeviceUnavailable
from enclave.guest.collectors.enclosure import answered, enclosed

KIND = "nvidia-gpu"
_WHERE = "NVML"
_PRODUCTION, _ENABLED, _OFF = 2, 1, 0
_REPORT_ROOM, _CHAIN_ROOM = 8192, 5120
_HINT = "install NVIDIA's driver, pass the GPU to this VM, and pip install nvidia-ml-py"
_Got = TypeVar("_Got")


def library() -> ModuleType:
    """NVIDIA's bindings, `pynvml`; raises `DeviceUnavailable` where they are not installed."""
    if importlib.util.find_spec("pynvml") is None:
        raise DeviceUnavailable("nvidia-ml-py is not installed", where=_WHERE, hint=_HINT)
    return importlib.import_module("pynvml")


class Nvidia:
    """Collects evidence of the GPUs that the driver lists, one at a time."""

    kind = KIND

    def __init__(self, nvml: ModuleType | None = None) -> None:
        self._nvml = library() if nvml is None else nvml

    def count(self) -> int:
        """How many GPUs there are, after looking whether their evidence can be worth anything."""
        with self._open():
            return int(self._told(self._nvml.nvmlDeviceGetCount))

    def collect(self, nonce: bytes, index: int) -> bytes:
        """The report of one GPU over 32 bytes, with the certificates of its key."""
        with self._open():
            gpu = self._told(lambda: self._nvml.nvmlDeviceGetHandleByIndex(index))
            ask = self._nvml.nvmlDeviceGetConfComputeGpuAttestationReport
            said = self._told(lambda: ask(gpu, nonce))
            report = _part(said.attestationReport, said.attestationReportSize, _REPORT_ROOM)
            held = self._told(lambda: self._nvml.nvmlDeviceGetConfComputeGpuCertificate(gpu))
            chain = _part(held.attestationCertChain, held.attestationCertChainSize, _CHAIN_ROOM)
        return enclosed(answered(report, nonce, _WHERE), [chain.rstrip(b"\0")])

    @contextmanager
    def _open(self) -> Iterator[None]:
        self._told(self._nvml.nvmlInit)
        try:
            self._require_production()
            yield
        finally:
            self._told(self._nvml.nvmlShutdown)

    def _require_production(self) -> None:
        state = self._told(self._nvml.nvmlSystemGetConfComputeState)
        if state.ccFeature != _ENABLED or state.environment != _PRODUCTION:
            what = f"confidential computing is not on (feature {state.ccFeature}, environment {state.environment})"
            hint = "switch the GPU to CC mode on the host and start the VM again"
            raise DeviceError(what, where=_WHERE, hint=hint)
        if state.devToolsMode != _OFF:
            hint = "switch the GPU from devtools to CC mode on the host"
            raise DeviceError("developer tools can read the GPU's memory", where=_WHERE, hint=hint)

    def _told(self, call: Callable[[], _Got]) -> _Got:
        try:
            return call()
        except self._nvml.NVMLError as error:
            raise DeviceUnavailable(str(error)[:200] or "refused", where=_WHERE, hint=_HINT) from error


def _part(held: bytes, size: int, room: int) -> bytes:
    if not 0 < size <= room:
        raise DeviceError(f"an answer of {size} bytes, where 1 to {room} fit", where=_WHERE)
    return bytes(held)[:size]
