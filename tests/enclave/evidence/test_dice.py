# SPDX-License-Identifier: Apache-2.0
"""What DICE extensions of certificates say, in the one encoding that DER allows."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from enclave.errors import MalformedEvidence
from enclave.evidence.certificates import load_all, spki
from enclave.evidence.dice import MULTI_TCB_INFO, TCB_INFO, UEID, IntegrityRegister, TcbInfo, tcb_infos, ueid

KEY = ec.derive_private_key(7, ec.SECP256R1())
SHA384 = "2.16.840.1.101.3.4.2.2"
SHA384_DER = bytes.fromhex("0609608648016503040202")
START = datetime(2026, 1, 1, tzinfo=UTC)


def certificate(*extensions: tuple[str, bytes]) -> x509.Certificate:
    """A certificate with these extensions."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "layer")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 1, START, START + timedelta(days=1))
    for oid, der in extensions:
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der)
        builder = builder.add_extension(value, critical=False)
    return builder.sign(KEY, hashes.SHA256())


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    width = (len(value).bit_length() + 7) // 8
    return bytes([tag, 0x80 | width]) + len(value).to_bytes(width, "big") + value


def fwid(byte: int, size: int = 48) -> bytes:
    """A SHA-384 FWID of one repeated byte."""
    return tlv(0x30, SHA384_DER, tlv(0x04, bytes([byte]) * size))


FULL = tlv(
    0x30,
    tlv(0x80, b"Vendor"),
    tlv(0x81, b"Model"),
    tlv(0x82, b"1.2"),
    tlv(0x83, b"\x00\x80"),
    tlv(0x84, b"\x01"),
    tlv(0x85, b"\x02"),
    tlv(0xA6, fwid(1), fwid(2)),
    tlv(0x87, b"\x04\xb0\x10"),
    tlv(0x88, b"\xc0"),
    tlv(0x89, b"type"),
    tlv(0x8A, b"\x00\xff"),
    tlv(0xAB, tlv(0x30, tlv(0x80, b"pcr"), tlv(0x81, b"\x07"), tlv(0xA2, fwid(3)))),
)


def test_every_field_is_read() -> None:
    (info,) = tcb_infos(certificate((TCB_INFO, FULL)))
    assert info == TcbInfo(
        vendor="Vendor",
        model="Model",
        version="1.2",
        svn=128,
        layer=1,
        index=2,
        fwids=((SHA384, b"\x01" * 48), (SHA384, b"\x02" * 48)),
        flags=b"\xb0\x10",
        vendor_info=b"\xc0",
        type=b"type",
        flags_mask=b"\xff",
        integrity_registers=(IntegrityRegister(name="pcr", number=7, digests=((SHA384, b"\x03" * 48),)),),
    )
    assert info.flag_names == ("notConfigured", "recovery", "debug", "bit 11")
    claims = info.claims()
    assert claims["flags"] == ["notConfigured", "recovery", "debug", "bit 11"]
    assert claims["integrityRegisters"] == [
        {
            "registerName": "pcr",
            "registerNum": 7,
            "registerDigests": [{"hashAlg": SHA384, "digest": b"\x03" * 48}],
        }
    ]
    assert "deviceID" not in claims


def test_a_field_left_out_is_not_zero() -> None:
    (info,) = tcb_infos(certificate((TCB_INFO, tlv(0x30))))
    assert info == TcbInfo()
    assert info.claims() == {}
    assert info.flag_names == ()


def test_several_in_one_certificate_keep_their_order() -> None:
    some = tlv(0x30, *(tlv(0x30, tlv(0x83, bytes([svn]))) for svn in (1, 2)))
    found = tcb_infos(certificate((TCB_INFO, FULL), (MULTI_TCB_INFO, some)))
    assert [info.svn for info in found] == [128, 1, 2]
    assert tcb_infos(certificate()) == ()


def test_ueid_is_read() -> None:
    value = b"\x01" + bytes(32)
    assert ueid(certificate((UEID, tlv(0x30, tlv(0x04, value))))) == value
    assert ueid(certificate()) is None


