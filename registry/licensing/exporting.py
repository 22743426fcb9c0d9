# SPDX-License-Identifier: Apache-2.0
"""A licence as ODRL: a JSON-LD agreement in the profile, which imports back as the same licence."""

from decimal import Decimal

from registry.licensing.model import Fee, Licence, Money, Packs, Span
from registry.licensing.profile import ACCOUNT, AML, FAILURES, MODEL, VERBS, context, iso, short
from registry.licensing.vocabulary import fields, hardware, places

Json = dict[str, object]


def export(licence: Licence, *, uid: str, because: tuple[str, ...]) -> Json:
    """The agreement named `uid`; `because` are facts derived from it, said for the reader and not read back."""
    document: Json = {
        "@context": context(),
        "uid": uid,
        "type": "Agreement",
        "profile": AML,
        "conflict": "invalid",
        "aml:title": licence.title,
        "aml:version": licence.version,
        "aml:revocationNotice": _duration(licence.notice)
        if licence.notice
        else _typed("PT0H", "aml:duration"),
        "permission": _permissions(licence),
    }
    if licence.residency:
        kept = _constraint("spatial", "isAnyOf", _places(licence.residency))
        document["obligation"] = [_rule(licence, "aml:keepPersonalData") | {"constraint": [kept]}]
    if licence.forbidden:
        document["prohibition"] = [
            _rule(licence, short(VERBS[verb])) | {"aml:position": place}
            for place, verb in enumerate(licence.forbidden, 1)
        ]
    if licence.audit:
        document["aml:auditInterval"] = _duration(licence.audit)
    if licence.law:
        document["aml:governingLaw"] = {"@id": places()[licence.law].iri}
    if because:
        document["aml:derived"] = list(because)
    return document


def _rule(licence: Licence, action: str) -> Json:
    return {
        "target": {
            "uid": f"{MODEL}{licence.model.model_id}",
            "type": "Asset",
            "aml:modelName": licence.model.name,
            "aml:lowestVersion": licence.model.lowest_version,
        },
        "assigner": {
            "uid": f"{ACCOUNT}{licence.licensor.address}",
            "type": "Party",
            "aml:partyName": licence.licensor.name,
        },
        "assignee": {
            "uid": f"{ACCOUNT}{licence.licensee.address}",
            "type": "Party",
            "aml:partyName": licence.licensee.name,
        },
        "action": action,
    }


def _permissions(licence: Licence) -> list[Json]:
    use = _rule(licence, "aml:infer") | {
        "constraint": _limits(licence),
        "aml:onAttestationFailure": {"@id": short(FAILURES[licence.on_failure])},
    }
    if duties := _duties(licence.fee, licence.packs):
        use["duty"] = duties
    return [use, _rule(licence, "aml:serveCustomers")] if licence.resale else [use]


def _limits(licence: Licence) -> list[Json]:
    limits = [_constraint("count", "lteq", licence.seats) | {"unit": "aml:node"}]
    if licence.term.start:
        limits.append(_constraint("dateTime", "gteq", _typed(licence.term.start.isoformat(), "xsd:date")))
    limits.append(_constraint("aml:term", "eq", _duration(licence.term.lasts)))
    limits.append(_constraint("aml:attestationAge", "lteq", _duration(licence.attestation.every)))
    if names := licence.attestation.hardware:
        limits.append(
            _constraint("aml:attestationKind", "isAnyOf", _list(*(hardware()[name].iri for name in names)))
        )
    if licence.fields:
        limits.append(
            _constraint("purpose", "isAnyOf", _list(*(fields()[name].iri for name in licence.fields)))
        )
    if licence.territory:
        limits.append(_constraint("spatial", "isAnyOf", _places(licence.territory)))
    return limits


def _duties(fee: Fee | None, packs: Packs | None) -> list[Json]:
    duties = []
    if fee:
        duties.append(_payment(fee.price, _duration(fee.every) if fee.every else "once"))
    if packs:
        duties.append(_payment(packs.price, f"pack:{packs.size}"))
    return duties


def _payment(price: Money, when: object) -> Json:
    amount = _typed(_plain(price.amount), "xsd:decimal")
    return {
        "type": "Duty",
        "action": "compensate",
        "constraint": [
            _constraint("payAmount", "eq", amount) | {"unit": f"aml:{price.currency}"},
            _constraint("timeInterval", "eq", when),
        ],
    }


def _plain(amount: Decimal) -> str:
    # Cut as text: arithmetic on decimals would round long ones.
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _constraint(left: str, operator: str, right: object) -> Json:
    return {"type": "Constraint", "leftOperand": left, "operator": operator, "rightOperand": right}


def _places(names: tuple[str, ...]) -> Json:
    return _list(*(places()[name].iri for name in names))


def _list(*iris: str) -> Json:
    # A list, where ODRL would be content with a set: the author's order survives.
    return {"@list": [{"@id": iri} for iri in iris]}


def _duration(span: Span) -> Json:
    return _typed(iso(span), "aml:duration")


def _typed(text: str, datatype: str) -> Json:
    return {"@value": text, "@type": datatype}
