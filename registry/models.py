# SPDX-License-Identifier: Apache-2.0
"""Step 2: models on chain, their numbered versions, and who owns them."""

from contracts.digests import Word, keccak, word
from contracts.ids import Address, ModelId, PolicyId, SealId
from contracts.records import Finality, Model, Version
from registry.chain.chain import Chain
from registry.chain.reads import Words
from registry.chain.view import Block, Mined
from registry.signing import Account

_CONTRACT = "ModelRegistry"
_WORD = 32


class Models:
    """The model registry of a chain."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._address = chain.book.models

    def model_id(self, owner: Address, name: str) -> ModelId:
        """Id of the model that `owner` registered, or would, under `name`."""
        return model_id(self._chain.chain_id, self._address, owner, name)

    def register(
        self,
        account: Account,
        name: str,
        *,
        seal_id: SealId,
        policy: PolicyId,
        finality: Finality = Finality.SAFE,
        uri: str,
        broker: Address,
    ) -> tuple[ModelId, Mined]:
        """Register a model with its first version and its broker."""
        mined = self._transact(account, "registerWithVersion", name, seal_id, policy, finality, uri, broker)
        return Words(mined.event("ModelRegistered").args).id("modelId", ModelId), mined

    def add_version(
        self,
        account: Account,
        model: ModelId,
        *,
        seal_id: SealId,
        policy: PolicyId,
        finality: Finality = Finality.SAFE,
        uri: str,
    ) -> tuple[int, Mined]:
        """Add the next version; returns its number."""
        mined = self._transact(account, "addVersion", model, seal_id, policy, finality, uri)
        return Words(mined.event("VersionAdded").args).int("version"), mined

    def name_next(
        self, account: Account, model: ModelId, version: int, policy: PolicyId, start: int
    ) -> Mined:
        """Name the policy that replaces the current one at `start` (unix seconds)."""
        return self._transact(account, "nameNextPolicy", model, version, policy, start)

    def withdraw_version(self, account: Account, model: ModelId, version: int) -> Mined:
        """Withdraw one version, for ever."""
        return self._transact(account, "withdrawVersion", model, version)

    def raise_lowest(self, account: Account, model: ModelId, version: int) -> Mined:
        """Stop serving versions below `version`."""
        return self._transact(account, "raiseLowestServed", model, version)

    def retire(self, account: Account, model: ModelId, successor: ModelId | None = None) -> Mined:
        """Retire a model, for ever, naming a successor or none."""
        return self._transact(account, "retire", model, successor or bytes(_WORD))

    def set_broker(self, account: Account, model: ModelId, broker: Address) -> Mined:
        """Name the account that may release and stop for this model, and nothing else."""
        return self._transact(account, "setBroker", model, broker)

    def offer(self, account: Account, model: ModelId, to: Address) -> Mined:
        """Offer ownership; it moves when `to` accepts."""
        return self._transact(account, "offerOwnership", model, to)

    def accept(self, account: Account, model: ModelId) -> Mined:
        """Accept ownership offered to `account`."""
        return self._transact(account, "acceptOwnership", model)

    def model(self, model: ModelId, at: Block | None = None) -> Model:
        """The model; raises the contracts' `UnknownModel`."""
        return read_model(self._read("modelOf", model, at=at))

    def version(self, model: ModelId, version: int, at: Block | None = None) -> Version:
        """One version; raises `UnknownModel` or `UnknownVersion`."""
        return read_version(self._read("versionOf", model, version, at=at))

    def _read(self, function: str, *args: object, at: Block | None) -> Words:
        (found,) = self._chain.call(self._address, _CONTRACT, function, *args, at=at)
        return Words.of(found)

    def _transact(self, account: Account, function: str, *args: object) -> Mined:
        return self._chain.transact(account, self._address, _CONTRACT, function, *args)


def model_id(chain_id: int, registry: Address, owner: Address, name: str) -> ModelId:
    """`keccak256(abi.encode("exequatur/v1/model", chainId, registry, owner, name))`."""
    tag, text = _dynamic(b"exequatur/v1/model"), _dynamic(name.encode())
    head: tuple[Word, ...] = (5 * _WORD, chain_id, registry, owner, 5 * _WORD + len(tag))
    return ModelId(keccak(b"".join(map(word, head)) + tag + text))


def read_model(words: Words) -> Model:
    """A model from its struct."""
    return Model(
        owner=words.address("owner"),
        pending_owner=words.address("pendingOwner"),
        broker=words.address("broker"),
        versions=words.int("versions"),
        lowest_served=words.int("lowestServed"),
        retired=words.flag("retired"),
        successor=words.id("successor", ModelId),
    )


def read_version(words: Words) -> Version:
    """A version from its struct."""
    return Version(
        seal_id=words.id("sealId", SealId),
        policy=words.id("policy", PolicyId),
        next=words.id("next", PolicyId),
        next_start=words.int("nextStart"),
        finality=Finality(words.int("finality")),
        withdrawn=words.flag("withdrawn"),
    )


def _dynamic(raw: bytes) -> bytes:
    return word(len(raw)) + raw + bytes(-len(raw) % _WORD)
