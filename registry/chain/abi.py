# SPDX-License-Identifier: Apache-2.0
"""The contracts' ABIs as packaged files, and values across them: plain Python in, plain Python out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from contracts.digests import keccak
from contracts.ids import Address, Digest
from registry.errors import ChainUnavailable, NotConfigured

REGISTRIES = ("ModelRegistry", "PolicyRegistry", "AttestationLog", "LicenceRegistry", "ReleaseLog")
_WORD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter; `kind` is its canonical ABI type, `parts` the members of a struct."""

    name: str
    kind: str
    parts: tuple["Parameter", ...] = ()
    indexed: bool = False

    @classmethod
    def parse(cls, entry: Mapping[str, object]) -> "Parameter":
        """Read one entry of an ABI."""
        kind, inner = str(entry["type"]), entry.get("components")
        parts = parameters(inner) if inner else ()
        if kind.startswith("tuple"):
            kind = f"({','.join(part.kind for part in parts)}){kind.removeprefix('tuple')}"
        return cls(name=str(entry["name"]), kind=kind, parts=parts, indexed=bool(entry.get("indexed")))

    def read(self, value: object) -> object:
        """A decoded value as plain Python: `Address`, bytes, int, dict for a struct, tuple for an array."""
        if self.kind.endswith("]"):
            element = Parameter(name="", kind=self.kind[: self.kind.rindex("[")], parts=self.parts)
            return tuple(element.read(item) for item in _sequence(value))
        if self.parts:
            return {p.name: p.read(v) for p, v in zip(self.parts, _sequence(value), strict=True)}
        return Address.parse(str(value)) if self.kind == "address" else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function: what it takes and gives."""

    selector: bytes
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]

    def encode(self, args: Sequence[object]) -> bytes:
        """Calldata."""
        return self.selector + encode(self.inputs, args)

    def decode(self, raw: bytes) -> tuple[object, ...]:
        """What a call returned."""
        return decode(self.outputs, raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An event or a custom error: its name and parameters."""

    contract: str
    name: str
    inputs: tuple[Parameter, ...]

    @property
    def signature(self) -> Digest:
        """Keccak of the canonical signature: an event's topic; an error's selector is its first four bytes."""
        return keccak(f"{self.name}({','.join(p.kind for p in self.inputs)})".encode())

    def read_log(self, topics: Sequence[bytes], data: bytes) -> dict[str, object]:
        """The arguments of an event by name, in their declared order; raises `ChainUnavailable` for other words."""
        indexed = [p for p in self.inputs if p.indexed]
        plain = [p for p in self.inputs if not p.indexed]
        if len(topics) != 1 + len(indexed):
            raise ChainUnavailable("an event with another number of topics than the ABI says", where="abi")
        found = {p.name: decode((p,), t)[0] for p, t in zip(indexed, topics[1:], strict=True)}
        found |= {p.name: v for p, v in zip(plain, decode(plain, data), strict=True)}
        return {p.name: found[p.name] for p in self.inputs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One contract: functions by name, events by topic, errors by selector, and its creation code."""

    contract: str
    constructor: tuple[Parameter, ...]
    functions: Mapping[str, Function]
    events: Mapping[bytes, Shape]
    errors: Mapping[bytes, Shape]
    bytecode: bytes

    def creation(self, args: Sequence[object]) -> bytes:
        """Creation code with its constructor's arguments."""
        return self.bytecode + encode(self.constructor, args)


@cache
def interface(contract: str) -> Interface:
    """The packaged interface of a contract."""
    try:
        raw = json.loads((files("contracts") / "abi" / f"{contract}.json").read_text("utf-8"))
    except FileNotFoundError as error:
        hint = "build it with `python -m contracts.build`"
        raise NotConfigured("no such packaged contract", where=contract, hint=hint) from error
    kinds: dict[str, list[dict[str, object]]] = {}
    for entry in raw["abi"]:
        kinds.setdefault(entry["type"], []).append(entry)
    events = [_shape(contract, e) for e in kinds.get("event", []) if not e.get("anonymous")]
    errors = [_shape(contract, e) for e in kinds.get("error", [])]
    return Interface(
        contract=contract,
        constructor=parameters(kinds["constructor"][0]["inputs"]) if "constructor" in kinds else (),
        functions={str(e["name"]): _function(e) for e in kinds.get("function", [])},
        events={bytes(shape.signature): shape for shape in events},
        errors={bytes(shape.signature[:4]): shape for shape in errors},
        bytecode=bytes.fromhex(str(raw["bytecode"]).removeprefix("0x")),
    )


@cache
def contracts() -> tuple[str, ...]:
    """Names of all packaged contracts, the five registries first."""
    found = (entry.name for entry in (files("contracts") / "abi").iterdir())
    names = {name.removesuffix(".json") for name in found if name.endswith(".json")}
    return (*REGISTRIES, *sorted(names - set(REGISTRIES)))


def parameters(entries: object) -> tuple[Parameter, ...]:
    """Read a list of ABI parameters."""
    return tuple(Parameter.parse(entry) for entry in entries) if isinstance(entries, list) else ()


def encode(inputs: Sequence[Parameter], args: Sequence[object]) -> bytes:
    """ABI-encode arguments; structs are sequences in field order or mappings by field name."""
    from eth_abi.abi import encode as abi_encode

    values = [_plain(p, value) for p, value in zip(inputs, args, strict=True)]
    return abi_encode([p.kind for p in inputs], values)


def decode(outputs: Sequence[Parameter], raw: bytes) -> tuple[object, ...]:
    """Decode ABI words that a node sent; raises `ChainUnavailable` for anything else."""
    from eth_abi.abi import decode as abi_decode
    from eth_abi.exceptions import DecodingError

    try:
        values = abi_decode([p.kind for p in outputs], raw)
    except DecodingError as error:
        raise ChainUnavailable(f"an answer that is not what the ABI says: {error}", where="abi") from error
    return tuple(p.read(value) for p, value in zip(outputs, values, strict=True))


def _shape(contract: str, entry: Mapping[str, object]) -> Shape:
    return Shape(contract=contract, name=str(entry["name"]), inputs=parameters(entry["inputs"]))


def _function(entry: Mapping[str, object]) -> Function:
    inputs = parameters(entry["inputs"])
    shape = Shape(contract="", name=str(entry["name"]), inputs=inputs)
    return Function(
        selector=bytes(shape.signature[:4]), inputs=inputs, outputs=parameters(entry.get("outputs"))
    )


def _plain(parameter: Parameter, value: object) -> object:
    if parameter.kind.endswith("]"):
        element = Parameter(name="", kind=parameter.kind[: parameter.kind.rindex("[")], parts=parameter.parts)
        return [_plain(element, item) for item in _sequence(value)]
    if parameter.parts:
        by_name = isinstance(value, Mapping)
        members = [value[p.name] for p in parameter.parts] if by_name else _sequence(value)  # type: ignore[index]  # `by_name` says so
        return tuple(_plain(p, member) for p, member in zip(parameter.parts, members, strict=True))
    return bytes(value) if isinstance(value, bytes) else value


def _sequence(value: object) -> Sequence[object]:
    if isinstance(value, list | tuple):
        return value
    raise TypeError(f"an array or struct is a sequence, not {type(value).__name__}")
