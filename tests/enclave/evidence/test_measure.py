# SPDX-License-Identifier: Apache-2.0
"""What the host measures is what the guest loads, and PCR 14 takes it once."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from enclave.errors import AlreadyMeasured
from enclave.node.measure import extend_pcr14, guest_files, guest_files_digest
from tests.fakes.tpm import FakeTpm

ROOT = Path(__file__).resolve().parents[3]
_LOADED = """
import sys, importlib, pkgutil, enclave.guest
for found in pkgutil.walk_packages(enclave.guest.__path__, "enclave.guest."):
    importlib.import_module(found.name)
for module in list(sys.modules.values()):
    file = getattr(module, "__file__", None)
    if file and module.__name__.partition(".")[0] in ("contracts", "registry", "enclave", "cli"):
        print(file)
"""


def test_every_file_of_ours_that_the_guest_loads_is_measured_s1() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {Path(line).relative_to(ROOT).as_posix() for line in ran.stdout.split()}
    measured = {path.relative_to(ROOT).as_posix() for path in guest_files()}
    assert loaded <= measured
    assert "enclave/guest/quoter.py" in loaded


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in guest_files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tmp_path


def test_the_digest_depends_on_names_and_bytes_only(copy: Path) -> None:
    assert guest_files_digest(copy) == guest_files_digest()
    (copy / "enclave" / "verifier.py").write_text("not the guest's")
    assert guest_files_digest(copy) == guest_files_digest()


def test_a_changed_renamed_added_or_missing_file_changes_it(copy: Path) -> None:
    quoter, original = copy / "enclave" / "guest" / "quoter.py", guest_files_digest()
    text, seen = quoter.read_bytes(), {original}
    quoter.write_bytes(text + b"\n")
    seen.add(guest_files_digest(copy))
    quoter.write_bytes(text)
    assert guest_files_digest(copy) == original
    moved = quoter.rename(quoter.with_name("quoter2.py"))
    seen.add(guest_files_digest(copy))
    moved.unlink()
    seen.add(guest_files_digest(copy))
    quoter.write_bytes(text)
    (copy / "enclave" / "guest" / "extra.py").touch()
    seen.add(guest_files_digest(copy))
    assert len(seen) == 5


def test_pcr_14_takes_one_measurement() -> None:
    tpm = FakeTpm()
    extend_pcr14(tpm, b"\x01" * 32)
    assert tpm.pcr(14) == hashlib.sha256(bytes(32) + b"\x01" * 32).digest()
    extend_pcr14(tpm, b"\x01" * 32)
    assert tpm.pcr(14) == hashlib.sha256(bytes(32) + b"\x01" * 32).digest()
    with pytest.raises(AlreadyMeasured) as caught:
        extend_pcr14(tpm, b"\x02" * 32)
    assert caught.value.code == 2
