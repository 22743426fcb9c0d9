# SPDX-License-Identifier: Apache-2.0
"""What is to be sealed: the files of a model, their manifest root, its graph and tensor map.

The manifest root is the subject digest of an OpenSSF Model Signing statement with default settings: SHA-256
over the files' SHA-256 digests in the order of their paths, without links and git's own files.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contracts.ids import Digest
from enclave.errors import MalformedModel, SealRefused
from enclave.sealed.graph import has_external, locations, tensor_map
from enclave.sealed.preamble import CHUNK_SIZE, File, Tensor, aligned, safe

_THREADS = 2
_IGNORED = frozenset({".git", ".gitattributes", ".github", ".gitignore"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The files of a model as they were when their digests were taken."""

    folder: Path
    files: tuple[File, ...]
    states: tuple[tuple[int, ...], ...]
    main: str
    tensors: tuple[Tensor, ...]
    manifest_root: Digest

    def check_unchanged(self) -> None:
        """Refuse when a file was replaced or written since."""
        for file, state in zip(self.files, self.states, strict=True):
            if _state(self.folder / file.path) != state:
                raise SealRefused("the file changed while it was sealed", where=str(self.folder / file.path))


def survey(source: Path, main: str | None = None) -> Inventory:
    """Read a model folder, or an ONNX file with the external data it names, and take its manifest root."""
    folder, paths, main = _files(source, main)
    try:
        states = tuple(_state(folder / path) for path in paths)
        files = _laid_out(paths, [state[0] for state in states])
        sizes = {file.path: file.length for file in files}
        external = has_external(folder / main)
        return Inventory(
            folder=folder,
            files=files,
            states=states,
            main=main,
            tensors=tensor_map(folder / main, main, sizes) if external else (),
            manifest_root=manifest_root([folder / path for path in paths]),
        )
    except OSError as error:
        raise SealRefused(error.strerror or "cannot be read", where=str(error.filename or source)) from error


def manifest_root(paths: Sequence[Path]) -> Digest:
    """The subject digest of OpenSSF Model Signing over files in the order of their paths."""
    stop = threading.Event()

    def one(path: Path) -> bytes:
        state, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK_SIZE))
        with path.open("rb", buffering=0) as file:
            while (size := file.readinto(buffer)) and not stop.is_set():
                state.update(buffer[:size])
        return state.digest()

    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            return Digest(hashlib.sha256(b"".join(pool.map(one, paths))).digest())
        except BaseException:
            stop.set()
            raise


def _files(source: Path, main: str | None) -> tuple[Path, list[str], str]:
    if source.is_dir():
        walked = _ordered(_walk(source))
        return source, walked, _main(source, walked, main)
    if not source.is_file() or source.is_symlink():
        raise SealRefused("no such model file or folder", where=str(source))
    if main not in (None, source.name):
        raise SealRefused("--main names a file of a model folder", where=str(source))
    paths = {source.name}
    if has_external(source):
        paths |= set(locations(source, source.name))
    for path in paths:
        if (source.parent / path).is_symlink() or not (source.parent / path).is_file():
            raise MalformedModel("external data that is missing, or a link", where=str(source.parent / path))
    return source.parent, _ordered(paths), source.name


def _walk(folder: Path) -> Iterable[str]:
    for parent, folders, names in os.walk(folder):
        ignored = _IGNORED if Path(parent) == folder else frozenset()
        folders[:] = [name for name in folders if name not in ignored]
        for name in (*folders, *names):
            path = Path(parent) / name
            if name in ignored:
                continue
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise MalformedModel(
                    "a link or special file", where=str(path), hint="copy the file in its place"
                )
            if stat.S_ISREG(mode):
                yield path.relative_to(folder).as_posix()


def _ordered(paths: Iterable[str]) -> list[str]:
    ordered = sorted(paths, key=PurePosixPath)
    for path in ordered:
        if not safe(path):
            raise MalformedModel(f"a file name that is not printable, or holds a backslash: {path!r}")
    return ordered


def _main(folder: Path, paths: Sequence[str], main: str | None) -> str:
    found = [path for path in paths if path.endswith(".onnx")]
    if main is None and "model.onnx" in found:
        return "model.onnx"
    if main is None and len(found) == 1:
        return found[0]
    if main is None or main not in paths:
        what = f"{len(found)} ONNX files, and none of them is the named main file"
        raise MalformedModel(what, where=str(folder), hint="name it with --main, or call it model.onnx")
    return main


def _laid_out(paths: Sequence[str], sizes: Sequence[int]) -> tuple[File, ...]:
    files, end = [], 0
    for path, size in zip(paths, sizes, strict=True):
        files.append(File(path=path, offset=aligned(end), length=size))
        end = files[-1].offset + size
    return tuple(files)


def _state(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
