# SPDX-License-Identifier: Apache-2.0
"""Event logs as the firmware of a trust domain leaves them, and the RTMRs they amount to."""

import hashlib
from collections.abc import Sequence

SHA384 = 0x000C
Measured = tuple[int, int, bytes]
"""Register as the log counts them (1 is RTMR0), kind of event, and what was measured."""


def cc_log(events: Sequence[Measured], *, bank: int = SHA384, size: int = 48) -> bytes:
    """A crypto-agile log with one bank."""
    header = b"Spec ID Event03\0" + bytes(4) + b"\0\2\0\2" + (1).to_bytes(4, "little")
    header += bank.to_bytes(2, "little") + size.to_bytes(2, "little") + b"\0"
    log = (1).to_bytes(4, "little") + (3).to_bytes(4, "little") + bytes(20)
    log += len(header).to_bytes(4, "little") + header
    for register, kind, measured in events:
        log += b"".join(number.to_bytes(4, "little") for number in (register, kind, 1))
        log += bank.to_bytes(2, "little") + hashlib.sha384(measured).digest()[:size]
        log += len(measured).to_bytes(4, "little") + measured
    return log


def extended(events: Sequence[Measured]) -> list[bytes]:
    """RTMR0 to RTMR3 after these events."""
    values = [bytes(48)] * 5
    for register, _, measured in events:
        values[register] = hashlib.sha384(values[register] + hashlib.sha384(measured).digest()).digest()
    return values[1:]
