# SPDX-License-Identifier: Apache-2.0
"""Anyone: collect evidence of this machine for a look, and see what the machine lacks for the rest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json
from cli.output import note, reporting
from cli.output import show as print_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from enclave.node.offer import Offer

_DATA, _NONCE = 64, 32


def collect(
    kind: Annotated[
        str, typer.Option(help="Technology to ask, such as tdx; the best there is if left out.")
    ] = "",
    out: Annotated[Path, typer.Option(help="File to write for `evidence verify`.")] = Path("evidence.bin"),
    report_data: Annotated[str, typer.Option(help="64 bytes to be signed, hex; random if left out.")] = "",
    nonce: Annotated[str, typer.Option(help="At most 32 bytes to be signed, hex, padded with zeros.")] = "",
    tpm: Annotated[str, typer.Option(metavar="TCTI", help="TPM to use, such as device:/dev/tpmrm0.")] = "",
    certificate: Annotated[str, typer.Option(help="File with the certificate of the TPM's key, DER.")] = "",
    gpu: Annotated[int, typer.Option(min=0, help="Which GPU, as the driver numbers them.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what the machine offers.")] = False,
    as_json: Json = False,
) -> None:
    """Collect evidence of this machine into a file, or say what the machine lacks for it."""
    with reporting(as_json):
        from enclave.node.offer import offers

        asked = _asked(report_data, nonce)
        found = offers(tcti=tpm, certificate=certificate)
        if dry_run:
            _list(found, as_json)
            return
        chosen = _chosen(found, kind)
        device = (*chosen.device[:1], str(gpu)) if chosen.kind.peripheral else chosen.device
        print_result(_collected(device, asked, out), as_json)
        if not as_json:
            note(f"next: exequatur evidence verify {out}")


def _asked(report_data: str, nonce: str) -> bytes:
    import secrets

    if report_data and nonce:
        raise typer.BadParameter("--report-data and --nonce exclude each other")
    name, most = ("--nonce", _NONCE) if nonce else ("--report-data", _DATA)
    try:
        given = bytes.fromhex((report_data or nonce).removeprefix("0x"))
    except ValueError as error:
        raise typer.BadParameter(f"{name} is hex digits") from error
    if len(given) > most or (report_data and len(given) != _DATA):
        wanted = f"at most {_NONCE}" if nonce else f"{_DATA}"
        raise typer.BadParameter(f"{name} has {len(given)} bytes, not {wanted}")
    return given.ljust(_DATA, b"\0") if given else secrets.token_bytes(_NONCE) + bytes(_DATA - _NONCE)


def _chosen(found: "Sequence[Offer]", kind: str) -> "Offer":
    from enclave.errors import DeviceUnavailable
    from enclave.node.offer import best

    if not kind:
        return best(found)
    named = [offer for offer in found if offer.kind.label == kind]
    if not named:
        known = ", ".join(offer.kind.label for offer in found)
        raise typer.BadParameter(f"no collector for {kind!r}; there is one for {known}")
    if not named[0].available:
        raise DeviceUnavailable(named[0].lacks, where=kind, hint=named[0].hint)
    return named[0]


def _collected(device: tuple[str, ...], asked: bytes, out: Path) -> dict[str, object]:
    from enclave.node.collection import collected

    body = collected(device, asked)
    out.write_bytes(body)
    return {"kind": device[0], "report_data": asked.hex(), "bytes": len(body), "file": str(out)}


def _list(found: "Sequence[Offer]", as_json: bool) -> None:
    if as_json:
        listed = [
            {"kind": offer.kind.label, "available": offer.available, "lacks": offer.lacks, "hint": offer.hint}
            for offer in found
        ]
        print_result({"offers": listed}, as_json)
        return
    shown = {
        offer.kind.label: "available" if offer.available else f"{offer.lacks}; {offer.hint}"
        for offer in found
    }
    print_result(shown, as_json)
