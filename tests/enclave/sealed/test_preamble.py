# SPDX-License-Identifier: Apache-2.0
"""Every way a preamble can be wrong, and the vectors other implementations are held to."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import Address, Digest
from enclave.errors import ChunkNotAuthentic, MalformedSeal
from enclave.sealed.files import open_file
from enclave.sealed.preamble import HEAD_SIZE, File, Preamble, Tensor, commit, leaf, merkle_root, safe

VECTORS = Path(__file__).parents[2] / "vectors" / "sealed"

GOOD = Preamble(
    chunk_size=1024,
    files=(File(path="a/x.bin", offset=0, length=100), File(path="model.onnx", offset=128, length=5000)),
    main="model.onnx",
    tensors=(Tensor(name="w", dtype="float32", shape=(2, 3), file="a/x.bin", offset=4, length=24),),
    manifest_root=Digest(bytes(32)),
    key_commitment=Digest(bytes(32)),
    grant_address=Address(bytes(20)),
)
WEIGHT = GOOD.tensors[0]


def framed(body: object) -> bytes:
    raw = cbor2.dumps(body, canonical=True)
    return b"EXEQSEAL" + (1).to_bytes(4, "big") + len(raw).to_bytes(4, "big") + raw


def fields() -> list[object]:
    return list(cbor2.loads(GOOD.encode()[HEAD_SIZE:]))


def test_a_good_preamble_parses_to_itself() -> None:
    assert Preamble.parse(GOOD.encode()) == GOOD
    assert (GOOD.size, GOOD.chunks, GOOD.body_size) == (5128, 6, 5128 + 6 * 16)


FLAWS: dict[str, Preamble] = {
    "no files": replace(GOOD, files=()),
    "a gap": replace(GOOD, files=(GOOD.files[0], replace(GOOD.files[1], offset=192))),
    "an overlap": replace(GOOD, files=(GOOD.files[0], replace(GOOD.files[1], offset=64))),
    "out of order": replace(
        GOOD, files=(replace(GOOD.files[0], path="z"), replace(GOOD.files[1], path="model.onnx"))
    ),
    "a file twice": replace(
        GOOD, files=(replace(GOOD.files[0], path="model.onnx", length=100), GOOD.files[1]), tensors=()
    ),
    "climbing": replace(GOOD, files=(replace(GOOD.files[0], path="../x"), GOOD.files[1]), tensors=()),
    "no main": replace(GOOD, main="other.onnx"),
    "odd chunks": replace(GOOD, chunk_size=1000),
    "tiny chunks": replace(GOOD, chunk_size=512),
    "huge chunks": replace(GOOD, chunk_size=1 << 21),
    "too many chunks": replace(GOOD, files=(File(path="model.onnx", offset=0, length=1 << 43),), tensors=()),
    "tensor in no file": replace(GOOD, tensors=(replace(WEIGHT, file="b"),)),
    "tensor past its file": replace(GOOD, tensors=(replace(WEIGHT, offset=80),)),
    "tensor of another size": replace(GOOD, tensors=(replace(WEIGHT, length=20),)),
    "tensor of objects": replace(GOOD, tensors=(replace(WEIGHT, dtype="object"),)),
    "tensor twice": replace(GOOD, tensors=(WEIGHT, WEIGHT)),
}


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS.keys())
def test_each_flaw_alone_is_refused(flaw: Preamble) -> None:
    with pytest.raises(MalformedSeal):
        Preamble.parse(flaw.encode())


def changed(place: int, value: object) -> Callable[[], bytes]:
    def make() -> bytes:
        body = fields()
        body[place] = value
        return framed(body)

    return make


ENCODINGS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "another magic": lambda: b"AGESEAL!" + GOOD.encode()[8:],
    "a later version": lambda: GOOD.encode()[:8] + (2).to_bytes(4, "big") + GOOD.encode()[12:],
    "cut off": lambda: GOOD.encode()[:-1],
    "one byte more": lambda: GOOD.encode() + b"\0",
    "over-long": lambda: GOOD.encode()[:12] + b"\xff\xff\xff\xff",
    "not cbor": lambda: GOOD.encode()[:12] + (3).to_bytes(4, "big") + b"\xff\xff\xff",
    "a map": lambda: framed({"files": []}),
    "one field less": lambda: framed(fields()[:-1]),
    "negative size": changed(0, -1024),
    "float size": changed(0, 1024.0),
    "bool size": changed(0, True),
    "text files": changed(1, "model.onnx"),
    "bytes main": changed(2, b"model.onnx"),
    "huge offset": changed(1, [["model.onnx", 1 << 60, 1]]),
    "short root": changed(4, bytes(31)),
    "text address": changed(6, "0x00"),
    "negative side": changed(3, [["w", "float32", [-2, -3], "a/x.bin", 4, 24]]),
    "text side": changed(3, [["w", "float32", ["6"], "a/x.bin", 4, 24]]),
    "not canonical": lambda: (
        GOOD.encode()[:12] + (len(GOOD.encode()) - 15).to_bytes(4, "big") + b"\x98\x07" + GOOD.encode()[17:]
    ),
}


@pytest.mark.parametrize("make", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_each_encoding_but_one_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(MalformedSeal):
        Preamble.parse(make())


@given(st.binary(max_size=2_000))
def test_parse_raises_malformed_or_nothing(raw: bytes) -> None:
    for candidate in (raw, b"EXEQSEAL\0\0\0\1" + len(raw).to_bytes(4, "big") + raw):
        with suppress(MalformedSeal):
            Preamble.parse(candidate)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "a//b", "./a", "a/..", "..", "a\\b", "a\0b", "a\nb", "a/", "\x7f"]
)
def test_unsafe_paths(path: str) -> None:
    assert not safe(path)


def test_roots_differ_where_leaves_or_their_count_differ() -> None:
    leaves = [leaf(bytes([n])) for n in range(9)]
    roots = [merkle_root(leaves[:n]) for n in range(1, 10)]
    roots += [merkle_root([*leaves[:1], *leaves[:1]]), merkle_root(leaves[::-1]), Digest(leaves[0])]
    assert len(set(roots)) == len(roots)


def vectors(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((VECTORS / name).read_text())["vectors"]
    return found


@pytest.mark.parametrize("vector", vectors("roots.json"), ids=lambda v: v["comment"])
def test_root_vectors(vector: dict[str, str]) -> None:
    chunks = [bytes.fromhex(chunk) for chunk in vector["chunks"]]
    assert merkle_root([leaf(chunk) for chunk in chunks]).hex() == vector["root"]


@pytest.mark.parametrize("vector", vectors("models.json"), ids=lambda v: v["comment"])
def test_model_vectors(vector: dict[str, str], tmp_path: Path) -> None:
    path, key = tmp_path / "sealed", bytes.fromhex(vector["dataKey"])
    raw = bytes.fromhex(vector["sealed"])
    path.write_bytes(raw)
    length = HEAD_SIZE + int.from_bytes(raw[12:16], "big")
    preamble = Preamble.parse(raw[:length])
    assert preamble.digest().hex() == vector["preambleDigest"]
    assert commit(key).hex() == vector["keyCommitment"]
    assert preamble.chunk_key(key).hex() == vector["chunkKey"]
    seal_id = preamble.seal_id(raw[-32:])
    assert str(seal_id) == vector["sealId"]
    if vector["outcome"] == "opens":
        model = open_file(path, key, seal_id=seal_id)
        assert {name: bytes(view).hex() for name, view in model.files.items()} == vector["files"]
    else:
        assert vector["outcome"] == "ChunkNotAuthentic"
        with pytest.raises(ChunkNotAuthentic):
            open_file(path, key, seal_id=seal_id)
