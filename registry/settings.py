# SPDX-License-Identifier: Apache-2.0
"""Settings: an option wins over the environment, the environment over `$EXEQUATUR_HOME/config.toml`."""

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from registry.chain.book import home
from registry.errors import NotConfigured

_NAMES = ("chain", "store", "account", "passphrase_file", "verifiers")
_FILE = "config.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a command runs with; an empty string means not set."""

    home: Path
    chain: str
    store: str
    account: str
    passphrase_file: Path | None
    verifiers: tuple[str, ...]

    @classmethod
    def load(
        cls, options: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
    ) -> Self:
        """Gather the settings; `options` by name, the environment's names begin with `EXEQUATUR_`."""
        given, around = dict(options or {}), os.environ if environment is None else environment
        place = Path(around["EXEQUATUR_HOME"]) if around.get("EXEQUATUR_HOME") else home()
        if unknown := set(given) - set(_NAMES):
            raise NotConfigured(f"no such setting: {min(unknown)}", where="options")
        values = _file(place / _FILE)
        values |= {
            n: around[f"EXEQUATUR_{n.upper()}"] for n in _NAMES if around.get(f"EXEQUATUR_{n.upper()}")
        }
        values |= {name: value for name, value in given.items() if value}
        return cls(
            home=place,
            chain=values.get("chain", ""),
            store=values.get("store") or str(place / "store"),
            account=values.get("account", ""),
            passphrase_file=Path(values["passphrase_file"]) if values.get("passphrase_file") else None,
            verifiers=tuple(part.strip() for part in values.get("verifiers", "").split(",") if part.strip()),
        )

    def need_chain(self) -> str:
        """The node to speak to; raises `NotConfigured` with how to get one."""
        if self.chain:
            return self.chain
        raise NotConfigured(
            "no chain is set",
            where="chain",
            hint="give --chain or EXEQUATUR_CHAIN; `exequatur chain up` starts one on this machine",
        )


def passphrase(settings: Settings, prompt: Callable[[], str]) -> bytes:
    """The passphrase: the first line of its file, else what `prompt` returns."""
    if settings.passphrase_file is None:
        return prompt().encode()
    try:
        return settings.passphrase_file.read_bytes().split(b"\n", 1)[0].rstrip(b"\r")
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise NotConfigured(f"passphrase file: {reason}", where=str(settings.passphrase_file)) from error


def _file(path: Path) -> dict[str, str]:
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NotConfigured(f"not a settings file: {error}", where=str(path)) from error
    if unknown := set(read) - set(_NAMES):
        hint = "settings are " + ", ".join(_NAMES)
        raise NotConfigured(f"no such setting: {min(unknown)}", where=str(path), hint=hint)
    return {name: _text(name, value, path) for name, value in read.items()}


def _text(name: str, value: object, path: Path) -> str:
    if isinstance(value, str):
        return value
    if name == "verifiers" and isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    raise NotConfigured(f"{name} is a text", where=str(path))
