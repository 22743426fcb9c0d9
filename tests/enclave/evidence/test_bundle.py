# SPDX-License-Identifier: Apache-2.0
"""Bundles travel as one deterministic collection, and anything else is malformed (S8)."""

from contextlib import suppress
from dataclasses import replace

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence, MalformedStatement
from enclave.evidence.binding import Challenge, DeviceEntry, GuestClaims, report_data
from enclave.evidence.bundle import Bundle, Device
from enclave.evidence.software.verify import SoftwareQuote
from enclave.evidence.tpm.evidence import TpmEvidence
from tests.fakes.evidence import CLAIMS, Case, challenge

BUNDLE = Case.software().bundle()
RAW = BUNDLE.encode()


def test_a_bundle_reads_back() -> None:
    assert Bundle.decode(RAW) == BUNDLE
    assert Bundle.decode(RAW).digest() == BUNDLE.digest()


def test_it_is_a_cmw_collection() -> None:
    collection = cbor2.loads(RAW)
    assert set(collection) == {"__cmwc_t", "exequatur", "software.0"}
    media, body, indicator = collection["software.0"]
    assert (media, indicator) == ("application/vnd.exequatur.software+cbor", 4)
    assert body == BUNDLE.devices[0].body


def changed(**entries: object) -> bytes:
    return cbor2.dumps({**cbor2.loads(RAW), **entries}, canonical=True)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        RAW + b"\0",
        RAW[:-1],
        cbor2.dumps([]),
        changed(**{"software.2": ["application/vnd.exequatur.software+cbor", b"", 4]}),
        changed(**{"software.00": ["application/vnd.exequatur.software+cbor", b"", 4]}),
        changed(**{"software.1": ["application/json", b"", 4]}),
        changed(**{"software.1": ["application/vnd.exequatur.software+cbor", "text", 4]}),
        changed(opening=["application/vnd.exequatur.opening+cbor", bytes(32), 4]),
        changed(exequatur=["application/vnd.exequatur.node+cbor", cbor2.dumps([1, 2]), 4]),
        changed(__cmwc_t="tag:other"),
        cbor2.dumps({k: v for k, v in cbor2.loads(RAW).items() if k != "software.0"}, canonical=True),
        cbor2.dumps(dict(reversed(list(cbor2.loads(RAW).items())))),
    ],
)
def test_anything_else_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        Bundle.decode(raw)


def test_a_bundle_that_brings_an_opening_is_refused_s9() -> None:
    with pytest.raises(MalformedEvidence):
        Bundle.decode(changed(opening=bytes(32)))


def test_a_bundle_too_long_is_refused_unread() -> None:
    with pytest.raises(MalformedEvidence, match="longer"):
        Bundle.decode(bytes((16 << 20) + 1))


@given(st.binary(max_size=400) | st.integers(0, 8 * len(RAW) - 1).map(lambda bit: flipped(RAW, bit)))
def test_parsers_raise_malformed_or_nothing(raw: bytes) -> None:
    for parse in (Bundle.decode, TpmEvidence.parse, SoftwareQuote.parse):
        with suppress(MalformedEvidence):
            parse(raw)
    for read in (Challenge.decode, GuestClaims.decode, DeviceEntry.decode):
        with suppress(MalformedStatement):
            read(raw)


def flipped(raw: bytes, bit: int) -> bytes:
    held = bytearray(raw)
    held[bit // 8] ^= 1 << bit % 8
    return bytes(held)


@given(st.integers(0, 8 * len(RAW) - 1))
def test_every_flipped_bit_of_software_evidence_is_refused(bit: int) -> None:
    case = Case.software()
    raw = flipped(RAW, bit)
    with suppress(MalformedEvidence):
        if Bundle.decode(raw) == BUNDLE:
            return
    with pytest.raises(Exception) as caught:
        case.judge(raw)
    assert type(caught.value).__name__ in ("MalformedEvidence", "NotAuthentic", "Refused")


@pytest.mark.parametrize(
    "devices",
    [
        [],
        [DeviceEntry(index=1, kind="tpm", evidence=DeviceEntry.root("tpm").evidence)],
        [DeviceEntry.root("tpm"), DeviceEntry.root("tpm")],
    ],
)
def test_report_data_wants_devices_without_gaps(devices: list[DeviceEntry]) -> None:
    with pytest.raises(MalformedStatement):
        report_data(challenge(Case.software().policy_id), CLAIMS, devices)


def test_report_data_changes_with_everything_it_binds() -> None:
    asked = challenge(Case.software().policy_id)
    root = DeviceEntry.root("tpm")
    results = {
        report_data(asked, CLAIMS, [root]),
        report_data(replace(asked, block_number=101), CLAIMS, [root]),
        report_data(replace(asked, chain_id=1), CLAIMS, [root]),
        report_data(asked, replace(CLAIMS, image="1.1"), [root]),
        report_data(asked, CLAIMS, [DeviceEntry.root("software")]),
        report_data(asked, CLAIMS, [root, replace(root, index=1)]),
    }
    assert len(results) == 6
    assert all(len(data) == 64 and data.endswith(bytes(32)) for data in results)


@pytest.mark.parametrize("claims", [{"clock": "sundial"}, {"lockdown": 256}, {"lockdown": -1}])
def test_claims_that_nobody_knows_are_malformed(claims: dict[str, object]) -> None:
    with pytest.raises(MalformedStatement):
        replace(CLAIMS, **claims)  # type: ignore[arg-type]  # the test names the fields


def test_devices_are_ordered_by_index() -> None:
    others = tuple(Device(kind="software", index=n, body=b"%d" % n) for n in range(1, 12))
    bundle = replace(BUNDLE, devices=(BUNDLE.devices[0], *others))
    assert [d.index for d in Bundle.decode(bundle.encode()).devices] == list(range(12))
