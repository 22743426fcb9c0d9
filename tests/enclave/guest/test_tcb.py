# SPDX-License-Identifier: Apache-2.0
"""The trusted base is what TCB.md says, small, and rests on nothing that is not on the list."""

from pathlib import Path

import pytest

from enclave.node.measure import guest_files
from enclave.node.tcb import Base, document, lines_of_code, measure

GUEST = Path(__file__).resolve().parents[3] / "enclave" / "guest"
OURS = {
    "contracts.digests",
    "contracts.errors",
    "contracts.ids",
    "enclave.faults",
    "enclave.evidence.binding",
    "enclave.sealed.open",
    "enclave.sealed.preamble",
    "enclave.statements",
    "enclave.wire",
}
PACKAGES = {"blake3", "cbor2", "coincurve", "cryptography", "numpy", "onnxruntime", "pycryptodome"}
BENEATH = {"cffi", "pycparser"}  # how pycryptodome and coincurve reach their C code


@pytest.fixture(scope="module")
def vault() -> Base:
    return measure("enclave.guest.main")


def test_the_document_is_what_is_loaded() -> None:
    assert (GUEST / "TCB.md").read_text("utf-8") == document(), (
        "run: python -m enclave.node.tcb > enclave/guest/TCB.md"
    )


def test_the_vault_loads_nothing_else_of_ours(vault: Base) -> None:
    others = {name for name in vault.modules if not name.startswith("enclave.guest.")}
    assert others <= OURS
    assert set(vault.distributions) <= PACKAGES | BENEATH


def test_the_quoter_loads_no_model_and_no_keys() -> None:
    quoter = measure("enclave.guest.quoter")
    assert not {"enclave.guest.keys", "enclave.guest.model", "enclave.guest.vault"} & set(quoter.modules)
    assert not {"onnxruntime", "numpy", "coincurve"} & set(quoter.distributions)


@pytest.mark.parametrize("module", ["enclave.guest.main", "enclave.guest.quoter", "enclave.guest.boot"])
def test_everything_that_is_loaded_is_measured(module: str) -> None:
    measured = {path.relative_to(GUEST.parents[1]).as_posix() for path in guest_files()}
    assert {name.replace(".", "/") + ".py" for name in measure(module).modules} <= measured


def test_the_vault_is_read_in_an_afternoon(vault: Base) -> None:
    assert vault.lines <= 1_200


@pytest.mark.parametrize("module", sorted(GUEST.glob("collectors/*.py")), ids=lambda path: path.stem)
def test_a_device_module_is_short(module: Path) -> None:
    assert lines_of_code(module.read_text("utf-8")) <= 200


def test_every_module_of_the_guest_says_what_it_is_for() -> None:
    for path in GUEST.rglob("*.py"):
        text = path.read_text("utf-8")
        assert not text or text.splitlines()[1].startswith('"""'), path


def test_lines_are_counted_whatever_their_wrapping() -> None:
    assert (
        lines_of_code(
            '"""Doc."""\n\n# why\nx = [\n    1,\n    2,\n]\n\n\ndef f() -> None:\n    """Doc."""\n    return\n'
        )
        == 3
    )
