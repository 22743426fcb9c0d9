# SPDX-License-Identifier: Apache-2.0
"""Owner, before a policy or a date comes: which evidence would still pass, and the rules of a machine one trusts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.evidence import At, EvidenceFile, Trusted, With, moment
from cli.options import Json
from cli.output import note, reporting, show

if TYPE_CHECKING:
    from enclave.evidence.outlook import Outlook
    from enclave.evidence.policy import Policy
    from enclave.evidence.rules import Rules

_REFUSED = 5


def what_if(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="Policy, or a fragment with rules.")],
    bundles: Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help="Bundles, or evidence.")],
    at: At = "",
    with_: With = None,
    trust: Trusted = None,
    as_json: Json = False,
) -> None:
    """Say which evidence stops passing at a moment, and by which rules: 0 if all still pass, 5 otherwise."""
    with reporting(as_json):
        from enclave.evidence.examine import trusting
        from enclave.evidence.outlook import outlook

        rules, when = _policy(policy), moment(at)
        pieces, roots = _read(with_), _read(trust)
        found = {
            str(path): outlook(
                path.read_bytes(), rules, pieces=[*pieces, *roots], trust=trusting(roots), at=when
            )
            for path in bundles
        }
        result: dict[str, object] = {"at": _instant(when)}
        result |= {"evidence": [_told(name, seen) for name, seen in found.items()]}
        if as_json:
            show(result, as_json)
        else:
            print("\n".join(line for name, seen in found.items() for line in _lines(name, seen)))
    if not all(seen.passes for seen in found.values()):
        raise typer.Exit(_REFUSED)


def from_(
    file: EvidenceFile,
    with_: With = None,
    trust: Trusted = None,
    at: At = "",
    out: Annotated[Path | None, typer.Option(help="File to write; printed if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Draft the rules that a machine meets which you trust: every register, version and state as they are now."""
    with reporting(as_json):
        from cli.owner.fragment import fragment
        from enclave.errors import Refused
        from enclave.evidence.drafting import learned
        from enclave.evidence.examine import trusting
        from enclave.evidence.outlook import devices_in

        when, pieces, roots = moment(at), _read(with_), _read(trust)
        devices = devices_in(file.read_bytes(), pieces=[*pieces, *roots], trust=trusting(roots), at=when)
        rules = learned(devices, when)
        if flaws := [flaw for facts in devices for flaw in (*facts.missed, *rules.unmet(facts, when))]:
            raise Refused(flaws)  # no rules could accept it
        written = fragment(rules)
        if out is not None:
            with out.open("x", encoding="utf-8") as target:
                target.write(written)
        kinds = [facts.kind.label for facts in devices]
        if as_json:
            show({"kinds": kinds, "at": _instant(when), "rules": written}, as_json)
        elif out is None:
            print(written, end="")
        else:
            show({"rules": out, "kinds": kinds}, as_json)
        note("these are the rules of one machine on one day: read each, and keep what you know to be right")


def _policy(path: Path) -> "Policy | Rules":
    from enclave.evidence.policy import Policy, is_whole, rules_from

    text = path.read_bytes()
    return Policy.from_toml(text) if is_whole(text) else rules_from(text)


def _told(name: str, seen: "Outlook") -> dict[str, object]:
    return {
        "file": name,
        "passes": seen.passes,
        "until": None if seen.until is None else _instant(seen.until),
        "reasons": [
            {"rule": f.rule, "expected": f.expected, "found": f.found, "hint": f.hint} for f in seen.findings
        ],
    }


def _lines(name: str, seen: "Outlook") -> list[str]:
    if seen.passes:
        return [f"passes   {name}{'' if seen.until is None else f', until {_instant(seen.until)}'}"]
    lines = [f"refused  {name}"]
    for finding in seen.findings:
        lines.append(f"  {finding.rule}: expected {finding.expected}, found {finding.found}")
        lines += [f"    to pass: {finding.hint}"] if finding.hint else []
    return lines


def _read(paths: list[Path] | None) -> list[bytes]:
    return [path.read_bytes() for path in paths or ()]


def _instant(at: object) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
