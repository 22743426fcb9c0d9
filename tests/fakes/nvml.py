# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's management library, as far as `nvidia-ml-py` shows it: structures of fixed size with lengths beside them."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace


class NVMLError(Exception):
    """What the library raises for every refusal."""


class AttestationReport(ctypes.Structure):
    _fields_ = (
        ("isCecAttestationReportPresent", ctypes.c_uint),
        ("attestationReportSize", ctypes.c_uint),
        ("cecAttestationReportSize", ctypes.c_uint),
        ("nonce", ctypes.c_uint8 * 32),
        ("attestationReport", ctypes.c_uint8 * 8192),
        ("cecAttestationReport", ctypes.c_uint8 * 4096),
    )


class Certificate(ctypes.Structure):
    _fields_ = (
        ("certChainSize", ctypes.c_uint),
        ("attestationCertChainSize", ctypes.c_uint),
        ("certChain", ctypes.c_uint8 * 4096),
        ("attestationCertChain", ctypes.c_uint8 * 5120),
    )


@dataclass
class Nvml:
    """One driver: `report` makes a GPU's report of a nonce, `chain` is its certificates; `refuses` names calls."""

    report: Callable[[int, bytes], bytes] = lambda index, nonce: (
        b"\x11\xe0" + bytes([index]) + nonce + b"signed"
    )
    chain: Callable[[int], bytes] = lambda index: b"-----BEGIN CERTIFICATE-----\n%d" % index
    gpus: int = 1
    feature: int = 1
    environment: int = 2
    tools: int = 0
    sizes: dict[str, int] = field(default_factory=dict)
    refuses: tuple[str, ...] = ()
    open: int = 0
    NVMLError: type[Exception] = NVMLError

    def nvmlInit(self) -> None:
        self._may("nvmlInit")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self._may("nvmlShutdown")
        self.open -= 1

    def nvmlSystemGetConfComputeState(self) -> SimpleNamespace:
        self._may("nvmlSystemGetConfComputeState")
        return SimpleNamespace(ccFeature=self.feature, environment=self.environment, devToolsMode=self.tools)

    def nvmlDeviceGetCount(self) -> int:
        self._may("nvmlDeviceGetCount")
        return self.gpus

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        if index >= self.gpus:
            raise NVMLError("Invalid Argument")
        return index

    def nvmlDeviceGetConfComputeGpuAttestationReport(self, gpu: int, nonce: bytes) -> AttestationReport:
        self._may("nvmlDeviceGetConfComputeGpuAttestationReport")
        made = AttestationReport()
        made.nonce = (ctypes.c_uint8 * len(nonce))(*nonce)
        raw = self.report(gpu, bytes(made.nonce))
        made.attestationReport[: len(raw)] = raw
        made.attestationReportSize = self.sizes.get("report", len(raw))
        return made

    def nvmlDeviceGetConfComputeGpuCertificate(self, gpu: int) -> Certificate:
        self._may("nvmlDeviceGetConfComputeGpuCertificate")
        made, raw = Certificate(), self.chain(gpu)
        made.attestationCertChain[: len(raw)] = raw
        made.attestationCertChainSize = self.sizes.get("chain", len(raw))
        return made

    def _may(self, call: str) -> None:
        if call in self.refuses:
            raise NVMLError("Not Supported")
