# SPDX-License-Identifier: Apache-2.0
"""SNP reports from a processor of our own: each thing that may be wrong with one, alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from contracts.records import Level
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.detect import detect
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.facts import Facts, RootStatus
from enclave.evidence.kinds import Kind
from enclave.evidence.roots import SNP_ROOTS
from enclave.evidence.snp.report import SIZE, SnpReport
from enclave.evidence.snp.table import certificate_table, is_table
from enclave.evidence.snp.tcb import Product
from enclave.evidence.snp.verify import FLOORS, TECHNOLOGY
from enclave.evidence.trust import Trust
from enclave.evidence.vouching import verify_device
from tests.fakes.authorities import PSS, Authority
from tests.fakes.custody import Endorser
from tests.fakes.evidence import NOON
from tests.fakes.snp import CHIP, SHA384, Processor, line, number, table

GOOD = Processor()
VLEK = Processor(vlek=True, chip_id=bytes(64))
TURIN = Processor(product=Product.TURIN, version=5, reported=bytes([1, 1, 1, 4, 0, 0, 0, 81]))
DEBUG, MIGRATE = 1 << 19, 1 << 18
VCEK = bytes.fromhex("63da758de6644564adc5f4b93be8accd")


def facts(processor: Processor, *more: bytes, trust: Trust | None = None, at: object = NOON) -> Facts:
    body = processor.body(*more)
    return verify_device(Kind.SNP, body, 0, node=None, trust=trust or processor.trust, at=at)


def refused(processor: Processor, *more: bytes, **options: object) -> set[str]:
    with pytest.raises(NotAuthentic) as caught:
        facts(processor, *more, **options)
    return set(caught.value.reasons)


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("product", Product)
def test_every_version_of_every_line_verifies(version: int, product: Product) -> None:
    processor = Processor(product=product, version=version)
    found = facts(processor)
    assert (found.kind, found.status, found.clock) == (Kind.SNP, RootStatus.TEST_ROOT, "host")
    assert found.identity == CHIP[: product.hwid]
    assert found.bound == bytes(64)
    assert found.claims["product"] == product.label
    assert ("launch_mit_vector" in found.claims) is (version == 5)
    assert ("cpuid_fam_mod_step" in found.claims) is (version > 2)
    assert set(found.inputs) <= set(TECHNOLOGY.inputs)
    assert found.missed == ()
    assert not any(CHIP.hex()[:16] in said for said in found.trace)


def test_the_tcb_is_read_by_the_line() -> None:
    assert facts(GOOD).claims["reported_tcb_decoded"] == {
        "bootloader": 3,
        "tee": 1,
        "snp": 8,
        "microcode": 115,
    }
    decoded = facts(TURIN).claims["reported_tcb_decoded"]
    assert decoded == {"fmc": 1, "bootloader": 1, "tee": 1, "snp": 4, "microcode": 81}
    assert all(isinstance(facts(GOOD).value(floor), int) for floor in FLOORS)


@pytest.mark.parametrize(
    ("name", "model", "product"),
    [
        ("Milan-B0", (25, 15), Product.MILAN),
        ("genoa", (25, 16), Product.GENOA),
        ("Bergamo-A1", (25, 0xA0), Product.GENOA),
        ("Siena", (25, 0xA0), Product.GENOA),
        ("Turin", (26, 0x11), Product.TURIN),
        ("Venice", (26, 0x50), None),
        ("", (23, 1), None),
    ],
)
def test_lines_have_names_and_models(name: str, model: tuple[int, int], product: Product | None) -> None:
    assert (Product.named(name), Product.of_cpuid(*model)) == (product, product)


def test_a_cloud_s_key_names_the_chip_only_where_the_report_does() -> None:
    masked, named = facts(VLEK), facts(VLEK.but(chip_id=CHIP))
    assert (masked.identity, named.identity) == (b"", CHIP)
    assert any("identity is unknown" in said for said in masked.trace)
    assert any("names the chip" in said for said in named.trace)
    assert facts(GOOD.but(chip_id=bytes(64))).identity == CHIP


@pytest.mark.parametrize(
    ("processor", "reasons"),
    [
        (GOOD.but(kind="P-256"), {"SIGNATURE"}),
        (GOOD.but(flags=2), {"SIGNATURE"}),
        (GOOD.but(flags=7 << 2), {"SIGNATURE"}),
        (GOOD.but(flags=1 << 2), {"KEY"}),
        (VLEK.but(flags=0), {"KEY"}),
        (GOOD.but(vmpl=0xFFFFFFFF), {"BINDING"}),
        (GOOD.but(chip_id=CHIP[::-1]), {"PLATFORM"}),
        (GOOD.but(without=("4",)), {"PLATFORM"}),
        (GOOD.but(extra=(("4", CHIP[:8]),)), {"PLATFORM"}),
        (VLEK.but(extra=(("4", CHIP),)), {"PLATFORM"}),
        (TURIN.but(chip_id=CHIP), {"PLATFORM"}),
        (GOOD.but(named="Turin"), {"PLATFORM", "CERTIFICATE"}),
        (GOOD.but(named="Venice"), {"PLATFORM", "CERTIFICATE"}),
        (GOOD.but(fields=((0x188, bytes([25, 17, 1])),)), {"PLATFORM"}),
        (GOOD.but(issuer=line("Milan")[2]), {"CERTIFICATE"}),
        (VLEK.but(issuer=line("Milan")[1]), {"CERTIFICATE"}),
        (GOOD.but(issuer=line("Milan")[0]), {"CERTIFICATE"}),
        (GOOD.but(signing={"hashed": SHA384}), {"CERTIFICATE"}),
        (GOOD.but(signing={"hashed": SHA384, "pss": PSS, "since": timedelta(days=-1)}), {"CERTIFICATE"}),
        (GOOD.but(without=("3.1",)), {"CERTIFICATE"}),
    ],
)
def test_each_thing_that_does_not_hold_is_refused(processor: Processor, reasons: set[str]) -> None:
    assert refused(processor) == reasons


@pytest.mark.parametrize("at", range(8))
@pytest.mark.parametrize("processor", [GOOD, TURIN, VLEK], ids=["Milan", "Turin", "VLEK"])
def test_each_component_of_the_tcb_is_compared(processor: Processor, at: int) -> None:
    certified = bytearray(processor.reported)
    certified[at] += 1
    assert refused(processor.but(certified=bytes(certified))) == {"PLATFORM"}
    arc = f"3.{processor.product.layout[at][1]}"
    assert refused(processor.but(without=(arc,))) <= {"PLATFORM", "CERTIFICATE"}


@pytest.mark.parametrize("issuer", ["Genoa", "Turin"])
def test_a_chain_of_another_line_is_refused(issuer: str) -> None:
    root, chips, _ = line(issuer)
    assert refused(GOOD.but(issuer=chips), root.pem, trust=root.trust) == {"CERTIFICATE"}


@pytest.mark.parametrize("at", [0x50, 0x90, 0x180, 0x2A0, 0x2E8])
def test_a_report_that_was_changed_is_refused(at: int) -> None:
    raw = bytearray(GOOD.report())
    raw[at] ^= 1
    body = Enclosed(evidence=bytes(raw), pieces=GOOD.pieces()).encode()
    with pytest.raises(NotAuthentic) as caught:
        TECHNOLOGY.verify(body, 0, node=None, trust=GOOD.trust, at=NOON)
    assert set(caught.value.reasons) == {"SIGNATURE", *(["PLATFORM"] if at == 0x180 else [])}


def test_roots_are_pinned_one_for_each_line() -> None:
    assert sorted(SNP_ROOTS.values()) == ["AMD ARK-Genoa", "AMD ARK-Milan", "AMD ARK-Turin"]
    nobody = Trust(enrollers=frozenset(), extra_roots=frozenset())
    assert refused(GOOD, trust=nobody) == {"ROOT"}


def test_validity_is_half_open() -> None:
    found = facts(GOOD)
    for at in (found.not_before - timedelta(seconds=1), found.not_after):
        assert refused(GOOD, at=at) == {"CERTIFICATE"}
    assert facts(GOOD, at=found.not_before).status is RootStatus.TEST_ROOT


def test_revocation_lists_that_come_along_are_honoured() -> None:
    root, chips, _ = line("Milan")
    clean, revoked = (root.crl(*which).public_bytes(Encoding.DER) for which in ((), (chips,)))
    assert facts(GOOD, clean).inputs["crl"] < NOON
    assert refused(GOOD, revoked) == {"CERTIFICATE"}


@pytest.mark.parametrize(("policy", "rules"), [(0, 0), (DEBUG, 1), (MIGRATE, 1), (DEBUG | MIGRATE, 2)])
def test_guests_that_others_can_read_are_missed(policy: int, rules: int) -> None:
    found = facts(GOOD.but(policy=0x30000 | policy))
    assert [finding.rule for finding in found.missed] == ["debug"] * rules
    assert found.claims["debug_allowed"] is bool(policy & DEBUG)


@pytest.mark.parametrize(
    "change", [{"measurement": b"\x5b" * 48}, {"host_data": b"\1" * 32}, {"vmpl": 1}], ids=str
)
def test_the_workload_is_measurement_host_data_and_privilege(change: dict[str, object]) -> None:
    assert facts(GOOD.but(**change)).workload != facts(GOOD).workload
    assert facts(GOOD.but(report_data=b"\7" * 64)).workload == facts(GOOD).workload


def test_custody_statements_count_for_the_platform_that_they_name() -> None:
    endorser, trust = Endorser(), GOOD.trust
    here, masked = (endorser.statement(Kind.SNP, identity, 7) for identity in (CHIP, b""))
    elsewhere = endorser.statement(Kind.SNP, CHIP[:8], 8)
    over = endorser.statement(Kind.SNP, CHIP, 9, since=timedelta(hours=1))
    forged = here[:-1] + bytes([here[-1] ^ 1])
    assert facts(GOOD, here).custody is None  # nobody trusts that endorser
    trust = replace(trust, endorsers=frozenset({endorser.point}))
    found = facts(GOOD, elsewhere, over, forged, here, trust=trust)
    assert (found.place, found.potential) == (7, Level.ISOLATED_CUSTODY)
    assert facts(GOOD, elsewhere, over, forged, trust=trust).custody is None
    assert facts(VLEK, masked, trust=trust).custody is None


def test_traces_tell_what_is_weak() -> None:
    found = facts(GOOD.but(vmpl=2, fields=((0x38, bytes([4])),)))
    assert any("VMPL 2" in said for said in found.trace)
    assert any("not committed" in said for said in found.trace)


@pytest.mark.parametrize(
    "fields",
    [
        ((0, b"\1"),),
        ((0, b"\6"),),
        ((8, bytes(8)),),
        ((0xE, b"\1"),),
        ((0x30, b"\4"),),
        ((0x34, b"\2"),),
        ((0x48, b"\x20"),),
        ((0x48, b"\x08"),),
        ((0x4C, b"\1"),),
        ((0x18B, b"\1"),),
        ((0x19F, b"\1"),),
        ((0x1EB, b"\1"),),
        ((0x1EF, b"\1"),),
        ((0x1F8, b"\1"),),
        ((0x29F, b"\1"),),
    ],
)
def test_what_must_be_zero_is(fields: tuple[tuple[int, bytes], ...]) -> None:
    with pytest.raises(MalformedEvidence):
        SnpReport.parse(GOOD.but(fields=fields).report())


def test_reserved_bytes_change_with_the_version() -> None:
    vectors = GOOD.but(version=5, fields=((0x1F8, b"\x3f"), (0x207, b"\1")))
    assert facts(vectors).claims["launch_mit_vector"] == "0x3f"
    with pytest.raises(MalformedEvidence):
        SnpReport.parse(GOOD.but(version=2, fields=((0x188, b"\x19"),)).report())


@pytest.mark.parametrize("at", [0x2A0 + 48, 0x2A0 + 72 + 71, 0x2A0 + 144, SIZE - 1])
def test_nothing_beside_the_signature_is_left_unread(at: int) -> None:
    raw = bytearray(GOOD.report())
    raw[at] = 1
    with pytest.raises(MalformedEvidence):
        SnpReport.parse(bytes(raw))


@pytest.mark.parametrize("raw", [b"", bytes(SIZE), GOOD.report()[:-1], GOOD.report() + b"\0"])
def test_other_bytes_are_no_report(raw: bytes) -> None:
    assert not TECHNOLOGY.recognise(raw)
    with pytest.raises(MalformedEvidence):
        SnpReport.parse(raw)


@pytest.mark.parametrize(
    "extra",
    [
        (("2", b"\x16\x05Mil"),),
        (("2", b"\x16\x02\xff\xff"),),
        (("2", b"\x04\x01M"),),
        (("3.1", b"\2\1\x80"),),
        (("3.1", b"\2\2\0\1"),),
        (("3.1", b""),),
        (("4", b"\1" * 9),),
        (("5", b""),),
    ],
)
def test_extensions_of_another_form_are_malformed(extra: tuple[tuple[str, bytes], ...]) -> None:
    with pytest.raises(MalformedEvidence):
        facts(GOOD.but(extra=extra))


def test_a_certificate_without_product_is_malformed_and_a_wrapped_chip_is_read() -> None:
    with pytest.raises(MalformedEvidence):
        facts(GOOD.but(without=("2",)))
    assert facts(GOOD.but(extra=(("4", b"\x04\x40" + CHIP),))).identity == CHIP
    assert "1" not in facts(GOOD.but(without=("1",))).claims["vcek_extensions"]


def test_the_key_that_signed_is_found_among_others() -> None:
    others = [line("Milan")[1].issue(f"other {n}", "P-384", extensions=GOOD_EXTENSIONS).der for n in range(9)]
    assert facts(GOOD, *others[:7]).status is RootStatus.TEST_ROOT
    assert refused(GOOD, *others) == {"CERTIFICATE"}


GOOD_EXTENSIONS = tuple(
    (extension.value, False)
    for extension in GOOD.endorsement.certificate.extensions
    if extension.oid.dotted_string.startswith("1.3.6.1.4.1.3704")
)


def test_certificates_may_come_in_the_host_s_table() -> None:
    key, issuer, root = GOOD.pieces()
    entries = [(VCEK, key), (bytes(range(16)), b"the host's own")]
    whole = table(entries)
    assert certificate_table(whole) == (key,)
    detected = detect(GOOD.report(), [whole, issuer, root])
    assert detected.kind is Kind.SNP
    found = TECHNOLOGY.verify(detected.body, 0, node=None, trust=GOOD.trust, at=NOON)
    assert found.identity == CHIP
    raw = Enclosed(evidence=GOOD.report(), pieces=(whole, issuer, root)).encode()
    assert TECHNOLOGY.verify(raw, 0, node=None, trust=GOOD.trust, at=NOON).claims == found.claims


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        VCEK + bytes(7),
        VCEK + b"\x30\0\0\0\xff\0\0\0" + bytes(24),
        VCEK + bytes(8) + bytes(24),
        (VCEK + b"\0\0\0\0\1\0\0\0") * 65,
    ],
)
def test_tables_that_break_off_are_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        certificate_table(raw)
    assert not is_table(GOOD.report())


def test_reports_show_themselves_with_and_without_certificates() -> None:
    alone = TECHNOLOGY.show(TECHNOLOGY.wrap(GOOD.report()))
    assert alone["reported_tcb_decoded"] == facts(GOOD).claims["reported_tcb_decoded"]
    assert "vcek_extensions" not in alone
    assert "product" not in TECHNOLOGY.show(TECHNOLOGY.wrap(GOOD.but(version=2).report()))
    assert TECHNOLOGY.show(GOOD.but(version=2).body()) == facts(GOOD.but(version=2)).claims


def test_an_authority_s_leaf_that_trust_names_is_no_chain() -> None:
    leaf: Authority = GOOD.endorsement
    assert refused(GOOD, trust=leaf.trust) == {"CERTIFICATE"}
    assert number(200) == b"\2\2\0\xc8"
