# SPDX-License-Identifier: Apache-2.0
"""Evidence of a Huawei virtCCA confidential VM: token and device certificate from `/dev/tsi`.

The driver's ioctls have magic `T`: 0 tells the interface's version (two ints), 1 takes a challenge of 64 bytes and
gives a token of at most 8192 (u64 length behind it), 2 gives the certificate (u64 length before 4096 bytes).
"""

import fcntl
import os
import struct
from collections.abc import Callable

from enclave.faults import DeviceError
from enclave.guest.collectors.enclosure import answered, enclosed, unavailable

KIND = "virtcca"
DEVICE = "/dev/tsi"
VERSION, TOKEN, CERTIFICATE = 0x80085400, 0xE0485401, 0x90085402
CHALLENGE_ROOM, TOKEN_ROOM, CERTIFICATE_ROOM = 64, 8192, 4096
_LENGTH = struct.Struct("=Q")
_MAJOR = 1
_HINT = "the program must run inside a virtCCA confidential VM whose kernel has the tsi driver"
Ioctl = Callable[[int, int, bytearray], int]


class Tsi:
    """Collects evidence from the trusted service interface."""

    kind = KIND

    def __init__(self, device: str = DEVICE, *, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._device, self._ioctl = device, ioctl

    def collect(self, report_data: bytes) -> bytes:
        """A token over the 64 bytes, with the certificate of the key that signed it."""
        try:
            descriptor = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
            try:
                token, certificate = self._ask(descriptor, report_data)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unavailable(error, self._device, _HINT) from error
        return enclosed(answered(token, report_data, self._device), [certificate])

    def _ask(self, descriptor: int, report_data: bytes) -> tuple[bytes, bytes]:
        version = bytearray(8)
        self._ioctl(descriptor, VERSION, version)
        major, minor = struct.unpack("=ii", version)
        if major != _MAJOR:
            raise DeviceError(f"version {major}.{minor} of the interface", where=self._device)
        asked = bytearray(report_data.ljust(CHALLENGE_ROOM, b"\0") + bytes(TOKEN_ROOM + _LENGTH.size))
        self._ioctl(descriptor, TOKEN, asked)
        (size,) = _LENGTH.unpack_from(asked, CHALLENGE_ROOM + TOKEN_ROOM)
        token = self._part(asked, CHALLENGE_ROOM, size, TOKEN_ROOM)
        held = bytearray(_LENGTH.size + CERTIFICATE_ROOM)
        self._ioctl(descriptor, CERTIFICATE, held)
        (size,) = _LENGTH.unpack_from(held)
        return token, self._part(held, _LENGTH.size, size, CERTIFICATE_ROOM)

    def _part(self, held: bytearray, at: int, size: int, room: int) -> bytes:
        if not 0 < size <= room:
            raise DeviceError(f"an answer of {size} bytes, where 1 to {room} fit", where=self._device)
        return bytes(held[at : at + size])
