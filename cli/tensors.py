# SPDX-License-Identifier: Apache-2.0
"""Inputs as people have them, .npy and .json, and outputs as they want to see them."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy

    from enclave.wire import Tensor

_SHOWN = 64


def read_request(path: Path, name: str) -> bytes:
    """The request that an input file makes; the same file always makes the same request."""
    from contracts.documents import parse_json
    from enclave.errors import MalformedInput
    from enclave.wire import encode_tensors

    if path.suffix == ".npy":
        return encode_tensors([_tensor(name, _npy(path))])
    if path.suffix != ".json":
        raise MalformedInput("an input is .npy or .json", where=str(path))
    try:
        read = parse_json(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedInput("not JSON", where=str(path)) from error
    named = read if isinstance(read, dict) else {name: read}
    return encode_tensors([_tensor(key, _array(value, str(path))) for key, value in sorted(named.items())])


def shown(response: bytes) -> dict[str, object]:
    """The outputs by name: numbers where there are few, else what they are."""
    import numpy

    from enclave.wire import decode_tensors

    outputs: dict[str, object] = {}
    for tensor in decode_tensors(response):
        array = numpy.frombuffer(tensor.data, numpy.dtype(tensor.dtype)).reshape(tensor.shape)
        few = array.size <= _SHOWN
        outputs[tensor.name] = array.tolist() if few else f"{tensor.dtype} {list(tensor.shape)}"
    return outputs


def _npy(path: Path) -> "numpy.ndarray":
    import numpy

    from enclave.errors import MalformedInput

    try:
        read = numpy.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise MalformedInput("not a .npy file of numbers", where=str(path)) from error
    if not isinstance(read, numpy.ndarray):
        raise MalformedInput("not a .npy file of numbers", where=str(path))
    return read


def _array(value: object, where: str) -> "numpy.ndarray":
    import numpy

    from enclave.errors import MalformedInput

    table = value if isinstance(value, dict) else {"data": value}
    try:
        return numpy.array(table["data"], dtype=numpy.dtype(str(table.get("dtype", "float32"))))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise MalformedInput(
            "an input is numbers, or {dtype, data}", where=where, hint="nested lists must be even"
        ) from error


def _tensor(name: str, array: "numpy.ndarray") -> "Tensor":
    import numpy

    from enclave.wire import Tensor

    little = numpy.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return Tensor(name=name, dtype=array.dtype.name, shape=array.shape, data=little.tobytes())
