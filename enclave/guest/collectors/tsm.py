# SPDX-License-Identifier: Apache-2.0
"""Evidence of a confidential VM by Linux's configfs-tsm: Intel TDX, AMD SEV-SNP and Arm CCA.

The kernel's Documentation/ABI/testing/configfs-tsm-report: a folder made under `tsm/report` is a request, writing
`inblob` counts `generation` up, and reading `outblob` makes the report. A binary attribute is committed when it is
closed, and what its store says then is lost, so only the generation tells whether the write arrived.
"""

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

import cbor2

from enclave.faults import DeviceError
from enclave.guest.collectors.enclosure import answered, enclosed, unavailable

REPORTS = "/sys/kernel/config/tsm/report"
PROVIDERS = {"tdx_guest": "tdx", "sev_guest": "sev-snp", "arm_cca_guest": "arm-cca"}
_WHERE = "configfs-tsm"
_ATTEMPTS = 5  # another writer, or a busy device, does not stay
_LONGEST = 16 << 20
_SNP_REPORT = 1184
_TDX_HEAD = {
    4: 632,
    5: 0,
}  # header and TD report before the signature's length; version 5 states the report's own
_HINT = "modprobe configfs and the guest driver, and mount -t configfs none /sys/kernel/config; it takes root"
_Got = TypeVar("_Got")


class Folder(Protocol):
    """The five calls on the folder of reports, which raise `OSError`; names are relative to it."""

    def mkdir(self, name: str) -> None:
        """Make a request."""

    def rmdir(self, name: str) -> None:
        """Remove it."""

    def read(self, name: str) -> bytes:
        """All of an attribute."""

    def write(self, name: str, value: bytes) -> None:
        """Write an attribute at once, and close it."""

    def listdir(self, name: str) -> list[str]:
        """Attributes of a request."""


class Configfs:
    """The folder of reports of a running kernel."""

    def __init__(self, root: str = REPORTS) -> None:
        self._root = Path(root)

    def mkdir(self, name: str) -> None:
        """Make a request."""
        (self._root / name).mkdir()

    def rmdir(self, name: str) -> None:
        """Remove it; its attributes go with it."""
        (self._root / name).rmdir()

    def read(self, name: str) -> bytes:
        """All of an attribute, without the buffering that would ask for its size."""
        with (self._root / name).open("rb", buffering=0) as file:
            held = bytearray()
            while (part := file.read(1 << 16)) and len(held) <= _LONGEST:
                held += part
            return bytes(held)

    def write(self, name: str, value: bytes) -> None:
        """Write an attribute at once, and close it."""
        descriptor = os.open(self._root / name, os.O_WRONLY)
        try:
            if os.write(descriptor, value) != len(value):
                raise OSError(errno.EIO, "a short write")
        finally:
            os.close(descriptor)

    def listdir(self, name: str) -> list[str]:
        """Attributes of a request."""
        return [path.name for path in (self._root / name).iterdir()]


class Tsm:
    """Collects evidence of the one kind that the kernel's provider must have."""

    def __init__(self, kind: str, folder: Folder | None = None) -> None:
        self.kind = kind
        self._folder = folder or Configfs()

    def collect(self, report_data: bytes) -> bytes:
        """Report and certificates over the 64 bytes; tries again when somebody interfered, a few times."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(_Disturbed):
                return self._once(report_data)
        try:
            return self._once(report_data)
        except _Disturbed as error:
            hint = "does another program write to the same folder?"
            raise DeviceError(f"{error}, {_ATTEMPTS} times", where=_WHERE, hint=hint) from error

    def _once(self, report_data: bytes) -> bytes:
        name = f"exequatur-{os.getpid()}-{secrets.token_hex(8)}"
        _told(lambda: self._folder.mkdir(name))
        try:
            return _told(lambda: self._request(name, report_data))
        finally:
            with suppress(OSError):  # what matters was read, or has failed already
                self._folder.rmdir(name)

    def _request(self, name: str, report_data: bytes) -> bytes:
        before = self._generation(name)
        self._folder.write(f"{name}/inblob", report_data)
        if self._generation(name) != before + 1:
            raise _Disturbed("the report data was not taken")
        report = self._folder.read(f"{name}/outblob")
        pieces = self._pieces(name)
        provider = self._folder.read(f"{name}/provider").decode("ascii", "replace").strip()
        if self._generation(name) != before + 1:
            raise _Disturbed("another writer changed the request")
        if PROVIDERS.get(provider) != self.kind:
            hint = f"providers: {', '.join(f'{of} is {kind}' for of, kind in PROVIDERS.items())}"
            raise DeviceError(
                f"the provider is {provider[:80]!r}, not one of {self.kind}", where=_WHERE, hint=hint
            )
        if len(report) > _LONGEST or not _whole(self.kind, report):
            raise DeviceError("a report that is cut off, or too long", where=_WHERE, hint="collect again")
        return enclosed(answered(report, report_data, _WHERE), pieces)

    def _pieces(self, name: str) -> list[bytes]:
        """SNP's table of certificates, where the host gave the kernel one."""
        if self.kind != "sev-snp" or "auxblob" not in self._folder.listdir(name):
            return []
        table = self._folder.read(f"{name}/auxblob")
        return [table] if any(table) else []

    def _generation(self, name: str) -> int:
        said = self._folder.read(f"{name}/generation").strip()
        if not said.isdigit():
            raise DeviceError("a generation that is no number", where=_WHERE)
        return int(said)


class _Disturbed(Exception):
    """What another attempt may not meet again."""


def _told(call: Callable[[], _Got]) -> _Got:
    """The call's result, or a typed error for what the kernel answered."""
    try:
        return call()
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EEXIST, errno.EINTR, errno.EAGAIN):
            raise _Disturbed(error.strerror or "busy") from error
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EACCES, errno.EPERM, errno.EROFS):
            raise unavailable(error, _WHERE, _HINT) from error
        raise DeviceError(error.strerror or type(error).__name__, where=_WHERE) from error


def _whole(kind: str, report: bytes) -> bool:
    """Whether a report is as long as its own format says."""
    match kind:
        case "sev-snp":
            return len(report) == _SNP_REPORT
        case "arm-cca":
            with suppress(Exception):  # cbor2 raises many kinds on what is cut off
                return cbor2.loads(report) is not None
            return False
    version = int.from_bytes(report[:2], "little")
    if version not in _TDX_HEAD:  # newer kernels hand over a CWT
        return len(report) > len(_TDX_HEAD)
    at = _TDX_HEAD[version] or 54 + int.from_bytes(report[50:54], "little")
    return len(report) >= at + 4 and len(report) >= at + 4 + int.from_bytes(report[at : at + 4], "little")
