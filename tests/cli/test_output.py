# SPDX-License-Identifier: Apache-2.0
"""How results and errors are said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer

from cli import output
from cli.tensors import read_request, shown
from contracts.ids import Address, Digest
from enclave.errors import MalformedInput, RefusedRemotely
from enclave.wire import Tensor, decode_tensors, encode_tensors

HERE = Address(b"\x01" * 20)


def test_text_aligns_names_and_spells_values_out(capsys: pytest.CaptureFixture[str]) -> None:
    nested = {"b": [], "c_d": [{"x": 1, "y": False}], "e": {"f": HERE}}
    output.show({"long_name": None, "a": True, **nested}, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "long name  -",
        "a          yes",
        "b          none",
        "c d",
        "  x 1  y no",
        "e",
        f"  f  {HERE}",
    ]


def test_json_is_one_object_with_identifiers_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.show({"address": HERE, "file": Path("x"), "n": 1}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"address": str(HERE), "file": "x", "n": 1}


@pytest.mark.parametrize("as_json", [True, False])
def test_bytes_without_a_name_are_never_printed(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError):
        output.show({"key": b"secret"}, as_json)
    assert "secret" not in capsys.readouterr().out


def test_a_refusal_names_its_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json in (False, True):
        with pytest.raises(typer.Exit) as ended, output.reporting(as_json):
            raise RefusedRemotely("too old", ["STALE", "PCR"], where="verifier", hint="attest again")
        assert ended.value.exit_code == 5
    said = capsys.readouterr()
    assert said.err == "error: verifier: too old\nhint: attest again\n"
    assert json.loads(said.out)["error"]["reasons"] == ["STALE", "PCR"]


def test_a_fault_of_ours_is_one_line_unless_asked_for_more(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose in (False, True):
        output.speak(verbose=verbose, log_json=False)
        try:
            with pytest.raises(typer.Exit) as ended, output.reporting():
                raise ZeroDivisionError("by zero")
        finally:
            output.speak(verbose=False, log_json=False)
        assert ended.value.exit_code == 1
        said = capsys.readouterr().err
        assert ("Traceback" in said) is verbose
        assert "error: ZeroDivisionError: by zero" in said


def test_an_interrupt_ends_with_130() -> None:
    with pytest.raises(typer.Exit) as ended, output.reporting():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130


def test_usage_and_exits_pass_through() -> None:
    for kind in (typer.BadParameter("x"), typer.Exit(4), typer.Abort()):
        with pytest.raises(type(kind)), output.reporting():
            raise kind


def test_a_closed_pipe_is_no_traceback() -> None:
    code = (
        "from cli.main import app, output\n"
        "@app.command()\n"
        "def flood() -> None:\n"
        "    with output.reporting():\n"
        "        while True: output.line({'n': 1})\n"
        "app(['flood'])"
    )
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (1, "")


def test_instants_are_rfc_3339() -> None:
    assert output.instant(0) == "1970-01-01T00:00:00Z"


def test_inputs_make_the_same_request_from_npy_and_json(tmp_path: Path) -> None:
    array = np.array([[1, 2]], np.float32)
    np.save(tmp_path / "a.npy", array)
    (tmp_path / "a.json").write_text('{"x": [[1, 2]]}')
    request = read_request(tmp_path / "a.npy", "x")
    assert request == read_request(tmp_path / "a.json", "y")
    assert decode_tensors(request) == [Tensor(name="x", dtype="float32", shape=(1, 2), data=array.tobytes())]
    assert shown(request) == {"x": [[1.0, 2.0]]}


def test_big_endian_input_becomes_little_endian(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([1, 2], ">i8"))
    assert shown(read_request(tmp_path / "a.npy", "x")) == {"x": [1, 2]}


def test_long_outputs_are_described() -> None:
    big = np.zeros((10, 10), np.float32)
    tensor = Tensor(name="y", dtype="float32", shape=(10, 10), data=big.tobytes())
    assert shown(encode_tensors([tensor])) == {"y": "float32 [10, 10]"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npy", b""),
        ("a.npy", b"\x93NUMPY garbage"),
        ("a.json", b"{"),
        ("a.json", b'{"x": [[1], [2, 3]]}'),
        ("a.json", b'{"x": {"dtype": "float32"}}'),
        ("a.json", b'{"x": {"data": [1], "dtype": "nonsense"}}'),
        ("a.json", b'{"x": "words"}'),
        ("a.json", b"[" * 100_000),
        ("a.txt", b"1"),
    ],
)
def test_malformed_input_is_a_typed_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MalformedInput):
        read_request(tmp_path / name, "x")


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([Digest], object), allow_pickle=True)
    with pytest.raises(MalformedInput):
        read_request(tmp_path / "a.npy", "x")
