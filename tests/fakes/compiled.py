# SPDX-License-Identifier: Apache-2.0
"""Licences compiled for a scene: their contracts made once for a run, deployed, granted and accepted."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

from contracts.ids import Address, Digest, ModelId
from registry.chain.chain import Chain
from registry.compiled import CompiledLicences
from registry.licences import Licences
from registry.licensing.model import (
    Attestation,
    Currency,
    Fee,
    Licence,
    Licensed,
    Money,
    OnFailure,
    Packs,
    Party,
    Span,
    Term,
    Unit,
)
from registry.signing import Account

_ANY_MODEL = ModelId(hashlib.sha256(b"any model").digest())
PACK = 1_000
PRICE = 5 * 10**17
PACK_PRICE = 10**17


def ether(amount: str) -> Money:
    """So much ether."""
    return Money(amount=Decimal(amount), currency=Currency.ETH)


def hours(count: int) -> Span:
    """So many hours."""
    return Span(count=count, unit=Unit.HOURS)


def sold(model: ModelId) -> Licence:
    """From activation for 30 days, paid once and for packs in ether, revocable at once, for TPMs in Switzerland."""
    return Licence(
        title="Sold",
        version=1,
        model=Licensed(name="bearing", model_id=model),
        licensor=Party(name="Owner", address=Address(b"\x01" * 20)),
        licensee=Party(name="Licensee", address=Address(b"\x02" * 20)),
        term=Term(start=None, lasts=Span(count=30, unit=Unit.DAYS)),
        seats=2,
        attestation=Attestation(every=hours(1), hardware=("TPM 2.0",)),
        on_failure=OnFailure.SUSPEND,
        fee=Fee(price=ether("0.5")),
        notice=None,
        territory=("Switzerland",),
        packs=Packs(size=PACK, price=ether("0.1")),
    )


def rented(model: ModelId, start: date) -> Licence:
    """From a day for five days, paid every two days in euros, with a day's notice; nodes that miss attestation are removed."""
    return replace(
        sold(model),
        title="Rented",
        term=Term(start=start, lasts=Span(count=5, unit=Unit.DAYS)),
        attestation=Attestation(every=hours(1)),
        on_failure=OnFailure.REMOVE,
        fee=Fee(price=Money(amount=Decimal(100), currency=Currency.EUR), every=Span(count=2, unit=Unit.DAYS)),
        notice=hours(24),
        territory=(),
        packs=None,
    )


def tomorrow(timestamp: int) -> date:
    """The day after a block's."""
    return (datetime.fromtimestamp(timestamp, UTC) + timedelta(days=1)).date()


def digest_of(licence: Licence) -> Digest:
    """Stands for the digest of a licence's canonical text."""
    return Digest(hashlib.sha256(repr(licence).encode()).digest())


def creation(licence: Licence) -> bytes:
    """The creation code of a licence's contract, without its proofs.

    Licences that differ in their model alone are compiled once: its id is put into the code.
    """
    code = _compiled(replace(licence, model=replace(licence.model, model_id=_ANY_MODEL)))
    assert bytes(_ANY_MODEL) in code
    return code.replace(_ANY_MODEL, licence.model.model_id)


@cache
def _compiled(licence: Licence) -> bytes:
    from contracts.solc import find
    from registry.licensing.building import compiled
    from registry.licensing.solidity import source

    made = compiled(source(licence, digest_of(licence)), find(online=False))
    evm = made["evm"]
    assert isinstance(evm, dict)
    return bytes.fromhex(evm["bytecode"]["object"])


def granted(chain: Chain, owner: Account, licensee: Account, licence: Licence) -> Address:
    """A licence's contract, granted by the model's owner and accepted."""
    address, _ = CompiledLicences(chain).deploy(owner, creation(licence))
    registry, model = Licences(chain), licence.model
    registry.grant(owner, address, model.model_id, model.lowest_version, licensee.address)
    registry.accept(licensee, address)
    return address
