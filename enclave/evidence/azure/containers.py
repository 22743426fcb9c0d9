# SPDX-License-Identifier: Apache-2.0
"""Evidence of Azure machines as Confidential Containers and attested-tls keep it (azure/SPEC.md, section 6)."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from contracts.documents import parse_json
from contracts.errors import ExequaturError
from enclave.errors import MalformedEvidence
from enclave.evidence.azure.evidence import Parts
from enclave.evidence.certificates import load_all
from enclave.evidence.enclosed import Enclosed
from enclave.evidence.kinds import Kind

_LONGEST = 1 << 20
_DEEPEST, _MOST_EVENTS = 8, 1 << 15
_COCO, _TLS = "Confidential Containers evidence", "attested-tls evidence"
_PLATFORMS = ("az-snp", "az-snp-vtpm", "az-tdx", "az-tdx-vtpm")


def confidential_containers(raw: bytes) -> tuple[Kind, bytes] | None:
    """The JSON of the az-snp-vtpm and az-tdx-vtpm attesters: format 0 of byte arrays, format 1 of text, bare or wrapped."""
    if raw.lstrip()[:1] != b"{" or not (b'"vcek"' in raw or b'"hcl_report"' in raw) or len(raw) > _LONGEST:
        return None
    document = _json(raw)
    if isinstance(document, dict) and document.get("platform") in _PLATFORMS:
        document = document.get("evidence")
    if not isinstance(document, dict):
        return None
    if "version" in document:
        return Kind.AZURE, _parsed(lambda: _text_form(document), _COCO)
    return (Kind.AZURE, _parsed(lambda: _array_form(document), _COCO)) if "report" in document else None


def _json(raw: bytes) -> Any:
    try:
        return parse_json(raw)
    except (ValueError, RecursionError, ExequaturError) as error:
        raise MalformedEvidence("not JSON", where=_COCO) from error


def _parsed(read: Callable[[], tuple[Parts, list[bytes]]], where: str) -> bytes:
    try:
        parts, pieces = read()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedEvidence("a part is missing, or of another form", where=where) from error
    return Enclosed(evidence=parts.encode(), pieces=tuple(pieces)).encode()


def _text_form(document: dict[str, Any]) -> tuple[Parts, list[bytes]]:
    if document["version"] != 1:
        raise ValueError("unknown version")
    quote = document["tpm_quote"]
    vcek = document.get("vcek")
    parts = Parts(
        hcl=_base64(document["hcl_report"]),
        attest=bytes.fromhex(quote["message"]),
        signature=bytes.fromhex(quote["signature"]),
        pcrs=tuple(map(bytes.fromhex, quote["pcrs"])),
        td_quote=_base64(document.get("td_quote", "")),
    )
    return parts, [] if vcek is None else [_base64(vcek)]


def _array_form(document: dict[str, Any]) -> tuple[Parts, list[bytes]]:
    quote = document["quote"]
    vcek = document.get("vcek")
    parts = Parts(
        hcl=_octets(document["report"]),
        attest=_octets(quote["message"]),
        signature=_octets(quote["signature"]),
        pcrs=tuple(map(_octets, quote["pcrs"])),
        td_quote=_octets(document.get("td_quote", [])),
    )
    return parts, [] if vcek is None else [vcek.encode()]


def attested_tls(raw: bytes) -> tuple[Kind, bytes] | None:
    """The YAML of attested-tls for TDX machines, with the key's certificate and its intermediates."""
    if len(raw) > _LONGEST or b"hcl_report_base64" not in raw or b"tpm_attestation" not in raw:
        return None
    document = _yaml(raw)
    return Kind.AZURE, _parsed(lambda: _yaml_form(document), _TLS)


def _yaml(raw: bytes) -> Any:
    """The document, in which every scalar is text; no aliases, so that it is as large as it looks."""
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        depth = 0
        for number, event in enumerate(yaml.parse(raw, Loader=loader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST or number > _MOST_EVENTS or isinstance(event, yaml.AliasEvent):
                raise MalformedEvidence("an alias, or too deep or too long", where=_TLS)
        return loader(raw).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MalformedEvidence("not YAML", where=_TLS) from error


def _yaml_form(document: dict[str, Any]) -> tuple[Parts, list[bytes]]:
    attestation = document["tpm_attestation"]
    quote, certificate = attestation["quote"], attestation.get("ak_certificate_pem")
    parts = Parts(
        hcl=_base64(document["hcl_report_base64"]),
        attest=_octets(quote["message"]),
        signature=_octets(quote["signature"]),
        pcrs=tuple(map(_octets, quote["pcrs"])),
        td_quote=_base64(document["tdx_quote_base64"]),
        certificate=b"" if certificate is None else _der(certificate),
    )
    return parts, [_der(one) for one in attestation.get("ak_intermediate_certificates_pem", [])]


def _der(pem: str) -> bytes:
    certificates = load_all(pem.encode())
    if len(certificates) != 1:
        raise ValueError("not one certificate")
    return certificates[0].public_bytes(Encoding.DER)


def _octets(values: Sequence[object]) -> bytes:
    """Bytes written as numbers."""
    if any(type(value) not in (int, str) for value in values):
        raise ValueError("not an array of bytes")
    return bytes(int(str(value)) for value in values)


def _base64(text: str) -> bytes:
    """Base64 in either alphabet, padded or not."""
    plain = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
