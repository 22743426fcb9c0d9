# SPDX-License-Identifier: Apache-2.0
"""Evidence of an SPDM device: one conversation that ends in measurements signed for the challenge.

Nothing is judged here beyond what the next request needs; whatever the device said is for the verifier. Requests
and fields are those of DSP0274 1.1 to 1.3, MCTP's socket that of the kernel's `linux/mctp.h`.
"""

import ctypes
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Protocol

import cbor2

from enclave.faults import DeviceError, DeviceUnavailable

KIND = "spdm"
_VERSIONS = (0x13, 0x12, 0x11)
_VERSION_12, _VERSION_13 = 0x12, 0x13
_GET_VERSION, _GET_CAPABILITIES, _NEGOTIATE_ALGORITHMS = 0x84, 0xE1, 0xE3
_GET_DIGESTS, _GET_CERTIFICATE, _GET_MEASUREMENTS = 0x81, 0x82, 0xE0
_ERROR, _BUSY, _NOT_READY, _RESPOND_IF_READY = 0x7F, 0x03, 0x42, 0xFF
_CERTIFICATES, _SIGNED_MEASUREMENTS, _MEASUREMENTS = 0x02, 0x10, 0x18
_ASYMMETRIC = 0x1FF  # RSA with 2048 to 4096 bits, ECDSA with P-256 to P-521
_HASHES = 0x07  # SHA-256, SHA-384, SHA-512
_OPAQUE_FORMAT = 0x02
_LARGEST = 1 << 17
_PORTION, _LONGEST_CHAIN = 0x1000, 0xFFFF
_ATTEMPTS = 10
_PAUSE, _LONGEST_PAUSE = 0.05, 5.0

_AF_MCTP, _ANY_NETWORK, _SPDM_TYPE, _TAG_OWNER = 45, 0, 0x05, 0x08
_SOCKADDR_MCTP = struct.Struct("=HHIBBBx")
_PATIENCE = 10.0
Sendto = Callable[[int, bytes, bytes], int]


class Transport(Protocol):
    """A way to speak to one device."""

    def exchange(self, request: bytes) -> bytes:
        """The device's answer to one SPDM message."""


