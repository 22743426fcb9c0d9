# SPDX-License-Identifier: Apache-2.0
"""EARs as signed tokens: JWT (RFC 7519) and CWT (RFC 8392, an untagged claims set in a COSE_Sign1), both with ES256."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import cbor2
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from contracts.documents import parse_json
from enclave.errors import MalformedEvidence, NotAuthentic
from enclave.evidence.cose import Sign1
from enclave.evidence.ear import TIERS, VECTOR, Ear, Form
from enclave.evidence.findings import Finding, Reason

_WHERE = "attestation result"
_LONGEST = 1 << 20
_HEADER = b'{"alg":"ES256","typ":"JWT"}'
_PROTECTED = cbor2.dumps({1: -7}, canonical=True)
_ES256 = -7
_HALF = 32
_PROFILE, _IAT, _NONCE, _SUBMODS = 265, 6, 10, 266
_STATUS, _VECTOR, _POLICY, _VERIFIER = 1000, 1001, 1003, 1004


def to_jwt(ear: Ear, key: ec.EllipticCurvePrivateKey) -> str:
    """The EAR in the compact serialization, signed with a P-256 key."""
    signed = _encoded(_HEADER) + b"." + _encoded(rfc8785.dumps(ear))  # type: ignore[arg-type]  # JSON by construction
    return (signed + b"." + _encoded(_signature(key, signed))).decode("ascii")


def from_jwt(token: str, key: ec.EllipticCurvePublicKey) -> Ear:
    """The claims of a JWT that `key` signed; raises `MalformedEvidence` or `NotAuthentic`."""
    try:
        if len(token) > _LONGEST:
            raise ValueError("too long")
        head, body, signature = (part.encode("ascii") for part in token.split("."))
        header, claims = (parse_json(_decoded(part)) for part in (head, body))
        raw = _decoded(signature)
    except (ValueError, RecursionError) as error:
        raise MalformedEvidence("not a JWT", where=_WHERE) from error
    if not isinstance(header, dict) or header.get("alg") != "ES256" or header.keys() - {"alg", "typ", "kid"}:
        raise MalformedEvidence("a JWT with another header than ES256", where=_WHERE)
    _check(key, head + b"." + body, raw)
    return _checked(claims)


def to_cwt(ear: Ear, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The EAR as a tagged COSE_Sign1, signed with a P-256 key."""
    payload = cbor2.dumps(_labelled(ear), canonical=True)
    signed = cbor2.dumps(["Signature1", _PROTECTED, b"", payload])
    message = [_PROTECTED, {}, payload, _signature(key, signed)]
    return cbor2.dumps(cbor2.CBORTag(18, message), canonical=True)


def from_cwt(raw: bytes, key: ec.EllipticCurvePublicKey) -> Ear:
    """The claims of a CWT that `key` signed, by their names in JSON; raises `MalformedEvidence` or `NotAuthentic`."""
    if len(raw) > _LONGEST:
        raise MalformedEvidence("too long", where=_WHERE)
    signed = Sign1.parse(raw, _WHERE)
    if signed.algorithm != _ES256 or not signed.signed_by(key):
        raise _forged()
    try:
        claims = _named(cbor2.loads(signed.payload))
    except Exception as error:  # cbor2 and unpacking raise many kinds on hostile input
        raise MalformedEvidence("not the claims of an EAR", where=_WHERE) from error
    return _checked(claims)


def _labelled(ear: Ear) -> dict[object, object]:
    """The claims by their numbers (draft-ietf-rats-ear, section 3.3)."""
    form = _form(ear)
    submods: Mapping[str, Mapping[str, Any]] = ear["submods"]  # type: ignore[assignment]  # `ear` made them
    tiers = {name: code for code, name in TIERS.items()}
    names = {form.status: _STATUS, form.vector: _VECTOR, form.policy: _POLICY}
    turned: dict[str, Callable[[Any], object]] = {
        form.status: lambda word: tiers[word],
        form.vector: lambda found: {VECTOR.index(name): code for name, code in found.items()},
    }
    labelled: dict[object, object] = {
        label: {names.get(name, name): turned.get(name, _same)(value) for name, value in submodule.items()}
        for label, submodule in submods.items()
    }
    verifier: Mapping[str, str] = ear[form.verifier]  # type: ignore[assignment]  # as above
    claims: dict[object, object] = {
        _PROFILE: form.profile,
        _IAT: ear["iat"],
        _VERIFIER: {0: verifier["developer"], 1: verifier["build"]},
        _SUBMODS: labelled,
    }
    if "eat_nonce" in ear:
        claims[_NONCE] = _decoded(str(ear["eat_nonce"]).encode("ascii"))
    return claims


def _named(claims: Any) -> Ear:  # whatever CBOR gave
    form = next(form for form in Form if form.profile == claims[_PROFILE])
    names = {_STATUS: form.status, _VECTOR: form.vector, _POLICY: form.policy}
    turned: dict[object, Callable[[Any], object]] = {
        _STATUS: lambda code: TIERS[code],
        _VECTOR: lambda found: {VECTOR[number]: code for number, code in found.items()},
    }
    named: Ear = {
        "eat_profile": form.profile,
        "iat": claims[_IAT],
        form.verifier: {"developer": claims[_VERIFIER][0], "build": claims[_VERIFIER][1]},
        "submods": {
            label: {names.get(name, name): turned.get(name, _same)(value) for name, value in module.items()}
            for label, module in claims[_SUBMODS].items()
        },
    }
    if _NONCE in claims:
        named["eat_nonce"] = _encoded(claims[_NONCE]).decode("ascii")
    return named


def _same(value: Any) -> object:
    return value


def _checked(claims: object) -> Ear:
    """Claims that a relying party can use: a profile that is known, whole seconds, a status of every device."""
    try:
        if not isinstance(claims, dict):
            raise TypeError("not a claims set")
        form = _form(claims)
        submods = claims["submods"]
        right = (
            type(claims["iat"]) is int and set(claims[form.verifier]) == {"developer", "build"} and submods
        )
        right = right and all(module[form.status] in TIERS.values() for module in submods.values())
    except (KeyError, TypeError, AttributeError, StopIteration) as error:
        raise MalformedEvidence("not the claims of an EAR", where=_WHERE) from error
    if not right:
        raise MalformedEvidence("a claim of the wrong type or value", where=_WHERE)
    return claims


def _form(claims: Mapping[str, object]) -> Form:
    return next(form for form in Form if form.profile == claims["eat_profile"])


def _signature(key: ec.EllipticCurvePrivateKey, signed: bytes) -> bytes:
    if key.curve.name != "secp256r1":
        raise ValueError("ES256 takes a P-256 key")
    numbers = utils.decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
    return b"".join(number.to_bytes(_HALF, "big") for number in numbers)


def _check(key: ec.EllipticCurvePublicKey, signed: bytes, signature: bytes) -> None:
    if key.curve.name != "secp256r1" or len(signature) != 2 * _HALF:
        raise _forged()
    r, s = (int.from_bytes(signature[i : i + _HALF], "big") for i in (0, _HALF))
    try:
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise _forged() from error


def _forged() -> NotAuthentic:
    hint = "ask the verifier for its key, and trust no other"
    finding = Finding(
        reason=Reason.SIGNATURE, expected="ES256 by this verifier", found="another signature", hint=hint
    )
    return NotAuthentic([finding])


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    """Strict base64url without padding: one text for one value."""
    raw = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encoded(raw) != text:
        raise ValueError("not base64url")
    return raw
