# SPDX-License-Identifier: Apache-2.0
"""The secret salts of burn domains: one file each, shared by its owner with his verifiers and brokers only."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.ids import BurnDomain


def path_of(home: Path, domain: "BurnDomain") -> Path:
    """Where the salt of a domain is kept."""
    return home / "salts" / f"{domain}.salt"


def make(home: Path, domain: "BurnDomain") -> Path:
    """Draw the salt of a domain unless there is one."""
    path = path_of(home, domain)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path


def read(home: Path, domain: "BurnDomain") -> bytes:
    """The salt of a domain."""
    from registry.errors import NotConfigured

    path = path_of(home, domain)
    try:
        salt = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError as error:
        hint = "copy the file from the policy's owner; `exequatur policy draft` makes it"
        raise NotConfigured("the burn domain's salt is not here", where=str(path), hint=hint) from error
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise NotConfigured("not a salt of 64 hex digits", where=str(path))
    return salt
