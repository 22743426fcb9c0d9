# SPDX-License-Identifier: Apache-2.0
"""The text of the rules that judge devices: a fragment of a policy, each part saying what it decides."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from enclave.evidence.reading import Json
    from enclave.evidence.rules import Rules

_LISTS = {
    "workloads": "Guests that may run: digests over what measures the whole image (`exequatur node workload`).",
    "revoked": "Keys that no longer count, SHA-256 of each SubjectPublicKeyInfo, wherever they stand in a chain.",
    "endorsers": "Who may vouch for the place of a platform (P-256 points), and for which places, by number.",
    "places": "",
    "allow_test_root": "Whether evidence may rest on a root that is no vendor's; it has level none.",
}
_TABLES = {
    "devices": "Exactly these technologies, from `least` to `most` of each, at least at this level.",
    "registers": "What measures code: the values that a register may have.",
    "references": "Claims by their names in the vendor's manual, and the values that they may have.",
    "floors": "Lowest security versions, each in force from `from` and `grace` seconds on.",
    "ages": "How old, in seconds, whatever a verdict rests on may be.",
}


def fragment(rules: "Rules") -> str:
    """The rules in TOML, as `rules_from` reads them."""
    return "\n".join(halves(rules))


def halves(rules: "Rules") -> tuple[str, str]:
    """The fragment's keys and its tables, which a whole policy keeps apart."""
    from enclave.evidence.reading import plain

    document = plain(rules)
    assert isinstance(document, dict)
    keys = [_assignment(name, why, document[name]) for name, why in _LISTS.items()]
    tables: list[str] = []
    for name, why in _TABLES.items():
        entries = document[name]
        assert isinstance(entries, list)
        if entries:
            tables.append(_tables(name, why, entries))
        else:
            keys.append(_assignment(name, why, entries))
    return "\n\n".join(keys) + "\n", "\n\n".join(tables) + "\n"


def outlined(kind: str, level: str, workloads: Sequence[str], at: "datetime") -> "Rules":
    """The rules for one device of a technology, to be filled in where nothing can be known yet."""
    from contracts.ids import Digest
    from contracts.records import Level
    from enclave.evidence.drafting import outline
    from enclave.evidence.technologies import TECHNOLOGIES

    known = {kind.label: kind for kind in TECHNOLOGIES}
    levels = {level.label: level for level in Level}
    if kind not in known:
        raise typer.BadParameter(f"--kind is one of {', '.join(known)}")
    if level not in levels:
        raise typer.BadParameter(f"--level is one of {', '.join(levels)}")
    allowed = [Digest.parse(workload) for workload in workloads]
    return outline(known[kind], minimum_level=levels[level], workloads=allowed, at=at)


def _assignment(name: str, why: str, value: "Json") -> str:
    remark = f"# {why}\n" if why else ""
    if isinstance(value, list) and len(value) > 1:
        shown = "[\n" + "".join(f"    {_value(entry)},\n" for entry in value) + "]"
    else:
        shown = _value(value)
    return f"{remark}{name} = {shown}"


def _tables(name: str, why: str, entries: "list[Json]") -> str:
    return f"# {why}\n" + "\n\n".join("\n".join(_table(name, entry)) for entry in entries)


def _table(name: str, entry: "Json") -> Iterator[str]:
    assert isinstance(entry, dict)
    yield f"[[{name}]]"
    for key, value in entry.items():
        yield f"{key} = {_value(value)}"


def _value(value: "Json") -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace(
        "\x7f", "\\u007f"
    )  # the rest of JSON's scalars reads the same in TOML
