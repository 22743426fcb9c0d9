# SPDX-License-Identifier: Apache-2.0
"""What `show` and `status` print: the chain's words with their names, each answer from one block."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cli.output import instant

if TYPE_CHECKING:
    from contracts.ids import Address, ModelId, NodeId, PolicyId
    from registry.chain.rpc import Plain, Reader

_STATES = ("active", "suspended", "revoked")
_COMPILED_STATES = ("granted", "active", "suspended", "revoked", "expired")
_NODE_WITHDRAWN = 1


def model_state(reader: "Reader", model: "ModelId", version: int) -> dict[str, object]:
    """A model, and one of its versions or all."""
    found = reader.model(model)
    numbers = [version] if version else range(1, int(found["versions"]) + 1)
    return {
        "model": model,
        "block": reader.block_number,
        "owner": found["owner"],
        "broker": _known(found["broker"]),
        "retired": found["retired"],
        "successor": _known(found["successor"]),
        "lowest_served": found["lowestServed"],
        "versions": [_version(reader, model, number) for number in numbers],
    }


def policy_terms(reader: "Reader", policy: "PolicyId") -> dict[str, object]:
    """What the contracts enforce of a policy."""
    from contracts.records import Level
    from registry.errors import NotConfigured

    found = reader.terms(policy)
    if not found["published"]:
        hint = "publish it with `exequatur policy publish`"
        raise NotConfigured("no such policy on this chain", where=str(policy), hint=hint)
    return {
        "policy": policy,
        "block": reader.block_number,
        "controller": reader.controller(policy),
        "withdrawn": found["withdrawn"],
        "verifiers": found["verifiers"],
        "withdrawn_verifiers": int(found["withdrawnVerifiers"]).bit_count(),
        "threshold": found["threshold"],
        "minimum_level": Level(int(found["minimumLevel"])).label,
        "maximum_age": found["maximumAge"],
        "challenge_age": found["challengeAge"],
        "depth": found["depth"],
        "lease": found["lease"],
        "quota": found["quota"],
    }


def licence_state(reader: "Reader", licence: "Address") -> dict[str, object]:
    """A licence: for what, whose, until when, and who sits on it."""
    grant, compiled = reader.grant(licence), reader.compiled(licence)
    facts = _term(reader, licence) if compiled is None else _compiled(reader, licence, compiled)
    seats = [reader.seat(licence, index) for index in range(reader.seats(licence))]
    return {
        "licence": licence,
        "block": reader.block_number,
        "model": grant["modelId"],
        "lowest_version": grant["lowestVersion"],
        "licensee": grant["licensee"] if grant["accepted"] else None,
        "offered_to": _known(grant["pendingLicensee"]),
        **facts,
        "seats": len(seats),
        "seats_taken": sum(int(seat["until"]) > reader.timestamp for seat in seats),
        "text": _known(reader.text(licence)),
    }


def _term(reader: "Reader", licence: "Address") -> dict[str, object]:
    term = reader.term(licence)
    return {
        "state": _STATES[int(term["state"])],
        "start": instant(int(term["start"])),
        "end": instant(int(term["end"])),
        "answers_left": term["remaining"],
    }


def _compiled(reader: "Reader", licence: "Address", terms: "Mapping[str, Plain]") -> dict[str, object]:
    """How a compiled licence stands, and its clauses in numbers; seconds, wei, None for what the text does not say."""
    from contracts.licences import NEVER, UNLIMITED

    standing = reader.standing(licence)
    end, paid_until = int(standing["end"]), int(standing["paidUntil"])
    return {
        "state": _COMPILED_STATES[int(standing["state"])],
        "start": _instant(int(terms["start"]) or max(0, end - int(terms["length"]))),
        "end": _instant(end),
        "answers_left": None if standing["remaining"] == UNLIMITED else standing["remaining"],
        "paid": bool(standing["prepaid"]) or paid_until > reader.timestamp,
        "paid_until": None if paid_until == NEVER else _instant(paid_until),
        "notice_over": _instant(int(standing["noticeOver"])),
        "turn": standing["turn"],
        "clauses": _clauses(terms),
    }


def _clauses(terms: "Mapping[str, Plain]") -> dict[str, object]:
    from contracts.licences import NEVER

    bits = [int(terms[f"places{index}"]) for index in range(4)]
    period = int(terms["period"])
    return {
        "length": int(terms["length"]) or None,
        "attested_every": terms["every"],
        "on_failure": "removed" if terms["removes"] else "suspended",
        "kinds": int(terms["kinds"]) or None,
        "places": [code for code in range(1024) if bits[code >> 8] >> (code & 255) & 1] or None,
        "fee": {0: "none", NEVER: "once"}.get(period, "periodic"),
        "period": period if 0 < period < NEVER else None,
        "price_wei": int(terms["price"]) or None,
        "notice": int(terms["notice"]) or None,
        "pack": int(terms["pack"]) or None,
        "pack_price_wei": int(terms["packPrice"]) or None,
    }


def _instant(seconds: int) -> object:
    return instant(seconds) if seconds else None


def node_state(
    reader: "Reader",
    node: "NodeId",
    policy: "PolicyId | None",
    licence: "Address | None",
    model: "tuple[ModelId, int] | None",
) -> dict[str, object]:
    """A node's record, its authorisation, and whether it may run a model now; as far as asked for."""
    from contracts.records import Reason

    state: dict[str, object] = {"node": node, "block": reader.block_number}
    if policy is not None:
        state["record"] = _record(reader.record(policy, node), reader.timestamp)
    if licence is not None:
        state |= reader.node(licence, node)
    if licence is not None and model is not None:
        reason = Reason(reader.permits(*model, node, licence, reader.timestamp))
        state |= {"permitted": reason is Reason.NONE, "reason": reason.name.lower()}
    return state


def _version(reader: "Reader", model: "ModelId", number: int) -> dict[str, object]:
    from contracts.records import Finality

    found = reader.version(model, number)
    start = int(found["nextStart"])
    return {
        "version": number,
        "seal_id": found["sealId"],
        "policy": found["policy"],
        "next": _known(found["next"]),
        "next_start": instant(start) if start else None,
        "finality": Finality(int(found["finality"])).name.lower(),
        "withdrawn": found["withdrawn"],
    }


def _record(found: "Mapping[str, Plain]", now: int) -> dict[str, object]:
    from contracts.records import Level

    expiry = int(found["expiry"])
    return {
        "level": Level(int(found["level"])).label,
        "as_of": instant(int(found["asOf"])) if found["asOf"] else None,
        "expiry": instant(expiry) if expiry else None,
        "live": expiry > now and not int(found["flags"]) & _NODE_WITHDRAWN,
        "signers": int(found["signers"]).bit_count(),
        "withdrawn": bool(int(found["flags"]) & _NODE_WITHDRAWN),
        "workload": found["workload"],
        "platform": found["platform"],
    }


def _known(value: object) -> object:
    """None for an identifier that is all zero."""
    return value if isinstance(value, bytes) and any(value) else None
