# SPDX-License-Identifier: Apache-2.0
"""Anyone, steps 4 and 5: look at evidence of any technology, and judge it without chain or network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.collecting import collect
from cli.options import Json, group
from cli.output import reporting

if TYPE_CHECKING:
    from datetime import datetime

    from enclave.evidence.rules import Rules
    from enclave.evidence.trust import Trust

app = group("Evidence of CPU enclaves, TPMs, GPUs and other devices.")
app.command()(collect)

_NOT_AUTHENTIC, _REFUSED = 4, 5

EvidenceFile = Annotated[Path, typer.Argument(metavar="FILE", help="Evidence, or a node's bundle.")]
KindName = Annotated[str, typer.Option("--kind", help="What it must be, such as tdx; detected if left out.")]
With = Annotated[
    list[Path] | None,
    typer.Option("--with", help="Certificate, revocation list, collateral, manifest or log; repeat."),
]
Trusted = Annotated[
    list[Path] | None, typer.Option("--trust", help="Root or key to believe for this call only; repeat.")
]
At = Annotated[str, typer.Option("--at", help="Moment to judge at, RFC 3339; now if left out.")]


@app.command()
def show(file: EvidenceFile, kind: KindName = "", as_json: Json = False) -> None:
    """Print every field of evidence, or of what endorses it, without believing any of it."""
    with reporting(as_json):
        from cli.claims import printed
        from enclave.evidence.showing import shown

        printed(shown(file.read_bytes(), family=kind), as_json)


@app.command()
def verify(
    file: EvidenceFile,
    kind: KindName = "",
    with_: With = None,
    trust: Trusted = None,
    nonce: Annotated[str, typer.Option(help="Nonce the evidence must answer, hex.")] = "",
    report_data: Annotated[str, typer.Option(help="Report data the evidence must carry, hex.")] = "",
    policy: Annotated[
        Path | None, typer.Option(help="Policy, or a fragment with rules; a baseline if left out.")
    ] = None,
    at: At = "",
    ear: Annotated[
        Path | None, typer.Option(help="Also write the result as EAR: a .jwt or .cwt file.")
    ] = None,
    ear_signer: Annotated[
        Path | None, typer.Option(help="File with the P-256 key that signs it, PEM.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge evidence at a moment: 0 accepted, 3 malformed, 4 not authentic, 5 authentic but refused."""
    if (ear is None) != (ear_signer is None):
        raise typer.BadParameter("--ear and --ear-signer go together")
    with reporting(as_json):
        from cli.claims import verdict
        from enclave.evidence.examine import Expected, examine_file, trusting

        pieces, roots = _read(with_), _read(trust)
        rules, named = (None, trusting(())) if policy is None else _policy(policy)
        examined = examine_file(
            file.read_bytes(),
            [*pieces, *roots],
            family=kind,
            trust=trusting(roots) | named,
            at=moment(at),
            expected=Expected(nonce=_hex(nonce, "--nonce"), report_data=_hex(report_data, "--report-data")),
            rules=rules,
        )
        if ear is not None and ear_signer is not None:
            from cli.results import write_ear

            write_ear(examined, ear, ear_signer, policy, at=moment(at), nonce=_hex(nonce, "--nonce") or b"")
        verdict(examined, as_json)
    if not examined.accepted:
        raise typer.Exit(_REFUSED if examined.authentic else _NOT_AUTHENTIC)


def moment(text: str) -> "datetime":
    """An RFC 3339 instant, or now."""
    from datetime import UTC, datetime

    if not text:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"not RFC 3339: {text}") from error
    if found.tzinfo is None:
        raise typer.BadParameter(f"without a time zone: {text}; add Z for UTC")
    return found.astimezone(UTC)


def _read(paths: list[Path] | None) -> list[bytes]:
    return [path.read_bytes() for path in paths or ()]


def _policy(path: Path) -> "tuple[Rules, Trust]":
    from enclave.evidence.policy import rules_from, trust_from

    text = path.read_bytes()
    return rules_from(text), trust_from(text)


def _hex(text: str, option: str) -> bytes | None:
    if not text:
        return None
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise typer.BadParameter(f"{option} is hex digits") from error
