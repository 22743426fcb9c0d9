# SPDX-License-Identifier: Apache-2.0
"""S8: 16 MiB of anything ends every reader with an error of ours, within bounds of time and memory.

The readers run in a process of their own, whose limits the kernel enforces: a reader that grows or spins is ended.
"""

import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.conftest import ROOT

SIZE = 16 << 20
_CPU_SECONDS, _MEMORY = 120, 3 << 30


def filled(head: bytes, unit: bytes) -> bytes:
    return (head + unit * ((SIZE - len(head)) // len(unit) + 1))[:SIZE]


HUGE: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: bytes(SIZE),
    "ones": lambda: b"\xff" * SIZE,
    "cbor nested arrays": lambda: filled(b"", b"\x81"),
    "cbor nested tags": lambda: filled(b"\xd2", b"\xc6"),
    "cbor long array": lambda: b"\x9a" + SIZE.to_bytes(4, "big") + bytes(SIZE - 5),
    "cbor huge string": lambda: b"\x82\x5a\xff\xff\xff\xff" + bytes(SIZE - 6),
    "cbor indefinite": lambda: filled(b"\x9f", b"\x5f\x40"),
    "der nested": lambda: filled(b"", b"\x30\x84\x00\xff\xff\xff"),
    "pem blocks": lambda: filled(b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    "pem one block": lambda: filled(b"-----BEGIN CERTIFICATE-----\n", b"MIIB" * 16 + b"\n"),
    "json nested": lambda: filled(b"", b'{"a":'),
    "json list": lambda: filled(b'{"tcb_info":[', b"1,"),
    "xml nested": lambda: filled(b"", b"<a>"),
    "xml entities": lambda: filled(b'<!DOCTYPE a [<!ENTITY b "c">', b'<!ENTITY d "&b;&b;">'),
    "yaml aliases": lambda: filled(b"a: &a [x]\n", b"b: [*a, *a]\n"),
    "event log": lambda: filled(bytes(28) + b"\x21\0\0\0Spec ID Event03\0", bytes(16)),
    "ima list": lambda: filled(b"\x0a\0\0\0", bytes(20) + b"\x06\0\0\0ima-ng"),
    "tpm quote": lambda: filled(b"\xffTCG\x80\x18", b"\0\x22"),
    "snp versions": lambda: filled(b"\x03\0\0\0", b"\0"),
    "tdx quote": lambda: filled(b"\x04\0\x02\0\x81\0\0\0", b"\0"),
    "spdm": lambda: filled(b"\x11\xe0\xff\xff", b"\x11\x60"),
    "hcl": lambda: filled(b"HCLA", b"\0"),
}


def read_all(name: str) -> int:
    """Every reader on one blob; returns how many there were."""
    from tests.fuzz.targets import targets

    blob, readers = HUGE[name](), targets(None)
    for target in readers.values():
        target.run(blob)
    return len(readers)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


@pytest.mark.slow
@pytest.mark.parametrize("name", HUGE)
def test_s8_sixteen_mebibytes_of_anything_end_soon(name: str) -> None:
    code = f"from tests.enclave.evidence.test_bounds import read_all; print(read_all({name!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=_limited,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 5
