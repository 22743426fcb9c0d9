# SPDX-License-Identifier: Apache-2.0
"""The node's HTTP front for its users: who it is, and answers with receipts."""

from http import HTTPStatus
from wsgiref.types import WSGIApplication

from enclave.client import Answer, Presence
from enclave.http import application
from enclave.node.errors import NotServing
from enclave.node.node import Node

_CBOR = "application/cbor"


def node_application(node: Node) -> WSGIApplication:
    """`POST /v1/infer` (tensors in, `Answer` out), `GET /v1/node` (`Presence`), `GET /v1/health`."""

    def handle(method: str, path: str, body: bytes) -> tuple[HTTPStatus, str, bytes] | None:
        match method, path:
            case "POST", "/v1/infer":
                return HTTPStatus.OK, _CBOR, answer(node, body).encode()
            case "GET", "/v1/node":
                return HTTPStatus.OK, _CBOR, presence(node).encode()
            case "GET", "/v1/health":
                return HTTPStatus.OK, "application/json", b'{"ok": true}'
        return None

    return application(handle)


def answer(node: Node, request: bytes) -> Answer:
    """One answer of a node's guest, with the keys to check it by."""
    keys, reply = node.infer(request)
    return Answer(
        keys=keys.encode(),
        receipt=reply.receipt,
        request_salt=reply.request_salt,
        response_salt=reply.response_salt,
        response=reply.response,
    )


def presence(node: Node) -> Presence:
    """What a node that holds a lease says of itself."""
    life = node.life
    if life is None or life.bundle is None or life.grant is None or life.subject is None:
        raise NotServing(node.phase.value, where="node", hint="ask again later")
    return Presence(
        keys=life.guest.keys.encode(),
        bundle=life.bundle.encode(),
        release=life.grant.release,
        model_id=life.subject.model_id,
        version=life.subject.version,
        policy_id=life.subject.policy_id,
        licence=life.subject.licence,
        lease=life.grant.lease,
    )
