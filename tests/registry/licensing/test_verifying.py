# SPDX-License-Identifier: Apache-2.0
"""Code on chain is the contract of a text to the last byte, or the answer says in words what differs."""

from datetime import date
from decimal import Decimal

import pytest

from contracts.ids import Address, Digest, ModelId
from registry.licensing.building import Built, digest_of
from registry.licensing.model import (
    Attestation,
    Currency,
    Fee,
    Licence,
    Licensed,
    Money,
    OnFailure,
    Party,
    Span,
    Term,
    Unit,
)
from registry.licensing.proof import Proof
from registry.licensing.verifying import differences

LICENCE = Licence(
    title="Pump Guard",
    version=1,
    model=Licensed(name="pump", model_id=ModelId(bytes(32))),
    licensor=Party(name="A", address=Address(bytes([1]) * 20)),
    licensee=Party(name="B", address=Address(bytes([2]) * 20)),
    term=Term(start=date(2027, 1, 1), lasts=Span(count=24, unit=Unit.MONTHS)),
    seats=2,
    attestation=Attestation(every=Span(count=24, unit=Unit.HOURS)),
    on_failure=OnFailure.SUSPEND,
    fee=Fee(price=Money(amount=Decimal(1), currency=Currency.ETH)),
    notice=None,
)
DIGEST, OTHER = digest_of("this text"), digest_of("another text")
CODE = bytes(range(200))


def code(digest: Digest, *, body: bytes = CODE, written: bytes = bytes(20)) -> bytes:
    """Code with an address the constructor writes, and the digest twice."""
    return body + written + digest + b"between" + digest


BUILT = Built(
    licence=LICENCE,
    text="this text",
    digest=DIGEST,
    source="",
    abi=(),
    creation=b"",
    runtime=code(DIGEST),
    immutables=((200, 20),),
    proof=Proof(holds={}, stories={}, states=0, edges=0),
    kernels=(),
    warnings=(),
)


@pytest.mark.parametrize("written", [bytes(20), bytes([7]) * 20])
def test_the_same_code_is_equal_whatever_the_constructor_wrote(written: bytes) -> None:
    assert differences(code(DIGEST, written=written), BUILT) == ()


def test_no_code_is_no_contract() -> None:
    assert differences(b"", BUILT) == ("there is no contract at this address",)


def test_another_text_for_the_same_terms_is_told_by_its_digest() -> None:
    (told,) = differences(code(OTHER), BUILT)
    assert "another text" in told
    assert str(OTHER) in told
    assert str(DIGEST) in told


@pytest.mark.parametrize("at", [0, 50, 199, 221, 252, 259, 262, 280, len(code(DIGEST)) - 1])
def test_a_byte_of_other_code_is_told_with_its_place(at: int) -> None:
    changed = bytearray(BUILT.runtime)
    changed[at] ^= 1
    (told,) = differences(bytes(changed), BUILT)
    assert f"1 of {len(changed)} bytes differ, the first at byte {at}" in told


@pytest.mark.parametrize(
    "other", [b"\0", BUILT.runtime[:-1], BUILT.runtime + b"\0", b"\xef\x01\x00" + bytes(20)]
)
def test_code_of_another_length_is_other_code(other: bytes) -> None:
    (told,) = differences(other, BUILT)
    assert f"other code: {len(other)} bytes" in told


def test_another_text_does_not_hide_other_code() -> None:
    changed = code(OTHER, body=CODE[:-1] + b"\0")
    (told,) = differences(changed, BUILT)
    assert told.startswith("other code")


def test_two_digests_in_one_code_are_no_other_text() -> None:
    mixed = code(DIGEST).replace(DIGEST, OTHER, 1)
    (told,) = differences(mixed, BUILT)
    assert told.startswith("other code")
