# SPDX-License-Identifier: Apache-2.0
"""The compiled licences that the Solidity tests live through, as they are printed; run to write them anew.

They are for the model that `CompiledFixture.sol` registers, and their dates are around its first block.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from contracts.ids import Digest, ModelId
from registry.licensing.model import Attestation, Currency, Fee, Licence, Licensed, Money, Packs, Span, Unit
from registry.licensing.saying import say
from registry.licensing.solidity import source
from tests.fakes.compiled import PACK, ether, hours, rented, sold

HERE = Path(__file__).resolve().parents[1] / "contracts"
MODEL = ModelId.parse("0x04125f014f1cafb54c7ca6221b7710e08d5382ce8e95dba15af443e2cd4e4d8e")
"""Follows from the addresses of the fixture, which holds it to be this."""
FIRST_DAY = date(2027, 1, 16)
"""The day after the fixture's first block."""


def leased() -> Licence:
    """From activation, paid every two days in ether and for packs in euros, from version 2 on."""
    return replace(
        sold(MODEL),
        title="Leased",
        model=Licensed(name="bearing", model_id=MODEL, lowest_version=2),
        fee=Fee(price=ether("0.5"), every=Span(count=2, unit=Unit.DAYS)),
        packs=Packs(size=PACK, price=Money(amount=Decimal(100), currency=Currency.EUR)),
    )


def given() -> Licence:
    """From activation, free of charge and without limit, though not without notice; for either of two technologies and places."""
    return replace(
        sold(MODEL),
        title="Given",
        fee=None,
        packs=None,
        notice=hours(24),
        attestation=Attestation(every=hours(1), hardware=("Intel TDX", "TPM 2.0")),
        territory=("Switzerland", "United States"),
    )


def printed() -> Mapping[str, str]:
    """Source per file name."""
    licences = {
        "SoldLicence.sol": sold(MODEL),
        "RentedLicence.sol": rented(MODEL, FIRST_DAY),
        "LeasedLicence.sol": leased(),
        "GivenLicence.sol": given(),
    }
    return {
        name: source(licence, Digest(hashlib.sha256(say(licence).encode()).digest()))
        for name, licence in licences.items()
    }


if __name__ == "__main__":
    for name, text in printed().items():
        (HERE / name).write_text(text, "utf-8")
