# SPDX-License-Identifier: Apache-2.0
"""Event files: one JSON object a line, in the order of the chain, that another machine can replay."""

import json
from collections.abc import Iterable, Mapping

from contracts.documents import parse_json
from contracts.errors import MalformedId
from contracts.ids import Address, Digest
from registry.chain.abi import Parameter, contracts, interface
from registry.chain.view import Block, Event
from registry.errors import MalformedEvents

_KEYS = {"contract", "name", "address", "args", "block", "transaction", "index"}
_BLOCK = {"number", "hash", "timestamp"}


def dump_events(events: Iterable[Event]) -> str:
    """One JSON object a line; bytes as `0x` and hex."""
    return "".join(json.dumps(_dump(event), sort_keys=True, separators=(",", ":")) + "\n" for event in events)


def load_events(text: str) -> list[Event]:
    """Read `dump_events`; raises `MalformedEvents` with the line at fault."""
    events: list[Event] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            event = _load(parse_json(line))
            if events and _place(event) <= _place(events[-1]):
                raise ValueError("not in the order of the chain")
        except (ValueError, TypeError, KeyError, MalformedId, RecursionError) as error:
            raise MalformedEvents(f"not an event: {error}"[:300], where=f"line {number}") from error
        events.append(event)
    return events


def _place(event: Event) -> tuple[int, int]:
    return event.block.number, event.index


def _dump(event: Event) -> dict[str, object]:
    block = event.block
    return {
        "contract": event.contract,
        "name": event.name,
        "address": str(event.address),
        "args": _json(event.args),
        "block": {"number": block.number, "hash": str(block.hash), "timestamp": block.timestamp},
        "transaction": str(event.transaction),
        "index": event.index,
    }


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {name: _json(inner) for name, inner in value.items()}
    return [_json(inner) for inner in value] if isinstance(value, tuple) else value


def _load(value: object) -> Event:
    entry = _members(value, _KEYS)
    block = _members(entry["block"], _BLOCK)
    contract, name = str(entry["contract"]), entry["name"]
    if contract not in contracts():
        raise ValueError(f"no such contract: {contract[:60]}")
    shape = next((s for s in interface(contract).events.values() if s.name == name), None)
    if shape is None:
        raise ValueError(f"{contract} has no such event")
    args = _members(entry["args"], {p.name for p in shape.inputs})
    return Event(
        contract=contract,
        name=shape.name,
        address=Address.parse(_text(entry["address"])),
        args={p.name: _argument(p, args[p.name]) for p in shape.inputs},
        block=Block(
            number=_whole(block["number"]),
            hash=Digest.parse(_text(block["hash"])),
            timestamp=_whole(block["timestamp"]),
        ),
        transaction=Digest.parse(_text(entry["transaction"])),
        index=_whole(entry["index"]),
    )


def _argument(parameter: Parameter, value: object) -> object:
    if parameter.kind.endswith("]"):
        kind, size = parameter.kind[:-1].rsplit("[", 1)
        element = Parameter(name=parameter.name, kind=kind, parts=parameter.parts)
        if not isinstance(value, list) or (size and len(value) != int(size)):
            raise ValueError(f"{parameter.name} is an array{size and f' of {size}'}")
        return tuple(_argument(element, item) for item in value)
    if parameter.parts:
        members = _members(value, {p.name for p in parameter.parts})
        return {p.name: _argument(p, members[p.name]) for p in parameter.parts}
    return _scalar(parameter, value)


def _scalar(parameter: Parameter, value: object) -> object:
    kind = parameter.kind
    if kind == "string":
        return _text(value)
    if kind == "address":
        return Address.parse(_text(value))
    if kind == "bool":
        if isinstance(value, bool):
            return value
        raise ValueError(f"{parameter.name} is true or false")
    if kind.startswith("uint"):
        return _whole(value, int(kind.removeprefix("uint")))
    return _octets(parameter, _text(value))


def _octets(parameter: Parameter, text: str) -> bytes:
    size = int(parameter.kind.removeprefix("bytes"))
    if len(text) != 2 + 2 * size or not text.startswith("0x"):
        raise ValueError(f"{parameter.name} is 0x and {2 * size} hex digits")
    return bytes.fromhex(text[2:])


def _members(value: object, names: set[str]) -> dict[str, object]:
    if not isinstance(value, dict) or set(value) != names:
        raise ValueError("expected the members " + ", ".join(sorted(names)))
    return value


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("expected a text")


def _whole(value: object, bits: int = 256) -> int:
    if type(value) is int and 0 <= value < 1 << bits:
        return value
    raise ValueError(f"expected a whole number of {bits} bits")
