# SPDX-License-Identifier: Apache-2.0
"""What a host adds beside its guest's evidence is read anew each time, and changes nothing that the guest said."""

from dataclasses import replace
from pathlib import Path

import pytest

from enclave.errors import MalformedEvidence
from enclave.evidence.bundle import Device
from enclave.evidence.enclosed import Enclosed
from enclave.node.endorsing import endorsed
from tests.fakes.evidence import Case
from tests.fakes.nitro import ZONE, FakeEnclave

BODY = Enclosed(evidence=FakeEnclave().document(), pieces=()).encode()
SOFTWARE = Case.software().bundle()
BUNDLE = replace(SOFTWARE, devices=(Device(kind="aws-nitro", index=0, body=BODY), *SOFTWARE.devices[1:]))


def test_files_go_beside_the_root_device_s_evidence(tmp_path: Path) -> None:
    file = tmp_path / "issuer.pem"
    file.write_bytes(ZONE.pem)
    made = endorsed(BUNDLE, [file])
    assert Enclosed.parse(made.devices[0].body).pieces == (ZONE.pem,)
    assert made.entries() == BUNDLE.entries()
    file.write_bytes(ZONE.der)
    assert Enclosed.parse(endorsed(BUNDLE, [file]).devices[0].body).pieces == (ZONE.der,)


def test_without_files_nothing_changes() -> None:
    assert endorsed(SOFTWARE, []) is SOFTWARE


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedEvidence) as caught:
        endorsed(BUNDLE, [tmp_path / "gone.json"])
    assert "gone.json" in caught.value.where


def test_evidence_that_takes_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(ZONE.der)
    with pytest.raises(MalformedEvidence):
        endorsed(SOFTWARE, [tmp_path / "c"])


def test_an_unknown_root_takes_none(tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(ZONE.der)
    unknown = replace(BUNDLE, devices=(Device(kind="abacus", index=0, body=b""),))
    with pytest.raises(MalformedEvidence):
        endorsed(unknown, [tmp_path / "c"])
