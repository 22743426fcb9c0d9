# SPDX-License-Identifier: Apache-2.0
"""One registration of a sealed model, which may have happened before."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.transaction import mined

if TYPE_CHECKING:
    from contracts.ids import Address, ModelId, PolicyId, SealId
    from contracts.records import Finality
    from enclave.keystore import Binding
    from registry.chain.chain import Chain
    from registry.signing import Account


@dataclass(kw_only=True)
class Registration:
    """A sealed model on its way to a version number; the same one twice is one version."""

    live: "Chain"
    signer: "Account"
    name: str
    seal_id: "SealId"
    policy: "PolicyId"
    finality: "Finality"
    broker: "Address | None"
    version: int = 0

    @property
    def model(self) -> "ModelId":
        """The id that owner and name make."""
        from registry.models import Models

        return Models(self.live).model_id(self.signer.address, self.name)

    def known(self) -> int | None:
        """The version that has exactly this sealed model, policy and finality, if there is one."""
        from registry.chain.reverts import reverted_type
        from registry.models import Models

        models = Models(self.live)
        try:
            newest = models.model(self.model).versions
        except reverted_type("UnknownModel"):
            return None
        wanted = (self.seal_id, self.policy, self.finality, False)
        for number in range(newest, 0, -1):
            found = models.version(self.model, number)
            if (found.seal_id, found.policy, found.finality, found.withdrawn) == wanted:
                self.version = number
                return number
        self.version = newest
        return None

    def require_keys(self, home: Path) -> None:
        """Refuse a sealed model whose keys are not here, or serve another version, before anything is sent."""
        from enclave.errors import EntryRefused, NoEntry
        from enclave.keystore import Keystore

        entries = {entry.seal_id: entry for entry in Keystore(home).list()}
        where = str(self.seal_id)
        if self.seal_id not in entries:
            hint = "seal it again with `exequatur model seal`, or bring its keystore entry"
            raise NoEntry("no keys of this sealed model", where=where, hint=hint)
        known = self.known()
        expected = self._binding(self.version + 1 if known is None else known)
        if entries[self.seal_id].bound not in (None, expected):
            raise EntryRefused("these keys are bound to another version", where=where, hint="seal it again")

    def send(self, uri: str) -> dict[str, object]:
        """Register the model with its first version, or add a version to it."""
        from contracts.ids import ZERO_ADDRESS
        from registry.models import Models

        models = Models(self.live)
        seal_id, policy, finality = self.seal_id, self.policy, self.finality
        if self.version:
            _, sent = models.add_version(
                self.signer, self.model, seal_id=seal_id, policy=policy, finality=finality, uri=uri
            )
        else:
            broker = self.broker or ZERO_ADDRESS
            _, sent = models.register(
                self.signer,
                self.name,
                seal_id=seal_id,
                policy=policy,
                finality=finality,
                uri=uri,
                broker=broker,
            )
        self.version += 1
        return {**self.result(), **mined(sent)}

    def result(self) -> dict[str, object]:
        """What was registered."""
        return {
            "model": self.model,
            "version": self.version,
            "seal_id": self.seal_id,
            "policy": self.policy,
        }

    def bind(self, home: Path, passphrase: bytes) -> None:
        """Tie the sealed model's keys to this version, and pin its policy beside those pinned before."""
        from enclave.keystore import Keystore

        keystore = Keystore(home)
        entry = keystore.bind(self.seal_id, passphrase, self._binding(self.version))
        if self.policy not in entry.policies:
            keystore.pin(self.seal_id, passphrase, (*entry.policies, self.policy))

    def _binding(self, version: int) -> "Binding":
        from enclave.keystore import Binding

        return Binding(
            chain_id=self.live.chain_id,
            registry=self.live.book.models,
            model_id=self.model,
            version=version,
        )
