# SPDX-License-Identifier: Apache-2.0
"""HTTP between node, verifiers and broker: small WSGI applications, and the clients that speak to them.

A refusal is 422 with the error as the command prints it; what is not there yet is 404. Bodies are CBOR or JSON.
"""

import json
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TypeAlias
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import requests

from contracts.documents import parse_json
from contracts.errors import ExequaturError, ExitCode
from contracts.ids import Digest, NodeId, PolicyId, ReleaseId
from contracts.records import Level, Verdict
from enclave.broker.service import Broker, Handover
from enclave.errors import MalformedMessage, RefusedRemotely, ServiceUnavailable
from enclave.verifier import SignedVerdict, Verifier

_log = logging.getLogger("exequatur.http")
_LONGEST = 16 << 20
_CBOR, _JSON = "application/cbor", "application/json"
_STATUS = {
    ExitCode.MALFORMED: HTTPStatus.BAD_REQUEST,
    ExitCode.NOT_AUTHENTIC: HTTPStatus.UNPROCESSABLE_ENTITY,
    ExitCode.REFUSED: HTTPStatus.UNPROCESSABLE_ENTITY,
    ExitCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
Answer: TypeAlias = tuple[HTTPStatus, str, bytes]
Handler: TypeAlias = Callable[[str, str, bytes], Answer | None]


def application(handle: Handler) -> WSGIApplication:
    """A WSGI application around `handle(method, path, body)`, which answers None for what it does not know."""

    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        status, kind, body = _answer(handle, environ)
        start(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return serve


def verifier_application(verifier: Verifier) -> WSGIApplication:
    """`POST /v1/appraise`, `POST /v1/enrol` (two messages), `GET /v1/health`."""

    def handle(method: str, path: str, body: bytes) -> Answer | None:
        match method, path:
            case "POST", "/v1/appraise":
                return _json(_signed_json(verifier.appraise(body)))
            case "POST", "/v1/enrol":
                credential, cookie = verifier.challenge(body)
                return _json({"credential": credential.hex(), "cookie": cookie.hex()})
            case "POST", "/v1/enrol/answer":
                asked = _object(body)
                cookie, secret = (_hex(asked, name) for name in ("cookie", "secret"))
                return _json({"certificate": verifier.issue(cookie, secret).hex()})
            case "GET", "/v1/health":
                return _json({"ok": True})
        return None

    return application(handle)


def broker_application(broker: Broker) -> WSGIApplication:
    """`GET /v1/releases/<release>/<lease>`, 404 before the lease is final; `GET /v1/health`."""

    def handle(method: str, path: str, _: bytes) -> Answer | None:
        match method, path.split("/")[1:]:
            case "GET", ["v1", "releases", release, lease] if lease.isdecimal() and len(lease) < 8:
                found = broker.handover(ReleaseId.parse(release), int(lease))
                return None if found is None else (HTTPStatus.OK, _CBOR, found.encode())
            case "GET", ["v1", "health"]:
                return _json({"ok": True})
        return None

    return application(handle)


class HttpVerifier:
    """A verifier behind HTTP."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def appraise(self, bundle: bytes) -> SignedVerdict:
        """Judge a bundle; raises `RefusedRemotely` with the verifier's reasons."""
        return _signed(_object(fetch("POST", f"{self._url}/v1/appraise", bundle, timeout=self._timeout)))

    def challenge(self, request: bytes) -> tuple[bytes, bytes]:
        """First message of an enrolment: credential and cookie."""
        answer = _object(fetch("POST", f"{self._url}/v1/enrol", request, timeout=self._timeout))
        return _hex(answer, "credential"), _hex(answer, "cookie")

    def issue(self, cookie: bytes, secret: bytes) -> bytes:
        """Second message: the attestation key's certificate."""
        body = json.dumps({"cookie": cookie.hex(), "secret": secret.hex()}).encode()
        answer = _object(fetch("POST", f"{self._url}/v1/enrol/answer", body, timeout=self._timeout))
        return _hex(answer, "certificate")


class HttpBroker:
    """A broker behind HTTP."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def handover(self, release: ReleaseId, lease: int) -> Handover | None:
        """The lease's handover, or None while it is not final."""
        url = f"{self._url}/v1/releases/{release}/{lease}"
        body = fetch("GET", url, timeout=self._timeout, absent=True)
        return None if body is None else Handover.decode(body)


def fetch(
    method: str, url: str, body: bytes | None = None, *, timeout: float, absent: bool = False
) -> bytes | None:
    """One request; None for a 404 when `absent` allows it; raises `RefusedRemotely` or `ServiceUnavailable`."""
    try:
        answer = requests.request(method, url, data=body, timeout=timeout, headers={"Content-Type": _CBOR})
    except requests.RequestException as error:
        hint = "is it running, and is the address right?"
        raise ServiceUnavailable(type(error).__name__, where=url, hint=hint) from error
    if answer.status_code == HTTPStatus.NOT_FOUND and absent:
        return None
    if answer.ok:
        return answer.content
    raise _refusal(answer, url)


def _refusal(answer: requests.Response, url: str) -> ExequaturError:
    try:
        error = _table(_object(answer.content)["error"])
        what, hint, reasons = str(error["what"]), str(error["hint"]), _texts(error["reasons"])
    except (MalformedMessage, KeyError):
        return ServiceUnavailable(f"status {answer.status_code}", where=url)
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ServiceUnavailable(what, where=url, hint=hint)
    return RefusedRemotely(what, reasons, where=url, hint=hint)


def _answer(handle: Handler, environ: WSGIEnvironment) -> Answer:
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > _LONGEST:
            return _failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, MalformedMessage(f"over {_LONGEST} bytes"))
        body = environ["wsgi.input"].read(length)
        found = handle(str(environ["REQUEST_METHOD"]), str(environ["PATH_INFO"]), body)
        return found or _failure(HTTPStatus.NOT_FOUND, MalformedMessage("nothing there, or not yet"))
    except ExequaturError as error:
        return _failure(_STATUS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY), error)
    except Exception as error:  # noqa: BLE001 - a request must not end the server, nor its text leave it
        _log.exception("a request failed")
        return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, ExequaturError(type(error).__name__))


