# SPDX-License-Identifier: Apache-2.0
"""Endorsements that a host adds to its guest's evidence: what vendors publish beside it, so that verifiers need no network.

The root device's evidence binds everything but its own body, so nothing that it says changes by this.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from enclave.errors import MalformedEvidence
from enclave.evidence.bundle import Bundle
from enclave.evidence.kinds import Kind
from enclave.evidence.technologies import TECHNOLOGIES


def endorsed(bundle: Bundle, files: Sequence[Path]) -> Bundle:
    """The bundle with the content of `files` beside its root device's evidence."""
    if not files:
        return bundle
    root, *others = bundle.devices
    kind = Kind.of(root.kind)
    if kind is None:
        raise MalformedEvidence(f"nothing is known to endorse {root.kind}", where=root.label)
    body = TECHNOLOGIES[kind].endorse(root.body, [_read(path) for path in files])
    return replace(bundle, devices=(replace(root, body=body), *others))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "fetch it again from the vendor, or leave it out"
        raise MalformedEvidence(error.strerror or "cannot be read", where=str(path), hint=hint) from error
