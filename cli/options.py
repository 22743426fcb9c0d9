# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and the one way to make a group of commands."""

from typing import Annotated

import typer

VERIFIER, BROKER, NODE = "127.0.0.1:8601", "127.0.0.1:8701", "127.0.0.1:8801"
VERIFIER_URL, BROKER_URL = f"http://{VERIFIER}", f"http://{BROKER}"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Chain = Annotated[
    str, typer.Option("--chain", help="Node to speak to: http(s)://, ws(s):// or an IPC socket.")
]
StoreUrl = Annotated[str, typer.Option("--store", help="Blob store: a folder or any fsspec URL.")]
AccountName = Annotated[
    str, typer.Option("--account", help="Account that signs: a name from `keys list`, or a file.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what it would cost and send nothing.")]
ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Model id, or the name it has under --account.")
]
LicenceArgument = Annotated[str, typer.Argument(metavar="LICENCE", help="Address of the licence contract.")]
VersionOption = Annotated[int, typer.Option("--version", min=1, help="Version of the model.")]


def group(text: str) -> typer.Typer:
    """A group of commands that prints its help when called without one."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=text)
