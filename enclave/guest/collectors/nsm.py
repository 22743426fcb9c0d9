# SPDX-License-Identifier: Apache-2.0
"""Evidence of an AWS Nitro enclave: one request to the security module behind `/dev/nsm`.

The kernel's `include/uapi/linux/nsm.h`: the ioctl takes address and length of a request and of room for a response,
both CBOR as AWS's serde types write it. An answer longer than the room is cut off without a word.
"""

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable

import cbor2

from enclave.faults import DeviceError
from enclave.guest.collectors.enclosure import answered, enclosed, unavailable

KIND = "aws-nitro"
DEVICE = "/dev/nsm"
REQUEST = 0xC0200A00  # _IOWR(0x0A, 0, 32 bytes)
ROOM = 0x3000  # NSM_RESPONSE_MAX_SIZE
_RAW = struct.Struct("=QQQQ")  # request address and length, response address and length
_BUSY = ("Busy", "InternalError")
_ATTEMPTS = 3
_HINT = "the program must run inside a Nitro enclave, whose kernel needs CONFIG_NSM"
Ioctl = Callable[[int, int, bytearray], int]


class Nsm:
    """Collects evidence from the security module."""

    kind = KIND

    def __init__(self, device: str = DEVICE, *, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._device, self._ioctl = device, ioctl

    def collect(self, report_data: bytes) -> bytes:
        """The attestation document whose `user_data` is the 64 bytes."""
        asked = {"user_data": report_data, "nonce": None, "public_key": None}
        for _ in range(_ATTEMPTS):
            answer = self._exchange(cbor2.dumps({"Attestation": asked}))
            match answer:
                case {"Attestation": {"document": bytes(document)}}:
                    return enclosed(answered(document, report_data, self._device))
                case {"Error": str(name)} if name not in _BUSY:
                    break
                case {"Error": str(name)}:
                    continue
            raise DeviceError("an answer to another request", where=self._device)
        raise DeviceError(f"the module answered with error {name[:40]}", where=self._device)

    def _exchange(self, request: bytes) -> object:
        """One request, answered by decoded CBOR."""
        sent, room = ctypes.create_string_buffer(request, len(request)), ctypes.create_string_buffer(ROOM)
        addresses = ctypes.addressof(sent), len(request), ctypes.addressof(room), ROOM
        raw = bytearray(_RAW.pack(*addresses))
        try:
            descriptor = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._ioctl(descriptor, REQUEST, raw)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unavailable(error, self._device, _HINT) from error
        length = _RAW.unpack(raw)[3]
        if not 0 < length <= ROOM:
            raise DeviceError("an answer of no length that can be", where=self._device)
        try:
            return cbor2.loads(room.raw[:length])
        except Exception as error:  # cbor2 raises many kinds on what is cut off
            raise DeviceError("an answer that is cut off, or no CBOR", where=self._device) from error
