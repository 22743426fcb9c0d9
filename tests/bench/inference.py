# SPDX-License-Identifier: Apache-2.0
"""From a sealed file of 1 GiB to its first answer, against the unprotected model with the same prepacking option."""

from pathlib import Path

from contracts.ids import Address
from enclave.sealed.seal import seal
from tests.bench.child import KEY
from tests.bench.models import WIDTH
from tests.bench.timing import child, interleaved, ratio

ROUNDS = 5


def run(inline: Path, folder: Path, size: int, work: Path) -> dict[str, float]:
    """Ratios for one model, given once as a file and once as a folder with external data."""
    path = work / "sealed"
    info = seal(folder, path, data_key=KEY, grant_address=Address(bytes(20)))
    peaks: list[float] = []

    def opened() -> float:
        figures = child("sealed", path, info.seal_id, WIDTH)
        peaks.append(figures["peak"])
        return figures["seconds"]

    variants = {"plain": lambda: child("plain", inline, WIDTH)["seconds"], "sealed": opened}
    seconds = interleaved(variants, ROUNDS)
    path.unlink()
    return {
        "first_inference_vs_plain_1gib": ratio(seconds, "sealed", "plain"),
        "open_peak_vs_model_1gib": max(peaks) / size,
    }
