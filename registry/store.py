# SPDX-License-Identifier: Apache-2.0
"""Blobs by digest: sealed models, bundles, policies and licence texts, in a folder or behind any fsspec URL.

Keys are `sha256/<hex>`, checked on every read; `put_as` keeps a blob under another name, which its reader checks.
Nothing appears under its name before it is whole.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from contracts.ids import Digest
from registry.errors import BlobMismatch, BlobMissing, StoreUnavailable

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PIECE = 1 << 20
_PART = ".part"


class Progress(Protocol):
    """Told how many bytes of how many are there."""

    def __call__(self, done: int, total: int, /) -> None:
        """Take note."""


def _silent(done: int, total: int, /) -> None:
    pass


class Store:
    """A place for blobs: the path of a folder, or a URL that fsspec understands."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs

        self.url = url
        with self._reaching(url):
            self._files, self._root = _open(url_to_fs, url)

    def put(self, blob: bytes) -> Digest:
        """Keep a blob under its SHA-256."""
        name = Digest(hashlib.sha256(blob).digest())
        self.put_as(_key(name), blob)
        return name

    def put_as(self, name: str, blob: bytes) -> None:
        """Keep a blob under a name of the caller's choice, replacing what was there."""
        with self._writing(name) as path, self._files.open(path, "wb") as file:
            file.write(blob)

    def put_file(self, source: Path, progress: Progress = _silent) -> Digest:
        """Keep a file of any size under its SHA-256."""
        with source.open("rb") as file:
            name = Digest(hashlib.file_digest(file, "sha256").digest())
        if self.exists(_key(name)):
            return name
        total = source.stat().st_size
        with (
            self._writing(_key(name)) as path,
            source.open("rb") as read,
            self._files.open(path, "wb") as file,
        ):
            for piece in iter(lambda: read.read(_PIECE), b""):
                file.write(piece)
                progress(read.tell(), total)
        return name

    def get(self, name: Digest) -> bytes:
        """The blob with this SHA-256."""
        blob = self.get_named(_key(name))
        if hashlib.sha256(blob).digest() != name:
            raise BlobMismatch("the blob is not what its name says", where=f"{self.url} {_key(name)}")
        return blob

    def get_named(self, name: str) -> bytes:
        """The blob under a name, unchecked."""
        with self._reaching(name), self._files.open(self._path(name), "rb") as file:
            return bytes(file.read())

    def exists(self, name: str | Digest) -> bool:
        """Whether there is a blob under a name or digest."""
        with self._reaching(str(name)):
            return bool(self._files.exists(self._path(_key(name) if isinstance(name, Digest) else name)))

    def size(self, name: str | Digest) -> int:
        """Bytes of a blob."""
        key = _key(name) if isinstance(name, Digest) else name
        with self._reaching(key):
            return int(self._files.size(self._path(key)))

    def fetch_file(self, name: str | Digest, target: Path, progress: Progress = _silent) -> None:
        """Copy a blob of any size to a file: resumed where it stopped, checked, and there only when whole."""
        key = _key(name) if isinstance(name, Digest) else name
        total = self.size(name)
        part = target.with_name(target.name + _PART)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._reaching(key), part.open("ab") as file, self._files.open(self._path(key), "rb") as read:
            if file.tell() > total:
                file.truncate(0)
            read.seek(file.tell())
            for piece in iter(lambda: read.read(_PIECE), b""):
                file.write(piece)
                progress(file.tell(), total)
            file.flush()
            os.fsync(file.fileno())
        if isinstance(name, Digest):
            self._check(part, name)
        part.replace(target)

    def _check(self, part: Path, name: Digest) -> None:
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").digest()
        if found != name:
            part.unlink()
            raise BlobMismatch("the blob is not what its name says", where=f"{self.url} {_key(name)}")

    def _path(self, name: str) -> str:
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise BlobMissing("not a blob's name", where=name[:120])
        return f"{self._root}/{name}"

    @contextmanager
    def _writing(self, name: str) -> Iterator[str]:
        path = self._path(name)
        beside = f"{path}.{secrets.token_hex(4)}{_PART}"
        with self._reaching(name):
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            try:
                yield beside
                self._files.mv(beside, path)
            except BaseException:
                with suppress(Exception):  # the first error says more
                    self._files.rm(beside)
                raise

    @contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise BlobMissing("nothing under that name", where=f"{self.url} {name}") from error
        except (OSError, ValueError, ImportError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            hint = "check --store or EXEQUATUR_STORE"
            raise StoreUnavailable(reason or type(error).__name__, where=self.url, hint=hint) from error


def _open(
    url_to_fs: Callable[[str], "tuple[AbstractFileSystem, str]"], url: str
) -> "tuple[AbstractFileSystem, str]":
    files, root = url_to_fs(str(Path(url).expanduser().absolute()) if "://" not in url else url)
    return files, root.rstrip("/")


def _key(name: Digest) -> str:
    return f"sha256/{name.hex()}"
