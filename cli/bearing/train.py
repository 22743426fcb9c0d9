# SPDX-License-Identifier: Apache-2.0
"""`python -m cli.bearing.train`: trains the model of the demonstration and writes bearing.onnx and samples.json.

Needs the development dependencies (scikit-learn, onnx). The graph takes raw vibration: a fixed band-pass around the
resonance, the envelope, its spectrum to 400 Hz, and a small trained network that reads it.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.neural_network import MLPClassifier

from cli.bearing.signals import LABELS, RATE, RESONANCE, WINDOW, batch

HERE = Path(__file__).resolve().parent
_TAPS, _HALF_BAND, _BINS = 63, 1_200.0, 68
_FLOOR = 1e-3
_TRAINING, _HELD_OUT, _SAMPLES = 11, 12, 13  # seeds


def train() -> onnx.ModelProto:
    """The model, the same at every run on one machine."""
    windows, labels = batch(400, _TRAINING)
    network = MLPClassifier((32,), alpha=1e-2, max_iter=300, random_state=0, early_stopping=True)
    network.fit(features(windows), labels)
    return _graph(network)


def features(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the fixed part of the graph computes: the logarithmic envelope spectrum, shape (n, 68)."""
    taps = _band_pass()
    band = np.stack([np.convolve(window, taps[::-1], mode="valid") for window in windows])
    envelope = np.abs(band)
    cosine, sine = _spectrum(envelope.shape[1])
    level = np.log(np.sqrt((envelope @ cosine) ** 2 + (envelope @ sine) ** 2) + _FLOOR)
    return np.asarray(level, np.float32)


def _band_pass() -> NDArray[np.float32]:
    """A windowed-sinc FIR filter around the resonance."""
    n = np.arange(_TAPS) - _TAPS // 2
    low = np.sinc(2 * _HALF_BAND / RATE * n) * np.hamming(_TAPS)
    return np.asarray(2 * low / low.sum() * np.cos(2 * np.pi * RESONANCE / RATE * n), np.float32)


def _spectrum(length: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine of the first bins, from the second on, so that the mean of the envelope has no say."""
    angle = 2 * np.pi * np.outer(np.arange(length), np.arange(1, _BINS + 1)) / length
    taper = np.hanning(length)[:, None] * 2 / length
    return np.asarray(taper * np.cos(angle), np.float32), np.asarray(taper * np.sin(angle), np.float32)


_STEPS = (
    ("Unsqueeze", ["vibration", "squeeze"], "channel"),
    ("Conv", ["channel", "taps"], "band"),
    ("Squeeze", ["band", "squeeze"], "filtered"),
    ("Abs", ["filtered"], "envelope"),
    ("MatMul", ["envelope", "cosine"], "real"),
    ("MatMul", ["envelope", "sine"], "imaginary"),
    ("Mul", ["real", "real"], "real2"),
    ("Mul", ["imaginary", "imaginary"], "imaginary2"),
    ("Add", ["real2", "imaginary2"], "power"),
    ("Sqrt", ["power"], "amplitude"),
    ("Add", ["amplitude", "floor"], "floored"),
    ("Log", ["floored"], "level"),
    ("Gemm", ["level", "w1", "b1"], "hidden"),
    ("Relu", ["hidden"], "active"),
    ("Gemm", ["active", "w2", "b2"], "scores"),
    ("Softmax", ["scores"], "fault"),  # over the last axis
)


def _values(network: MLPClassifier) -> dict[str, NDArray[np.float32] | NDArray[np.int64]]:
    """Every constant of the graph: the fixed features, then what was learnt."""
    cosine, sine = _spectrum(WINDOW - _TAPS + 1)
    (w1, w2), (b1, b2) = network.coefs_, network.intercepts_
    learnt = {"w1": w1, "b1": b1, "w2": w2, "b2": b2}
    return {
        "taps": _band_pass()[None, None, :],
        "cosine": cosine,
        "sine": sine,
        "floor": np.array(_FLOOR, np.float32),
        "squeeze": np.array([1], np.int64),
        **{name: np.asarray(value, np.float32) for name, value in learnt.items()},
    }


def _graph(network: MLPClassifier) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, [output]) for operator, inputs, output in _STEPS],
        "bearing",
        [helper.make_tensor_value_info("vibration", TensorProto.FLOAT, ["n", WINDOW])],
        [helper.make_tensor_value_info("fault", TensorProto.FLOAT, ["n", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in _values(network).items()],
        doc_string="Rolling-bearing faults from vibration; trained on simulated signals only.",
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="exequatur", ir_version=9
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def accuracy(model: bytes, seed: int = _HELD_OUT) -> float:
    """Share of held-out simulated windows that the model tells right."""
    import onnxruntime

    windows, labels = batch(100, seed)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (fault,) = session.run(None, {"vibration": windows})
    return float((np.asarray(fault).argmax(axis=1) == labels).mean())


def main() -> None:
    """Write the model and one sample of each label."""
    model = train().SerializeToString()
    (HERE / "bearing.onnx").write_bytes(model)
    windows, labels = batch(1, _SAMPLES)
    samples = [
        {"label": LABELS[label], "vibration": [round(float(value), 4) for value in window]}
        for window, label in zip(windows, labels, strict=True)
    ]
    (HERE / "samples.json").write_text(json.dumps(samples) + "\n", "utf-8")
    print(f"bearing.onnx: {len(model)} bytes, {accuracy(model):.3f} right on held-out simulated windows")


if __name__ == "__main__":
    main()
