# SPDX-License-Identifier: Apache-2.0
"""Licences exchanged as ODRL 2.2: JSON-LD out and in, in the profile of `vocabularies/profile.ttl`, without the network."""

from collections.abc import Mapping
from hashlib import sha256

from registry.licensing.checking import faults
from registry.licensing.exporting import export
from registry.licensing.importing import licence_in
from registry.licensing.jsonld import graph_of
from registry.licensing.meaning import meaning
from registry.licensing.model import Licence
from registry.licensing.problems import LicenceRefused
from registry.licensing.profile import LICENCE
from registry.licensing.saying import say


def to_odrl(licence: Licence) -> dict[str, object]:
    """The licence as a JSON-LD agreement, complete with its context."""
    return export(licence, uid=LICENCE + _digest(licence), because=meaning(licence).because)


def from_odrl(document: Mapping[str, object] | str) -> Licence:
    """The licence a JSON-LD document holds; raises `LicenceRefused` (E2xx, E301, E302) and drops nothing in silence.

    Its identifier and the facts derived from it (`aml:derived`) are not terms and may be anything.
    """
    from registry.licensing.shaping import shape_problems

    graph = graph_of(document)
    if problems := shape_problems(graph):
        raise LicenceRefused(problems)
    licence = licence_in(graph)
    problems = tuple(fault.problem() for fault in faults(licence))
    # Meaning is asked only of values that hold.
    if problems := problems or tuple(one for one in meaning(licence).problems if one.fatal):
        raise LicenceRefused(problems)
    return licence


def _digest(licence: Licence) -> str:
    return "0x" + sha256(say(licence).encode()).hexdigest()
