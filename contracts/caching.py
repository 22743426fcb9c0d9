# SPDX-License-Identifier: Apache-2.0
"""The user's cache folder: what may be lost at any time, is written whole or not at all, and is checked when read."""

import os
import tempfile
from pathlib import Path

from contracts.errors import CompilerError


def folder() -> Path:
    """$XDG_CACHE_HOME/exequatur or ~/.cache/exequatur, which need not exist."""
    said = os.environ.get("XDG_CACHE_HOME", "")
    # A relative path there counts as absent (XDG Base Directory Specification).
    base = Path(said) if said.startswith("/") else home() / ".cache"
    return base / "exequatur"


def home() -> Path:
    """The user's home, or where the root of the file system is for users who have none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def keep(path: Path, content: bytes) -> None:
    """Write a file of the cache, whole or not at all; raises `CompilerError` where nothing can be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = "set XDG_CACHE_HOME to a folder that can be written"
        raise CompilerError("cannot be written", where=str(path), hint=hint) from error


def kept(path: Path) -> bytes | None:
    """What a file of the cache holds, or None."""
    try:
        return path.read_bytes()
    except OSError:
        return None
