# SPDX-License-Identifier: Apache-2.0
"""Huawei's trusted service interface behind ioctls, as the driver's structures have it."""

import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class TsiDevice:
    """`token` makes a token of a challenge; `sizes` are told instead of the true ones, `refuses` fails one ioctl."""

    token: Callable[[bytes], bytes] = lambda challenge: b"\xd9\x01\x8f" + challenge + b"signed"
    certificate: bytes = b"\x30\x03\x02\x01\x00"
    version: tuple[int, int] = (1, 0)
    sizes: dict[int, int] = field(default_factory=dict)
    refuses: dict[int, int] = field(default_factory=dict)

    def ioctl(self, descriptor: int, request: int, raw: bytearray) -> int:
        assert os.fstat(descriptor)
        assert request & 0xFF00 == ord("T") << 8
        assert len(raw) == request >> 16 & 0x3FFF
        number = request & 0xFF
        if number in self.refuses:
            raise OSError(self.refuses[number], os.strerror(self.refuses[number]))
        if number == 0:
            raw[:] = struct.pack("=ii", *self.version)
        elif number == 1:
            token = self.token(bytes(raw[:64]))
            raw[64 : 64 + len(token)] = token
            raw[-8:] = struct.pack("=Q", self.sizes.get(1, len(token)))
        elif number == 2:
            raw[: 8 + len(self.certificate)] = (
                struct.pack("=Q", self.sizes.get(2, len(self.certificate))) + self.certificate
            )
        else:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        return 0
