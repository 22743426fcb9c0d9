# SPDX-License-Identifier: Apache-2.0
"""A verdict as an EAR in a file, for other relying parties."""

import hashlib
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from enclave.evidence.ear import ear
from enclave.evidence.examine import Examination, appraised
from enclave.evidence.token import to_cwt, to_jwt


def write_ear(
    examined: Examination, target: Path, key: Path, policy: Path | None, *, at: datetime, nonce: bytes
) -> None:
    """Write the signed result; the file's suffix says whether as JWT or as CWT."""
    if target.suffix not in (".jwt", ".cwt"):
        raise typer.BadParameter("--ear names a .jwt or a .cwt file")
    if nonce and not 8 <= len(nonce) <= 64:
        raise typer.BadParameter("an EAR echoes a nonce of 8 to 64 bytes")
    signer = _key(key)
    claims = ear(
        appraised(examined),
        at=at,
        build=f"exequatur {version('exequatur')}",
        policy="" if policy is None else f"sha256:{hashlib.sha256(policy.read_bytes()).hexdigest()}",
        nonce=nonce,
    )
    target.write_bytes(
        to_jwt(claims, signer).encode("ascii") if target.suffix == ".jwt" else to_cwt(claims, signer)
    )


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    hint = "make one with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`"
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise typer.BadParameter(f"--ear-key is an unencrypted private key in PEM; {hint}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise typer.BadParameter(f"--ear-key is a key on P-256; {hint}")
    return key
