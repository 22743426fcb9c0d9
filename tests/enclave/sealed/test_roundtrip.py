# SPDX-License-Identifier: Apache-2.0
"""What is sealed comes back, whole, in part, at any size, and is recognised by who has the model."""

import io
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_signing import hashing
from model_signing._signing.signing import Payload

from contracts.digests import digest
from enclave.errors import MalformedModel
from enclave.sealed.files import SealedFile, open_file
from enclave.sealed.open import open_chunks
from enclave.sealed.preamble import Preamble, aligned
from enclave.sealed.seal import seal, seal_inventory
from enclave.sealed.survey import survey
from tests.fakes.models import CHUNK, GRANT_ADDRESS, KEY, Sealed, linear


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_comes_back_byte_for_byte(sealed: Sealed) -> None:
    model = open_file(sealed.file.path, KEY, seal_id=sealed.info.seal_id)
    assert {path: bytes(view) for path, view in model.files.items()} == contents(sealed.folder)
    assert model.main == "graph/model.onnx"
    assert [(t.name, t.dtype, t.shape, t.file) for t in model.tensors] == [
        ("w", "float32", (48, 32), "graph/weights.bin")
    ]


def test_a_single_file_comes_back_byte_for_byte(sealed_inline: Sealed, inline_model: Path) -> None:
    model = open_file(sealed_inline.file.path, KEY, seal_id=sealed_inline.info.seal_id)
    assert bytes(model.files["model.onnx"]) == inline_model.read_bytes()
    assert sealed_inline.info.size == sealed_inline.file.path.stat().st_size


def test_the_plaintext_is_nowhere_in_the_sealed_file(sealed: Sealed) -> None:
    raw = sealed.file.path.read_bytes()
    assert (sealed.folder / "graph/weights.bin").read_bytes()[:64] not in raw
    assert b"inner race" not in raw


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 5 * CHUNK + 17])
def test_every_size_around_a_chunk(
    size: int, external_model: Path, sealed_folder: Callable[[Path], Sealed]
) -> None:
    last = external_model / "zz.bin"
    start = aligned(survey(external_model).files[-1].offset + survey(external_model).files[-1].length)
    last.write_bytes(bytes(n % 251 for n in range(-start % CHUNK + size)))
    sealed = sealed_folder(external_model)
    assert sealed.file.preamble.size % CHUNK == size % CHUNK
    model = sealed.file.open(KEY, seal_id=sealed.info.seal_id)
    assert {path: bytes(view) for path, view in model.files.items()} == contents(external_model)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=st.dictionaries(st.text("abz/", min_size=1, max_size=4), st.binary(max_size=3000), max_size=6))
def test_any_folder_comes_back(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    onnx.save_model(linear(np.eye(2, dtype=np.float32)), folder / "model.onnx")
    for name, body in files.items():
        path = folder / ("d" + name.replace("//", "/").strip("/") + ".bin")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    target = folder.with_suffix(".sealed")
    info = seal_inventory(survey(folder), target, data_key=KEY, grant_address=GRANT_ADDRESS, chunk_size=CHUNK)
    model = open_file(target, KEY, seal_id=info.seal_id)
    assert {path: bytes(view) for path, view in model.files.items()} == contents(folder)
    assert info.manifest_root.hex() == subject(folder)
    shutil.rmtree(folder)
    target.unlink()


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_part_can_be_read_alone(sealed: Sealed, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(contents(sealed.folder))))
    whole = (sealed.folder / path).read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, len(whole) - start))
    assert sealed.file.read(KEY, path, start, length) == whole[start : start + length]


def test_a_part_that_is_not_there_is_refused(sealed: Sealed) -> None:
    for path, start, length in [("nothing", 0, 1), ("labels.txt", 0, 10**9), ("labels.txt", -1, 1)]:
        with pytest.raises(MalformedModel):
            sealed.file.read(KEY, path, start, length)


def test_files_stand_at_multiples_of_64_with_zeros_between(sealed: Sealed) -> None:
    model = sealed.file.open(KEY, seal_id=sealed.info.seal_id)
    end = 0
    for file in model.preamble.files:
        assert file.offset % 64 == 0
        assert not any(model.buffer[end : file.offset])
        end = file.offset + file.length


