# SPDX-License-Identifier: Apache-2.0
"""Verifier and broker over real HTTP: the same answers as in one process, and refusals that keep their reasons."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec

from cli.running import serving
from contracts.ids import ReleaseId
from enclave.errors import RefusedRemotely, ServiceUnavailable
from enclave.evidence.certificates import key_digest, load
from enclave.evidence.enrol import EnrolRequest
from enclave.evidence.tpm.certificate import enrolment_of
from enclave.evidence.tpm.structures import TpmPublic
from enclave.evidence.trust import Trust
from enclave.http import HttpBroker, HttpVerifier, application, broker_application, verifier_application
from enclave.verifier import Enroller
from tests.fakes.chains import fresh
from tests.fakes.desk import Attested, Desk
from tests.fakes.tpm import FakeTpm


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with fresh("embedded") as chain:
        yield Desk.open(chain, tmp_path_factory.mktemp("desk"))


@pytest.fixture(scope="module")
def tpm() -> FakeTpm:
    return FakeTpm()


@pytest.fixture(scope="module")
def verifier_url(desk: Desk, tpm: FakeTpm) -> Iterator[str]:
    root = load(tpm.endorsement(datetime.now(UTC))[-1])
    trust = Trust(enrollers=frozenset(), extra_roots=frozenset({key_digest(root)}))
    enroller = Enroller(key=ec.generate_private_key(ec.SECP256R1()), trust=trust)
    with serving(verifier_application(desk.verifier(enroller=enroller)), "127.0.0.1:0") as url:
        yield url


def test_a_verdict_over_http_is_the_verdict(desk: Desk, verifier_url: str) -> None:
    guest = Attested()
    bundle = guest.bundle(desk.challenge(guest)).encode()
    assert HttpVerifier(verifier_url + "/").appraise(bundle) == desk.verifier().appraise(bundle)


def test_a_refusal_over_http_keeps_its_reasons(desk: Desk, verifier_url: str) -> None:
    guest, other = Attested(), Attested()
    other.quoter = guest.quoter
    bundle = other.bundle(desk.challenge(guest)).encode()
    with pytest.raises(RefusedRemotely) as refused:
        HttpVerifier(verifier_url).appraise(bundle)
    assert "NODE" in refused.value.reasons
    answer = requests.post(f"{verifier_url}/v1/appraise", data=bundle, timeout=10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (422, "Refused")


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff" * 5_000])
def test_malformed_evidence_is_400(verifier_url: str, body: bytes) -> None:
    answer = requests.post(f"{verifier_url}/v1/appraise", data=body, timeout=10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "MalformedEvidence")


def test_what_is_too_long_is_not_read() -> None:
    read = []

    class Body:
        def read(self, length: int) -> bytes:
            read.append(length)
            return b""

    status = []
    serve = application(lambda *_: None)
    environ = {"CONTENT_LENGTH": str((16 << 20) + 1), "wsgi.input": Body(), "REQUEST_METHOD": "POST"}
    serve(environ, lambda line, _headers: status.append(line))  # type: ignore[arg-type]
    assert (status, read) == (["413 Request Entity Too Large"], [])


def test_health_and_nothing_else(verifier_url: str) -> None:
    assert requests.get(f"{verifier_url}/v1/health", timeout=10).json() == {"ok": True}
    for method, path in (
        ("GET", "/v1/appraise"),
        ("GET", "/"),
        ("POST", "/v1/health"),
        ("GET", "/v1/../etc"),
    ):
        assert requests.request(method, verifier_url + path, timeout=10).status_code == 404


def test_a_fault_of_ours_shows_no_more_than_its_type() -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    with serving(application(fail), "127.0.0.1:0") as url:
        answer = requests.get(url, timeout=10)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        with pytest.raises(ServiceUnavailable, match="RuntimeError"):
            HttpVerifier(url).appraise(b"")


def test_a_tpm_is_enrolled_over_http(desk: Desk, tpm: FakeTpm, verifier_url: str) -> None:
    at = datetime.fromtimestamp(desk.chain.head().timestamp, UTC)
    request = EnrolRequest(chain=tpm.endorsement(at), public=tpm.public())
    client = HttpVerifier(verifier_url)
    credential, cookie = client.challenge(request.encode())
    secret = tpm.activate(credential, TpmPublic.parse(tpm.public()).name)
    issued = load(client.issue(cookie, secret))
    assert enrolment_of(issued, frozenset()) is None  # nobody named this enroller
    with pytest.raises(RefusedRemotely):
        client.issue(cookie, os.urandom(32))
    with pytest.raises(RefusedRemotely):
        client.challenge(b"nonsense")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"cookie": 1}', b'{"cookie": "zz", "secret": ""}', b"[" * 9_000]
)
def test_a_malformed_answer_to_an_enrolment_is_400(verifier_url: str, body: bytes) -> None:
    answer = requests.post(f"{verifier_url}/v1/enrol/answer", data=body, timeout=10)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "MalformedMessage")


def test_a_handover_over_http_is_the_handover_and_404_before(desk: Desk, tmp_path: Path) -> None:
    broker = desk.broker(tmp_path / "journal")
    _, _, release = desk.asked()
    with serving(broker_application(broker), "127.0.0.1:0") as url:
        client = HttpBroker(url)
        assert client.handover(release, 0) is None
        desk.settle(broker)
        assert client.handover(release, 0) == broker.handover(release, 0)
        assert client.handover(release, 1) is None
        assert client.handover(ReleaseId(bytes(32)), 0) is None
        for path in ("/v1/releases/0x00/0", f"/v1/releases/{release}/-1", f"/v1/releases/{release}/99999999"):
            assert requests.get(url + path, timeout=10).status_code in (400, 404)
        assert requests.get(f"{url}/v1/health", timeout=10).json() == {"ok": True}


def test_nobody_there_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServiceUnavailable, match="ConnectionError"):
        HttpBroker(f"http://127.0.0.1:{port}").handover(ReleaseId(bytes(32)), 0)


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(ServiceUnavailable, match="ReadTimeout"):
            HttpVerifier(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2).appraise(b"")


@contextmanager
def saying(status: int, body: bytes) -> Iterator[str]:
    """A server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, json.dumps({"verdict": [1] * 13, "signature": "", "opening": ""}).encode()),
        (200, json.dumps({"verdict": 7}).encode()),
        (200, json.dumps({"verdict": ["zz"] * 13}).encode()),
        (200, json.dumps({"verdict": ["00"] * 13}).encode()),
        (502, b"<html>"),
        (422, b"[]"),
        (422, b'{"error": {"what": "", "hint": "", "reasons": 3}}'),
        (503, b'{"error": {"what": "away", "hint": "", "reasons": []}}'),
    ],
)
def test_a_hostile_or_broken_verifier_is_named(status: int, body: bytes) -> None:
    with saying(status, body) as url, pytest.raises(ServiceUnavailable):
        HttpVerifier(url).appraise(b"x")
