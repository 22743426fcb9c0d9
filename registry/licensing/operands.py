# SPDX-License-Identifier: Apache-2.0
"""What stands on the right of a constraint, as a part of a licence; refused (`LicenceRefused`) when a licence cannot say it."""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from contracts.errors import MalformedId
from contracts.ids import Address, ModelId
from registry.licensing.gathering import Bound, Limit, refuse, told
from registry.licensing.model import Attestation, Currency, Money, Span, Term
from registry.licensing.profile import ACCOUNT, AML, MODEL, ODRL, XSD, span_of
from registry.licensing.saying import checksummed
from registry.licensing.vocabulary import Field, Hardware, Place, hardware, names_by_iri

if TYPE_CHECKING:
    from rdflib.term import Node

COUNT, START, TERM = ODRL + "count", ODRL + "dateTime", AML + "term"
AGE, KIND = AML + "attestationAge", AML + "attestationKind"
PURPOSE, SPATIAL = ODRL + "purpose", ODRL + "spatial"
AMOUNT, INTERVAL = ODRL + "payAmount", ODRL + "timeInterval"
ANY = Limit(operator="isAnyOf")
USE = {
    COUNT: Limit(operator="lteq", unit=True),
    START: Limit(operator="gteq"),
    TERM: Limit(operator="eq"),
    AGE: Limit(operator="lteq"),
    KIND: ANY,
    PURPOSE: ANY,
    SPATIAL: ANY,
}
PAYMENT = {AMOUNT: Limit(operator="eq", unit=True), INTERVAL: Limit(operator="eq")}
_DECIMAL = re.compile(r"\d{1,40}(\.\d{1,40})?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,40}", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def term_of(limits: Mapping[str, Bound]) -> Term:
    """When the licence starts and how long it lasts."""
    lasts = _span_in(limits, TERM, "how long it lasts")
    if START not in limits:
        return Term(start=None, lasts=lasts)
    text = _only(limits, START)
    try:
        return Term(start=date.fromisoformat(text if _DATE.fullmatch(text) else "?"), lasts=lasts)
    except ValueError:
        refuse("E206", f"“{text[:40]}” is not a day", "write it as 2027-01-31")


def seats_of(limits: Mapping[str, Bound]) -> int:
    """On how many nodes at most."""
    if COUNT not in limits:
        refuse(
            "E201", "the document does not say on how many nodes", "add an odrl:count constraint in aml:node"
        )
    if limits[COUNT].unit != AML + "node":
        refuse("E302", "a licence counts nodes and nothing else", "give odrl:count the odrl:unit aml:node")
    return integer_of(limits[COUNT].values[0] if _only(limits, COUNT) else None)


def attestation_of(limits: Mapping[str, Bound]) -> Attestation:
    """How often nodes pass attestation, and on which hardware."""
    return Attestation(
        every=_span_in(limits, AGE, "how often nodes must pass attestation"),
        hardware=names_of(limits, KIND, hardware(), "hardware"),
    )


def payment_of(limits: Mapping[str, Bound]) -> tuple[Money, str]:
    """What a duty to pay asks for, and its time interval as written."""
    if set(limits) != set(PAYMENT):
        refuse("E301", "a duty to pay needs one odrl:payAmount and one odrl:timeInterval")
    amount, unit = _only(limits, AMOUNT), limits[AMOUNT].unit.removeprefix(AML)
    currency = next((one for one in Currency if one.value == unit), None)
    if currency is None:
        refuse("E302", f"“{told(unit)}” is not a currency of this profile", "aml:" + ", aml:".join(Currency))
    if not _DECIMAL.fullmatch(amount) or not _is_exact(limits[AMOUNT].values[0]):
        refuse("E301", f"“{amount[:60]}” is not an amount", "write it as text of the type xsd:decimal")
    # Zeros at the end are cut as text: arithmetic on decimals would round long ones.
    short = amount.rstrip("0").rstrip(".") if "." in amount else amount
    return Money(amount=Decimal(short), currency=currency), _only(limits, INTERVAL)


def _is_exact(node: "Node") -> bool:
    # A double is not the number its author meant, only one near it.
    from rdflib import Literal

    datatypes = (None, *(XSD + name for name in ("decimal", "integer", "string")))
    return isinstance(node, Literal) and (node.datatype and str(node.datatype)) in datatypes


def names_of(
    limits: Mapping[str, Bound],
    left: str,
    known: Mapping[str, Place] | Mapping[str, Hardware] | Mapping[str, Field],
    what: str,
) -> tuple[str, ...]:
    """The names of what a constraint lists; nothing when there is no such constraint."""
    if left not in limits:
        return ()
    if not limits[left].values:
        refuse("E301", f"the list of {told(left)} is empty", "name at least one, or leave the constraint out")
    return tuple(name_of(value, known, what) for value in limits[left].values)


def name_of(
    node: "Node", known: Mapping[str, Place] | Mapping[str, Hardware] | Mapping[str, Field], what: str
) -> str:
    """The name of one place, piece of hardware or field of use."""
    found = names_by_iri().get(str(node), "")
    return (
        found if found in known else refuse("E210", f"“{told(str(node))}” is not a {what} this profile knows")
    )


def _span_in(limits: Mapping[str, Bound], left: str, what: str) -> Span:
    if left not in limits:
        refuse(
            "E201",
            f"the document does not say {what}",
            f"add a constraint with the left operand {told(left)}",
        )
    return said_span(_only(limits, left))


def _only(limits: Mapping[str, Bound], left: str) -> str:
    values = limits[left].values
    if len(values) != 1:
        refuse("E301", f"{told(left)} needs one odrl:rightOperand")
    return str(values[0])


def said_span(text: str) -> Span:
    """A length of time of one unit."""
    return span_of(text) or refuse(
        "E302",
        f"“{text[:60]}” is not a length of time a licence can say",
        "write one number and one unit, such as PT24H, P30D, P26W, P24M or P3Y",
    )


def integer_of(node: "Node | None") -> int:
    """A whole number."""
    from rdflib import Literal, URIRef

    if not isinstance(node, Literal) or node.datatype != URIRef(XSD + "integer"):
        refuse("E301", f"“{told(str(node))}” is not a whole number")
    if not _INTEGER.fullmatch(str(node)):
        refuse("E205", f"“{str(node)[:60]}” is not a whole number of a size that makes sense")
    return int(str(node))


def model_id_of(iri: str) -> ModelId:
    """The model's id in its IRI."""
    try:
        return ModelId.parse(iri.removeprefix(MODEL) if iri.startswith(MODEL) else "")
    except MalformedId:
        refuse("E209", f"the target “{told(iri)}” is not a model", f"write it as {MODEL}0x and 64 hex digits")


def address_of(iri: str) -> Address:
    """An account in a party's IRI."""
    digits = iri.removeprefix(ACCOUNT) if iri.startswith(ACCOUNT) else ""
    try:
        address = Address.parse(digits)
    except MalformedId:
        refuse(
            "E209", f"the party “{told(iri)}” is not an account", f"write it as {ACCOUNT}0x and 40 hex digits"
        )
    if digits not in (str(address), checksummed(address)):
        refuse(
            "E209",
            f"the account “{digits}” is mistyped: its capital letters do not check",
            "compare it again",
        )
    return address
