# SPDX-License-Identifier: Apache-2.0
"""A verdict as an EAR in a file, for other relying parties."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from enclave.evidence.examine import Examination


def write_ear(
    examined: "Examination", target: Path, signer: Path, policy: Path | None, *, at: datetime, nonce: bytes
) -> None:
    """Write the signed result; the file's suffix says whether as JWT or as CWT."""
    import hashlib
    from importlib.metadata import version

    from enclave.evidence.ear import ear
    from enclave.evidence.examine import appraised
    from enclave.evidence.token import to_cwt, to_jwt

    if target.suffix not in (".jwt", ".cwt"):
        raise typer.BadParameter("--ear names a .jwt or a .cwt file")
    if nonce and not 8 <= len(nonce) <= 64:
        raise typer.BadParameter("an EAR echoes a nonce of 8 to 64 bytes")
    key = _key(signer)
    claims = ear(
        appraised(examined),
        at=at,
        build=f"exequatur {version('exequatur')}",
        policy="" if policy is None else f"sha256:{hashlib.sha256(policy.read_bytes()).hexdigest()}",
        nonce=nonce,
    )
    jwt = target.suffix == ".jwt"
    target.write_bytes(to_jwt(claims, key).encode("ascii") if jwt else to_cwt(claims, key))


def _key(path: Path) -> "ec.EllipticCurvePrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    hint = "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise typer.BadParameter(f"--ear-signer is an unencrypted private key in PEM; {hint}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise typer.BadParameter(f"--ear-signer is a key on P-256; {hint}")
    return key
