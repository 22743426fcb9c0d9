# SPDX-License-Identifier: Apache-2.0
"""Quotes, certificates and collateral of Intel's that break their format in one place, and how the two readers differ."""

import json
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.intel import second
from enclave.evidence.intel.collateral import Collateral, Fields
from enclave.evidence.intel.enclave import EnclaveReport
from enclave.evidence.intel.levels import Node, Status
from enclave.evidence.intel.pck import EXTENSION, Pck
from enclave.evidence.intel.quote import Quote
from enclave.evidence.sgx.verify import TECHNOLOGY as SGX
from enclave.evidence.tdx.report import TdReport
from tests.fakes.authorities import Authority, new_key
from tests.fakes.intel import FakeIntel, sgx_extension

TDX_4, SGX_3, TDX_5 = 636, 436, 706  # where signature data begins
_BODY_4, _KEYS = 632, 128


def put(raw: bytes, at: int, value: bytes) -> bytes:
    return raw[:at] + value + raw[at + len(value) :]


@pytest.fixture(scope="module")
def v3() -> bytes:
    return FakeIntel.sgx().quote()


@pytest.fixture(scope="module")
def v4() -> bytes:
    return FakeIntel.tdx().quote()


@pytest.fixture(scope="module")
def v5() -> bytes:
    return FakeIntel.tdx(5).quote()


def test_versions_are_read_apart(v3: bytes, v4: bytes, v5: bytes) -> None:
    read = [Quote.parse(raw) for raw in (v3, v4, v5)]
    assert [(quote.version, quote.tdx, len(quote.body)) for quote in read] == [
        (3, False, 384),
        (4, True, 584),
        (5, True, 648),
    ]
    assert [len(quote.signed) for quote in read] == [SGX_3 - 4, TDX_4 - 4, TDX_5 - 4]
    assert (
        Quote.parse(put(v3, 8, b"\x0a\0\x0f\0")).claims() | {"qe_svn": 10, "pce_svn": 15}
        == Quote.parse(put(v3, 8, b"\x0a\0\x0f\0")).claims()
    )


def test_zeros_behind_a_quote_are_no_part_of_it(v4: bytes) -> None:
    assert Quote.parse(v4 + bytes(3000)) == Quote.parse(v4)
    for tail in (b"\1", bytes(20) + b"\1", b"\1" + bytes(20)):
        with pytest.raises(MalformedEvidence):
            Quote.parse(v4 + tail)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "an unknown version": lambda raw: put(raw, 0, b"\x07"),
    "another kind of key": lambda raw: put(raw, 2, b"\x03"),
    "another TEE": lambda raw: put(raw, 4, b"\x82"),
    "longer signature data": lambda raw: put(raw, _BODY_4, b"\xff\xff\xff\x7f"),
    "shorter signature data": lambda raw: put(raw, _BODY_4, b"\x10\0\0\0"),
    "another outer certification": lambda raw: put(raw, TDX_4 + _KEYS, b"\5"),
    "a longer outer certification": lambda raw: put(raw, TDX_4 + _KEYS + 2, b"\xff\xff"),
    "an outer certification that ends early": lambda raw: put(raw, TDX_4 + _KEYS + 2, b"\0\2"),
    "another inner certification": lambda raw: put(raw, TDX_4 + _KEYS + 6 + 448 + 2 + 32, b"\1"),
    "an inner certification that ends early": lambda raw: put(raw, TDX_4 + _KEYS + 6 + 448 + 2 + 34, b"\0\1"),
    "more authentication data": lambda raw: put(raw, TDX_4 + _KEYS + 6 + 448, b"\xff\xff"),
    "nothing": lambda raw: b"",
    "128 KiB": lambda raw: raw + bytes(1 << 17),
    "a header": lambda raw: raw[:48],
}


@pytest.mark.parametrize("flaw", BROKEN)
def test_a_quote_broken_in_one_place_is_malformed(v4: bytes, flaw: str) -> None:
    with pytest.raises(MalformedEvidence):
        Quote.parse(BROKEN[flaw](v4))


@pytest.mark.parametrize("change", [(48, b"\2"), (48, b"\4"), (50, b"\x89"), (4, b"\0")])
def test_a_body_of_another_type_or_size_is_malformed(v5: bytes, change: tuple[int, bytes]) -> None:
    with pytest.raises(MalformedEvidence):
        Quote.parse(put(v5, *change))


def test_every_cut_is_malformed(v3: bytes, v5: bytes) -> None:
    for raw in (v3, v5):
        for end in (*range(0, 800, 7), len(raw) - 1):
            with pytest.raises(MalformedEvidence):
                Quote.parse(raw[:end])


@pytest.mark.parametrize("size", [0, 383, 385])
def test_reports_have_one_size(size: int) -> None:
    with pytest.raises(MalformedEvidence):
        EnclaveReport.parse(bytes(size))
    with pytest.raises(MalformedEvidence):
        TdReport.parse(bytes(size))


def pck_of(value: bytes) -> Pck:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(EXTENSION), value)
    return Pck.of(Authority.root("PCK", extensions=((extension, False),)).certificate)


def test_a_pck_says_who_the_platform_is() -> None:
    pck = pck_of(sgx_extension(pce_svn=300))
    assert (pck.pce_svn, pck.cpu_svn, pck.sgx_type) == (300, bytes(pck.components), 1)
    assert pck.configuration == (True, True, True)


