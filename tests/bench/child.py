# SPDX-License-Identifier: Apache-2.0
"""One job in a fresh interpreter, with its time and peak memory; prints JSON. Imports are not counted."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

KEY = bytes(range(32))


def memory(field: str) -> int:
    """A figure of /proc/self/status in bytes: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field + ":"))


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Seconds, and bytes at most above what the interpreter held before."""
    before, start = memory("VmRSS"), time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - start, "peak": memory("VmHWM") - before}


def seal(source: str, target: str) -> dict[str, float]:
    """Seal as the command does, manifest included."""
    from contracts.ids import Address
    from enclave.sealed import seal as sealing

    address = Address(bytes(20))
    return measured(lambda: sealing.seal(Path(source), Path(target), data_key=KEY, grant_address=address))


def plain(model: str, width: str) -> dict[str, float]:
    """An unprotected model from its file to its first answer, without prepacking."""
    import numpy as np
    import onnxruntime as ort

    row = np.ones((1, int(width)), np.float32)

    def first() -> None:
        options = ort.SessionOptions()
        options.add_session_config_entry("session.disable_prepacking", "1")
        ort.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"x": row})

    return measured(first)


def sealed(path: str, seal_id: str, width: str) -> dict[str, float]:
    """A sealed model from its file to its first answer, every check included, without prepacking."""
    import numpy as np

    from contracts.ids import SealId
    from enclave.guest.model import Model
    from enclave.sealed.files import open_file
    from enclave.wire import Tensor

    row = np.ones((1, int(width)), np.float32)
    request = Tensor(name="x", dtype="float32", shape=row.shape, data=row.tobytes())

    def first() -> None:
        opened = open_file(Path(path), KEY, seal_id=SealId.parse(seal_id))
        Model(opened, prepack=False).run([request])

    return measured(first)


JOBS: dict[str, Callable[..., dict[str, float]]] = {"seal": seal, "plain": plain, "sealed": sealed}

if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](*sys.argv[2:])))