def _failure(status: HTTPStatus, error: ExequaturError) -> Answer:
    fields = {"type": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}
    _, kind, body = _json({"error": fields | {"code": int(error.code), "reasons": list(error.reasons)}})
    return status, kind, body


def _json(value: object) -> Answer:
    return HTTPStatus.OK, _JSON, json.dumps(value).encode()


def _object(body: bytes | None) -> dict[str, object]:
    try:
        value = parse_json(body or b"")
    except ValueError as error:
        raise MalformedMessage("not JSON", where="body") from error
    return _table(value)


def _table(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise MalformedMessage("not a JSON object", where="body")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise MalformedMessage("not a JSON array", where="body")
    return [str(one) for one in value]


def _hex(value: dict[str, object], name: str) -> bytes:
    try:
        return bytes.fromhex(str(value[name]).removeprefix("0x"))
    except (KeyError, ValueError) as error:
        raise MalformedMessage("not hex", where=name) from error


def _signed_json(signed: SignedVerdict) -> dict[str, object]:
    words = [word.hex() if isinstance(word, bytes) else int(word) for word in signed.verdict.words()]
    return {"verdict": words, "signature": signed.signature.hex(), "opening": signed.opening.hex()}


def _signed(value: dict[str, object]) -> SignedVerdict:
    try:
        words = value["verdict"]
        assert isinstance(words, list)
        raw = [bytes.fromhex(word) if isinstance(word, str) else int(word) for word in words]
        verdict = _verdict(raw)
    except (KeyError, ValueError, TypeError, AssertionError, ExequaturError) as error:
        raise ServiceUnavailable("not a signed verdict", where="verifier") from error
    return SignedVerdict(verdict=verdict, signature=_hex(value, "signature"), opening=_hex(value, "opening"))


def _verdict(raw: list[bytes | int]) -> Verdict:
    policy, node, nonce, evidence, workload, platform, level, kinds, place, number, block, as_of, expiry = raw
    octets = [
        part for part in (policy, node, nonce, evidence, workload, platform, block) if isinstance(part, bytes)
    ]
    numbers = [part for part in (level, kinds, place, number, as_of, expiry) if isinstance(part, int)]
    if len(octets) != 7 or len(numbers) != 6:
        raise ValueError("a field of the wrong type")
    return Verdict(
        policy_id=PolicyId(octets[0]),
        node_id=NodeId(octets[1]),
        lease_nonce=Digest(octets[2]),
        evidence=Digest(octets[3]),
        workload=Digest(octets[4]),
        platform=Digest(octets[5]),
        level=Level(numbers[0]),
        kinds=numbers[1],
        place=numbers[2],
        block_number=numbers[3],
        block_hash=Digest(octets[6]),
        as_of=numbers[4],
        expiry=numbers[5],
    )
