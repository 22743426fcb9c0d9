# SPDX-License-Identifier: Apache-2.0
"""Plain reads for `show` and `status`: JSON-RPC and static ABI words decoded by hand, nothing heavy imported.

Every read of one `Reader` is at one block, named by its hash, so that what is printed belongs together.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn, TypeAlias

from contracts.ids import Address, Digest, FixedBytes, Half, ModelId, NodeId, PolicyId, ReleaseId, SealId
from registry.chain.book import AddressBook, find_book
from registry.chain.transport import Json, Transport, open_transport, reverted
from registry.errors import ChainUnavailable, CodeMismatch, RpcFailed

Plain: TypeAlias = "int | bool | FixedBytes"
Members: TypeAlias = dict[str, Plain]

_ABI = Path(__file__).resolve().parents[2] / "contracts" / "abi"
_WORD = 32
_KINDS: Mapping[str, type[FixedBytes]] = {
    "modelId": ModelId,
    "successor": ModelId,
    "policy": PolicyId,
    "next": PolicyId,
    "sealId": SealId,
    "release": ReleaseId,
    "address": Address,
    "bytes16": Half,
}


class Reader:
    """The contracts on a chain, for reading only; `book` is looked up by chain id unless it is given."""

    def __init__(self, transport: Transport, book: AddressBook | None = None) -> None:
        self._transport = transport
        self._book = book
        self.chain_id = _quantity(transport.request("eth_chainId"))
        self._head: dict[str, Json] | None = None

    @classmethod
    def open(cls, target: str, *, book: AddressBook | None = None) -> "Reader":
        """The chain behind `http(s)://`, `ws(s)://` or an IPC socket."""
        return cls(open_transport(target), book)

    @property
    def book(self) -> AddressBook:
        """Where the contracts are."""
        if self._book is None:
            self._book = find_book(self.chain_id)
        return self._book

    @property
    def block_number(self) -> int:
        """Number of the block that every read is at."""
        return _quantity(self._pinned()["number"])

    @property
    def timestamp(self) -> int:
        """Unix seconds of that block; what terms and leases are compared with."""
        return _quantity(self._pinned()["timestamp"])

    def refresh(self) -> None:
        """Read at the head again from now on."""
        self._head = None

    def balance(self, account: Address) -> int:
        """What an account holds, in wei."""
        return _quantity(self._transport.request("eth_getBalance", str(account), "latest"))

    def model(self, model: ModelId) -> Members:
        """`owner`, `pendingOwner`, `broker`, `versions`, `lowestServed`, `retired`, `successor`."""
        return self.read(self.book.models, "ModelRegistry", "modelOf", model)

    def version(self, model: ModelId, version: int) -> Members:
        """`sealId`, `policy`, `next`, `nextStart`, `finality`, `withdrawn`."""
        return self.read(self.book.models, "ModelRegistry", "versionOf", model, version)

    def terms(self, policy: PolicyId) -> Members:
        """What contracts enforce of a policy; all zero when it was never published."""
        return self.read(self.book.policies, "PolicyRegistry", "termsOf", policy)

    def controller(self, policy: PolicyId) -> Address:
        """Who may withdraw a policy; zero when it was never published."""
        return Address(_octets(self._one(self.book.policies, "PolicyRegistry", "controllerOf", policy)))

    def grant(self, licence: Address) -> Members:
        """`modelId`, `licensee`, `lowestVersion`, `epoch`, `accepted`, `pendingLicensee`."""
        return self.read(self.book.licences, "LicenceRegistry", "grantOf", licence)

    def seats(self, licence: Address) -> int:
        """How many nodes may run at once."""
        return int(self._one(licence, "ILicence", "seats"))

    def text(self, licence: Address) -> Digest:
        """Digest of the licence's text."""
        return Digest(_octets(self._one(licence, "ILicence", "text")))

    def term(self, licence: Address) -> Members:
        """A term licence's own facts: `start`, `end`, `state` (0 active, 1 suspended, 2 revoked), `remaining`."""
        names = {"start": "START", "end": "END", "state": "state", "remaining": "remaining"}
        return {name: self._one(licence, "TermLicence", function) for name, function in names.items()}

    def compiled(self, licence: Address) -> Members | None:
        """What a compiled licence's text says, by the names of `ICompiledLicence.Terms`; None for any other licence.

        `places` are `places0` to `places3`.
        """
        try:
            return self._answered(licence, "ICompiledLicence", "terms")
        except RpcFailed as error:
            if reverted(error):
                return None
            raise

    def standing(self, licence: Address) -> Members:
        """How a compiled licence stands, by the names of `ICompiledLicence.Standing`, and the answers `remaining`."""
        left = self._one(licence, "ICompiledLicence", "remaining")
        return {**self.read(licence, "ICompiledLicence", "standing"), "remaining": left}

    def record(self, policy: PolicyId, node: NodeId) -> Members:
        """The record of a node under a policy; all zero when there is none."""
        return self.read(self.book.attestations, "AttestationLog", "recordOf", policy, node)

    def release(self, release: ReleaseId) -> Members:
        """State of a release; `status` 0 when unknown."""
        return self.read(self.book.releases, "ReleaseLog", "stateOf", release)

    def seat(self, licence: Address, seat: int) -> Members:
        """One seat: `release`, `until`, `takenOver`, `holder`."""
        return self.read(self.book.releases, "ReleaseLog", "seatOf", licence, seat)

    def node(self, licence: Address, node: NodeId) -> Members:
        """`authorised` and `stopped`."""
        return self.read(self.book.releases, "ReleaseLog", "nodeOf", licence, node)

    def permits(self, model: ModelId, version: int, node: NodeId, licence: Address, when: int) -> int:
        """Why a node may not run a version at `when`, as `IReleaseLog.Reason`; 0 when it may."""
        args = (model, version, node, licence, when)
        return int(self._last(self.book.releases, "ReleaseLog", "permits", *args))

    def read(self, to: Address, contract: str, function: str, *args: FixedBytes | int) -> Members:
        """Members of what a view returns, by the names of the ABI."""
        try:
            found = self._answered(to, contract, function, *args)
        except RpcFailed as error:
            if reverted(error):
                _raise_revert(contract, error)
            raise
        if found is None:
            raise CodeMismatch("no such contract there", where=f"{contract} {to}")
        return found

    def _answered(self, to: Address, contract: str, function: str, *args: FixedBytes | int) -> Members | None:
        """The members, or None for too few words."""
        selector, outputs = _function(contract, function)
        raw = self._call(to, selector + b"".join(map(_word, args)))
        if len(raw) < _WORD * len(outputs):
            return None
        words = (raw[at : at + _WORD] for at in range(0, len(raw), _WORD))
        return {
            name or str(i): _value(name, kind, w)
            for i, ((name, kind), w) in enumerate(zip(outputs, words, strict=False))
        }

    def _one(self, to: Address, contract: str, function: str, *args: FixedBytes | int) -> Plain:
        return next(iter(self.read(to, contract, function, *args).values()))

    def _last(self, to: Address, contract: str, function: str, *args: FixedBytes | int) -> int:
        value = list(self.read(to, contract, function, *args).values())[-1]
        return value if isinstance(value, int) else 0

    def _pinned(self) -> dict[str, Json]:
        if self._head is None:
            head = self._transport.request("eth_getBlockByNumber", "latest", False)
            if not isinstance(head, dict):
                raise ChainUnavailable("the node has no head", where=self._transport.target)
            self._head = head
        return self._head

    def _call(self, to: Address, data: bytes) -> bytes:
        call: dict[str, Json] = {"to": str(to), "data": "0x" + data.hex()}
        said = self._transport.request("eth_call", call, {"blockHash": self._pinned()["hash"]})
        return _octets(bytes.fromhex(said[2:]) if isinstance(said, str) else b"")


