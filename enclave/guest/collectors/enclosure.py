# SPDX-License-Identifier: Apache-2.0
"""What the collectors of most technologies share: the body that bundles carry, and checks on what a device gave."""

from collections.abc import Sequence

import cbor2

from enclave.faults import DeviceError, DeviceUnavailable


def enclosed(evidence: bytes, pieces: Sequence[bytes] = ()) -> bytes:
    """Evidence exactly as the device gave it, with what endorses it (evidence/SPEC.md, section 4)."""
    return cbor2.dumps([evidence, list(pieces)], canonical=True)


def answered(evidence: bytes, report_data: bytes, where: str) -> bytes:
    """The evidence, if it holds what was asked for; raises `DeviceError` when it answers to something else.

    A verifier finds that too, but only here can somebody say that the device, and not the network, is at fault.
    """
    if not evidence:
        raise DeviceError("an empty answer", where=where)
    if report_data not in evidence:
        raise DeviceError("evidence for other report data, or cut off", where=where, hint="collect again")
    return evidence


def unavailable(error: OSError, where: str, hint: str) -> DeviceUnavailable:
    """What the operating system said, with what to do about it."""
    return DeviceUnavailable(error.strerror or type(error).__name__, where=where, hint=hint)