@pytest.mark.parametrize(
    "change",
    [
        {"ppid": b"short"},
        {"fmspc": b"longer than it"},
        {"pce_svn": 1 << 17},
        {"svns": (1,) * 15},
        {"svns": (1,) * 17},
    ],
)
def test_a_field_of_another_size_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(MalformedEvidence):
        pck_of(sgx_extension(**change))  # type: ignore[arg-type]


GOOD = sgx_extension()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (bytes.fromhex("2a864886f84d010d0102"), bytes.fromhex("2a864886f84d010e0102")),
        (bytes.fromhex("2a864886f84d010d0104"), bytes.fromhex("2a864886f84d010d0101")),
        (bytes.fromhex("060a2a864886f84d010d0101"), bytes.fromhex("050a2a864886f84d010d0101")),
        (bytes.fromhex("0202012c"), bytes.fromhex("02020000")),
    ],
)
def test_an_extension_changed_in_one_place_is_malformed(old: bytes, new: bytes) -> None:
    good = sgx_extension(pce_svn=300)
    assert old in good
    changed = good.replace(old, new, 1)
    if new == bytes.fromhex("02020000"):
        changed = good.replace(old, bytes.fromhex("0202ff00"), 1)
    with pytest.raises(MalformedEvidence):
        pck_of(changed)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_changed_extension_is_read_or_malformed(at: int, value: int) -> None:
    try:
        pck_of(put(GOOD, at, bytes([value])))
    except MalformedEvidence:
        return


def test_collateral_has_an_end() -> None:
    with pytest.raises(MalformedEvidence):
        Fields.parse(b" " * (1 << 20) + b"{}")
    for raw in (b"[]", b"{", b"{}", b"\xff"):
        with pytest.raises(MalformedEvidence):
            Collateral.parse(raw)


@pytest.mark.parametrize("text", ["[]", "1", "{", "[" * 5000])
def test_documents_are_objects(text: str) -> None:
    with pytest.raises(MalformedEvidence):
        Node.parse(text, "document")


def test_lists_in_documents_have_an_end() -> None:
    node = Node.parse(json.dumps({"levels": [{}] * 1025, "few": [{}]}), "document")
    assert len(node.children("few")) == 1
    with pytest.raises(MalformedEvidence):
        node.children("levels")


def test_a_better_part_changes_nothing() -> None:
    for status in Status:
        assert status.together(Status.UP_TO_DATE) is status
        assert status.together(Status.REVOKED) is Status.REVOKED
    assert Status.UP_TO_DATE.together(Status.SW_HARDENING) is Status.SW_HARDENING
    assert Status.CONFIGURATION.together(Status.SW_HARDENING) is Status.CONFIGURATION


def turned_away(intel: FakeIntel) -> str:
    with pytest.raises(NotAuthentic) as caught:
        intel.facts()
    (reason,) = caught.value.reasons
    return reason


def test_an_attestation_key_off_the_curve_signs_nothing() -> None:
    intel = FakeIntel.tdx()
    raw = put(intel.quote(), TDX_4 + 64, b"\1" * 64)
    intel.quote = lambda: raw  # type: ignore[method-assign]
    assert turned_away(intel) == "SIGNATURE"


@pytest.mark.parametrize("kind", ["P-384", "RSA-2048"])
def test_a_pck_with_another_kind_of_key_signs_nothing(kind: str) -> None:
    intel = FakeIntel.tdx()
    extensions = ((x509.UnrecognizedExtension(x509.ObjectIdentifier(EXTENSION), GOOD), False),)
    odd = intel.platform_ca.issue("Intel SGX PCK Certificate", key=new_key(kind), extensions=extensions)
    intel.pck = Authority(certificate=odd.certificate, key=ec.generate_private_key(ec.SECP256R1()))
    assert turned_away(intel) == "SIGNATURE"


def test_an_enclave_in_version_4_is_shown_and_never_believed() -> None:
    intel = FakeIntel.sgx()
    intel.version = 4
    intel.tee = 0
    assert SGX.show(SGX.wrap(intel.quote()))["quote_version"] == 4
    assert turned_away(intel) == "SIGNATURE"


@pytest.mark.parametrize("name", ["rt_mr0", "mr_td", "report_data", "tee_tcb_svn2"])
def test_a_field_that_the_other_reports_otherwise_counts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    verify = second.dcap_qvl.verify_with_root_ca

    class Other:
        def __init__(self, *arguments: object) -> None:
            self._text = verify(*arguments).to_json()

        def to_json(self) -> str:
            found = json.loads(self._text)

            def change(node: dict[str, object]) -> None:
                for key, value in node.items():
                    if isinstance(value, dict):
                        change(value)
                    elif key == name:
                        node[key] = "00"

            change(found["report"])
            return json.dumps(found)

    intel = FakeIntel.tdx(5)
    monkeypatch.setattr(second.dcap_qvl, "verify_with_root_ca", Other)
    assert turned_away(intel) == "SIGNATURE"


def test_what_only_we_refuse_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = FakeIntel.tdx(), FakeIntel.tdx()
    quote, collateral = good.quote(), good.collateral()
    answer = second.dcap_qvl.verify_with_root_ca(
        quote,
        second.dcap_qvl.QuoteCollateralV3.from_json(collateral.decode()),
        good.root.der,
        int(good.at.timestamp()),
    )
    monkeypatch.setattr(second.dcap_qvl, "verify_with_root_ca", lambda *_: answer)
    bad.put("td_attributes", (1 << 28 | 1).to_bytes(8, "little"))
    assert turned_away(bad) == "SIGNATURE"