def _raise_revert(contract: str, error: RpcFailed) -> NoReturn:
    from registry.chain.reverts import revert  # heavy, and needed only to say why

    raise revert(contract, error.data) from error


@cache
def _abi(contract: str) -> Mapping[str, object]:
    read = json.loads((_ABI / f"{contract}.json").read_text("utf-8"))
    assert isinstance(read, dict)
    return read


@cache
def _function(contract: str, function: str) -> tuple[bytes, tuple[tuple[str, str], ...]]:
    abi = _abi(contract)
    identifiers, entries = abi["methodIdentifiers"], abi["abi"]
    assert isinstance(identifiers, dict)
    assert isinstance(entries, list)
    selector = next(value for name, value in identifiers.items() if name.startswith(function + "("))
    entry = next(e for e in entries if e.get("name") == function and e["type"] == "function")
    outputs = entry["outputs"]
    if len(outputs) == 1 and outputs[0]["type"] == "tuple":
        outputs = outputs[0]["components"]
    members = [member for o in outputs for member in _flat(o["name"], o["type"])]
    return bytes.fromhex(selector.removeprefix("0x")), tuple(members)


def _flat(name: str, kind: str) -> list[tuple[str, str]]:
    """A value of one word as it is, an array of a fixed length as its elements."""
    if not kind.endswith("]"):
        return [(name, kind)]
    kind, size = kind[:-1].rsplit("[", 1)
    return [(f"{name}{index}", kind) for index in range(int(size))]


def _word(value: FixedBytes | int) -> bytes:
    if isinstance(value, int):
        return value.to_bytes(_WORD, "big")
    return (
        bytes(value).rjust(_WORD, b"\0") if isinstance(value, Address) else bytes(value).ljust(_WORD, b"\0")
    )


def _value(name: str, kind: str, word: bytes) -> Plain:
    if kind.startswith("uint"):
        return int.from_bytes(word, "big")
    if kind == "bool":
        return any(word)
    found = _KINDS.get(kind) or _KINDS.get(name, Digest)
    return found(word[-found.SIZE :] if found is Address else word[: found.SIZE])


def _octets(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise ChainUnavailable("a number where bytes belong", where="abi")


def _quantity(value: Json) -> int:
    try:
        return int(str(value), 16)
    except ValueError as error:
        raise ChainUnavailable(f"not a quantity: {str(value)[:60]!r}", where="json-rpc") from error
