# SPDX-License-Identifier: Apache-2.0
"""Simulated vibration of a rolling bearing, healthy or with a local fault.

Nothing here was measured on a machine. A fault strikes once per passage of a rolling element; each strike rings a
structural resonance that dies out (McFadden and Smith, "Model for the vibration produced by a single point defect
in a rolling element bearing", J. Sound and Vibration 96, 1984). The passage frequencies follow from the geometry of
an SKF 6205-2RS, as the Case Western Reserve University bearing data centre publishes it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RATE = 12_000  # samples a second
WINDOW = 2_048  # samples, 0.17 s
LABELS = ("healthy", "inner race", "outer race", "ball")

_BALLS = 9
_RATIO = 7.94 / 39.04  # ball diameter over pitch diameter, contact angle zero
ORDERS = {
    "inner race": _BALLS / 2 * (1 + _RATIO),
    "outer race": _BALLS / 2 * (1 - _RATIO),
    "ball": (1 - _RATIO**2) / _RATIO,  # a spot on a ball meets both races once a turn of the ball
}
_CAGE = (1 - _RATIO) / 2
RESONANCE = 3_200.0  # Hz
_DECAY = 900.0  # 1/s
_SLIP = 0.01  # of the time between strikes


def window(label: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """One window of acceleration in g, float32 of shape (2048,), at 1,720 to 1,800 turns a minute."""
    turns = rng.uniform(1_720, 1_800) / 60
    time = np.arange(WINDOW) / RATE
    shaft = 0.05 * np.sin(2 * np.pi * turns * time + rng.uniform(0, 2 * np.pi))
    signal = shaft + rng.normal(0, rng.uniform(0.04, 0.10), WINDOW)
    if label != LABELS[0]:
        signal = signal + rng.uniform(0.35, 0.9) * _strikes(label, turns, time, rng)
    return signal.astype(np.float32)


def batch(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`count` windows of each label, shape (4 * count, 2048), and the labels' indices; the same for the same seed."""
    rng = np.random.default_rng(seed)
    windows = [window(label, rng) for label in LABELS for _ in range(count)]
    return np.stack(windows), np.repeat(np.arange(len(LABELS)), count)


def _strikes(
    label: str, turns: float, time: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The ringing of every strike in the window, as strong as the load where it falls."""
    gap = 1 / (ORDERS[label] * turns)
    count = int(time[-1] / gap) + 2
    moments = np.cumsum(gap * (1 + rng.normal(0, _SLIP, count))) - rng.uniform(0, gap) - gap
    modulation = {"inner race": turns, "outer race": 0.0, "ball": _CAGE * turns}[label]
    phase = rng.uniform(0, 2 * np.pi)
    rung = np.zeros_like(time)
    for moment in _within(moments, time[-1]):
        since = time - moment
        load = 1 + 0.6 * np.cos(2 * np.pi * modulation * moment + phase)
        ring = np.exp(-_DECAY * np.abs(since)) * np.sin(2 * np.pi * RESONANCE * since)
        rung += np.where(since >= 0, load * ring, 0.0)
    return rung


def _within(moments: NDArray[np.float64], end: float) -> Sequence[float]:
    return [float(moment) for moment in moments if -0.01 < moment < end]
