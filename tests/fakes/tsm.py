# SPDX-License-Identifier: Apache-2.0
"""configfs-tsm as the kernel behaves: making a folder is a request, reading makes the report, closing commits.

`ConfigfsTsm(provider, generate)` is good; `faults` counts how often each of `FAULTS` happens, -1 for always.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field

FAULTS = ("lost", "raced", "late", "busy", "taken", "too big", "gone", "cut", "stale", "refused", "no number")


@dataclass
class Request:
    """One folder: what was written, how often, and the report that is kept until the next write."""

    generation: int = 0
    inblob: bytes = b""
    made: tuple[int, bytes] | None = None


@dataclass
class ConfigfsTsm:
    """The folder of reports; `auxblob` None stands for a kernel without that attribute."""

    provider: str
    generate: Callable[[bytes], bytes]
    auxblob: bytes | None = b""
    faults: dict[str, int] = field(default_factory=dict)
    requests: dict[str, Request] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def mkdir(self, name: str) -> None:
        if self.provider == "":
            raise _error(errno.ENXIO)
        if self._now("taken") or name in self.requests:
            raise _error(errno.EEXIST)
        self.requests[name] = Request(generation=len(self.made) * 3)
        self.made.append(name)

    def rmdir(self, name: str) -> None:
        del self.requests[name]

    def listdir(self, name: str) -> list[str]:
        self._find(name)
        always = ["generation", "inblob", "outblob", "provider"]
        return always if self.auxblob is None else [*always, "auxblob"]

    def write(self, name: str, value: bytes) -> None:
        folder, attribute = name.split("/")
        request = self._find(folder)
        assert attribute == "inblob"
        if self._now("refused"):
            raise _error(errno.EACCES)
        fits = len(value) == 64 or (self.provider == "arm_cca_guest" and 32 <= len(value) <= 64)
        if not fits or self._now("lost"):
            return  # the store failed at close, and nobody hears of it
        request.inblob, request.made = value, None
        request.generation += 1
        request.generation += self._now("raced")

    def read(self, name: str) -> bytes:
        folder, attribute = name.split("/")
        request = self._find(folder)
        if attribute not in self.listdir(folder) or attribute == "inblob":
            raise _error(errno.ENOENT if attribute != "inblob" else errno.EACCES)
        if attribute == "generation":
            return b"many\n" if self._now("no number") else b"%d\n" % request.generation
        if attribute == "provider":
            return self.provider.encode() + b"\n"
        if attribute == "auxblob":
            return self.auxblob or b""
        return self._outblob(request)

    def _outblob(self, request: Request) -> bytes:
        if not request.inblob:
            raise _error(errno.EINVAL)
        for fault, number in (("busy", errno.EBUSY), ("too big", errno.EFBIG), ("gone", errno.ENXIO)):
            if self._now(fault):
                raise _error(number)
        asked = bytes(64) if self._now("stale") else request.inblob
        if request.made is None or request.made[0] != request.generation:
            request.made = request.generation, self.generate(asked)
        request.generation += self._now("late")
        report = request.made[1]
        return report[: len(report) // 2] if self._now("cut") else report

    def _find(self, folder: str) -> Request:
        if folder not in self.requests:
            raise _error(errno.ENOENT)
        return self.requests[folder]

    def _now(self, fault: str) -> bool:
        assert fault in FAULTS
        left = self.faults.get(fault, 0)
        if left > 0:
            self.faults[fault] = left - 1
        return left != 0


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
