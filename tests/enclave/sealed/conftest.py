# SPDX-License-Identifier: Apache-2.0
"""Models to seal, and what sealing them gave."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from enclave.sealed.files import SealedFile
from enclave.sealed.seal import seal, seal_inventory
from enclave.sealed.survey import survey
from tests.fakes.models import CHUNK, GRANT_ADDRESS, KEY, Sealed, linear


@pytest.fixture
def inline_model(tmp_path: Path) -> Path:
    """An ONNX file that holds its weights."""
    path = tmp_path / "model.onnx"
    onnx.save_model(linear(np.arange(12, dtype=np.float32).reshape(4, 3)), path)
    return path


@pytest.fixture
def external_model(tmp_path: Path) -> Path:
    """A folder with a model whose weights lie outside, below the graph, and a file of another kind."""
    folder = tmp_path / "external"
    (folder / "graph").mkdir(parents=True)
    weights = np.arange(48 * 32).reshape(48, 32).astype(np.float32)
    onnx.save_model(
        linear(weights),
        folder / "graph" / "model.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    (folder / "labels.txt").write_text("inner race\nouter race\n")
    return folder


@pytest.fixture
def sealed_folder(tmp_path: Path) -> Callable[[Path], Sealed]:
    """Seals a folder in chunks of 1 KiB, so that small models have several."""

    def make(folder: Path) -> Sealed:
        target = tmp_path / f"{folder.name}.sealed"
        info = seal_inventory(
            survey(folder), target, data_key=KEY, grant_address=GRANT_ADDRESS, chunk_size=CHUNK
        )
        return Sealed(folder=folder, info=info, file=SealedFile.inspect(target), key=KEY)

    return make


@pytest.fixture
def sealed(external_model: Path, sealed_folder: Callable[[Path], Sealed]) -> Sealed:
    """The model with external data, sealed."""
    return sealed_folder(external_model)


@pytest.fixture
def sealed_inline(inline_model: Path, tmp_path: Path) -> Sealed:
    """The single file, sealed as the command does it."""
    target = tmp_path / "inline.sealed"
    info = seal(inline_model, target, data_key=KEY, grant_address=GRANT_ADDRESS)
    return Sealed(folder=inline_model.parent, info=info, file=SealedFile.inspect(target), key=KEY)
