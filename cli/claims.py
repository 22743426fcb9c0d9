# SPDX-License-Identifier: Apache-2.0
"""How claims and verdicts are printed: the vendor's names as they are, bytes as hex."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enclave.evidence.examine import Examination
    from enclave.evidence.facts import Claim


def printed(claims: "Mapping[str, Claim]", as_json: bool) -> None:
    """Print claims as one JSON object, or as an indented list."""
    print(json.dumps(_plain(dict(claims))) if as_json else "\n".join(_tree(claims, "")), flush=True)


def verdict(examined: "Examination", as_json: bool) -> None:
    """Print what was believed of evidence and why, and what would make it pass."""
    if as_json:
        print(json.dumps(document(examined)), flush=True)
        return
    told = {
        "kind": examined.kind,
        "authentic": "yes" if examined.authentic else "NO",
        "accepted": "yes" if examined.accepted else "NO",
        "level": f"{int(examined.level)} {examined.level.label}",
        "status": examined.status.value,
    }
    lines = [f"{name:<10} {value}" for name, value in told.items()]
    for finding in examined.reasons:
        lines += [
            "",
            f"refused by {finding.rule}",
            f"  expected  {finding.expected}",
            f"  found     {finding.found}",
        ]
        lines += [f"  to pass   {finding.hint}"] if finding.hint else []
    if examined.trace:
        lines += ["", "why", *(f"  {step}" for step in examined.trace)]
    if examined.claims:
        lines += ["", "claims", *_tree(examined.claims, "  ")]
    print("\n".join(lines), flush=True)


def document(examined: "Examination") -> dict[str, object]:
    """The verdict as programs read it."""
    return {
        "kind": examined.kind,
        "authentic": examined.authentic,
        "accepted": examined.accepted,
        "level": examined.level.label,
        "status": examined.status.value,
        "claims": _plain(dict(examined.claims)),
        "reasons": [
            {"rule": f.rule, "expected": f.expected, "found": f.found, "hint": f.hint}
            for f in examined.reasons
        ],
        "trace": list(examined.trace),
    }


def _plain(value: "Claim") -> object:
    match value:
        case bytes():
            return value.hex()
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list():
            return [_plain(part) for part in value]
    return value


def _tree(claims: "Mapping[str, Claim]", indent: str) -> Iterator[str]:
    width = max(
        (len(name) for name, value in claims.items() if not isinstance(value, dict | list)), default=0
    )
    for name, value in claims.items():
        yield from _branch(f"{indent}{name:<{width}}", value, indent)


def _branch(name: str, value: "Claim", indent: str) -> Iterator[str]:
    match value:
        case dict() if value:
            yield name.rstrip()
            yield from _tree(value, indent + "  ")
        case list() if any(isinstance(part, dict | list) for part in value):
            yield name.rstrip()
            for number, part in enumerate(value):
                yield from _branch(f"{indent}  {number}", part, indent + "  ")
        case _:
            yield f"{name}  {_word(value)}"


def _word(value: "Claim") -> str:
    match value:
        case None | "" | b"" | [] | {}:
            return "-"
        case bool():
            return "yes" if value else "no"
        case bytes():
            return value.hex()
        case list():
            return ", ".join(map(_word, value))
    return str(value)