MALFORMED = {
    "not a sequence": tlv(0x04, b"x"),
    "two elements": FULL + FULL,
    "nothing": b"",
    "cut off": FULL[:-1],
    "a trailing byte": FULL + b"\0",
    "indefinite length": b"\x30\x80\0\0",
    "long form of a short length": b"\x30\x81\x03\x80\x01V",
    "two bytes for a one-byte length": b"\x30\x82\x00\x80" + tlv(0x80, b"V" * 126),
    "three bytes of length": b"\x30\x83\0\1\0",
    "a tag of several bytes": tlv(0x30, b"\x9f\x1f\x01V"),
    "an unknown field": tlv(0x30, tlv(0x8C, b"")),
    "a field twice": tlv(0x30, tlv(0x83, b"\1"), tlv(0x83, b"\1")),
    "fields out of order": tlv(0x30, tlv(0x84, b"\1"), tlv(0x83, b"\1")),
    "a constructed integer": tlv(0x30, tlv(0xA3, b"\1")),
    "a primitive list": tlv(0x30, tlv(0x86, fwid(1))),
    "a negative svn": tlv(0x30, tlv(0x83, b"\xff")),
    "a padded svn": tlv(0x30, tlv(0x83, b"\0\1")),
    "an empty svn": tlv(0x30, tlv(0x83)),
    "an endless svn": tlv(0x30, tlv(0x83, b"\1" * 17)),
    "no UTF-8": tlv(0x30, tlv(0x80, b"\xff")),
    "no fwid": tlv(0x30, tlv(0xA6)),
    "fwid without digest": tlv(0x30, tlv(0xA6, tlv(0x30, SHA384_DER))),
    "fwid of no known size": tlv(0x30, tlv(0xA6, fwid(1, 47))),
    "fwid that is no sequence": tlv(0x30, tlv(0xA6, tlv(0x31))),
    "an empty algorithm": tlv(0x30, tlv(0xA6, tlv(0x30, tlv(6), tlv(4, bytes(32))))),
    "a padded algorithm": tlv(0x30, tlv(0xA6, tlv(0x30, tlv(6, b"\x2a\x80\x01"), tlv(4, bytes(32))))),
    "half an algorithm": tlv(0x30, tlv(0xA6, tlv(0x30, tlv(6, b"\x2a\x81"), tlv(4, bytes(32))))),
    "a long algorithm": tlv(0x30, tlv(0xA6, tlv(0x30, tlv(6, b"\x01" * 65), tlv(4, bytes(32))))),
    "flags without a first byte": tlv(0x30, tlv(0x87)),
    "nine unused bits": tlv(0x30, tlv(0x87, b"\x09\0")),
    "unused bits of nothing": tlv(0x30, tlv(0x87, b"\x01")),
    "unused bits that are set": tlv(0x30, tlv(0x87, b"\x01\x01")),
    "a register without a value": tlv(0x30, tlv(0xAB, tlv(0x30, tlv(0x81, b"\1")))),
    "more elements than anybody needs": tlv(0x30, tlv(0xA6, *(fwid(1),) * 65)),
    "composite device id of version 2": tlv(0x30, tlv(2, b"\2"), tlv(0x30), fwid(1)),
    "composite device id without a fwid": tlv(0x30, tlv(2, b"\1"), tlv(0x30)),
}


@pytest.mark.parametrize("flaw", MALFORMED)
def test_anything_else_is_malformed(flaw: str) -> None:
    with pytest.raises(MalformedEvidence):
        tcb_infos(certificate((TCB_INFO, MALFORMED[flaw])))


@pytest.mark.parametrize(
    "der",
    [tlv(0x30), tlv(0x30, FULL, tlv(0x04)), tlv(0x30, tlv(0x30), tlv(0x30))[:-1]],
    ids=["empty", "a part that is none", "cut off"],
)
def test_anything_else_is_no_multi_tcb_info(der: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        tcb_infos(certificate((MULTI_TCB_INFO, der)))


@pytest.mark.parametrize("value", [bytes(6), bytes(34)], ids=["short", "long"])
def test_a_ueid_has_a_size(value: bytes) -> None:
    with pytest.raises(MalformedEvidence):
        ueid(certificate((UEID, tlv(0x30, tlv(0x04, value)))))


def test_old_devices_name_their_key_and_one_firmware() -> None:
    key = spki(certificate())
    (info,) = tcb_infos(certificate((TCB_INFO, tlv(0x30, tlv(2, b"\1"), key, fwid(9)))))
    assert info == TcbInfo(fwids=((SHA384, b"\x09" * 48),), device_key=key)
    assert info.claims()["deviceID"] == key


def test_long_device_keys_keep_their_length() -> None:
    key = tlv(0x30, bytes(300))
    (info,) = tcb_infos(certificate((TCB_INFO, tlv(0x30, tlv(2, b"\1"), key, fwid(9)))))
    assert info.device_key == key


def test_recorded_chains_are_read(shared_evidence: Path) -> None:
    """The older GPUs name the key one layer below, which is the one that signed; the newer ones have a TcbInfo."""
    for file in sorted(shared_evidence.glob("nvidia/*/cert_chain.pem")):
        chain = load_all(file.read_bytes())
        found = [infos for infos in map(tcb_infos, chain) if infos]
        assert len(found) == 1, file
        ((info,),) = found
        assert all(len(value) == 48 and name == SHA384 for name, value in info.fwids)
        if info.device_key is None:
            assert (info.vendor, info.svn) == ("NVIDIA", 1)
            assert info.flag_names == ("notConfigured", "fixedWidth")
        else:
            assert info.device_key == spki(chain[1])


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_malformed(der: bytes) -> None:
    with suppress(MalformedEvidence):
        tcb_infos(certificate((TCB_INFO, tlv(0x30, der))))


@given(st.integers(0, len(FULL) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_a_changed_byte_is_another_value_or_malformed(at: int, change: int) -> None:
    """DER has one encoding for each value; only the number of flags that are off may differ."""
    changed = bytearray(FULL)
    changed[at] ^= change
    assume(at != FULL.index(b"\x04\xb0\x10"))
    with suppress(MalformedEvidence):
        assert tcb_infos(certificate((TCB_INFO, bytes(changed)))) != tcb_infos(certificate((TCB_INFO, FULL)))
