# SPDX-License-Identifier: Apache-2.0
"""AWS's security module behind an ioctl: reads the request from memory, writes its answer there, cut to the room."""

import ctypes
import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import cbor2

Attest = Callable[[bytes], bytes]


@dataclass
class NsmDevice:
    """`document` makes the attestation document of user data; `answers` are given first, whatever is asked."""

    document: Attest = lambda user_data: b"\x84" + user_data + b"signed"
    answers: list[bytes | OSError] = field(default_factory=list)
    said: int | None = None
    asked: list[object] = field(default_factory=list)

    def ioctl(self, descriptor: int, request: int, raw: bytearray) -> int:
        assert os.fstat(descriptor)
        if request != 0xC0200A00 or len(raw) != 32:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        at, length, room_at, room = struct.unpack("=QQQQ", raw)
        if length > 0x1000:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self.asked.append(cbor2.loads(ctypes.string_at(at, length)))
        answer = self._answer(self.asked[-1])[:room]
        ctypes.memmove(room_at, answer, len(answer))
        raw[:] = struct.pack("=QQQQ", at, length, room_at, len(answer) if self.said is None else self.said)
        return 0

    def _answer(self, asked: object) -> bytes:
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, OSError):
                raise answer
            return answer
        match asked:
            case {"Attestation": {"user_data": bytes(data), "nonce": None, "public_key": None}}:
                return cbor2.dumps({"Attestation": {"document": self.document(data)}})
        return cbor2.dumps({"Error": "InvalidOperation"})
