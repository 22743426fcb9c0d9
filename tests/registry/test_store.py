# SPDX-License-Identifier: Apache-2.0
"""Blobs by digest, in a folder and behind a URL; nothing under a name before it is whole."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis.strategies import binary

from contracts.ids import Digest
from registry.errors import BlobMismatch, BlobMissing, StoreUnavailable
from registry.store import Store

BIG = os.urandom(3 << 20)


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A folder, and a store behind an fsspec URL."""
    return Store(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


def digest(blob: bytes) -> Digest:
    return Digest(hashlib.sha256(blob).digest())


@given(blob=binary(max_size=200))
def test_what_is_put_comes_back(blob: bytes) -> None:
    kept = Store("memory://property")
    name = kept.put(blob)
    assert name == digest(blob)
    assert kept.get(name) == blob
    assert kept.exists(name)
    assert kept.size(name) == len(blob)


def test_a_name_of_ones_own(store: Store) -> None:
    store.put_as("sealed/ab", b"one")
    store.put_as("sealed/ab", b"two")
    assert store.get_named("sealed/ab") == b"two"
    assert store.exists("sealed/ab")
    assert not store.exists("sealed/cd")


def test_files_go_in_and_out_with_progress(store: Store, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "deep" / "out"
    source.write_bytes(BIG)
    seen: list[tuple[int, int]] = []
    name = store.put_file(source, lambda done, total: seen.append((done, total)))
    assert store.put_file(source) == name == digest(BIG)
    store.fetch_file(name, target, lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == BIG
    assert seen.count((len(BIG), len(BIG))) == 2
    assert list(target.parent.iterdir()) == [target]


def test_fetching_goes_on_where_it_stopped(store: Store, tmp_path: Path) -> None:
    name, target = store.put(BIG), tmp_path / "out"
    part = tmp_path / "out.part"
    part.write_bytes(BIG[:1_000_000])
    seen: list[int] = []
    store.fetch_file(name, target, lambda done, total: seen.append(done))
    assert target.read_bytes() == BIG
    assert seen[0] > 1_000_000


@pytest.mark.parametrize("left", [b"\0" * 1_000, b"\0" * (len(BIG) + 1)])
def test_a_wrong_start_is_not_believed(store: Store, tmp_path: Path, left: bytes) -> None:
    name, target = store.put(BIG), tmp_path / "out"
    (tmp_path / "out.part").write_bytes(left)
    try:
        store.fetch_file(name, target)
    except BlobMismatch:
        assert not target.exists()
        store.fetch_file(name, target)
    assert target.read_bytes() == BIG


def test_nothing_under_that_name(store: Store, tmp_path: Path) -> None:
    for read in (store.get, store.size):
        with pytest.raises(BlobMissing):
            read(digest(b"absent"))
    with pytest.raises(BlobMissing):
        store.fetch_file(digest(b"absent"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../outside", "sealed/../../outside"])
def test_s8_a_name_cannot_leave_the_store(store: Store, name: str) -> None:
    for act in (lambda: store.put_as(name, b""), lambda: store.get_named(name), lambda: store.exists(name)):
        with pytest.raises(BlobMissing):
            act()


@pytest.mark.parametrize("change", [lambda blob: blob[:-1], lambda blob: b"\0" + blob[1:], lambda blob: b""])
def test_a_blob_that_was_changed_is_refused(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    kept = Store(str(tmp_path / "store"))
    name = kept.put(BIG)
    path = tmp_path / "store" / "sha256" / name.hex()
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BlobMismatch):
        kept.get(name)
    with pytest.raises(BlobMismatch):
        kept.fetch_file(name, tmp_path / "out")
    assert {entry.name for entry in tmp_path.iterdir()} == {"store"}


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Store(str(tmp_path / "store"))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(kept._files), "mv", full)
    with pytest.raises(StoreUnavailable) as failed:
        kept.put(b"blob")
    assert "space" in failed.value.what
    assert [p for p in (tmp_path / "store").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("url", ["nosuchscheme://x", "s4://bucket"])
def test_a_store_nobody_knows(url: str) -> None:
    with pytest.raises(StoreUnavailable):
        Store(url)


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreUnavailable):
        Store(str(tmp_path / "store")).put(b"blob")
