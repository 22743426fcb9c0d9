# SPDX-License-Identifier: Apache-2.0
"""Administrator, step 5: run a verifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import VERIFIER, AccountName, Chain, Json, StoreUrl, group
from cli.output import note, reporting, show

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from enclave.verifier import Verifier

app = group("Judge evidence and sign verdicts.")

_KEY = "enroller.pem"


@app.command()
def run(
    policy: Annotated[list[str], typer.Option(help="Policy id to judge by; repeat.")],
    listen: Annotated[str, typer.Option(help="Address to listen at.")] = VERIFIER,
    chain: Chain = "",
    store: StoreUrl = "",
    account: AccountName = "",
    as_json: Json = False,
) -> None:
    """Serve /v1/appraise and /v1/enrol until stopped; needs the salt of each policy's burn domain."""
    with reporting(as_json):
        from cli.running import serving, stop_on_signals

        stop = stop_on_signals()
        verifier = _open(policy, chain, store, account)
        from enclave.http import verifier_application

        with serving(verifier_application(verifier), listen) as address:
            show({"listening": address, "policies": policy}, as_json)
            note("judging; stop it with Ctrl-C")
            stop.wait()


@app.command()
def keys(account: AccountName = "", as_json: Json = False) -> None:
    """Print the verifier's address and its enroller's key, for policies to name; makes the key if there is none."""
    with reporting(as_json):
        from cli.session import session
        from enclave.evidence.enrol import enroller_point

        opened = session(account=account)
        key = _enroller_key(opened.home / _KEY, opened.passphrase())
        show({"address": opened.address(), "enroller": "0x" + enroller_point(key).hex()}, as_json)


def _open(policies: list[str], chain: str, store: str, account: str) -> "Verifier":
    from cli.assigned import assigned_policies
    from cli.session import session
    from contracts.ids import PolicyId
    from enclave.evidence.trust import Trust
    from enclave.verifier import Enroller, Verifier

    opened = session(chain=chain, store=store, account=account)
    live = opened.chain()
    assigned = assigned_policies(opened, live, map(PolicyId.parse, policies))
    roots = frozenset(root for one in assigned.values() for root in one.policy.extra_roots)
    passphrase = opened.passphrase()
    enroller = Enroller(
        key=_enroller_key(opened.home / _KEY, passphrase),
        trust=Trust(enrollers=frozenset(), extra_roots=roots),
    )
    return Verifier(live, opened.account(passphrase), assigned, opened.store(), enroller=enroller)


def _enroller_key(path: Path, passphrase: bytes) -> "ec.EllipticCurvePrivateKey":
    """The key that certifies attestation keys, in a passphrase-encrypted file of mode 0600."""
    import os

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from registry.errors import MalformedAccount, WrongPassphrase

    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(
                made.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.BestAvailableEncryption(passphrase),
                )
            )
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), passphrase)
    except ValueError as error:
        raise WrongPassphrase("the passphrase does not open this key", where=str(path)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MalformedAccount("not a P-256 key", where=str(path))
    return key
