# SPDX-License-Identifier: Apache-2.0
"""The door through which users reach a node: requests in, answers with receipts out, and its evidence for the asking."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from enclave.http import Answer
    from enclave.node.node import Node


def application(node: "Node") -> "WSGIApplication":
    """`POST /v1/infer` (tensors), `GET /v1/evidence` (bundle), `GET /v1/health`."""
    from enclave.http import application as serve

    def handle(method: str, path: str, body: bytes) -> "Answer | None":
        match method, path:
            case "POST", "/v1/infer":
                return _answer(node, body)
            case "GET", "/v1/evidence" if node.bundle is not None:
                return _cbor(node.bundle.encode())
            case "GET", "/v1/health":
                return _health(node)
        return None

    return serve(handle)


def _answer(node: "Node", body: bytes) -> "Answer":
    import cbor2

    from enclave.node.errors import NotServing

    reply, bundle = node.infer(body), node.bundle
    if bundle is None:
        raise NotServing("no evidence on record", where="node", hint="ask again later")
    parts = [bundle.keys.encode(), reply.receipt, reply.request_salt, reply.response_salt, reply.response]
    return _cbor(cbor2.dumps(parts, canonical=True))


def _health(node: "Node") -> "Answer":
    import json
    from http import HTTPStatus

    state = {"phase": node.phase.value, "node": str(node.node_id or ""), "lease": node.lease}
    return HTTPStatus.OK, "application/json", json.dumps(state).encode()


def _cbor(body: bytes) -> "Answer":
    from http import HTTPStatus

    return HTTPStatus.OK, "application/cbor", body
