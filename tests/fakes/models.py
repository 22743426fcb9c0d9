# SPDX-License-Identifier: Apache-2.0
"""Small models for tests, and what sealing them gave."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from contracts.ids import Address
from enclave.sealed.files import SealedFile
from enclave.sealed.seal import SealedInfo

KEY = bytes(range(32))
GRANT_ADDRESS = Address(bytes(range(20)))
CHUNK = 1 << 10


def linear(weights: npt.NDArray[np.float32]) -> onnx.ModelProto:
    """`y = x @ w`, the smallest model with an initializer."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, weights.shape[0]])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, weights.shape[1]])]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "linear", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A model that was sealed in chunks of 1 KiB."""

    folder: Path
    info: SealedInfo
    file: SealedFile
    key: bytes
