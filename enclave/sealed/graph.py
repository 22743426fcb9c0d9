# SPDX-License-Identifier: Apache-2.0
"""What the sealer reads of an ONNX file: whether it is one, and where its external initializers lie.

The framing is walked in place, so a graph of any size costs no memory. Only models with external data
need the `onnx` package, for the tensor map that spares the node from it.
"""

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from enclave.errors import MalformedModel
from enclave.sealed.preamble import ITEM_SIZES, Tensor

if TYPE_CHECKING:
    from onnx import TensorProto

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_LOCATION = 7, 5, 14
_WINDOW = 512


class _Protobuf:
    """Walks the fields of protobuf messages in a file without loading them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._window = b""
        self._start = 0

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Number, start and end of each field between two offsets; a varint's start is its value."""
        while start < end:
            key, start = self._varint(start, end)
            number, wire = key >> 3, key & 7
            if wire == _VARINT:
                value, start = self._varint(start, end)
                yield number, value, start
                continue
            if wire == _BYTES:
                length, start = self._varint(start, end)
            elif wire in (_FIXED64, _FIXED32):
                length = 8 if wire == _FIXED64 else 4
            else:
                raise MalformedModel("not protobuf")
            if not number or start + length > end:
                raise MalformedModel("cut off, or not protobuf")
            yield number, start, start + length
            start += length

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        if not self._start <= at <= at + 10 <= self._start + len(self._window):
            self._window, self._start = os.pread(self._descriptor, _WINDOW, at), at
        value = 0
        for n, byte in enumerate(self._window[at - self._start : min(end, at + 10) - self._start]):
            value |= (byte & 0x7F) << 7 * n
            if byte < 0x80:
                return value, at + n + 1
        raise MalformedModel("cut off, or not protobuf")


def has_external(path: Path) -> bool:
    """Whether an ONNX file keeps initializers outside; raises `MalformedModel` for what is no ONNX file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        walk, size = _Protobuf(descriptor), os.fstat(descriptor).st_size
        graphs = [(start, end) for number, start, end in walk.fields(0, size) if number == _MODEL_GRAPH]
        if len(graphs) != 1:
            raise MalformedModel("no graph in it")
        tensors = [(s, e) for number, s, e in walk.fields(*graphs[0]) if number == _GRAPH_INITIALIZER]
        return any(
            number == _TENSOR_LOCATION and value == 1
            for tensor in tensors
            for number, value, _ in walk.fields(*tensor)
        )
    except MalformedModel as error:
        hint = "export the model again; the file is damaged or not ONNX"
        raise MalformedModel(error.what, where=str(path), hint=hint) from error
    finally:
        os.close(descriptor)


def locations(path: Path, main: str) -> tuple[str, ...]:
    """Paths, relative as `main` is, of the files that hold an ONNX model's external initializers."""
    return tuple(sorted({file for file, _ in _external(path, main)}))


def tensor_map(path: Path, main: str, sizes: Mapping[str, int]) -> tuple[Tensor, ...]:
    """Every external initializer of the ONNX file at `path`, which is `main` among files of these sizes."""
    return tuple(_tensor(file, initializer, sizes) for file, initializer in _external(path, main))


def _external(path: Path, main: str) -> list[tuple[str, "TensorProto"]]:
    try:
        import onnx
    except ImportError as error:
        raise MalformedModel(
            "a model with external data needs the onnx package to be sealed",
            where=str(path),
            hint="pip install 'exequatur[onnx]'",
        ) from error
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, and onnx's own checks
        raise MalformedModel("not an ONNX model", where=str(path), hint="export the model again") from error
    external = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    return [(_location(main, t), t) for t in external]


def _location(main: str, initializer: "TensorProto") -> str:
    entries = {entry.key: entry.value for entry in initializer.external_data}
    location = posixpath.normpath(posixpath.join(posixpath.dirname(main), entries.get("location", "")))
    if location.startswith(("..", "/")) or location == ".":
        raise MalformedModel(
            f"initializer {initializer.name!r} lies outside of the model's folder", where=main
        )
    return location


def _tensor(file: str, initializer: "TensorProto", sizes: Mapping[str, int]) -> Tensor:
    import onnx

    entries = {entry.key: entry.value for entry in initializer.external_data}
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(initializer.data_type).name
        offset = int(entries.get("offset", 0))
        length = int(entries.get("length", sizes.get(file, 0) - offset))
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedModel(f"initializer {initializer.name!r} is not described", where=file) from error
    shape = tuple(initializer.dims)
    size = ITEM_SIZES.get(dtype, 0)
    for side in shape:
        size *= side
    if dtype not in ITEM_SIZES:
        raise MalformedModel(
            f"initializer {initializer.name!r} has type {dtype}", where=file, hint="keep it inline"
        )
    if min(offset, length, *shape, 0) < 0 or size != length or offset + length > sizes.get(file, -1):
        raise MalformedModel(f"initializer {initializer.name!r} does not lie in its file", where=file)
    return Tensor(name=initializer.name, dtype=dtype, shape=shape, file=file, offset=offset, length=length)