def test_a_guest_opens_from_a_stream_that_has_only_chunks(sealed: Sealed) -> None:
    class Stream:
        def __init__(self, raw: bytes) -> None:
            self.raw = io.BytesIO(raw)

        def readinto(self, view: memoryview, /) -> None:
            assert self.raw.readinto(view) == len(view)

    raw = sealed.file.path.read_bytes()
    preamble = Preamble.parse(raw[: sealed.file.body_offset])
    assert preamble.seal_id(raw[-32:]) == sealed.info.seal_id
    body = raw[sealed.file.body_offset : -32]
    assert len(body) == preamble.body_size
    model = open_chunks(preamble, raw[-32:], Stream(body), KEY)
    assert bytes(model.files["labels.txt"]) == (sealed.folder / "labels.txt").read_bytes()


def test_zeroise_leaves_no_plaintext(sealed: Sealed) -> None:
    model = sealed.file.open(KEY, seal_id=sealed.info.seal_id)
    views = model.files
    model.zeroise()
    assert not any(any(view) for view in views.values())


def test_seal_id_is_the_digest_of_preamble_and_root(sealed: Sealed) -> None:
    assert sealed.info.seal_id == digest("seal", sealed.info.preamble_digest, sealed.info.root)
    assert sealed.file.seal_id == sealed.info.seal_id
    assert sealed.info.preamble_digest == sealed.file.preamble.digest()
    sealed.file.check_root()
    assert sealed.file.preamble.grant_address == GRANT_ADDRESS


def test_the_same_model_under_the_same_key_is_the_same_file(sealed: Sealed, tmp_path: Path) -> None:
    again = seal_inventory(
        survey(sealed.folder),
        tmp_path / "again",
        data_key=KEY,
        grant_address=GRANT_ADDRESS,
        chunk_size=CHUNK,
    )
    assert again == sealed.info


def test_another_model_under_the_same_key_repeats_no_key_stream(sealed: Sealed, tmp_path: Path) -> None:
    before = sealed.file.path.read_bytes()[sealed.file.body_offset : -32]
    plain = bytes(sealed.file.open(KEY, seal_id=sealed.info.seal_id).buffer)[:CHUNK]
    (sealed.folder / "labels.txt").write_text("outer race\ninner race\n")
    info = seal_inventory(
        survey(sealed.folder),
        tmp_path / "other",
        data_key=KEY,
        grant_address=GRANT_ADDRESS,
        chunk_size=CHUNK,
    )
    other = SealedFile.inspect(tmp_path / "other")
    after = other.path.read_bytes()[other.body_offset : -32]
    changed = bytes(other.open(KEY, seal_id=info.seal_id).buffer)[:CHUNK]
    stream = [a ^ b for a, b in zip(before[:CHUNK], plain, strict=True)]
    assert stream != [a ^ b for a, b in zip(after[:CHUNK], changed, strict=True)]


def test_progress_ends_at_the_whole(inline_model: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    seal(
        inline_model,
        tmp_path / "s",
        data_key=KEY,
        grant_address=GRANT_ADDRESS,
        progress=lambda *a: seen.append(a),
    )
    assert seen[-1] == (inline_model.stat().st_size, inline_model.stat().st_size)


def subject(path: Path, files: Iterable[Path] | None = None) -> str:
    manifest = hashing.Config().hash(path, files_to_hash=files)
    return str(Payload(manifest).statement.pb.subject[0].digest["sha256"])


def test_manifest_root_is_model_signings_for_a_folder(external_model: Path) -> None:
    (external_model / ".git").mkdir()
    (external_model / ".git" / "HEAD").write_text("ref")
    (external_model / ".gitignore").write_text("*")
    (external_model / "a.b").mkdir()
    (external_model / "a.b" / "c").write_text("sorted by parts, not by characters")
    (external_model / "a").mkdir()
    (external_model / "a" / "c").write_text("x")
    inventory = survey(external_model)
    assert inventory.manifest_root.hex() == subject(external_model)
    assert ".gitignore" not in {file.path for file in inventory.files}


def test_manifest_root_is_model_signings_for_a_file(inline_model: Path) -> None:
    assert survey(inline_model).manifest_root.hex() == subject(inline_model)


def test_a_file_with_external_data_brings_that_data_and_nothing_else(external_model: Path) -> None:
    main = external_model / "graph" / "model.onnx"
    (main.parent / "notes.txt").write_text("not part of the model")
    inventory = survey(main)
    wanted = [main, main.parent / "weights.bin"]
    assert [file.path for file in inventory.files] == ["model.onnx", "weights.bin"]
    assert inventory.manifest_root.hex() == subject(main.parent, wanted)
    assert inventory.tensors[0].file == "weights.bin"
