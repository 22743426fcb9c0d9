# SPDX-License-Identifier: Apache-2.0
"""The ODRL 2.2 profile licences are exchanged in: its names, and how it writes a length of time.

`vocabularies/profile.ttl` defines the terms for other people's tools; both directions of the exchange read this table.
"""

import json
import re
from functools import cache

from registry.licensing.model import OnFailure, Span, Unit, Verb
from registry.licensing.vocabulary import FOLDER

AML = "urn:exequatur:aml:"
ODRL = "http://www.w3.org/ns/odrl/2/"
XSD = "http://www.w3.org/2001/XMLSchema#"
MODEL = "urn:exequatur:model:"
LICENCE = "urn:exequatur:licence:"
ACCOUNT = "ethereum:"
"""ERC-681 names an account without a chain: the terms bind the account whichever chain the licence is granted on."""

# Where W3C publishes the context kept in `vocabularies/odrl.json`.
ODRL_CONTEXTS = frozenset(
    f"{scheme}://www.w3.org/ns/odrl{version}.jsonld"
    for scheme in ("http", "https")
    for version in ("", "/2/ODRL22")
)

VERBS: dict[Verb, str] = {
    Verb.EXTRACT: AML + "extract",
    Verb.DISTIL: AML + "distil",
    Verb.MODIFY: ODRL + "modify",
    Verb.FINE_TUNE: AML + "fineTune",
    Verb.REVERSE_ENGINEER: AML + "reverseEngineer",
    Verb.REDISTRIBUTE: ODRL + "distribute",
    Verb.SUBLICENSE: ODRL + "grantUse",
    Verb.BENCHMARK: AML + "benchmark",
}
FAILURES: dict[OnFailure, str] = {OnFailure.SUSPEND: AML + "suspend", OnFailure.REMOVE: AML + "remove"}

_UNITS = {
    Unit.HOURS: ("PT", "H"),
    Unit.DAYS: ("P", "D"),
    Unit.WEEKS: ("P", "W"),
    Unit.MONTHS: ("P", "M"),
    Unit.YEARS: ("P", "Y"),
}
_ISO = re.compile(r"(PT|P)(\d{1,12})([HDWMY])", re.ASCII)


def iso(span: Span) -> str:
    """The span as an ISO 8601 duration of one unit, so that its author's unit survives."""
    before, after = _UNITS[span.unit]
    return f"{before}{span.count}{after}"


def span_of(text: str) -> Span | None:
    """The span an ISO 8601 duration of one unit stands for; None for any other text."""
    if not (match := _ISO.fullmatch(text)):
        return None
    before, count, after = match.groups()
    unit = next((unit for unit, form in _UNITS.items() if form == (before, after)), None)
    return None if unit is None else Span(count=int(count), unit=unit)


@cache
def odrl_context() -> dict[str, object]:
    """The part of W3C's ODRL 2.2 context that licences use."""
    context: dict[str, object] = json.loads((FOLDER / "odrl.json").read_text(encoding="utf-8"))
    return context


def context() -> dict[str, object]:
    """The context of an exported licence, complete: whoever reads it needs no network."""
    return odrl_context() | {"aml": AML, "xsd": XSD}


def short(iri: str) -> str:
    """An IRI as this profile's context abbreviates it, for documents and messages."""
    for prefix, namespace in (("aml:", AML), ("odrl:", ODRL), ("xsd:", XSD)):
        if iri.startswith(namespace):
            return prefix + iri.removeprefix(namespace)
    return iri
