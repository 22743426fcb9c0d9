# SPDX-License-Identifier: Apache-2.0
"""Receipts count strictly, never beyond the ceiling, and settle in contiguous batches (S5)."""

import os
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from contracts.digests import keccak
from contracts.ids import ZERO_DIGEST, Address, Digest, ModelId, ReleaseId, SealId
from enclave.errors import CeilingReached, OutOfTurn
from enclave.guest.keys import Keys, recover
from enclave.guest.receipt import Receipts, Signed, merkle_root
from enclave.statements import Grant, Receipt, message_digest

KEYS = Keys()
GRANT = Grant(
    chain_id=1,
    release_log=Address(b"r" * 20),
    release=ReleaseId(b"R" * 32),
    lease=4,
    model_id=ModelId(b"m" * 32),
    version=1,
    seal_id=SealId(b"s" * 32),
    node_id=KEYS.node_id,
    lease_nonce=ZERO_DIGEST,
    licence=Address(b"l" * 20),
    duration=100,
    ceiling=3,
    envelope=ZERO_DIGEST,
)


@pytest.fixture
def receipts() -> Receipts:
    return Receipts(KEYS, os.urandom)


def read(signed: Signed) -> Receipt:
    return Receipt.read_signed(signed.receipt)[0]


def test_a_receipt_is_signed_by_the_node_and_names_everything(receipts: Receipts) -> None:
    signed = receipts.sign(GRANT, b"question", b"answer")
    receipt, signature = Receipt.read_signed(signed.receipt)
    der = utils.encode_dss_signature(
        int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    )
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), KEYS.public.receipt)
    key.verify(der, receipt.to_be_signed(), ec.ECDSA(SHA256()))
    assert receipt == Receipt(
        seal_id=GRANT.seal_id,
        node_id=KEYS.node_id,
        release=GRANT.release,
        licence=GRANT.licence,
        request=message_digest(signed.request_salt, b"question"),
        response=message_digest(signed.response_salt, b"answer"),
        counter=1,
        lease=4,
    )


def test_the_same_question_twice_has_other_salts_and_the_next_counter(receipts: Receipts) -> None:
    first, second = (receipts.sign(GRANT, b"q", b"a") for _ in range(2))
    assert len({first.request_salt, first.response_salt, second.request_salt, second.response_salt}) == 4
    assert [read(first).counter, read(second).counter] == [1, 2]


def test_the_ceiling_is_never_passed(receipts: Receipts) -> None:
    for _ in range(3):
        receipts.sign(GRANT, b"q", b"a")
    with pytest.raises(CeilingReached):
        receipts.sign(GRANT, b"q", b"a")
    assert receipts.counter == 3
    assert read(receipts.sign(replace(GRANT, ceiling=4), b"q", b"a")).counter == 4


def test_usage_covers_what_is_not_anchored_and_can_be_asked_for_again(receipts: Receipts) -> None:
    leaves = [read(receipts.sign(GRANT, b"q", b"a")).digest() for _ in range(3)]
    lost, _ = receipts.usage(GRANT, 0, last=False)
    usage, signature = receipts.usage(GRANT, 0, last=False)
    assert usage == lost
    assert (usage.first_counter, usage.last_counter, usage.root) == (1, 3, merkle_root(leaves))
    assert recover(usage.digest(GRANT.domain), signature) == KEYS.public.chain
    rest, _ = receipts.usage(GRANT, 2, last=True)
    assert (rest.first_counter, rest.last_counter, rest.root) == (3, 3, merkle_root(leaves[2:]))


@pytest.mark.parametrize("anchored", [0, 4])
def test_usage_refuses_a_counter_it_cannot_continue(receipts: Receipts, anchored: int) -> None:
    for _ in range(3):
        receipts.sign(GRANT, b"q", b"a")
    receipts.usage(GRANT, 1, last=False)
    with pytest.raises(OutOfTurn):
        receipts.usage(GRANT, anchored, last=False)


def test_the_last_word_is_signed_for_the_chain(receipts: Receipts) -> None:
    receipts.sign(GRANT, b"q", b"a")
    stopped, signature = receipts.stopped(GRANT)
    assert stopped.last_counter == 1
    assert recover(stopped.digest(GRANT.domain), signature) == KEYS.public.chain


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 13])
def test_every_leaf_has_a_proof_that_openzeppelin_would_take(count: int) -> None:
    receipts = [keccak(bytes([n])) for n in range(count)]
    root = merkle_root(receipts)
    assert all(climb(receipts, n) == root for n in range(count))


def climb(receipts: list[Digest], index: int) -> Digest:
    """Root from one leaf and its siblings, pairs sorted, an odd last node moving up as it is."""
    row = [keccak(keccak(receipt)) for receipt in receipts]
    node = row[index]
    while len(row) > 1:
        if (sibling := index ^ 1) < len(row):
            node = keccak(b"".join(sorted([node, row[sibling]])))
        row = [
            keccak(b"".join(sorted(row[n : n + 2]))) if len(row[n : n + 2]) == 2 else row[n]
            for n in range(0, len(row), 2)
        ]
        index //= 2
    return node


def test_no_receipts_have_a_zero_root() -> None:
    assert merkle_root([]) == ZERO_DIGEST
