# SPDX-License-Identifier: Apache-2.0
"""What a model's user imports: ask a node, then check for oneself where the answer came from.

    client = NodeClient("https://node.example")
    answer = client.infer(encode_tensors([...]))
    verification = verify_receipt(answer, request, History(load_events(text), book))
    for step in verification.steps:
        print(step)

Each check either adds a step that says what it rests on, or raises `NotVerified`; nothing passes by default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from contracts.ids import Address, ModelId, NodeId, PolicyId, ReleaseId
from contracts.records import Level, Subject
from enclave.errors import NotVerified, ServiceUnavailable
from enclave.evidence.appraise import appraise
from enclave.evidence.bundle import Bundle
from enclave.evidence.policy import Policy
from enclave.evidence.verify import verify
from enclave.http import fetch
from enclave.statements import NodeKeys, Receipt, Statement, message_digest
from enclave.verification import History, Step, level_note

__all__ = ["Answer", "History", "NodeClient", "Presence", "Verification", "verify_node", "verify_receipt"]
_SALT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Statement):
    """A node's answer with everything needed to check it but the request; whoever deletes a salt unlinks it."""

    keys: bytes
    receipt: bytes
    request_salt: bytes
    response_salt: bytes
    response: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence(Statement):
    """What a node says of itself to its users: its keys, its evidence, and what it runs under which release."""

    keys: bytes
    bundle: bytes
    release: ReleaseId
    model_id: ModelId
    version: int
    policy_id: PolicyId
    licence: Address
    lease: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Everything that was checked, in order, and what it amounts to."""

    steps: tuple[Step, ...]
    node_id: NodeId
    level: Level
    subject: Subject | None = None
    receipt: Receipt | None = None


class NodeClient:
    """A node behind HTTP."""

    def __init__(self, url: str, *, timeout: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout

    def presence(self) -> Presence:
        """Who the node says it is; believe it after `verify_node`."""
        return Presence.decode(self._fetch("GET", "/v1/node", None))

    def infer(self, request: bytes) -> Answer:
        """One answer to a request (`enclave.wire.encode_tensors`); believe it after `verify_receipt`."""
        return Answer.decode(self._fetch("POST", "/v1/infer", request))

    def _fetch(self, method: str, path: str, body: bytes | None) -> bytes:
        found = fetch(method, self._url + path, body, timeout=self._timeout)
        if found is None:
            raise ServiceUnavailable("no answer", where=self._url)
        return found


def verify_receipt(answer: Answer, request: bytes, history: History) -> Verification:
    """Check that this answer to this request came from the registered model in a released, attested node."""
    keys, steps = NodeKeys.decode(answer.keys), list[Step]()
    receipt = _signed_by(answer.receipt, keys, steps)
    _is_about(receipt, answer, request, steps)
    subject, where = history.subject(receipt.release)
    if (subject.node_id, subject.licence) != (receipt.node_id, receipt.licence):
        raise NotVerified("the release is another node's or licence's", where="release")
    steps.append(Step(name="release", found=str(receipt.release), rests_on=where))
    leased = history.lease(receipt.release, receipt.lease, subject)
    if not 0 < receipt.counter <= leased.ceiling:
        raise NotVerified(f"counter {receipt.counter}, at most {leased.ceiling} granted", where="lease")
    found = f"answer {receipt.counter} of at most {leased.ceiling}, lease {receipt.lease}"
    steps.append(Step(name="lease", found=found, rests_on=leased.where))
    seal_id, where = history.seal_id(subject.model_id, subject.version)
    if seal_id != receipt.seal_id:
        raise NotVerified(f"the receipt is for sealed model {receipt.seal_id}, not {seal_id}", where="model")
    found = f"version {subject.version} of {subject.model_id}"
    steps.append(Step(name="model", found=found, rests_on=where))
    level = _on_record(history, subject.policy_id, subject.node_id, leased.rests_on, steps)
    return Verification(
        steps=tuple(steps), node_id=receipt.node_id, level=level, subject=subject, receipt=receipt
    )


def verify_node(
    bundle: bytes, history: History, *, now: int, policy: Policy, own: Policy | None = None
) -> Verification:
    """Check a node's evidence under its owner's policy and the user's own, and that it is on record.

    `now` is the timestamp of the newest block; `own` says which guests and levels this user trusts with inputs.
    """
    parsed, steps = Bundle.decode(bundle), list[Step]()
    challenge, node_id = parsed.challenge, parsed.keys.node_id()
    if challenge.node_id != node_id:
        raise NotVerified("the keys are not the challenged node's", where="node")
    steps.append(Step(name="node", found=str(node_id), rests_on="the digests of its three keys"))
    enforced, document, where = history.policy(challenge.policy_id)
    if (enforced, document) != (policy.enforced, policy.document_digest):
        raise NotVerified("this is not the policy the node is on record under", where="policy")
    steps.append(Step(name="policy", found=str(challenge.policy_id), rests_on=where))
    number = history.last_record(challenge.policy_id, node_id)
    level = _on_record(history, challenge.policy_id, node_id, number, steps)
    verdict = history.standing(challenge.policy_id, node_id, number).verdict
    if verdict.evidence != parsed.digest():
        raise NotVerified(
            "the last record is for other evidence", where="evidence", hint="ask the node again"
        )
    if now >= verdict.expiry:
        raise NotVerified("the record has expired", where="record")
    for name, rules in (("owner's policy", policy), ("own policy", own)):
        if rules is not None:
            _meets(parsed, rules, verdict.as_of, name, steps)
    return Verification(steps=tuple(steps), node_id=node_id, level=level)


def _signed_by(raw: bytes, keys: NodeKeys, steps: list[Step]) -> Receipt:
    receipt, signature = Receipt.read_signed(raw)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys.receipt)
        key.verify(utils.encode_dss_signature(r, s), receipt.to_be_signed(), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError) as error:
        raise NotVerified(
            "the receipt is not signed by the key that came with it", where="receipt"
        ) from error
    steps.append(Step(name="receipt", found="signed", rests_on="the receipt key in the answer"))
    if keys.node_id() != receipt.node_id:
        raise NotVerified("the key is not the node's that the receipt names", where="node")
    steps.append(Step(name="node", found=str(receipt.node_id), rests_on="the digests of its three keys"))
    return receipt


def _is_about(receipt: Receipt, answer: Answer, request: bytes, steps: list[Step]) -> None:
    said: Sequence[tuple[str, bytes, bytes, bytes]] = (
        ("request", answer.request_salt, request, receipt.request),
        ("response", answer.response_salt, answer.response, receipt.response),
    )
    for name, salt, body, digest in said:
        if len(salt) != _SALT or message_digest(salt, body) != digest:
            raise NotVerified(f"the receipt is for another {name}", where=name)
        steps.append(Step(name=name, found=f"{len(body)} bytes", rests_on="its salted digest in the receipt"))


def _on_record(history: History, policy: PolicyId, node: NodeId, number: int, steps: list[Step]) -> Level:
    standing = history.standing(policy, node, number)
    level = standing.verdict.level
    found = f"level {level.label}, {level_note(level)}"
    by = f"{len(standing.signers)} verifiers of which {standing.threshold} are needed, {standing.where}"
    steps.append(Step(name="verdict", found=found, rests_on=by))
    return level


def _meets(bundle: Bundle, policy: Policy, as_of: int, name: str, steps: list[Step]) -> None:
    at = datetime.fromtimestamp(as_of, UTC)
    verified = verify(bundle, trust=policy.trust, at=at)
    accepted = appraise(
        verified, policy, challenge_time=as_of, salt=b"", policy_id=bundle.challenge.policy_id
    )  # without the domain's salt, so the platform commitment is not compared here
    steps.append(Step(name=name, found=accepted.result.level.label, rests_on="; ".join(accepted.trace)))
