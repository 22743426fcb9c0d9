# SPDX-License-Identifier: Apache-2.0
"""S8: whatever is done to a sealed model has its own error, and no plaintext comes of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import ExitCode
from contracts.ids import SealId
from enclave.errors import (
    ChunkNotAuthentic,
    ChunkOutOfPlace,
    MalformedSeal,
    RootMismatch,
    SealError,
    SealExtended,
    SealRefused,
    SealTruncated,
    WrongKey,
    WrongSeal,
)
from enclave.sealed.files import FileSource, SealedFile, open_file
from enclave.sealed.open import OpenModel, open_chunks
from enclave.sealed.preamble import Preamble, nonce
from tests.fakes.models import CHUNK, KEY, Sealed

STRIDE = CHUNK + 16


def reopen(sealed: Sealed, raw: bytes) -> OpenModel:
    sealed.file.path.write_bytes(raw)
    return open_file(sealed.file.path, KEY, seal_id=sealed.info.seal_id)


def parts(sealed: Sealed) -> tuple[bytes, list[bytes], bytes]:
    raw, start = sealed.file.path.read_bytes(), sealed.file.body_offset
    body = raw[start:-32]
    return raw[:start], [body[n : n + STRIDE] for n in range(0, len(body), STRIDE)], raw[-32:]


def test_a_dropped_chunk(sealed: Sealed) -> None:
    head, chunks, root = parts(sealed)
    for n in (0, 2, len(chunks) - 1):
        with pytest.raises(SealTruncated):
            reopen(sealed, head + b"".join(chunks[:n] + chunks[n + 1 :]) + root)


def test_reordered_chunks(sealed: Sealed) -> None:
    head, chunks, root = parts(sealed)
    chunks[1], chunks[3] = chunks[3], chunks[1]
    with pytest.raises(ChunkOutOfPlace) as refused:
        reopen(sealed, head + b"".join(chunks) + root)
    assert (refused.value.index, refused.value.belongs) == (1, 3)
    assert refused.value.code == ExitCode.NOT_AUTHENTIC


def test_a_repeated_chunk(sealed: Sealed) -> None:
    head, chunks, root = parts(sealed)
    chunks[2] = chunks[0]
    with pytest.raises(ChunkOutOfPlace) as refused:
        reopen(sealed, head + b"".join(chunks) + root)
    assert (refused.value.index, refused.value.belongs) == (2, 0)


def test_a_chunk_of_another_sealed_model_under_the_same_key(
    sealed: Sealed, external_model: Path, sealed_folder: Callable[[Path], Sealed]
) -> None:
    head, chunks, root = parts(sealed)
    other = external_model.rename(external_model.with_name("other"))
    (other / "labels.txt").write_text("cage\n")
    chunks[1] = parts(sealed_folder(other))[1][1]
    with pytest.raises(ChunkNotAuthentic) as refused:
        reopen(sealed, head + b"".join(chunks) + root)
    assert refused.value.index == 1


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_flipped_bit(sealed: Sealed, data: st.DataObject) -> None:
    head, chunks, root = parts(sealed)
    raw = bytearray(head + b"".join(chunks) + root)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        with pytest.raises(SealError) as refused:
            reopen(sealed, bytes(raw))
    finally:
        sealed.file.path.write_bytes(head + b"".join(chunks) + root)
    if len(head) <= place < len(raw) - 32:
        assert type(refused.value) is ChunkNotAuthentic
        assert refused.value.index == (place - len(head)) // STRIDE


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_truncation(sealed: Sealed, data: st.DataObject) -> None:
    head, chunks, root = parts(sealed)
    raw = head + b"".join(chunks) + root
    try:
        with pytest.raises((SealTruncated, MalformedSeal)) as refused:
            reopen(sealed, raw[: data.draw(st.integers(0, len(raw) - 1))])
    finally:
        sealed.file.path.write_bytes(raw)
    assert refused.value.code == ExitCode.MALFORMED


@pytest.mark.parametrize("extra", [b"\0", bytes(32), bytes(STRIDE)])
def test_appended_bytes(sealed: Sealed, extra: bytes) -> None:
    with pytest.raises(SealExtended):
        reopen(sealed, sealed.file.path.read_bytes() + extra)


def test_a_file_renamed_in_the_preamble(sealed: Sealed) -> None:
    head, chunks, root = parts(sealed)
    renamed = head.replace(b"labels.txt", b"labels.tyt")
    assert renamed != head
    Preamble.parse(renamed)
    with pytest.raises(WrongSeal):
        reopen(sealed, renamed + b"".join(chunks) + root)


def test_another_grant_key_in_the_preamble(sealed: Sealed) -> None:
    head, chunks, root = parts(sealed)
    with pytest.raises(WrongSeal):
        reopen(sealed, head[:-20] + bytes(20) + b"".join(chunks) + root)


def test_another_root(sealed: Sealed) -> None:
    head, chunks, _ = parts(sealed)
    with pytest.raises(WrongSeal):
        reopen(sealed, head + b"".join(chunks) + bytes(32))


def test_another_seal_id(sealed: Sealed) -> None:
    with pytest.raises(WrongSeal):
        open_file(sealed.file.path, KEY, seal_id=SealId(bytes(32)))


@pytest.mark.parametrize("key", [bytes(32), KEY[:-1], KEY + b"\0", b""])
def test_a_wrong_key_is_refused_before_any_chunk_is_read(sealed: Sealed, key: bytes) -> None:
    class Unread:
        def readinto(self, view: memoryview, /) -> None:
            raise AssertionError("read a chunk")

    with pytest.raises(WrongKey):
        open_chunks(sealed.file.preamble, sealed.info.root, Unread(), key)


def test_chunks_forged_by_somebody_who_has_the_key(sealed: Sealed) -> None:
    """S5: GCM alone would accept these; the root under the granted sealId does not."""
    head, chunks, root = parts(sealed)
    preamble = sealed.file.preamble
    cipher = AESGCM(preamble.chunk_key(KEY))
    poisoned = bytes(CHUNK)
    chunks[1] = cipher.encrypt(nonce(1, preamble.chunks), poisoned, preamble.digest())
    with pytest.raises(RootMismatch):
        reopen(sealed, head + b"".join(chunks) + root)
    with pytest.raises(RootMismatch):
        SealedFile.inspect(sealed.file.path).check_root()


def test_whoever_has_no_key_notices_a_changed_chunk(sealed: Sealed) -> None:
    head, chunks, root = parts(sealed)
    chunks[0] = bytes(STRIDE)
    sealed.file.path.write_bytes(head + b"".join(chunks) + root)
    with pytest.raises(RootMismatch):
        SealedFile.inspect(sealed.file.path).check_root()


def test_nothing_decrypted_survives_a_failure(sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4: chunks before the bad one were decrypted; they are gone when the error arrives."""
    wiped: list[OpenModel] = []
    zeroise = OpenModel.zeroise
    monkeypatch.setattr(OpenModel, "zeroise", lambda self: (zeroise(self), wiped.append(self)))
    head, chunks, root = parts(sealed)
    chunks[-1] = bytes(len(chunks[-1]))
    with pytest.raises(ChunkNotAuthentic):
        reopen(sealed, head + b"".join(chunks) + root)
    assert len(wiped) == 1
    assert not any(bytes(wiped[0].buffer))


def test_a_stream_that_ends_early(sealed: Sealed) -> None:
    head, chunks, _ = parts(sealed)
    cut = sealed.file.path.with_name("cut")
    cut.write_bytes(head + b"".join(chunks[:2]))
    with cut.open("rb") as file, pytest.raises(SealTruncated):
        open_chunks(sealed.file.preamble, sealed.info.root, FileSource(file.fileno(), len(head)), KEY)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SealRefused) as refused:
            SealedFile.inspect(path)
        assert str(path) in str(refused.value)
