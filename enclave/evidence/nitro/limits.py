# SPDX-License-Identifier: Apache-2.0
"""Types and sizes of the fields of a Nitro document, as the manual bounds them."""

from typing import TypedDict

from enclave.errors import MalformedEvidence

_PCRS, _PCR_SIZE = 32, 48
_CERTIFICATE, _BUNDLE = 1024, 16
_OPTIONAL = {"public_key": 1024, "user_data": 1024, "nonce": 1024}
_LATEST = 1 << 42  # milliseconds; the year 2109


class Fields(TypedDict):
    """What `checked` returns: the arguments of a document besides its signature and the name of its registers."""

    module_id: str
    timestamp_ms: int
    pcrs: dict[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes
    user_data: bytes
    nonce: bytes


def checked(payload: dict[str, object], bank: str, where: str) -> Fields:
    """The fields of a payload, each of the right type and size; raises `MalformedEvidence`."""
    pcrs, cabundle, certificate = payload[bank], payload["cabundle"], payload["certificate"]
    module, digest, made = payload["module_id"], payload["digest"], payload["timestamp"]
    if not isinstance(module, str) or not 0 < len(module) <= 128 or digest != "SHA384":
        raise MalformedEvidence("a module id or digest of another form", where=where)
    if type(made) is not int or not 0 < made < _LATEST:
        raise MalformedEvidence("a timestamp of another form", where=where)
    if not isinstance(cabundle, list) or not 0 < len(cabundle) <= _BUNDLE:
        raise MalformedEvidence("certificates of another form", where=where)
    optional = {name: _optional(payload.get(name), most, where) for name, most in _OPTIONAL.items()}
    return Fields(
        module_id=module,
        timestamp_ms=made,
        pcrs=_registers(pcrs, where),
        certificate=_certificate(certificate, where),
        cabundle=tuple(_certificate(one, where) for one in cabundle),
        public_key=optional["public_key"],
        user_data=optional["user_data"],
        nonce=optional["nonce"],
    )


def _registers(pcrs: object, where: str) -> dict[int, bytes]:
    if not isinstance(pcrs, dict) or not 0 < len(pcrs) <= _PCRS:
        raise MalformedEvidence("registers of another form", where=where)
    found: dict[int, bytes] = {}
    for number, value in pcrs.items():
        if type(number) is not int or not 0 <= number < _PCRS:
            raise MalformedEvidence("a register that there is not", where=where)
        if not isinstance(value, bytes) or len(value) != _PCR_SIZE:
            raise MalformedEvidence("a register of another size", where=where)
        found[number] = value
    return found


def _certificate(value: object, where: str) -> bytes:
    if not isinstance(value, bytes) or not 0 < len(value) <= _CERTIFICATE:
        raise MalformedEvidence("a certificate of another form", where=where)
    return value


def _optional(value: object, most: int, where: str) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, bytes) or len(value) > most:
        raise MalformedEvidence(f"an optional field that is not up to {most} bytes", where=where)
    return value
