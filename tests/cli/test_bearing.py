# SPDX-License-Identifier: Apache-2.0
"""The demonstration's model: the script makes it, it tells faults from each other, and its orders are the published ones."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cli.bearing import signals, train

COMMITTED = Path(train.__file__).with_name("bearing.onnx")


def _answers(model: bytes, windows: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"vibration": windows})[0])


@pytest.mark.slow
def test_script_makes_the_committed_model() -> None:
    windows, _ = signals.batch(20, seed=99)
    trained = train.train().SerializeToString()
    made, kept = (_answers(model, windows) for model in (trained, COMMITTED.read_bytes()))
    assert (made.argmax(1) == kept.argmax(1)).mean() >= 0.97
    assert np.abs(made - kept).mean() <= 0.02
    assert train.accuracy(trained) >= 0.95


def test_committed_model_tells_faults_on_windows_it_never_saw() -> None:
    assert train.accuracy(COMMITTED.read_bytes(), seed=4242) >= 0.95


def test_no_fault_is_told_worse_than_the_others() -> None:
    windows, labels = signals.batch(50, seed=77)
    told = _answers(COMMITTED.read_bytes(), windows).argmax(1)
    assert all((told[labels == label] == label).mean() >= 0.9 for label in range(len(signals.LABELS)))


def test_graph_computes_the_features_it_was_trained_on() -> None:
    windows, labels = signals.batch(5, seed=7)
    assert train.features(windows).shape == (20, 68)
    assert (_answers(COMMITTED.read_bytes(), windows).argmax(1) == labels).mean() >= 0.9


def test_fault_orders_are_the_published_ones_of_this_bearing() -> None:
    published = {"inner race": 5.4152, "outer race": 3.5848, "ball": 4.7135}  # per turn of the shaft
    for label, order in published.items():
        assert signals.ORDERS[label] == pytest.approx(order, rel=2e-3)


def test_samples_are_told_by_the_model() -> None:
    samples = json.loads(COMMITTED.with_name("samples.json").read_text("utf-8"))
    windows = np.array([sample["vibration"] for sample in samples], np.float32)
    told = [signals.LABELS[index] for index in _answers(COMMITTED.read_bytes(), windows).argmax(1)]
    assert told == [sample["label"] for sample in samples]