class Spdm:
    """Collects evidence from the device behind a transport, signed by the key of one certificate slot."""

    kind = KIND

    def __init__(
        self, transport: Transport, *, slot: int = 0, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._transport, self._slot, self._pause = transport, slot, pause
        self._version = 0x10
        self._messages: list[bytes] = []

    def collect(self, report_data: bytes) -> bytes:
        """A conversation whose last request has the first half of the report data, or a device's nonce, as nonce."""
        self._version, self._messages = 0x10, []
        self._negotiate()
        self._read_chain()
        nonce = report_data[:32]
        context = bytes(8) if self._version >= _VERSION_13 else b""
        self._ask(_GET_MEASUREMENTS, 1, 0xFF, nonce + bytes([self._slot]) + context, least=42)
        return cbor2.dumps(self._messages, canonical=True)

    def _negotiate(self) -> None:
        offered = self._ask(_GET_VERSION, 0, 0, b"", least=6)
        entries = {offered[at + 1] for at in range(6, min(len(offered) - 1, 6 + 2 * offered[5]), 2)}
        common = [version for version in _VERSIONS if version in entries]
        if not common:
            raise DeviceError("the device speaks none of SPDM 1.1 to 1.3", where="SPDM VERSION")
        self._version = common[0]
        later = self._version >= _VERSION_12
        sizes = _LARGEST.to_bytes(4, "little") * 2 if later else b""
        able = self._ask(_GET_CAPABILITIES, 0, 0, bytes(8) + sizes, least=12)
        flags = int.from_bytes(able[8:12], "little")
        if not flags & _CERTIFICATES or flags & _MEASUREMENTS != _SIGNED_MEASUREMENTS:
            raise DeviceError(
                "the device has no certificates, or signs no measurements", where="SPDM CAPABILITIES"
            )
        algorithms = struct.pack("<HBBII16x", 32, 1, _OPAQUE_FORMAT if later else 0, _ASYMMETRIC, _HASHES)
        self._ask(_NEGOTIATE_ALGORITHMS, 0, 0, algorithms, least=36)

    def _read_chain(self) -> None:
        digests = self._ask(_GET_DIGESTS, 0, 0, b"", least=4)
        if not digests[3] >> self._slot & 1:
            raise DeviceError(f"no certificates in slot {self._slot}", where="SPDM DIGESTS")
        offset, left = 0, _PORTION
        while left:
            wanted = struct.pack("<HH", offset, min(left, _PORTION))
            answer = self._ask(_GET_CERTIFICATE, self._slot, 0, wanted, least=9)
            size, left = struct.unpack_from("<HH", answer, 4)
            offset += size
            if answer[2] & 0xF != self._slot or len(answer) != 8 + size:
                raise DeviceError("a portion that is cut off, or of another slot", where="SPDM CERTIFICATE")
            if not size or offset + left > _LONGEST_CHAIN:
                raise DeviceError("a chain that is too long, or does not end", where="SPDM CERTIFICATE")

    def _ask(self, code: int, first: int, second: int, body: bytes, *, least: int) -> bytes:
        request = bytes([self._version, code, first, second]) + body
        answer = self._settled(request)
        where = f"SPDM request {code:#04x}"
        if answer[1:2] == bytes([_ERROR]):
            found = answer[2] if len(answer) > 2 else 0
            raise DeviceError(f"the device answered with error {found:#04x}", where=where)
        if len(answer) < least or answer[0] != self._version or answer[1] != code & 0x7F:
            raise DeviceError("an answer that is cut off, or to another request", where=where)
        self._messages += [request, answer]
        return answer

    def _settled(self, request: bytes) -> bytes:
        """The answer, once the device has one; what it says until then is no part of what it signs."""
        sent = request
        for _ in range(_ATTEMPTS):
            answer = self._transport.exchange(sent)
            if answer[1:3] == bytes([_ERROR, _BUSY]):
                self._pause(_PAUSE)
            elif answer[1:3] == bytes([_ERROR, _NOT_READY]) and len(answer) >= 8:
                self._pause(min(2 ** min(answer[4], 32) / 1e6, _LONGEST_PAUSE))
                sent = bytes([self._version, _RESPOND_IF_READY, request[1], answer[6]])
            else:
                return answer
        raise DeviceUnavailable("the device stays busy", where="SPDM", hint="try again when it is idle")


class Mctp:
    """A device's MCTP endpoint, through the kernel; Python knows no such addresses, so libc's `sendto` is called."""

    def __init__(self, endpoint: int, network: int = _ANY_NETWORK, *, sendto: Sendto | None = None) -> None:
        self._where = f"MCTP endpoint {endpoint}"
        self._address = _SOCKADDR_MCTP.pack(_AF_MCTP, 0, network, endpoint, _SPDM_TYPE, _TAG_OWNER)
        self._sendto = sendto or _libc_sendto
        try:
            self._socket = socket.socket(_AF_MCTP, socket.SOCK_DGRAM)
        except OSError as error:
            hint = "the kernel needs CONFIG_MCTP and an interface to the device"
            raise DeviceUnavailable(error.strerror or "no MCTP", where=self._where, hint=hint) from error
        self._socket.settimeout(_PATIENCE)

    def exchange(self, request: bytes) -> bytes:
        """The answer with the tag of the request; the kernel adds and takes away the message type."""
        try:
            if self._sendto(self._socket.fileno(), request, self._address) != len(request):
                raise DeviceUnavailable(os.strerror(ctypes.get_errno()), where=self._where)
            return self._socket.recv(_LARGEST)
        except OSError as error:  # also when the device is silent
            raise DeviceUnavailable(error.strerror or "no answer", where=self._where) from error

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()


def _libc_sendto(descriptor: int, message: bytes, address: bytes) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.sendto(descriptor, message, len(message), 0, address, len(address)))
