# SPDX-License-Identifier: Apache-2.0
"""What sealing refuses, and that nothing half-written is left whatever goes wrong."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from enclave.errors import MalformedModel, SealRefused, WrongKey
from enclave.sealed import seal as sealing
from enclave.sealed import survey as surveying
from enclave.sealed.seal import SealedInfo, seal
from enclave.sealed.survey import survey
from tests.fakes.models import GRANT_ADDRESS, KEY, linear


def sealed(source: Path, target: Path, **options: object) -> SealedInfo:
    return seal(source, target, data_key=KEY, grant_address=GRANT_ADDRESS, **options)  # type: ignore[arg-type]


def test_an_existing_target_is_refused_and_untouched(inline_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "s"
    target.write_text("precious")
    with pytest.raises(SealRefused):
        sealed(inline_model, target)
    target.unlink()
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(SealRefused):
        sealed(inline_model, target)


def test_a_target_that_appears_meanwhile_is_untouched(inline_model: Path, tmp_path: Path) -> None:
    target = tmp_path / "s"

    def interfere(done: int, size: int) -> None:
        target.write_text("precious")

    with pytest.raises(SealRefused):
        sealed(inline_model, target, progress=interfere)
    assert target.read_text() == "precious"


def test_a_target_in_the_models_folder_is_refused(external_model: Path) -> None:
    with pytest.raises(SealRefused):
        sealed(external_model, external_model / "graph" / "s")


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SealRefused):
        sealed(tmp_path / "none.onnx", tmp_path / "s")


def test_a_target_folder_that_is_not_there(inline_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SealRefused) as refused:
        sealed(inline_model, tmp_path / "none" / "s")
    assert "none" in refused.value.where


def test_a_short_data_key(inline_model: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongKey):
        seal(inline_model, tmp_path / "s", data_key=bytes(31), grant_address=GRANT_ADDRESS)


def interrupted(_done: int, _size: int) -> None:
    raise KeyboardInterrupt


def grown(model: Path) -> None:
    with model.open("ab") as file:
        file.write(b"\0")


def test_an_interrupt_leaves_nothing(inline_model: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        sealed(inline_model, tmp_path / "s", progress=interrupted)
    assert set(tmp_path.iterdir()) == before


def test_a_source_that_changes_meanwhile_leaves_nothing(inline_model: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(SealRefused):
        sealed(inline_model, tmp_path / "s", progress=lambda *_: grown(inline_model))
    assert set(tmp_path.iterdir()) == before


def test_a_source_cut_off_meanwhile_leaves_nothing(
    inline_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(source: Path, main: str | None = None) -> surveying.Inventory:
        inventory = survey(source, main)
        os.truncate(inline_model, 3)
        return inventory

    monkeypatch.setattr(sealing, "survey", cut)
    before = set(tmp_path.iterdir())
    with pytest.raises(SealRefused):
        sealed(inline_model, tmp_path / "s")
    assert set(tmp_path.iterdir()) == before


def test_a_full_disk_leaves_nothing(inline_model: Path, tmp_path: Path) -> None:
    """The file size limit stands for a full disk: the same write fails."""
    code = (
        "import sys, signal; from pathlib import Path; from contracts.ids import Address\n"
        "from enclave.errors import SealRefused; from enclave.sealed.seal import seal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: seal(Path(sys.argv[1]), Path(sys.argv[2]), data_key=bytes(32), grant_address=Address(bytes(20)))\n"
        "except SealRefused as error: print(error.what); sys.exit(int(error.code))\n"
    )
    before = set(tmp_path.iterdir())
    limit = (64, 64)
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(inline_model), str(tmp_path / "s")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert "large" in done.stdout
    assert set(tmp_path.iterdir()) == before


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "0 bytes": lambda raw: b"",
    "truncated": lambda raw: raw[:-1],
    "half": lambda raw: raw[: len(raw) // 2],
    "text": lambda raw: b"this is not a model",
    "zeros": lambda raw: bytes(1000),
    "ones": lambda raw: b"\xff" * 1000,
    "no graph": lambda raw: b"\x08\x0a",
    "two graphs": lambda raw: raw + b"\x3a\x00",
    "appended": lambda raw: raw + b"\x0f",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_no_onnx_file_is_refused(
    damage: Callable[[bytes], bytes], inline_model: Path, tmp_path: Path
) -> None:
    inline_model.write_bytes(damage(inline_model.read_bytes()))
    with pytest.raises(MalformedModel) as refused:
        sealed(inline_model, tmp_path / "s")
    assert refused.value.where == str(inline_model)
    assert refused.value.hint
    assert not (tmp_path / "s").exists()


def test_every_truncation_of_a_real_model_is_refused(inline_model: Path) -> None:
    raw = inline_model.read_bytes()
    refused = 0
    for size in range(len(raw)):
        inline_model.write_bytes(raw[:size])
        try:
            survey(inline_model)
        except MalformedModel:
            refused += 1
    assert refused >= len(raw) - 3  # optional fields follow the graph; without them it is a model as well


def test_links_are_refused(external_model: Path, tmp_path: Path) -> None:
    (external_model / "secrets").symlink_to("/etc/passwd")
    with pytest.raises(MalformedModel):
        sealed(external_model, tmp_path / "s")


def test_special_files_are_refused(external_model: Path, tmp_path: Path) -> None:
    os.mkfifo(external_model / "pipe")
    with pytest.raises(MalformedModel):
        sealed(external_model, tmp_path / "s")


def test_unprintable_names_are_refused(external_model: Path, tmp_path: Path) -> None:
    (external_model / "a\nb").touch()
    with pytest.raises(MalformedModel):
        sealed(external_model, tmp_path / "s")


def test_which_file_is_the_main_one(external_model: Path) -> None:
    graph = external_model / "graph"
    (graph / "other.onnx").write_bytes((graph / "model.onnx").read_bytes())
    with pytest.raises(MalformedModel) as refused:
        survey(external_model)
    assert "--main" in refused.value.hint
    assert survey(external_model, "graph/other.onnx").main == "graph/other.onnx"
    with pytest.raises(MalformedModel):
        survey(external_model, "graph/none.onnx")
    with pytest.raises(SealRefused):
        survey(graph / "other.onnx", "model.onnx")
    (graph / "other.onnx").rename(external_model / "model.onnx")
    with pytest.raises(MalformedModel):  # its weights are not beside it
        survey(external_model)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MalformedModel):
        survey(tmp_path / "empty")


def external(location: str, **entries: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    model = linear(np.zeros((2, 3), np.float32))
    del model.graph.initializer[:]
    model.graph.initializer.append(tensor)
    return model


@pytest.mark.parametrize(
    "model",
    [
        external("../../etc/passwd"),
        external("/etc/passwd"),
        external("weights.bin", offset="8"),
        external("weights.bin", offset="-24"),
        external("weights.bin", length="23"),
        external("weights.bin", offset="x"),
        external("missing.bin"),
        external(""),
    ],
    ids=["climbs", "absolute", "past the end", "before", "short", "no number", "missing", "empty"],
)
def test_external_data_that_is_not_in_the_folder(model: onnx.ModelProto, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(bytes(24))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    for source in (folder, folder / "model.onnx"):
        with pytest.raises(MalformedModel):
            sealed(source, tmp_path / "s")


def test_external_data_of_a_type_without_numpy_name(tmp_path: Path) -> None:
    model = external("w.bin")
    model.graph.initializer[0].data_type = TensorProto.BFLOAT16
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(12))
    with pytest.raises(MalformedModel) as refused:
        survey(tmp_path / "model.onnx")
    assert "bfloat16" in refused.value.what


def test_without_onnx_the_error_names_the_extra(
    external_model: Path, inline_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    survey(inline_model)
    with pytest.raises(MalformedModel) as refused:
        survey(external_model)
    assert "exequatur[onnx]" in refused.value.hint


def test_an_unreadable_source_is_a_typed_error(inline_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_paths: object) -> None:
        raise PermissionError(13, "Permission denied", str(inline_model))

    monkeypatch.setattr(surveying, "manifest_root", denied)
    with pytest.raises(SealRefused) as refused:
        survey(inline_model)
    assert (refused.value.what, refused.value.where) == ("Permission denied", str(inline_model))


def test_sealing_needs_neither_numpy_nor_onnx_for_a_file(inline_model: Path, tmp_path: Path) -> None:
    """Constant memory begins with what is loaded."""
    code = (
        "import sys; from pathlib import Path; from contracts.ids import Address\n"
        "from enclave.sealed.seal import seal\n"
        "seal(Path(sys.argv[1]), Path(sys.argv[2]), data_key=bytes(32), grant_address=Address(bytes(20)))\n"
        "print([m for m in ('numpy', 'onnx', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, str(inline_model), str(tmp_path / "s")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_big_graph_is_walked_in_place(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = linear(np.zeros((300, 300), np.float32))
    model.graph.node.extend([node] * 2000)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    assert survey(tmp_path / "model.onnx").tensors == ()
