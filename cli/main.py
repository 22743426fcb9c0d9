# SPDX-License-Identifier: Apache-2.0
"""The command `exequatur`: who may type what, and how it ends.

Exit codes are interface: 0 yes; 1 fault of ours; 2 usage, configuration or wrong passphrase; 3 malformed; 4 not
authentic; 5 refused by policy, verdict or findings; 6 refused by the contracts; 7 chain, store or network.
"""

import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

from cli import auditor, evidence, output, user
from cli.administrator import broker, chain, node, verifier
from cli.options import Json
from cli.owner import keys, licence, model, policy

_INTERRUPTED = 130


class _Root(TyperGroup):
    """Reports wrong options the way commands report their errors."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *_: object,
        **__: object,
    ) -> NoReturn:
        """Run one command and exit with its code; errors are raised to here, whatever mode the caller asks for."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(words, prog_name or "exequatur", standalone_mode=False)
        except typer.TyperException as error:
            output.usage(error, error.exit_code, "--json" in words)
            sys.exit(error.exit_code)
        except typer.Abort:
            output.note("interrupted")
            sys.exit(_INTERRUPTED)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=_Root,
    name="exequatur",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Protect trained models on machines somebody else controls.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("exequatur"))
        raise typer.Exit


@app.callback()
def common(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Log more; show tracebacks.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")] = False,
) -> None:
    """Protect trained models on machines somebody else controls."""
    output.speak(verbose=verbose, log_json=log_json)


@app.command()
def demo(
    target: Annotated[
        str, typer.Option("--chain", help="Run on this node instead of a chain in the process.")
    ] = "",
    attester: Annotated[str, typer.Option(help="tpm or software; the best there is when left out.")] = "",
    as_json: Json = False,
) -> None:
    """Watch a real model being protected from end to end, in twelve steps."""
    with output.reporting(as_json):
        from cli.demo.run import run

        code = run(chain=target or None, attester=attester or None, as_json=as_json)
    raise typer.Exit(code)


for name, commands in {
    "keys": keys.app,
    "model": model.app,
    "policy": policy.app,
    "licence": licence.app,
    "chain": chain.app,
    "verifier": verifier.app,
    "broker": broker.app,
    "node": node.app,
    "audit": auditor.app,
    "evidence": evidence.app,
}.items():
    app.add_typer(commands, name=name)

app.command()(user.verify)
app.command()(user.infer)
app.command()(auditor.watch)

if __name__ == "__main__":
    app()
