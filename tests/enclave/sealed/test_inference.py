# SPDX-License-Identifier: Apache-2.0
"""Real models answer from the sealed file as they did before, without plaintext on disk."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from enclave.errors import MalformedInput, MalformedModel
from enclave.guest.model import Model
from enclave.sealed.files import open_file
from enclave.sealed.seal import seal
from enclave.wire import Tensor
from tests.fakes.models import GRANT_ADDRESS, KEY, linear


def exported(scaler: StandardScaler, network: MLPClassifier) -> onnx.ModelProto:
    """A scaled multi-layer perceptron of scikit-learn as an ONNX graph; the output is the score of each class."""
    held = {"mean": scaler.mean_, "scale": np.maximum(scaler.scale_, 1e-12)}
    nodes = [helper.make_node("Sub", ["x", "mean"], ["c"]), helper.make_node("Div", ["c", "scale"], ["h0"])]
    last = len(network.coefs_) - 1
    for n, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        held |= {f"w{n}": weights, f"b{n}": bias}
        nodes.append(helper.make_node("Gemm", [f"h{n}", f"w{n}", f"b{n}"], [f"g{n}"]))
        nodes.append(helper.make_node("Relu" if n < last else "Identity", [f"g{n}"], [f"h{n + 1}"]))
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(scaler.mean_)])],
        [helper.make_tensor_value_info(f"h{last + 1}", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@pytest.fixture(scope="module", params=[load_digits, load_breast_cancer], ids=["digits", "breast cancer"])
def trained(
    request: pytest.FixtureRequest,
) -> tuple[onnx.ModelProto, npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    features, labels = request.param(return_X_y=True)
    features = features.astype(np.float32)
    scaler = StandardScaler().fit(features)
    network = MLPClassifier((32,), max_iter=60, random_state=7, tol=1e-2)
    network.fit(scaler.transform(features), labels)
    predicted = network.predict(scaler.transform(features))
    assert np.mean(predicted == labels) > 0.95
    return exported(scaler, network), features, predicted


def answered(model: Model, features: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    request = Tensor(name="x", dtype="float32", shape=features.shape, data=features.tobytes())
    (answer,) = model.run([request])
    scores = np.frombuffer(answer.data, answer.dtype).reshape(answer.shape)
    return scores.argmax(axis=1) if scores.shape[1] > 1 else (scores[:, 0] > 0).astype(np.int64)


@pytest.mark.parametrize("outside", [False, True], ids=["inline", "external data"])
def test_a_trained_model_predicts_as_scikit_learn_does(
    trained: tuple[onnx.ModelProto, npt.NDArray[np.float32], npt.NDArray[np.int64]],
    outside: bool,
    tmp_path: Path,
) -> None:
    proto, features, predicted = trained
    folder = tmp_path / "m"
    folder.mkdir()
    copy = onnx.ModelProto.FromString(proto.SerializeToString())
    onnx.save_model(
        copy,
        folder / "model.onnx",
        save_as_external_data=outside,
        location="model.bin" if outside else None,
        size_threshold=0,
    )
    info = seal(folder, tmp_path / "s", data_key=KEY, grant_address=GRANT_ADDRESS)
    shutil.rmtree(folder)
    for prepack in (True, False):
        model = Model(open_file(tmp_path / "s", KEY, seal_id=info.seal_id), prepack=prepack)
        assert (answered(model, features) == predicted).all()
        model.zeroise()


def test_external_weights_are_used_in_place(tmp_path: Path) -> None:
    """Overwriting the opened buffer changes the answer: the runtime holds no copy."""
    (tmp_path / "m").mkdir()
    onnx.save_model(
        linear(np.ones((512, 4), np.float32)),
        tmp_path / "m" / "model.onnx",
        save_as_external_data=True,
        location="w",
        size_threshold=0,
    )
    info = seal(tmp_path / "m", tmp_path / "s", data_key=KEY, grant_address=GRANT_ADDRESS)
    opened = open_file(tmp_path / "s", KEY, seal_id=info.seal_id)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    model = Model(opened, prepack=False, scratch=scratch)
    request = Tensor(name="x", dtype="float32", shape=(1, 512), data=np.ones(512, np.float32).tobytes())
    assert set(np.frombuffer(model.run([request])[0].data, np.float32)) == {512.0}
    opened.zeroise()
    assert set(np.frombuffer(model.run([request])[0].data, np.float32)) == {0.0}
    assert not list(scratch.iterdir())


@pytest.fixture
def model(inline_model: Path, tmp_path: Path) -> Iterator[Model]:
    info = seal(inline_model, tmp_path / "s", data_key=KEY, grant_address=GRANT_ADDRESS)
    yield (model := Model(open_file(tmp_path / "s", KEY, seal_id=info.seal_id)))
    model.zeroise()


ROW = np.zeros(4, np.float32).tobytes()


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        [Tensor(name="y", dtype="float32", shape=(1, 4), data=ROW)],
        [Tensor(name="x", dtype="int32", shape=(1, 4), data=ROW)],
        [Tensor(name="x", dtype="float32", shape=(4, 1), data=ROW)],
        [Tensor(name="x", dtype="float32", shape=(), data=ROW[:4])],
    ],
    ids=["none", "another name", "another type", "another shape", "a scalar"],
)
def test_inputs_the_model_does_not_take(model: Model, inputs: list[Tensor]) -> None:
    with pytest.raises(MalformedInput):
        model.run(inputs)


def test_no_answer_after_zeroise(model: Model) -> None:
    model.zeroise()
    with pytest.raises(MalformedInput):
        model.run([Tensor(name="x", dtype="float32", shape=(1, 4), data=ROW)])


def test_a_graph_the_runtime_refuses(tmp_path: Path) -> None:
    """Well-formed protobuf that is no valid graph passes sealing, and fails typed when it is opened."""
    proto = linear(np.zeros((2, 2), np.float32))
    proto.graph.node[0].op_type = "NoSuchOperator"
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    info = seal(tmp_path / "model.onnx", tmp_path / "s", data_key=KEY, grant_address=GRANT_ADDRESS)
    opened = open_file(tmp_path / "s", KEY, seal_id=info.seal_id)
    with pytest.raises(MalformedModel) as refused:
        Model(opened)
    assert "NoSuchOperator" not in str(refused.value)  # errors quote nothing of a model
    assert not any(bytes(opened.buffer))


@pytest.mark.slow
def test_a_model_over_two_gigabytes(tmp_path: Path) -> None:
    """More than one protobuf message may hold; opened in place, answered, and read in parts."""
    rows, layers = 8192, 9
    work = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path
    if shutil.disk_usage(work).free < 8 << 30:
        pytest.skip(f"8 GiB free are needed under {work}")
    folder = work / f"exequatur-{os.getpid()}"
    (folder / "m").mkdir(parents=True)
    try:
        sealed_and_answered(folder, rows, layers)
    finally:
        shutil.rmtree(folder)


def sealed_and_answered(folder: Path, rows: int, layers: int) -> None:
    size = 4 * rows * rows
    tensors = []
    with (folder / "m" / "weights").open("wb") as file:
        for n in range(layers):
            weights = np.zeros((rows, rows), np.float32)
            np.fill_diagonal(weights, n + 1)
            file.write(weights.data)
            tensor = TensorProto(name=f"w{n}", data_type=TensorProto.FLOAT, dims=[rows, rows])
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in {"location": "weights", "offset": n * size, "length": size}.items():
                tensor.external_data.add(key=key, value=str(value))
            tensors.append(tensor)
    nodes = [helper.make_node("MatMul", [f"h{n}", f"w{n}"], [f"h{n + 1}"]) for n in range(layers)]
    inputs = [helper.make_tensor_value_info("h0", TensorProto.FLOAT, [1, rows])]
    outputs = [helper.make_tensor_value_info(f"h{layers}", TensorProto.FLOAT, [1, rows])]
    graph = helper.make_graph(nodes, "deep", inputs, outputs, tensors)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    (folder / "m" / "model.onnx").write_bytes(proto.SerializeToString())
    info = seal(folder / "m", folder / "s", data_key=KEY, grant_address=GRANT_ADDRESS)
    assert info.size > 2 << 30
    shutil.rmtree(folder / "m")
    model = Model(open_file(folder / "s", KEY, seal_id=info.seal_id))
    ones = np.ones(rows, np.float32)
    (answer,) = model.run([Tensor(name="h0", dtype="float32", shape=(1, rows), data=ones.tobytes())])
    assert set(np.frombuffer(answer.data, np.float32)) == {float(np.prod(range(1, layers + 1)))}
    model.zeroise()
