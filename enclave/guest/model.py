# SPDX-License-Identifier: Apache-2.0
"""Step 9: answer with the opened model, which ONNX Runtime uses where it lies.

Initializers from external data are views of the opened buffer; nothing of them is copied or written. The runtime
insists that the files they come from exist, so it is shown empty ones for as long as it loads.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from enclave.faults import MalformedInput, MalformedModel
from enclave.sealed.open import OpenModel
from enclave.sealed.preamble import Tensor as External
from enclave.wire import Tensor

_PREPACK_BELOW = 200 << 20
_ELEMENTS = {
    "tensor(float16)": "float16",
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(bool)": "bool",
} | {f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


class Model:
    """A model that is loaded and answers; it owns the plaintext and wipes it.

    `prepack` lets the runtime rearrange weights into a second copy, faster to compute with: by default only for
    models small enough that twice their size is cheap. `scratch` is where the empty files stand while it loads.
    """

    def __init__(
        self, opened: OpenModel, *, prepack: bool | None = None, scratch: Path | None = None
    ) -> None:
        self._opened = opened
        # the runtime borrows these for as long as the session lives, and does not say so
        self._values = {t.name: ort.OrtValue.ortvalue_from_numpy(_array(opened, t)) for t in opened.tensors}
        if prepack is None:
            prepack = opened.preamble.size < _PREPACK_BELOW
        try:
            self._session = self._load(prepack, scratch)
            self._inputs = {i.name: _ELEMENTS[i.type] for i in self._session.get_inputs()}
            self._outputs = [output.name for output in self._session.get_outputs()]
        except Exception as error:  # noqa: BLE001  # the runtime's errors share no base, and may quote the model
            self.zeroise()
            hint = "the file is damaged, or needs operators or types that this runtime lacks"
            raise MalformedModel(f"not a model that loads ({type(error).__name__})", hint=hint) from None

    def run(self, inputs: Iterable[Tensor]) -> list[Tensor]:
        """The model's outputs in their order; raises `MalformedInput` for inputs it does not take."""
        feeds = {tensor.name: self._feed(tensor) for tensor in inputs}
        if missing := self._inputs.keys() - feeds.keys():
            raise MalformedInput(f"inputs are missing: {', '.join(sorted(missing))}", where="infer")
        try:
            results = self._session.run(None, feeds)
            return [_answer(name, result) for name, result in zip(self._outputs, results, strict=True)]
        except Exception as error:  # noqa: BLE001  # as above; shapes are the model's to judge
            raise MalformedInput(
                f"the model does not take this ({type(error).__name__})", where="infer"
            ) from None

    def zeroise(self) -> None:
        """Wipe the plaintext and drop the session; answers end here."""
        self._session = None
        self._values.clear()
        self._opened.zeroise()

    def _load(self, prepack: bool, scratch: Path | None) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.log_severity_level = 4  # messages may quote the model
        if not prepack:
            options.add_session_config_entry("session.disable_prepacking", "1")
        for name, value in self._values.items():
            options.add_initializer(name, value)
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            place = Path(folder)
            (place / self._opened.main).parent.mkdir(parents=True, exist_ok=True)
            for path in {tensor.file for tensor in self._opened.tensors}:
                (place / path).parent.mkdir(parents=True, exist_ok=True)
                (place / path).touch()
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path",
                str((place / self._opened.main).parent),
            )
            graph = bytes(self._opened.files[self._opened.main])
            session = ort.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        session._model_bytes = None
        return session

    def _feed(self, tensor: Tensor) -> npt.NDArray[np.generic]:
        if self._inputs.get(tensor.name) != tensor.dtype:
            wanted = self._inputs.get(tensor.name, "no such input")
            raise MalformedInput(f"{tensor.name[:80]!r}: {wanted}, not {tensor.dtype[:20]}", where="infer")
        try:
            return np.frombuffer(tensor.data, tensor.dtype).reshape(tensor.shape)
        except ValueError as error:
            raise MalformedInput(f"{tensor.name[:80]!r}: bytes and shape disagree", where="infer") from error


def _array(opened: OpenModel, tensor: External) -> npt.NDArray[np.generic]:
    held = opened.files[tensor.file][tensor.offset : tensor.offset + tensor.length]
    placed = np.frombuffer(held, tensor.dtype).reshape(tensor.shape)
    return np.require(placed, requirements="A")  # copies only what the exporter left unaligned


def _answer(name: str, result: object) -> Tensor:
    if not isinstance(result, np.ndarray) or result.dtype.name not in _ELEMENTS.values():
        raise TypeError("an output that is no numeric tensor")
    return Tensor(name=name, dtype=result.dtype.name, shape=result.shape, data=result.tobytes())
