# SPDX-License-Identifier: Apache-2.0
"""What is encrypted to somebody opens for him alone, in its place alone."""

import secrets
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.digests import digest
from contracts.errors import ExequaturError
from contracts.ids import Digest
from enclave.envelope import Filed, ReaderKey, file_name, open_bundle, seal_bundle, seal_to
from enclave.errors import EnvelopeError, MalformedEntry, MalformedEvidence, NoEntry, WrongPassphrase

READER, OTHER = ReaderKey.generate(), ReaderKey.generate()
FILED, EVIDENCE = Filed(bundle=b"bundle" * 100, opening=b"o" * 32), digest("evidence", b"bundle")
SEALED = seal_bundle(FILED, EVIDENCE, [OTHER.public, READER.public])


def test_what_is_sealed_opens_with_key_and_context() -> None:
    sealed = seal_to(READER.public, b"model key", b"context")
    assert READER.open(sealed, b"context") == b"model key"
    assert seal_to(READER.public, b"model key", b"context") != sealed


@pytest.mark.parametrize("index", [0, 1087, 1088, 1120, -1])
def test_a_changed_byte_opens_nothing(index: int) -> None:
    sealed = bytearray(seal_to(READER.public, b"model key", b"context"))
    sealed[index] ^= 1
    with pytest.raises(EnvelopeError):
        READER.open(bytes(sealed), b"context")


def test_another_key_or_context_opens_nothing() -> None:
    sealed = seal_to(READER.public, b"model key", b"context")
    for key, info in ((OTHER, b"context"), (READER, b"contexT"), (READER, b"")):
        with pytest.raises(EnvelopeError):
            key.open(sealed, info)


@pytest.mark.parametrize("public", [b"", b"\xff" * 1216, b"\x01" * 1215, READER.public + b"\0"])
def test_what_is_no_public_key_is_named(public: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        seal_to(public, b"x", b"")


def test_every_reader_opens_a_bundle_and_nobody_else() -> None:
    assert open_bundle(SEALED, EVIDENCE, READER) == open_bundle(SEALED, EVIDENCE, OTHER) == FILED
    with pytest.raises(EnvelopeError):
        open_bundle(SEALED, EVIDENCE, ReaderKey.generate())


def test_a_bundle_under_another_name_opens_nothing() -> None:
    with pytest.raises(EnvelopeError):
        open_bundle(SEALED, Digest(bytes(32)), READER)
    assert file_name(EVIDENCE) == f"sealed/{EVIDENCE.hex()}"


@pytest.mark.parametrize(
    "value",
    [
        [10**9, b"n", b"b"],
        [[10**9], b"n", b"b"],
        [[], b"n"],
        {"a": 1},
        [[b"x"], 1, b"b"],
        [b"abc", b"n", b"b"],
        None,
    ],
)
def test_hostile_shapes_are_named_and_cost_nothing(value: object) -> None:
    with pytest.raises((MalformedEvidence, EnvelopeError)):
        open_bundle(cbor2.dumps(value), EVIDENCE, READER)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    with pytest.raises((MalformedEvidence, EnvelopeError)):
        open_bundle(raw, EVIDENCE, READER)


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_no_flipped_byte_yields_another_bundle(index: int, by: int) -> None:
    changed = bytearray(SEALED)
    changed[index] ^= by
    try:
        found = open_bundle(bytes(changed), EVIDENCE, READER)
    except ExequaturError:
        return
    assert found == FILED  # the other reader's part was hit


def test_a_key_file_opens_with_its_passphrase_alone(tmp_path: Path) -> None:
    path = tmp_path / "reader.json"
    READER.save(path, b"right")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["reader.json"]
    assert READER._seed.hex() not in path.read_text()
    assert ReaderKey.load(path, b"right").public == READER.public
    with pytest.raises(WrongPassphrase):
        ReaderKey.load(path, b"wrong")


def test_a_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoEntry):
        ReaderKey.load(tmp_path / "absent", b"")
    for text in (
        "",
        "[]",
        "{}",
        '{"format": "other", "salt": "", "nonce": "", "sealed": ""}',
        secrets.token_hex(9),
    ):
        (tmp_path / "key").write_text(text)
        with pytest.raises(MalformedEntry):
            ReaderKey.load(tmp_path / "key", b"")
