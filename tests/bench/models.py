# SPDX-License-Identifier: Apache-2.0
"""Large models made on the fly, the same once inline and once with external data."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

WIDTH = 4096


def perceptron(inline: Path, folder: Path, layers: int) -> int:
    """A multi-layer perceptron of `layers` x 64 MiB, as one file and as a folder; returns its size in bytes."""
    random = np.random.default_rng(7)
    tensors, nodes = [], []
    for n in range(layers):
        weights = random.standard_normal((WIDTH, WIDTH), np.float32) / WIDTH**0.5
        tensors.append(
            TensorProto(
                name=f"w{n}", data_type=TensorProto.FLOAT, dims=weights.shape, raw_data=weights.tobytes()
            )
        )
        nodes += [
            helper.make_node("MatMul", [f"h{n}" if n else "x", f"w{n}"], [f"g{n}"]),
            helper.make_node("Relu", [f"g{n}"], [f"h{n + 1}"]),
        ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, WIDTH])]
    outputs = [helper.make_tensor_value_info(f"h{layers}", TensorProto.FLOAT, [1, WIDTH])]
    graph = helper.make_graph(nodes, "perceptron", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    del tensors, graph
    inline.write_bytes(model.SerializeToString())
    folder.mkdir()
    onnx.save_model(
        model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return layers * WIDTH * WIDTH * 4
