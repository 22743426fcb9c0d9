# SPDX-License-Identifier: Apache-2.0
"""Which device a certificate path speaks of, and what its key may sign (DSP0274 1.3, section 10.6.1)."""

from collections.abc import Iterator, Sequence

from cryptography import x509

from enclave.evidence.certificates import key_digest
from enclave.evidence.dice import TcbInfo, tcb_infos, ueid
from enclave.evidence.facts import Claims
from enclave.evidence.findings import Finding, Reason

_DMTF = "1.3.6.1.4.1.412.274"
_DEVICE_INFO = f"{_DMTF}.1"
_RESPONDER, _REQUESTER = f"{_DMTF}.3", f"{_DMTF}.4"
_EXTENSION = f"{_DMTF}.6"
# the last bytes of DER of 1.3.6.1.4.1.412.274.2 and .5: hardware identity and mutable certificate
_HARDWARE, _MUTABLE = (bytes.fromhex("060a2b06010401831c8212") + bytes([arc]) for arc in (2, 5))
_TCB_FLAGS = frozenset({"notSecure", "recovery"})
_UTF8 = 0x0C


def leaf_faults(leaf: x509.Certificate) -> Iterator[Finding]:
    """What keeps a leaf's key from answering for a device."""
    extensions = {extension.oid: extension.value for extension in leaf.extensions}
    usage, basic = extensions.get(x509.KeyUsage.oid), extensions.get(x509.BasicConstraints.oid)
    extended = extensions.get(x509.ExtendedKeyUsage.oid)
    if not isinstance(usage, x509.KeyUsage) or not usage.digital_signature:
        yield _wrong("a key for digital signatures", "a certificate without that usage")
    if isinstance(basic, x509.BasicConstraints) and basic.ca:
        yield _wrong("a leaf", "an authority, which signs certificates")
    purposes = (
        {oid.dotted_string for oid in extended} if isinstance(extended, x509.ExtendedKeyUsage) else set()
    )
    if _REQUESTER in purposes and _RESPONDER not in purposes:
        yield _wrong("a key for responders", "one for requesters only")


def identity(words: Sequence[x509.Certificate]) -> bytes:
    """What stays the same of a device, from its certificates, leaf first: its ueid, else SHA-256 of its own key.

    Its own key is that of the certificate marked as hardware identity, else of the lowest not marked mutable. Marks
    and ueids nearest to the root count, because a device whose firmware fell can sign others below its own key.
    """
    if (entity := _ueid(words)) is not None:
        return entity
    marked = [certificate for certificate in reversed(words) if _HARDWARE in _marks(certificate)]
    lasting = [certificate for certificate in words if _MUTABLE not in _marks(certificate)]
    return key_digest((*marked, *lasting, words[-1])[0])


def layers(path: Sequence[x509.Certificate]) -> list[TcbInfo]:
    """What the path says of each layer's firmware, the layer nearest to the root first."""
    return [info for certificate in reversed(path) for info in tcb_infos(certificate)]


def layer_faults(infos: Sequence[TcbInfo]) -> Iterator[Finding]:
    """Layers in a state in which they keep no secrets, by the flags of their TcbInfo."""
    for number, info in enumerate(infos):
        where = f"layer {number} of the DICE chain"
        if "debug" in info.flag_names:
            yield Finding(reason=Reason.DEBUG, expected="no debug", found=f"debug in {where}")
        for flag in sorted(_TCB_FLAGS & set(info.flag_names)):
            yield Finding(reason=Reason.TCB, expected=f"{where} in a secure state", found=flag)


def claims(path: Sequence[x509.Certificate]) -> Claims:
    """What certificates say of their device, leaf first."""
    shown: Claims = {"dice": [info.claims() for info in layers(path)]}
    named = next((found for found in map(_device_info, path) if found is not None), None)
    entity = _ueid(path)
    if named is not None:
        shown["device_info"] = named
    if entity is not None:
        shown["ueid"] = entity
    return shown


def _ueid(words: Sequence[x509.Certificate]) -> bytes | None:
    return next((found for found in map(ueid, reversed(words)) if found is not None), None)


def _device_info(certificate: x509.Certificate) -> str | None:
    """`manufacturer:product:serial` in a subject alternative name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    for name in names.get_values_for_type(x509.OtherName):
        text = name.value
        plain = len(text) > 2 and text[0] == _UTF8 and text[1] == len(text) - 2 < 0x80
        if name.type_id.dotted_string == _DEVICE_INFO and plain:
            return text[2:].decode("utf-8", "replace")
    return None


def _marks(certificate: x509.Certificate) -> bytes:
    """The DMTF extension, a sequence of sequences that begin with what they mark the certificate as."""
    for extension in certificate.extensions:
        value = extension.value
        if extension.oid.dotted_string == _EXTENSION and isinstance(value, x509.UnrecognizedExtension):
            return value.value
    return b""


def _wrong(expected: str, found: str) -> Finding:
    return Finding(reason=Reason.CERTIFICATE, expected=expected, found=found)
