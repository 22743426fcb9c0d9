# SPDX-License-Identifier: Apache-2.0
"""A graph in the ODRL profile as a licence; whatever a licence cannot say is refused and named."""

import re
from typing import TYPE_CHECKING

from registry.licensing.gathering import Gathering, refuse, told
from registry.licensing.model import (
    Fee,
    Licence,
    Licensed,
    OnFailure,
    Packs,
    Party,
    Span,
    Verb,
)
from registry.licensing.operands import (
    ANY,
    PAYMENT,
    PURPOSE,
    SPATIAL,
    USE,
    address_of,
    attestation_of,
    integer_of,
    model_id_of,
    name_of,
    names_of,
    payment_of,
    said_span,
    seats_of,
    term_of,
)
from registry.licensing.problems import LicenceRefused
from registry.licensing.profile import AML, FAILURES, ODRL, VERBS
from registry.licensing.vocabulary import fields, places

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.term import Node

_PACK = re.compile(r"pack:(\d{1,18})", re.ASCII)


def licence_in(graph: "Graph") -> Licence:
    """The licence a graph of the right shape holds; raises `LicenceRefused` (E201, E202, E206, E209, E210, E301, E302)."""
    from rdflib import RDF, URIRef

    agreement = next(iter(graph.subjects(RDF.type, URIRef(ODRL + "Agreement"))))
    gathering = Gathering(graph)
    licence = _Reading(gathering, agreement).licence()
    if left := gathering.leftovers():
        raise LicenceRefused(left)
    return licence


class _Reading:
    """One agreement being read."""

    def __init__(self, gathering: Gathering, agreement: "Node") -> None:
        self._from = gathering
        self._agreement = agreement
        self._shared: tuple[Node, ...] = ()

    def licence(self) -> Licence:
        """Read all of it, permissions first: they name the parties."""
        take, agreement = self._from, self._agreement
        take.kind(agreement, "Agreement", "Policy")
        for said in (ODRL + "profile", ODRL + "conflict", AML + "derived"):
            take.all(agreement, said)
        use, resale = self._permissions()
        limits = take.bounds(use, USE)
        fee, packs = self._duties(use)
        forbidden, residency = self._prohibitions(), self._residency()
        model, licensor, licensee = self._who()
        notice, audit = self._span(AML + "revocationNotice"), self._span(AML + "auditInterval")
        law = take.one(agreement, AML + "governingLaw")
        return Licence(
            title=str(take.one(agreement, AML + "title")),
            version=integer_of(take.one(agreement, AML + "version")),
            model=model,
            licensor=licensor,
            licensee=licensee,
            term=term_of(limits),
            seats=seats_of(limits),
            attestation=attestation_of(limits),
            on_failure=self._failure(use),
            fee=fee,
            notice=notice if notice and notice.count else None,
            fields=names_of(limits, PURPOSE, fields(), "field of use"),
            territory=names_of(limits, SPATIAL, places(), "place"),
            residency=residency,
            resale=resale,
            packs=packs,
            forbidden=forbidden,
            audit=audit,
            law="" if law is None else name_of(law, places(), "place"),
        )

    def _rule(self, rule: "Node", kind: str) -> str:
        """The action of a rule, whose asset and parties must be those of all others."""
        take = self._from
        take.kind(rule, kind)
        whom = tuple(
            one
            for name in ("target", "assigner", "assignee")
            if (one := take.one(rule, ODRL + name)) is not None
        )
        if self._shared and whom != self._shared:
            refuse("E302", "a licence has one model, one licensor and one licensee, the same in every rule")
        self._shared = whom
        return str(take.one(rule, ODRL + "action"))

    def _permissions(self) -> "tuple[Node, bool]":
        rules = {}
        for rule in self._from.all(self._agreement, ODRL + "permission"):
            action = self._rule(rule, "Permission")
            if action not in (AML + "infer", AML + "serveCustomers"):
                refuse("E302", f"a licence cannot permit the action “{told(action)}”")
            if action in rules:
                refuse("E202", f"the document permits {told(action)} twice")
            rules[action] = rule
        if AML + "infer" not in rules:
            refuse(
                "E201",
                "the document does not permit use of the model",
                "add a permission with the action aml:infer",
            )
        return rules[AML + "infer"], AML + "serveCustomers" in rules

    def _duties(self, use: "Node") -> tuple[Fee | None, Packs | None]:
        fee: Fee | None = None
        packs: Packs | None = None
        for duty in self._from.all(use, ODRL + "duty"):
            self._from.kind(duty, "Duty")
            if (action := str(self._from.one(duty, ODRL + "action"))) != ODRL + "compensate":
                refuse("E302", f"a licence cannot express the duty “{told(action)}”")
            price, when = payment_of(self._from.bounds(duty, PAYMENT))
            if pack := _PACK.fullmatch(when):
                if packs:
                    refuse("E202", "the document sells packs of inferences twice")
                packs = Packs(size=int(pack[1]), price=price)
                continue
            if fee:
                refuse("E202", "the document asks for two fees")
            fee = Fee(price=price, every=None if when == "once" else said_span(when))
        return fee, packs

    def _prohibitions(self) -> tuple[Verb, ...]:
        verbs = {iri: verb for verb, iri in VERBS.items()}
        found: dict[Verb, int] = {}
        for rule in self._from.all(self._agreement, ODRL + "prohibition"):
            action = self._rule(rule, "Prohibition")
            if action not in verbs:
                refuse("E302", f"a licence cannot prohibit the action “{told(action)}”")
            if verbs[action] in found:
                refuse("E202", f"the document prohibits {told(action)} twice")
            position = self._from.one(rule, AML + "position")
            found[verbs[action]] = len(verbs) if position is None else integer_of(position)
        order = list(Verb)
        return tuple(sorted(found, key=lambda verb: (found[verb], order.index(verb))))

    def _residency(self) -> tuple[str, ...]:
        rule = self._from.one(self._agreement, ODRL + "obligation")
        if rule is None:
            return ()
        if (action := self._rule(rule, "Duty")) != AML + "keepPersonalData":
            refuse("E302", f"a licence cannot oblige to the action “{told(action)}”")
        limits = self._from.bounds(rule, {SPATIAL: ANY})
        return names_of(limits, SPATIAL, places(), "place") or refuse(
            "E201",
            "the document does not say where personal data must stay",
            "add an odrl:spatial constraint",
        )

    def _who(self) -> tuple[Licensed, Party, Party]:
        take = self._from
        target, assigner, assignee = self._shared
        take.kind(target, "Asset")
        lowest = take.one(target, AML + "lowestVersion")
        model = Licensed(
            name=str(take.one(target, AML + "modelName")),
            model_id=model_id_of(str(target)),
            lowest_version=1 if lowest is None else integer_of(lowest),
        )
        for party in {assigner, assignee}:
            take.kind(party, "Party")
        parties = [
            Party(name=str(take.one(party, AML + "partyName")), address=address_of(str(party)))
            for party in (assigner, assignee)
        ]
        return model, parties[0], parties[1]

    def _failure(self, use: "Node") -> OnFailure:
        said = str(self._from.one(use, AML + "onAttestationFailure"))
        return next((one for one, iri in FAILURES.items() if iri == said), None) or refuse(
            "E302",
            f"a node that fails attestation cannot be met with “{told(said)}”",
            "aml:suspend or aml:remove",
        )

    def _span(self, predicate: str) -> Span | None:
        said = self._from.one(self._agreement, predicate)
        return None if said is None else said_span(str(said))
