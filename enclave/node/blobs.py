# SPDX-License-Identifier: Apache-2.0
"""Sealed models as a host keeps them: fetched by the URI on chain, checked against the sealId, kept by its name."""

import re
from pathlib import Path

from contracts.ids import Digest, ModelId, SealId
from enclave.errors import SealError
from enclave.node.errors import BlobUnknown
from enclave.sealed.files import SealedFile
from registry.chain.chain import Chain
from registry.store import Store

_URI = re.compile(r"(?:.*/)?sha256/([0-9a-f]{64})")


class Blobs:
    """A folder of sealed models; what is in it is public, and never believed."""

    def __init__(self, chain: Chain, store: Store, folder: Path) -> None:
        self._chain = chain
        self._store = store
        self._folder = folder

    def sealed(self, model: ModelId, version: int, seal_id: SealId) -> SealedFile:
        """The sealed model of a version, fetched if it is not there; raises `SealError` if the store has another."""
        path = self._folder / f"{seal_id.hex()}.sealed"
        if path.exists():
            try:
                return _checked(path, seal_id)
            except SealError:
                path.unlink()  # a fetch cut short, or a damaged disk
        self._folder.mkdir(parents=True, exist_ok=True)
        self._store.fetch_file(self._digest(model, version), path)
        return _checked(path, seal_id)

    def _digest(self, model: ModelId, version: int) -> Digest:
        book = self._chain.book
        head = self._chain.head().number
        for event in self._chain.events(book.deployed_at, head, addresses=[book.models]):
            if event.name == "VersionAdded" and event.args["modelId"] == model:
                found = _URI.fullmatch(str(event.args["uri"]))
                if event.args["version"] == version and found:
                    return Digest(bytes.fromhex(found[1]))
        hint = "register it with the URI that `model seal` printed"
        raise BlobUnknown("its URI does not end in sha256/<digest>", where=f"{model} {version}", hint=hint)


def _checked(path: Path, seal_id: SealId) -> SealedFile:
    sealed = SealedFile.inspect(path)
    sealed.require(seal_id)
    return sealed
